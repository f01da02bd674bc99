"""Given cells over seeds: the mean error of each task, its interval, how often it was learnt.

In: cells, tasks, seeds. Out: a row for each cell and task.

Source: after Greff, Srivastava, Koutník, Steunebrink and Schmidhuber 2015, who compare eight
variants of the LSTM so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.engine import Engine, GivenUp
from numeric.search.candidate import Budget, Candidate, judge
from numeric.search.tasks.known import TASKS
from numeric.search.training import size_with

# The 97.5 % points of Student's t with 1, 2, … degrees of freedom.
_STUDENT: Final = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
                   2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One cell on one task: the error as a share of guessing's, its interval, how many learnt it.

    `half_width` is that of the 95 % interval of the mean over seeds, by Student's t; None for one.
    Both are of the seeds that `finished`: the others gave no number.
    """

    cell: str
    task: str
    lag: int
    share: float | None
    half_width: float | None
    learnt: int
    seeds: int
    parameters: int | None
    finished: int


def compare(
    cells: Sequence[Cell], tasks: Sequence[tuple[str, int]], seeds: int, seed: int, budget: Budget,
    engine: Engine, parameters: int | None = None,
) -> list[Row]:  # fmt: skip
    """A row for each cell and task; every task is tried, whatever came of the ones before.

    With `parameters` each cell has the hidden units that bring its network closest to so many
    numbers.
    """
    asked = []
    for cell in cells:
        inputs = tuple(symbol.name for symbol in cell.inputs)
        one = Candidate(cell.name, "", cell.text, inputs, "", "", (), seed, budget)
        for task, lag in tasks:
            size = (budget.size if parameters is None
                    else size_with(cell, TASKS[task](lag), parameters))  # fmt: skip
            of_task = replace(one, tasks=((task, lag),), budget=replace(budget, size=size))
            asked += [replace(of_task, seed=seed + k) for k in range(seeds)]
    found = [*engine.results(judge, asked)]
    rows = []
    for place, cell in enumerate(cells):
        for number, (task, lag) in enumerate(tasks):
            first = (place * len(tasks) + number) * seeds
            rows.append(_row(cell.name, task, lag, found[first : first + seeds]))
    return rows


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t: of the table, beyond it by the first terms of its series."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _row(name: str, task: str, lag: int, found: Sequence[dict[str, Any] | GivenUp]) -> Row:
    records = [one for one in found if not isinstance(one, GivenUp)]
    tried = [one["tasks"][0] for one in records if one["tasks"]]
    shares = [one["share"] for one in tried if one["share"] is not None]
    counts = [one["parameters"] for one in records if one.get("parameters")]
    half = None
    if len(shares) > 1:
        half = student(len(shares) - 1) * float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
    mean = float(np.mean(shares)) if shares else None
    learnt = sum(one["learnt"] for one in tried)
    parameters = counts[0] if counts else None
    return Row(name, task, lag, mean, half, learnt, len(found), parameters, len(shares))
