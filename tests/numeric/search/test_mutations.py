"""Mutations give valid cells, say what they did, and write what they read."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from derive.cell import Cell
from derive.language.syntax import CellError, parse
from numeric.search.mutations import CHANGES, mutate, retold, written


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mgu", "peephole_lstm"])
def test_every_mutant_is_a_cell_of_the_same_states(name: str) -> None:
    rng = np.random.default_rng(0)
    cell = catalogue[name]
    for k in range(12):
        mutant = mutate(cell, rng, f"m{k}")
        assert mutant.what
        assert [s.name for s in mutant.cell.states] == [s.name for s in catalogue[name].states]
        assert {s.shape for s in mutant.cell.states}.isdisjoint(x.shape for x in mutant.cell.inputs)
        cell = mutant.cell if k % 3 else catalogue[name]


def test_every_change_happens() -> None:
    rng, seen = np.random.default_rng(1), set()
    for _ in range(120):
        what = mutate(catalogue["gru"], rng, "m", 1).what
        seen.add(what.split()[-1])
    assert len(seen) > len(CHANGES)


@pytest.mark.parametrize("name", [*catalogue])
def test_what_is_written_is_what_was_read(name: str) -> None:
    for line in parse(catalogue[name].text):
        again = parse(f"{line.target.value} = {written(line.value)}")[0]
        assert written(again.value) == written(line.value)
        assert bare(again.value) == bare(line.value)


def bare(node):
    return node.kind, node.value, tuple(map(bare, node.children))


@pytest.mark.parametrize("text", ["a - (b - c)", "a / (b * c)", "-(a + b) * c", "(a * b).T @ c",
                                  "a - -b", "(a + b) @ c", "step(a - 1, slope=arctan)",
                                  "step(a + b, slope=triangle(0.5)) * c"])  # fmt: skip
def test_brackets_are_kept_where_they_matter(text: str) -> None:
    (line,) = parse(f"h = {text}")
    (again,) = parse(f"h = {written(line.value)}")
    assert bare(line.value) == bare(again.value)


def test_a_cell_that_nothing_can_change_is_refused() -> None:
    cell = Cell.parse(name="still", equations="h = x + h_prev", inputs=("x",))
    with pytest.raises(CellError, match="no valid mutation"):
        mutate(cell, np.random.default_rng(0), "m")


def test_what_was_done_is_told_again_with_its_slots() -> None:
    """Each change's words are known, so that another language has them."""
    rng, templates = np.random.default_rng(2), set()
    for k in range(60):
        what = mutate(catalogue[("gru", "lstm")[k % 2]], rng, "m").what
        changes = retold(what)
        assert "; ".join(changes) == what
        templates |= {change.template for change in changes}
    assert len(templates) == len(CHANGES)
    assert retold("no such change") == ("no such change",)
