"""Cells over seeds: means, intervals, counts."""

from __future__ import annotations

import pytest

from derive import catalogue
from numeric.engine import Engine, GivenUp
from numeric.search.candidate import Budget
from numeric.search.comparison import _row, compare, student
from reports.terminal.search import comparison_text


def test_a_row_for_each_cell_and_task() -> None:
    with Engine() as engine:
        rows = compare(
            [catalogue["rnn"], catalogue["mgu"]], [("parity", 4)], 2, 0, Budget(4, 4), engine
        )
    assert [(row.cell, row.task) for row in rows] == [
        ("rnn", "parity"), ("mgu", "parity"),
    ]  # fmt: skip
    assert all(row.seeds == 2 and row.half_width > 0 for row in rows)


def test_cells_of_as_many_parameters() -> None:
    """An LSTM has four gates, so fewer units; the readout counts."""
    with Engine() as engine:
        rows = compare([catalogue["rnn"], catalogue["lstm"]], [("parity", 4)], 1, 0, Budget(4, 1),
                       engine, 3000)  # fmt: skip
    assert all(abs(row.parameters - 3000) <= 60 for row in rows)


def test_the_interval_is_students() -> None:
    def record(share):
        return {"tasks": [{"share": share, "learnt": share < 0.1}], "parameters": 7}

    row = _row("c", "t", 5, [record(0.05), record(0.15), record(0.4), GivenUp("died")])
    assert row.share == pytest.approx(0.2)
    assert row.half_width == pytest.approx(4.303 * 0.18027756 / 3**0.5)
    assert (row.learnt, row.seeds, row.parameters, row.finished) == (1, 4, 7, 3)
    assert "0.200 (3 of 4)" in comparison_text([row])
    # Student's t with 10, 20, 30 and 100 degrees of freedom, from tables
    wanted = {10: 2.228, 20: 2.086, 30: 2.042, 100: 1.984}
    assert {freedom: round(student(freedom), 3) for freedom in wanted} == wanted
