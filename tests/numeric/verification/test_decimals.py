"""An author's numbers are the same on both sides of the exact check, whatever their digits."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derive import Cell
from numeric.compiler.kernel import compile_cell
from numeric.compiler.targets import STYLES
from numeric.numbers.constants import distinct
from numeric.numbers.prime_field import Dual, residue
from numeric.numbers.random_functions import random_functions
from numeric.verification.exact import constants_of, exact_check
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, subject_of

DECIMALS = (
    "0.123456789",
    "0.6666667",
    "1.41421356237309505",
    "3.0000000001",
    "0.1",
    "12345.678901",
)
EQUATIONS = {
    "factor": "h = tanh(W @ h_prev + {0} * x)",
    "nested": "h = {0} * (h_prev + {1} * (x + {0} * tanh({1} * (W @ h_prev))))",
    "quotient": "h = tanh(W @ h_prev / {0}) + (x - {1}) / (2 + {0} * sigmoid(h_prev))",
    "scaled": "h = scaled_tanh(W @ h_prev + x, {1}, {0})",
    "leaky": "h = leaky_relu(W @ h_prev + x, {0}) - elu(x, {1})",
}


def cell_with(name: str, first: str, second: str) -> Cell:
    return Cell.parse(
        name=name, equations=EQUATIONS[name].format(first, second), sizes={"x": "n"}
    )  # fmt: skip


def is_exact(cell: Cell, module: object) -> bool:
    found = exact_check(
        CellProblem(cell), Guard(subject_of(module)), {"n": 2}, steps=2, batch=1
    )  # fmt: skip
    return found.right


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("place", range(0, len(DECIMALS), 2))
def test_right_decimals_are_right(name: str, style: str, place: int) -> None:
    cell = cell_with(name, *DECIMALS[place : place + 2])
    assert is_exact(cell, compile_cell(cell, style)), compile_cell(cell, style).source


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_decimal_wrong_in_its_last_digit_is_wrong(name: str) -> None:
    cell = cell_with(name, "0.123456789", "0.987654321")
    other = cell_with(name, "0.123456788", "0.987654321")
    assert not is_exact(cell, compile_cell(other))


def test_a_float_is_read_as_the_constant_that_it_is_the_nearest_to() -> None:
    long = Fraction("0.123456789")
    assert [*distinct([long, Fraction(1, 3), Fraction(1, 10)]).values()] == [long]
    with random_functions(0, [long]):
        assert Dual.lift(-0.123456789).value == residue(-long)
        assert Dual.lift(0.1).value == residue(Fraction(1, 10))


def test_products_that_the_backward_pass_makes_are_among_the_constants() -> None:
    found = constants_of(cell_with("nested", "0.123456789", "0.987654321"))
    assert Fraction("0.123456789") * Fraction("0.987654321") in found
