"""No bound is given of a cell whose derivation is wrong."""

from __future__ import annotations

import pytest

import numeric
from derive import Cell
from numeric.checked import diagnose
from numeric.verification.derivation import check
from numeric.verification.derivation.check import Examined, WrongDerivationError


def test_the_derivation_is_compared_before_a_bound_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert numeric.diagnose is diagnose
    cell = Cell.parse(name="once_only", equations="h = tanh(W @ h_prev + x)", sizes={"x": "n"})
    wrong = Examined(1, ("∂h_t/∂h_{t−1} is another",), "no numbers")
    monkeypatch.setattr(check, "examine", lambda derivation, seed=0: wrong)
    with pytest.raises(WrongDerivationError, match=r"cell 'once_only': ∂h_t/∂h_\{t−1\} is another"):
        diagnose(cell, {}, {"n": 2})
