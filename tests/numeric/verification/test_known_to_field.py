"""Of rows whose irrational numbers meet the field decides nothing, and right ones are right."""

from __future__ import annotations

import pytest
from sympy import Expr, Rational, S, cos, erf, pi, sqrt, tanh

from derive import Cell, differentiate
from derive.language.functions import FUNCTIONS, ElementwiseFunction, X
from numeric import compile_cell, verify
from numeric.verification.derivation.check import examine
from numeric.verification.known_to_field import unknown_to_field

GELU = X / 2 * (1 + erf(X / sqrt(2)))


def cell_of(
    name: str, formula: Expr, monkeypatch: pytest.MonkeyPatch, factor: Expr = S.One
) -> Cell:
    """A cell of a new row, whose slope is off by a factor."""
    row = ElementwiseFunction(
        name, formula, factor * formula.diff(X), None, S.Reals, S.Reals, name,
    )  # fmt: skip
    monkeypatch.setitem(FUNCTIONS, name, row)
    return Cell.parse(name=name, equations=f"h = {name}(W @ x + U @ h_prev)")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_table_is_known_to_the_field(name: str) -> None:
    call = f"{name}(b + h_prev + x)"
    if name.startswith("step_"):
        call = f"step(b + h_prev + x, slope={name.removeprefix('step_')})"
    assert unknown_to_field(Cell.parse(name="one", equations=f"h = {call}")) == ()


@pytest.mark.parametrize(("name", "formula", "known"), [
    ("exact_gelu", GELU, False),
    ("scaled_erf", erf(sqrt(2) * X), False),
    ("scaled_root_tanh", tanh(sqrt(2) * X) / sqrt(pi), False),
    ("root_tanh", tanh(sqrt(2) * X), True),
    ("half_wave", cos(pi * X), True),
])  # fmt: skip
def test_lines_of_irrational_numbers_are_right_and_wrong_ones_wrong(
    name: str, formula: Expr, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of(name, formula, monkeypatch)
    assert unknown_to_field(cell) == (() if known else (name,))
    assert examine(differentiate(cell)).wrong == ()
    wrong = cell_of(f"{name}_off", formula, monkeypatch, Rational(1000001, 1000000))
    assert examine(differentiate(wrong)).wrong


def test_right_code_of_such_a_row_is_called_right(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verify(compile_cell(cell_of("own_gelu", GELU, monkeypatch)))
    assert found.status == "pass"
    assert found.checks["exact"].status == "not_applicable"
    assert "irrational numbers meet in own_gelu" in str(found.checks["exact"].reason)
