"""What `matrix_states.py` lets its contenders compute: cells with a matrix state, a task.

In: a cell's name and sizes. Out: a `MatrixTask`; the step as the paper prints it, in NumPy or in
whatever imitates it; the same by a careful hand, forward and backward, in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from derive import catalogue
from derive.language.expr import size_name

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Run = Callable[[], Arrays]


@dataclass(frozen=True)
class MatrixTask:
    """One call: sizes T, B, m, n = k, parameters, inputs, zero initial states, ∂L/∂y_t.

    Shapes: x (T, B, m), y_bars (T, B, n).
    """

    cell: str
    steps: int
    batch: int
    inputs: int
    size: int
    dtype: str = "float32"
    seed: int = 0
    params: Arrays = field(init=False, repr=False)
    x: Array = field(init=False, repr=False)
    y_bars: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Draw matrices N(0, 1/columns), vectors N(0, 1/m), sequences N(0, 1)."""
        rng, drawn = np.random.default_rng(self.seed), {}
        for parameter in catalogue[self.cell].parameters:
            names = map(size_name, parameter.shape)
            rows, columns = (1 if name == "1" else self._extent(name) for name in names)
            shape = (rows, columns) if columns > 1 else (rows,) if rows > 1 else ()
            drawn[parameter.name] = np.asarray(rng.normal(size=shape) / self.inputs**0.5)
        object.__setattr__(self, "params", {k: v.astype(self.dtype) for k, v in drawn.items()})
        for name, width in (("x", self.inputs), ("y_bars", self.size)):
            sequence = rng.normal(size=(self.steps, self.batch, width)).astype(self.dtype)
            object.__setattr__(self, name, sequence)

    def _extent(self, name: str) -> int:
        return self.inputs if name == "m" else self.size

    @property
    def output(self) -> str:
        """The name of what a step returns."""
        return catalogue[self.cell].outputs[0].name

    def initial(self) -> Arrays:
        """Zeros for each state of the cell."""
        B, n = self.batch, self.size
        return {
            state.name: np.zeros((B, n) if size_name(state.shape[1]) == "1" else (B, n, n),
                                 self.dtype)
            for state in catalogue[self.cell].states
        }  # fmt: skip


# ---- a step, in any library -------------------------------------------------------------------


@dataclass(frozen=True)
class Functions:
    """What a library calls the functions of the cells."""

    exp: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]
    at_least_one: Callable[[Any], Any]


def _delta_net(f: Functions, p: Mapping[str, Any], x: Any, s: Mapping[str, Any]) -> Any:
    def silu(a: Any) -> Any:
        return a * f.sigmoid(a)

    def l2norm(a: Any) -> Any:
        return a / f.sqrt((a * a).sum(-1))[..., None]

    q, k = l2norm(silu(x @ p["W_q"].T)), l2norm(silu(x @ p["W_k"].T))
    v, beta = silu(x @ p["W_v"].T), f.sigmoid(x @ p["w_beta"])[..., None]
    u = beta * (v - (s["S"] @ k[..., None])[..., 0])
    S = s["S"] + u[..., None] * k[..., None, :]
    return {"S": S}, (S @ q[..., None])[..., 0]


def _mlstm(fun: Functions, p: Mapping[str, Any], x: Any, s: Mapping[str, Any]) -> Any:
    q, k, v = (x @ p[f"W_{name}"].T + p[f"b_{name}"] for name in "qkv")
    i = fun.exp(x @ p["w_i"] + p["b_i"])[..., None]
    f = fun.sigmoid(x @ p["w_f"] + p["b_f"])[..., None]
    C = f[..., None] * s["C"] + i[..., None] * (v[..., None] * k[..., None, :])
    n = f * s["n"] + i * k
    o = fun.sigmoid(x @ p["W_o"].T + p["b_o"])
    below = fun.at_least_one(abs((n * q).sum(-1)))[..., None]
    return {"C": C, "n": n}, o * (C @ q[..., None])[..., 0] / below


STEPS: Final = {"delta_net": _delta_net, "mlstm": _mlstm}


# ---- by hand ----------------------------------------------------------------------------------


def delta_net_by_hand(task: MatrixTask) -> Run:
    """DeltaNet as a careful person writes it in NumPy.

    What needs no state is done for all t at once, before the loop or after it; inside the loops
    nothing is allocated, and a matrix is added to where it stands.
    """
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype

    def run() -> Arrays:
        p, x = task.params, task.x.reshape(T * B, m)
        W = np.concatenate([p[f"W_{name}"] for name in "qkv"])
        a = (x @ W.T).reshape(T, B, 3, n)
        sigma = 1 / (1 + np.exp(-a))
        values = a * sigma
        norms = np.sqrt((values[:, :, :2] ** 2).sum(-1, keepdims=True))
        q, k = (np.ascontiguousarray(values[:, :, i] / norms[:, :, i]) for i in (0, 1))
        v, beta = values[:, :, 2], (1 / (1 + np.exp(-(x @ p["w_beta"])))).reshape(T, B, 1)
        S, term = np.empty((T + 1, B, n, n), dtype), np.empty((B, n, n), dtype)
        S[0] = 0
        e, u, y = (np.empty((T, B, n), dtype) for _ in range(3))
        for t in range(T):
            np.matmul(S[t], k[t][..., None], out=e[t][..., None])
            np.subtract(v[t], e[t], out=e[t])
            np.multiply(beta[t], e[t], out=u[t])
            np.multiply(u[t][..., None], k[t][:, None], out=S[t + 1])
            S[t + 1] += S[t]
            np.matmul(S[t + 1], q[t][..., None], out=y[t][..., None])

        S_bar, from_e = np.zeros((B, n, n), dtype), np.empty((B, n), dtype)
        u_bar, e_bar, q_bar, k_bar = (np.empty((T, B, n), dtype) for _ in range(4))
        for t in reversed(range(T)):
            y_bar = task.y_bars[t]
            np.multiply(y_bar[..., None], q[t][:, None], out=term)
            S_bar += term
            np.matmul(S_bar, k[t][..., None], out=u_bar[t][..., None])
            np.matmul(u[t][:, None], S_bar, out=k_bar[t][:, None])
            np.multiply(u_bar[t], beta[t], out=e_bar[t])
            np.matmul(e_bar[t][:, None], S[t], out=from_e[:, None])
            k_bar[t] -= from_e
            np.matmul(y_bar[:, None], S[t + 1], out=q_bar[t][:, None])
            np.multiply(e_bar[t][..., None], k[t][:, None], out=term)
            S_bar -= term

        a_bar = np.empty((T, B, 3, n), dtype)
        for place, (unit, bar) in enumerate(((q, q_bar), (k, k_bar))):
            bar -= unit * (unit * bar).sum(-1, keepdims=True)
            np.divide(bar, norms[:, :, place], out=a_bar[:, :, place])
        a_bar[:, :, 2] = e_bar
        a_bar *= sigma * (1 + a * (1 - sigma))
        b_bar = ((u_bar * e).sum(-1, keepdims=True) * beta * (1 - beta)).reshape(T * B)
        rows = a_bar.reshape(T * B, 3 * n)
        W_bar, x_bar = rows.T @ x, rows @ W
        x_bar += b_bar[:, None] * p["w_beta"]
        return {
            **{f"params.W_{c}": W_bar[i * n : (i + 1) * n] for i, c in enumerate("qkv")},
            "params.w_beta": b_bar @ x, "inputs.x": x_bar.reshape(T, B, m), "initial.S": S_bar,
        }  # fmt: skip

    return run


def mlstm_by_hand(task: MatrixTask) -> Run:
    """MLSTM in the same way; Σ C̄ ⊙ C_prev is a product of long rows, i and f scale vectors."""
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype

    def run() -> Arrays:
        p, x = task.params, task.x.reshape(T * B, m)
        W = np.concatenate([p[f"W_{name}"] for name in "qkvo"])
        a = (x @ W.T).reshape(T, B, 4, n)
        a += np.stack([p[f"b_{name}"] for name in "qkvo"])
        q, k, v = (np.ascontiguousarray(a[:, :, i]) for i in range(3))
        o = 1 / (1 + np.exp(-a[:, :, 3]))
        i = np.exp(x @ p["w_i"] + p["b_i"]).reshape(T, B, 1)
        f = (1 / (1 + np.exp(-(x @ p["w_f"] + p["b_f"])))).reshape(T, B, 1)
        iv, ik = i * v, i * k
        C, term = np.empty((T + 1, B, n, n), dtype), np.empty((B, n, n), dtype)
        N, Cq = np.empty((T + 1, B, n), dtype), np.empty((T, B, n), dtype)
        C[0], N[0] = 0, 0
        for t in range(T):
            np.multiply(f[t][..., None], C[t], out=C[t + 1])
            np.multiply(iv[t][..., None], k[t][:, None], out=term)
            C[t + 1] += term
            np.multiply(f[t], N[t], out=N[t + 1])
            N[t + 1] += ik[t]
            np.matmul(C[t + 1], q[t][..., None], out=Cq[t][..., None])
        dot = (N[1:] * q).sum(-1, keepdims=True)
        below = np.maximum(abs(dot), 1)
        h = o * Cq / below

        h_bar = task.y_bars / below
        below_bar = -(h_bar * h).sum(-1, keepdims=True)
        dot_bar = below_bar * (abs(dot) >= 1) * np.sign(dot)
        Cq_bar, n_from_q = h_bar * o, dot_bar * q
        a_bar = np.empty((T, B, 4, n), dtype)
        a_bar[:, :, 3] = h_bar * Cq * o * (1 - o)
        C_bar, N_bar = np.zeros((B, n, n), dtype), np.zeros((B, n), dtype)
        q_bar, vC, Ck, N_bars = (np.empty((T, B, n), dtype) for _ in range(4))
        f_bar = np.empty((T, B, 1), dtype)
        for t in reversed(range(T)):
            np.multiply(Cq_bar[t][..., None], q[t][:, None], out=term)
            C_bar += term
            N_bar += n_from_q[t]
            N_bars[t] = N_bar
            long = C_bar.reshape(B, 1, n * n), C[t].reshape(B, n * n, 1)
            np.matmul(*long, out=f_bar[t][..., None])
            np.matmul(C_bar, k[t][..., None], out=Ck[t][..., None])
            np.matmul(v[t][:, None], C_bar, out=vC[t][:, None])
            np.matmul(Cq_bar[t][:, None], C[t + 1], out=q_bar[t][:, None])
            C_bar *= f[t][..., None]
            N_bar *= f[t]
        a_bar[:, :, 0] = q_bar + dot_bar * N[1:]
        a_bar[:, :, 1] = i * (vC + N_bars)
        a_bar[:, :, 2] = i * Ck
        i_bar = ((v * Ck).sum(-1) + (N_bars * k).sum(-1)) * i[..., 0]
        f_bar = (f_bar + (N_bars * N[:-1]).sum(-1, keepdims=True)) * f * (1 - f)
        i_bar, f_bar = i_bar.reshape(T * B), f_bar.reshape(T * B)
        rows = a_bar.reshape(T * B, 4 * n)
        W_bar, b_bar, x_bar = rows.T @ x, rows.sum(0), rows @ W
        x_bar += i_bar[:, None] * p["w_i"] + f_bar[:, None] * p["w_f"]
        found = {"inputs.x": x_bar.reshape(T, B, m), "initial.C": C_bar, "initial.n": N_bar}
        for place, name in enumerate("qkvo"):
            part = slice(place * n, (place + 1) * n)
            found[f"params.W_{name}"], found[f"params.b_{name}"] = W_bar[part], b_bar[part]
        for name, bar in (("i", i_bar), ("f", f_bar)):
            found[f"params.w_{name}"], found[f"params.b_{name}"] = bar @ x, bar.sum()
        return found

    return run


BY_HAND: Final = {"delta_net": delta_net_by_hand, "mlstm": mlstm_by_hand}
