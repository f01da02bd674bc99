"""Second derivatives of the step: right for every cell, and a wrong one is found."""

from __future__ import annotations

import dataclasses

import pytest
from known_cells import VECTORS
from profiles import by_day
from sympy import Integer

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from derive.language.expr import scale
from numeric.verification.derivation.curvature_lines import wrong_curvature

CELLS = by_day(VECTORS, 6, 1)


@pytest.mark.parametrize("name", CELLS)
def test_every_block_is_the_derivative_of_its_column(name: str) -> None:
    derivation = derivation_of(catalogue[name])
    curvature = step_curvature(derivation)
    assert curvature.columns
    if not curvature.kinks:
        assert wrong_curvature(derivation, curvature) == ()


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_wrong_block_is_found_and_named(name: str) -> None:
    derivation = derivation_of(catalogue[name])
    right = step_curvature(derivation)
    key = next(key for key, block in right.columns.items() if not block.is_ZeroMatrix)
    doubled = {**right.columns, key: scale(Integer(2), right.columns[key])}
    (said,) = wrong_curvature(derivation, dataclasses.replace(right, columns=doubled))
    assert str(key[0]) in said
    assert key[1] in said


def test_kinks_are_named() -> None:
    assert step_curvature(derivation_of(catalogue["irnn"])).kinks == ("relu",)


def test_softmax_columns_move_too() -> None:
    cell = Cell.parse(name="s", equations="h = softmax(W @ h_prev + U @ x)", inputs=("x",))
    derivation = derivation_of(cell)
    assert wrong_curvature(derivation, step_curvature(derivation)) == ()


def test_states_that_inputs_alone_make_are_named() -> None:
    """By what occurs in them, however many lines it takes, and not by slopes that are 0."""
    fed = {"qrnn": ("last",), "t_gru": ("x_last",), "gru": (), "scrn": ()}
    for name, states in fed.items():
        assert step_curvature(derivation_of(catalogue[name])).fed == states
    cell = Cell.parse(name="long", inputs=("x",), equations=(
        "u = tanh(V @ x)\np = u * u\nk = tanh(h_prev)\nq = 0.5 * k\n"
        "h = tanh(W @ h_prev + p_prev + q_prev)\n"
    ))  # fmt: skip
    assert step_curvature(derivation_of(cell)).fed == ("p",)
