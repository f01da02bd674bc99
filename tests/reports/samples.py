"""Cells and fixed values for the tests of reports: nothing in them depends on a machine."""

from __future__ import annotations

from functools import cache

from derive import Cell, catalogue, differentiate
from derive.theorems.theorems import theorem
from numeric.bounds.one_sequence.measured import Curve, Measurement
from numeric.verification.verdict import Check, Gradient, Verdict
from reports.document.html import html
from reports.document.model import Document
from reports.document.tex import tex
from reports.sections.cell import build

GRU = """
z = sigmoid(W_zh @ h_prev + W_zx @ x + b_z)
r = sigmoid(W_rh @ h_prev + W_rx @ x + b_r)
h_tilde = tanh(W_hh @ (r * h_prev) + W_hx @ x + b_h)
h = (1 - z) * h_prev + z * h_tilde
"""
ODD = """
z = sigmoid(W @ concat(h_prev, x))
h = (sigmoid(zeta) * (1 - z) + sigmoid(nu)) * tanh((blocks * W2 - W2.T) @ h_prev + U @ softmax(x)) \
+ z / (1 + h_prev * h_prev)
"""
CELLS = {
    "rnn": catalogue["rnn"],
    "lstm": catalogue["lstm"],
    "gru": Cell.parse(name="gru", equations=GRU, title="Gated recurrent unit"),
    "odd": Cell.parse(name="odd", equations=ODD, scalars=["zeta", "nu"], constants=["blocks"]),
}
SVG = '<?xml version="1.0"?><svg width="1pt" height="1pt"><g id="a"/><use xlink:href="#a"/></svg>'
LISTING = """
def forward(params, inputs):
    for t in range(T):
        # (1) a_t = W h_{t−1}
        a = h_prev[t] @ W.T
        h[t] = np.tanh(a)
    return h


def backward(params, tape, cotangents):
    for t in reversed(range(T)):
        # (3) h̄_t = ∂L_t/∂h_t + h⃖_t
        h_bar = h_bars[t] + h_bar_carry
    return h_bar
"""


def verdict(name: str) -> Verdict:
    """A verdict with round figures."""
    checks = {
        "interface": Check("pass"),
        "autograd": Check("pass", None, {"examples": 100, "scaled_error": 2.5e-7}),
        "high_precision": Check(
            "pass", None, {"examples": 20, "scaled_error": 3e-16, "share_of_bound": 0.25}
        ),
        "exact": Check("pass", None, {"examples": 10}),
    }
    gradients = {"params.W": Gradient("pass", 2.5e-7)}
    return Verdict(name, "pass", checks, gradients, None, 0, "dev", {"numpy": "X.Y"})


def measurement(cell: Cell) -> Measurement:
    """Straight lines in place of measured norms."""
    claim = theorem(differentiate(cell))
    curves = []
    for gain, low, high in ((0.5, -0.5, -0.25), (1.0, -0.25, 0.125), (2.0, 0.125, 0.5)):
        constants = ()
        if claim.rate is not None:
            constants = tuple(zip(claim.rate.args, (1.0, 2.0 * gain), strict=True))
        lags = range(1, 31)
        curves.append(
            Curve(gain, tuple(low * k for k in lags), tuple(high * k for k in lags), constants)
        )
    return Measurement(tuple(curves), (("n", 4), ("m", 2)), 30, 0, 0.5)


@cache
def document(name: str) -> Document:
    """The report of a cell with the fixed values."""
    cell = CELLS[name]
    return build(differentiate(cell), LISTING, verdict(name), measurement(cell))


@cache
def source(name: str) -> str:
    """Its TeX."""
    return tex(document(name))


@cache
def page(name: str) -> str:
    """Its HTML, with a small picture in place of its figure."""
    return html(document(name), {f"{name}-gradient_norms": SVG})
