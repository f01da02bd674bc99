"""What the emitted code is measured against, each computing the same gradients.

In: a `Task`. Out: functions without arguments that run forward and backward once and return
gradients by name (`"params.W_fh"`, `"inputs.x"`, `"initial.c"`), or None where only the time is
of interest. Everything is measured from raw arrays to raw arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import autograd
import autograd.numpy as anp
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Run = Callable[[], Arrays | None]
GATES: Final = {"lstm": "fioc", "rnn": ""}


@dataclass(frozen=True)
class Task:
    """One call: the sizes, parameters, an input sequence, zero initial states, ∂L/∂h_t.

    Shapes: x (T, B, m), h_bars (T, B, n).
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
    h_bars: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Draw matrices N(0, 1/columns) and the rest N(0, 1)."""
        rng, gates = np.random.default_rng(self.seed), GATES[self.cell]
        names = [(f"W_{g}h", f"W_{g}x", f"b_{g}") for g in gates] or [("W", "U", "b")]
        shapes = ((self.size, self.size), (self.size, self.inputs), (self.size,))
        drawn = {
            name: rng.normal(size=shape) / (shape[1] ** 0.5 if len(shape) == 2 else 1)
            for triple in names
            for name, shape in zip(triple, shapes, strict=True)
        }
        sequence = (self.steps, self.batch)
        object.__setattr__(self, "params", {k: v.astype(self.dtype) for k, v in drawn.items()})
        for name, width in (("x", self.inputs), ("h_bars", self.size)):
            drawn_sequence = rng.normal(size=(*sequence, width)).astype(self.dtype)
            object.__setattr__(self, name, drawn_sequence)

    def zeros(self) -> Array:
        """An initial state, (B, n)."""
        return np.zeros((self.batch, self.size), self.dtype)

    def stacked(self, gates: str) -> tuple[Array, Array, Array]:
        """The weights of all gates, one below the other, in the order given."""
        if not gates:
            return self.params["W"], self.params["U"], self.params["b"]
        kinds = ("W_{}h", "W_{}x", "b_{}")
        W, U, b = (np.concatenate([self.params[k.format(g)] for g in gates]) for k in kinds)
        return W, U, b

    def named(self, gates: str, weights: Iterable[Array], x_bar: Array, initial: Arrays) -> Arrays:
        """The gradients by name, from those of the stacked weights."""
        W_bar, U_bar, b_bar = weights
        found = {"inputs.x": x_bar, **{f"initial.{k}": v for k, v in initial.items()}}
        if not gates:
            return found | {"params.W": W_bar, "params.U": U_bar, "params.b": b_bar}
        for place, g in enumerate(gates):
            rows = slice(place * self.size, (place + 1) * self.size)
            found[f"params.W_{g}h"], found[f"params.W_{g}x"] = W_bar[rows], U_bar[rows]
            found[f"params.b_{g}"] = b_bar[rows]
        return found


# ---- the equations, under autograd and under JAX --------------------------------------------


def step(np: Any, cell: str, p: Any, x: Any, state: dict[str, Any]) -> dict[str, Any]:
    """One step of the cell, as the catalogue prints it, in NumPy or what imitates it."""
    h = state["h"]
    if cell == "rnn":
        return {"h": np.tanh(h @ p["W"].T + x @ p["U"].T + p["b"])}

    def sigmoid(a: Any) -> Any:
        return 1 / (1 + np.exp(-a))

    f = sigmoid(h @ p["W_fh"].T + x @ p["W_fx"].T + p["b_f"])
    i = sigmoid(h @ p["W_ih"].T + x @ p["W_ix"].T + p["b_i"])
    c_tilde = np.tanh(h @ p["W_ch"].T + x @ p["W_cx"].T + p["b_c"])
    o = sigmoid(h @ p["W_oh"].T + x @ p["W_ox"].T + p["b_o"])
    c = f * state["c"] + i * c_tilde
    return {"c": c, "h": o * np.tanh(c)}


def initial_state(task: Task) -> Arrays:
    """Zeros for each state of the cell."""
    return {name: task.zeros() for name in (("c", "h") if task.cell == "lstm" else ("h",))}


def with_autograd(task: Task) -> Run:
    """`autograd.grad` of the unrolled equations; x as a list, which spares it T copies of x."""

    def loss(params: Any, xs: Any, state: Any) -> Any:
        total = 0.0
        for x, h_bar in zip(xs, task.h_bars, strict=True):
            state = step(anp, task.cell, params, x, state)
            total = total + anp.sum(state["h"] * h_bar)
        return total

    gradient = autograd.grad(loss, (0, 1, 2))

    def run() -> Arrays:
        params, xs, initial = gradient(task.params, list(task.x), initial_state(task))
        return {
            **{f"params.{k}": v for k, v in params.items()},
            "inputs.x": np.stack(xs),
            **{f"initial.{k}": v for k, v in initial.items()},
        }

    return run


def with_jax(task: Task) -> Run | None:
    """`jax.grad` of a scan over the equations, compiled; None where JAX is not installed."""
    if find_spec("jax") is None:
        return None
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    jax.config.update("jax_enable_x64", task.dtype == "float64")

    def loss(params: Any, xs: Any, state: Any) -> Any:
        def advance(state: Any, x: Any) -> Any:
            state = step(jnp, task.cell, params, x, state)
            return state, state["h"]

        return (jax.lax.scan(advance, state, xs)[1] * task.h_bars).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1, 2)))

    def run() -> Arrays:
        params, x_bar, initial = gradient(task.params, task.x, initial_state(task))
        return {
            **{f"params.{k}": np.asarray(v) for k, v in params.items()},
            "inputs.x": np.asarray(x_bar),
            **{f"initial.{k}": np.asarray(v) for k, v in initial.items()},
        }

    return run


def with_torch(task: Task) -> Run | None:
    """`torch.nn.LSTM` or `RNN` and its backward pass; None where PyTorch is not installed."""
    if find_spec("torch") is None:
        return None
    torch = import_module("torch")
    gates = "ifco" if task.cell == "lstm" else ""
    kind = torch.nn.LSTM if gates else torch.nn.RNN
    network = kind(task.inputs, task.size).to(getattr(torch, task.dtype))
    W, U, b = task.stacked(gates)
    with torch.no_grad():
        for name, value in (
            ("weight_hh_l0", W), ("weight_ih_l0", U), ("bias_ih_l0", b), ("bias_hh_l0", 0 * b),
        ):  # fmt: skip
            getattr(network, name).copy_(torch.from_numpy(value))
    h_bars = torch.from_numpy(task.h_bars)

    def run() -> Arrays:
        network.zero_grad()
        x = torch.from_numpy(task.x).requires_grad_()
        state = {k: torch.from_numpy(v[None]).requires_grad_()
                 for k, v in initial_state(task).items()}  # fmt: skip
        outputs, _ = network(x, (state["h"], state["c"]) if gates else state["h"])
        outputs.backward(h_bars)
        bars = [getattr(network, f"{k}_l0").grad.numpy()
                for k in ("weight_hh", "weight_ih", "bias_ih")]  # fmt: skip
        initial = {k: v.grad.numpy()[0] for k, v in state.items()}
        return task.named(gates, bars, x.grad.numpy(), initial)

    return run


# ---- by hand, and the floor -----------------------------------------------------------------


def by_hand(task: Task) -> Run:
    """The LSTM as a careful person writes it in NumPy.

    Gates stacked; the input's products for all t in one; σ(a) = (1 + tanh(a/2))/2 with the half
    in the weights, so that one tanh serves all four gates; each gate's values contiguous; the
    weights' gradients in one product after the loop; nothing allocated inside the loops.
    """
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype

    def run() -> Arrays:
        W, U, b = task.stacked("fioc")
        half = np.ones((4 * n, 1), dtype)
        half[: 3 * n] = 0.5
        W_half = np.ascontiguousarray((half * W).T)
        from_x = task.x.reshape(T * B, m) @ (half * U).T
        from_x += b * half[:, 0]
        from_x = from_x.reshape(T, B, 4 * n)
        h, c = np.zeros((T + 1, B, n), dtype), np.zeros((T + 1, B, n), dtype)
        gates, tanh_c = np.empty((T, 4, B, n), dtype), np.empty((T, B, n), dtype)
        a, term = np.empty((B, 4 * n), dtype), np.empty((B, n), dtype)
        a_by_gate = a.reshape(B, 4, n).swapaxes(0, 1)
        for t in range(T):
            np.matmul(h[t], W_half, out=a)
            a += from_x[t]
            np.tanh(a_by_gate, out=gates[t])
            sigmoids = gates[t, :3]
            sigmoids *= 0.5
            sigmoids += 0.5
            f, i, o, c_tilde = gates[t]
            np.multiply(f, c[t], out=c[t + 1])
            np.multiply(i, c_tilde, out=term)
            c[t + 1] += term
            np.tanh(c[t + 1], out=tanh_c[t])
            np.multiply(o, tanh_c[t], out=h[t + 1])

        a_bar = np.empty((T, B, 4 * n), dtype)
        a_bar_by_gate = a_bar.reshape(T, B, 4, n).swapaxes(1, 2)
        h_bar, c_bar = np.zeros((B, n), dtype), np.zeros((B, n), dtype)
        bars, slopes = np.empty((4, B, n), dtype), np.empty((4, B, n), dtype)
        for t in reversed(range(T)):
            f, i, o, c_tilde = gates[t]
            h_bar += task.h_bars[t]
            np.multiply(tanh_c[t], tanh_c[t], out=term)
            np.subtract(1, term, out=term)
            term *= o
            term *= h_bar
            c_bar += term
            np.multiply(c_bar, c[t], out=bars[0])
            np.multiply(c_bar, c_tilde, out=bars[1])
            np.multiply(h_bar, tanh_c[t], out=bars[2])
            np.multiply(c_bar, i, out=bars[3])
            np.subtract(1, gates[t, :3], out=slopes[:3])
            slopes[:3] *= gates[t, :3]
            np.multiply(c_tilde, c_tilde, out=slopes[3])
            np.subtract(1, slopes[3], out=slopes[3])
            np.multiply(bars, slopes, out=a_bar_by_gate[t])
            c_bar *= f
            np.matmul(a_bar[t], W, out=h_bar)

        rows = a_bar.reshape(T * B, 4 * n)
        weights = (
            rows.T @ h[:-1].reshape(T * B, n), rows.T @ task.x.reshape(T * B, m), rows.sum(axis=0)
        )  # fmt: skip
        x_bar = (rows @ U).reshape(T, B, m)
        return task.named("fioc", weights, x_bar, {"h": h_bar, "c": c_bar})

    return run


def floor(task: Task) -> Run:
    """The matrix products alone, which no NumPy code can do without: the floor of the time."""
    T, B, m, n, dtype = task.steps, task.batch, task.inputs, task.size, task.dtype
    W, U, _ = task.stacked(GATES[task.cell])
    W_T, x, rows = np.ascontiguousarray(W.T), task.x.reshape(T * B, m), len(W)

    def run() -> None:
        a, h = x @ U.T, np.empty((B, n), dtype)
        a, at_t = a.reshape(T, B, rows), np.empty((B, rows), dtype)
        for t in range(T):
            np.matmul(task.h_bars[t], W_T, out=at_t)
        for t in range(T):
            np.matmul(a[t], W, out=h)
        a_bar = a.reshape(T * B, rows)
        _ = a_bar.T @ task.h_bars.reshape(T * B, n), a_bar.T @ x, a_bar @ U

    return run
