"""Heights of equations by estimate: what is taller, and what then stays together in print."""

from __future__ import annotations

import pytest

from derive.typeset.boxes import Fraction, Grid, Large, Row, Sum, Symbol
from reports.document.heights import depth, row_height
from reports.document.html import equations
from reports.document.model import EquationRow, Equations

A = Symbol("a")
TALL = Fraction(A, A)


def test_what_reaches_further_below_its_line_is_deeper():
    told = (A, TALL, Large("∑", A, A), Grid(((TALL, A), (A, TALL))))
    assert sorted(map(depth, told)) == [*map(depth, told)]
    assert depth(Row((A, TALL))) == depth(TALL) == depth(Sum((("+", A), ("+", TALL))))


def test_a_right_side_on_two_lines_is_higher_than_on_one():
    terms = Sum(tuple(("+", Symbol("longer")) for _ in range(12)))
    one, two = (row_height(EquationRow(A, terms), room) for room in (99.0, 24.0))
    assert one < two


@pytest.mark.parametrize(("value", "count", "together"), [
    (A, 6, True), (A, 7, True), (TALL, 4, True), (TALL, 5, False), (A, 8, False),
])  # fmt: skip
def test_a_group_stays_on_one_page_as_long_as_it_is_low(value, count, together):
    made = equations(Equations((EquationRow(A, value),) * count))
    assert ('class="equations together"' in made) is together
