"""The shape of the step Jacobian from its symbols."""

from __future__ import annotations

import pytest

from derive import catalogue
from derive.calculus.structure import BLOCK, DENSE, DIAGONAL, structure
from derive.calculus.through_time import derivation_of
from derive.cell import Cell

SRU = """
f = sigmoid(W_f @ x + v * c_prev)
c = f * c_prev + (1 - f) * (W @ x)
h = tanh(c) * h_prev
"""


@pytest.mark.parametrize(
    ("name", "wanted"), [("indrnn", DIAGONAL), ("unicornn", BLOCK), ("rnn", DENSE), ("lstm", DENSE)]
)
def test_of_the_catalogue(name: str, wanted: str) -> None:
    assert structure(derivation_of(catalogue[name])) == wanted


def test_states_that_meet_unit_by_unit() -> None:
    cell = Cell.parse(name="sru", equations=SRU, inputs=("x",))
    assert structure(derivation_of(cell)) == BLOCK


def test_states_that_do_not_meet() -> None:
    cell = Cell.parse(name="two", equations="a = u * a_prev + x\nb = v * b_prev + x", inputs=("x",))
    assert structure(derivation_of(cell)) == DIAGONAL
