"""Heights of equations by estimate: what is taller, and what then stays together in print."""

from __future__ import annotations

import re

import pytest

from derive.typeset.boxes import Fraction, Grid, Large, Row, Sum, Symbol
from reports.document.heights import WHOLE, depth, row_height
from reports.document.html import equations
from reports.document.model import EquationRow, Equations, Paragraph, Section, Table, Words
from reports.document.tex import section
from reports.document.words import spoken

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


def test_words_stay_with_three_equations_however_high():
    """Three are not parted: no row stands alone on a page."""
    high = Grid(((TALL,),) * 3)
    group = Equations((EquationRow(Symbol("J"), high),) * 3)
    before = (Paragraph((Words("text"),)), Paragraph((Words("LEAD"),)))
    made = section(Section("a", "A", (*before, group)), spoken("en").texts.__getitem__)
    (room,) = re.findall(r"\\need\{([\d.]+)em\}\nLEAD", made)
    assert "tabularnewline\n" not in made.removesuffix("\n\\end{longtable}\n")
    assert float(room) > 3 * row_height(group.rows[0], 30.0) > WHOLE


@pytest.mark.parametrize(("align", "count", "low", "high"), [
    ("ll", 9, 16, 20), ("ll", 40, 12, 16), ("lp", 5, 18, 24), ("lp", 40, 13, 17),
])  # fmt: skip
def test_a_heading_asks_for_the_rows_of_the_table_that_stay_on_its_page(align, count, low, high):
    """All of a short one, the first of a long one; sentences by the lines that they take."""
    cells = (Words("a"),), (Words("word " * (20 if "p" in align else 1)),)
    table = Table(1, (Words("c"),), cells, (cells,) * count, align)
    made = section(Section("a", "A", (table,)), spoken("en").texts.__getitem__)
    assert low < float(re.findall(r"\\need\{([\d.]+)em\}", made)[0]) < high
