"""Zeros: an exact one is matched exactly; one that rounding made is no exact one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from profiles import night_alone

from derive import Cell
from numeric.compiler.kernel import compile_cell
from numeric.verification.compare import difference
from numeric.verification.verify import verify

MEANS = """f = sigmoid(V @ x)
g = sigmoid(W @ x)
h = g * (f * h_prev + (1 - f) * h_prev) + (1 - g) * h_prev + U @ x"""


def test_a_zero_that_rounding_made_is_no_exact_one() -> None:
    """Where the code's own rounding is as large as what it returns; a structural zero has none."""
    zero, tiny = np.zeros(2), np.array([0.0, 1e-18])
    assert difference("params", "b", tiny, zero, np.full(2, 1e-17)).cancelled
    for bound in (np.zeros(2), np.full(2, 1e-19), None):
        assert not difference("params", "b", tiny, zero, bound).cancelled
    assert not difference("params", "b", zero, zero, np.ones(2)).cancelled
    assert not difference("params", "b", tiny, np.array([0.0, 1.0]), np.ones(2)).cancelled


@night_alone
@pytest.mark.parametrize("style", ["fused", "textbook", "stable"])
def test_gradients_that_cancel_to_nothing_are_not_called_wrong(style) -> None:
    """A weighted mean of a state and itself: the gradient of its gates is rounding alone."""
    cell = Cell.parse(name="means", equations=MEANS)
    kernel = compile_cell(cell, style)
    assert verify(kernel).status == "pass"

    def backward(*given):
        found = kernel.backward(*given)
        found["params"]["W"] = found["params"]["W"] + found["params"]["U"] * 1e-9
        return found

    names = ("PARAMETERS", "INPUTS", "STATES", "CONSTANTS")
    wrong = verify(SimpleNamespace(
        forward=kernel.forward, backward=backward, **{n: getattr(kernel.module, n) for n in names}
    ), cell=cell)  # fmt: skip
    assert {k for k, found in wrong.checks.items() if found.status == "fail"} == {
        "autograd",
        "high_precision",
        "complex_step",
        "exact",
    }
    assert wrong.gradients["params.W"].status == "fail"
