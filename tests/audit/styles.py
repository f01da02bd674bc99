"""Right programs in the styles of different authors: other forms, other loops, floats only.

Each cell has one text with its functions and products left open; a `Style` says how an author
writes them. Nothing here may be called wrong, at any seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TANH: Final = {
    "NumPy's": "np.tanh(a)",
    "by exp": "(np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))",
    "by sigmoid": "2 / (1 + np.exp(-2 * a)) - 1",
    "by exp, one sided": "(1 - np.exp(-2 * a)) / (1 + np.exp(-2 * a))",
    "by expm1": "np.expm1(2 * a) / (np.expm1(2 * a) + 2)",
}
SIGMOID: Final = {
    "plain": "1 / (1 + np.exp(-a))",
    "by tanh": "0.5 * (1 + np.tanh(a / 2))",
    "exp on top": "np.exp(a) / (1 + np.exp(a))",
    "by logaddexp": "np.exp(-np.logaddexp(0 * a, -a))",
    "one minus": "1 - 1 / (1 + np.exp(a))",
}
# forward product, its transpose, the outer product summed over samples
PRODUCTS: Final = {
    "matmul": ("a @ W.T", "a @ W", "a.T @ b"),
    "dot": ("np.dot(a, W.T)", "np.dot(W.T, a.T).T", "np.dot(b.T, a).T"),
    "einsum": ('np.einsum("bi,oi->bo", a, W)', 'np.einsum("bo,oi->bi", a, W)',
               'np.einsum("bo,bi->oi", a, b)'),
    "sample by sample": (
        "np.array([W @ row for row in a], a.dtype).reshape(len(a), len(W))",
        "np.array([W.T @ row for row in a], a.dtype).reshape(len(a), W.shape[1])",
        "sum((np.outer(p, q) for p, q in zip(a, b)), np.zeros((a.shape[1], b.shape[1]), a.dtype))",
    ),
    "tensordot": ("np.tensordot(a, W, axes=(1, 1))", "np.tensordot(a, W, axes=(1, 0))",
                  "np.tensordot(a, b, axes=(0, 0))"),
}  # fmt: skip
KINDS: Final = {
    "any numbers": ("pass", "v"),
    "floats only": ('assert v.dtype in ("f4", "f8")', "v"),
    "float64 inside": ('assert v.dtype in ("f4", "f8")', 'v.astype("f8")'),
}

HEAD: Final = """
import numpy as np
INPUTS, CONSTANTS = {"x": ("m",)}, {}
def tanh(a): return TANH
def sigmoid(a): return SIGMOID
def times(a, W): return TIMES
def back(a, W): return BACK
def outer(a, b): return OUTER
def taken(v):
    CHECK
    return WIDENED
def take(d): return {k: taken(v) for k, v in (d or {}).items()}
def give(d, kind): return {k: np.asarray(v).astype(kind) for k, v in d.items()}
"""
RNN: Final = (
    HEAD
    + """
PARAMETERS = {"W": ("n", "n"), "U": ("n", "m"), "b": ("n",)}
STATES = {"h": ("n",)}
def forward(params, inputs, initial=None, constants=None):
    kind, p, x, s = inputs["x"].dtype, take(params), taken(inputs["x"]), take(initial)
    h = [s.get("h", np.zeros((x.shape[1], len(p["b"])), x.dtype))]
    for now in x:
        h.append(tanh(times(h[-1], p["W"]) + times(now, p["U"]) + p["b"]))
    return {"h": np.array(h, h[0].dtype)[1:].astype(kind)}, (kind, x, h)
def backward(params, tape, cotangents):
    kind, x, h = tape
    p, c = take(params), take(cotangents)
    d = {k: np.zeros_like(v) for k, v in p.items()}
    dx, dh = np.zeros_like(x), np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        if "h" in c:
            dh = dh + c["h"][t]
        da = dh * (1 - h[t + 1] ** 2)
        d["W"] = d["W"] + outer(da, h[t])
        d["U"] = d["U"] + outer(da, x[t])
        d["b"] = d["b"] + da.sum(axis=0)
        dx[t] = back(da, p["U"])
        dh = back(da, p["W"])
    return {"params": give(d, kind), "inputs": give({"x": dx}, kind),
            "initial": give({"h": dh}, kind)}
"""
)
LSTM: Final = (
    HEAD
    + """
PARAMETERS = {k: v for g in "fico" for k, v in (
    (f"W_{g}h", ("n", "n")), (f"W_{g}x", ("n", "m")), (f"b_{g}", ("n",)))}
STATES = {"c": ("n",), "h": ("n",)}
def forward(params, inputs, initial=None, constants=None):
    kind, p, x, s = inputs["x"].dtype, take(params), taken(inputs["x"]), take(initial)
    zeros = np.zeros((x.shape[1], len(p["b_f"])), x.dtype)
    h, c, tape = s.get("h", zeros), s.get("c", zeros), []
    H, C = [], []
    for now in x:
        net = {g: times(h, p[f"W_{g}h"]) + times(now, p[f"W_{g}x"]) + p[f"b_{g}"] for g in "fico"}
        f, i, o = (sigmoid(net[g]) for g in "fio")
        g, before, old = tanh(net["c"]), c, h
        c = f * before + i * g
        u = tanh(c)
        h = o * u
        tape.append((now, old, before, f, i, g, o, u))
        H.append(h)
        C.append(c)
    shape = (len(x), *zeros.shape)
    states = {"h": np.array(H, x.dtype).reshape(shape), "c": np.array(C, x.dtype).reshape(shape)}
    return give(states, kind), (kind, x, zeros, tape)
def backward(params, tape, cotangents):
    kind, x, zeros, tape = tape
    p, k = take(params), take(cotangents)
    d = {name: np.zeros_like(v) for name, v in p.items()}
    dx, dh, dc = np.zeros_like(x), zeros, zeros
    for t in reversed(range(len(x))):
        now, old, before, f, i, g, o, u = tape[t]
        dh = dh + k["h"][t] if "h" in k else dh
        dc = dc + k["c"][t] if "c" in k else dc
        dc = dc + dh * o * (1 - u * u)
        a = {"o": dh * u * o * (1 - o), "f": dc * before * f * (1 - f),
             "i": dc * g * i * (1 - i), "c": dc * i * (1 - g * g)}
        dh, dc = zeros, dc * f
        for name, da in a.items():
            d[f"W_{name}h"] = d[f"W_{name}h"] + outer(da, old)
            d[f"W_{name}x"] = d[f"W_{name}x"] + outer(da, now)
            d[f"b_{name}"] = d[f"b_{name}"] + da.sum(axis=0)
            dh = dh + back(da, p[f"W_{name}h"])
            dx[t] = dx[t] + back(da, p[f"W_{name}x"])
    return {"params": give(d, kind), "inputs": give({"x": dx}, kind),
            "initial": give({"h": dh, "c": dc}, kind)}
"""
)
GRU: Final = (
    HEAD
    + """
PARAMETERS = {k: v for g in "zrh" for k, v in (
    (f"W_{g}h", ("n", "n")), (f"W_{g}x", ("n", "m")), (f"b_{g}", ("n",)))}
STATES = {"h": ("n",)}
def forward(params, inputs, initial=None, constants=None):
    kind, p, x, s = inputs["x"].dtype, take(params), taken(inputs["x"]), take(initial)
    zeros = np.zeros((x.shape[1], len(p["b_z"])), x.dtype)
    h, tape, H = s.get("h", zeros), [], []
    for now in x:
        z = sigmoid(times(h, p["W_zh"]) + times(now, p["W_zx"]) + p["b_z"])
        r = sigmoid(times(h, p["W_rh"]) + times(now, p["W_rx"]) + p["b_r"])
        g = tanh(times(r * h, p["W_hh"]) + times(now, p["W_hx"]) + p["b_h"])
        tape.append((now, h, z, r, g))
        h = h + z * (g - h)
        H.append(h)
    return give({"h": np.array(H, x.dtype).reshape(len(x), *zeros.shape)}, kind), (
        kind, x, zeros, tape)
def backward(params, tape, cotangents):
    kind, x, zeros, tape = tape
    p, k = take(params), take(cotangents)
    d = {name: np.zeros_like(v) for name, v in p.items()}
    dx, dh = np.zeros_like(x), zeros
    for t in reversed(range(len(x))):
        now, old, z, r, g = tape[t]
        dh = dh + k["h"][t] if "h" in k else dh
        dg, dz, dh = dh * z * (1 - g * g), dh * (g - old) * z * (1 - z), dh - dh * z
        du = back(dg, p["W_hh"])
        dr = du * old * r * (1 - r)
        dh = dh + du * r + back(dr, p["W_rh"]) + back(dz, p["W_zh"])
        for name, da, seen in (("h", dg, r * old), ("r", dr, old), ("z", dz, old)):
            d[f"W_{name}h"] = d[f"W_{name}h"] + outer(da, seen)
            d[f"W_{name}x"] = d[f"W_{name}x"] + outer(da, now)
            d[f"b_{name}"] = d[f"b_{name}"] + da.sum(axis=0)
            dx[t] = dx[t] + back(da, p[f"W_{name}x"])
    return {"params": give(d, kind), "inputs": give({"x": dx}, kind),
            "initial": give({"h": dh}, kind)}
"""
)


@dataclass(frozen=True)
class Style:
    """How one author writes a cell."""

    cell: str
    tanh: str
    sigmoid: str
    products: str
    kind: str

    def source(self) -> str:
        """The program."""
        times, back, outer = PRODUCTS[self.products]
        check, widened = KINDS[self.kind]
        text = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[self.cell]
        for name, value in (
            ("TANH", TANH[self.tanh]), ("SIGMOID", SIGMOID[self.sigmoid]), ("TIMES", times),
            ("BACK", back), ("OUTER", outer), ("CHECK", check), ("WIDENED", widened),
        ):  # fmt: skip
            text = text.replace(name, value, 1)
        return text


def styles() -> list[Style]:
    """Twenty of them: every form of each choice, in all cells."""
    made = []
    for number in range(20):
        made.append(Style(
            ("rnn", "lstm", "gru")[number % 3], [*TANH][(number + number // 5) % 5],
            [*SIGMOID][(2 * number + 1) % 5], [*PRODUCTS][(2 * number + number // 3) % 5],
            [*KINDS][(number + number // 3) % 3],
        ))  # fmt: skip
    return made
