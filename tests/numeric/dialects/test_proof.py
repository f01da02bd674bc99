"""Cells that are one function under equal names, however they are written, and others."""

from __future__ import annotations

import pytest

from derive import Cell, catalogue
from derive.cells import tables
from numeric.dialects.proof import equal_by_name


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        ("W_zh @ h_prev + W_zx @ x", "W_zx @ x + W_zh @ h_prev", True),
        ("(1 - z) * h_prev", "h_prev - z * h_prev", True),
        ("(1 - z) * h_prev + z *", "z * h_prev + (1 - z) *", False),
        ("b_z", "bias_z", False),
    ],
)
def test_the_name_of_a_cell_does_not_make_it_one(old: str, new: str, equal: bool) -> None:
    text = tables()["gru"]["equations"]
    assert old in text
    cell = Cell.parse(name="gru", equations=text.replace(old, new))
    assert equal_by_name(cell, catalogue["gru"]) is equal


def test_parameters_of_other_shapes_are_not_equal() -> None:
    cell = Cell.parse(name="rnn", equations="h = tanh(U @ x + b * h_prev + W @ x)")
    assert not equal_by_name(cell, catalogue["rnn"])


@pytest.mark.parametrize("limited", [
    "minimum(W @ x + U @ h_prev, 1000000000)",
    "maximum(W @ x + U @ h_prev, -1e12)",
    "W @ x + U @ h_prev + relu(W @ x - 1e8)",
    "W @ x + U @ h_prev + relu(1e-7 * (W @ x) - 1)",
])  # fmt: skip
def test_pieces_that_begin_at_a_large_number_of_the_equations_are_met(limited: str) -> None:
    plain = Cell.parse(name="plain", equations="h = W @ x + U @ h_prev")
    other = Cell.parse(name="limited", equations=f"h = {limited}")
    assert equal_by_name(other, other)
    assert not equal_by_name(plain, other)
    assert not equal_by_name(other, plain)
