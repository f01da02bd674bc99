"""A gradient by a decay near 1: for which cells it is told, and that the three formulas hold."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from reports.document.memory_figures import CURVES
from reports.sections.parameters import decay


@pytest.mark.parametrize(("text", "told"), [
    ("h = exp(-exp(w)) * h_prev + x", True),
    ("h = a * h_prev + (1 - a) * x", True),
    ("h = sigmoid(w) * (a * h_prev) + x", True),
    ("h = 0.5 * h_prev + x", False),
    ("h = sigmoid(w + x) * h_prev + x", False),
    ("h = W @ h_prev + a * h_prev + x", False),
    ("h = tanh(a * h_prev + x)", False),
])  # fmt: skip
def test_only_factors_that_parameters_alone_make_are_decays(text: str, told: bool) -> None:
    cell = Cell.parse(name="one", equations=text, inputs=("x",), sizes={"x": "n"})
    assert (decay(differentiate(cell)) is not None) == told


def test_the_states_that_the_catalogue_keeps_so() -> None:
    assert str(decay(differentiate(catalogue["lru"]))) == "re"
    assert decay(differentiate(catalogue["lstm"])) is None
    assert decay(differentiate(catalogue["rg_lru"])) is None
    for name in ("scrn", "lif", "alif"):  # what scales their states is given, not learned
        assert decay(differentiate(catalogue[name])) is None


@pytest.mark.parametrize("factor", [0.3, 0.9, 0.99])
def test_the_formulas_are_sums_over_earlier_inputs(factor: float) -> None:
    """∂h_T/∂· is Σ_k c_k x_{T−k}, of mean square Σ c_k²; the c_k are complex steps here."""
    step, k = 1e-30j, np.arange(20_000)

    def kept(x: complex) -> np.ndarray:
        return np.exp(k * np.log(x))

    def normed(x: complex) -> np.ndarray:
        return np.sqrt(1 - x * x) * np.exp(k * np.log(x))

    def by_w(w: complex) -> np.ndarray:
        return normed(np.exp(-np.exp(w)))

    at = (factor, factor, np.log(-np.log(factor)))
    for curve, weights, x in zip(CURVES, (kept, normed, by_w), at, strict=True):
        shares = weights(x + step).imag / abs(step)
        assert (shares @ shares) == pytest.approx(float(curve(np.float64(factor))), rel=1e-9)
    assert float(CURVES[2](np.float64(factor))) < 0.25
