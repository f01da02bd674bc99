"""`bptt search`: mutants of cells, proved, bounded and trained; the best of them."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from derive.cell import Cell
from derive.language.syntax import CellError
from numeric.compiler.target import MissingError
from numeric.engine import Engine
from numeric.search.candidate import Budget, Record
from numeric.search.comparison import compare
from numeric.search.search import Plan, given, ranked, search
from numeric.search.tasks.known import TASKS
from reports.arguments.which_cell import find_cell
from reports.terminal.console import Answer, CommandError, toolkit_version, why
from reports.terminal.search import comparison_text, found_text, progress_line

_MOST: Final = {"candidates": 10_000_000, "updates": 1_000_000, "size": 2000, "seeds": 1000,
                "parameters": 100_000_000}  # fmt: skip
_BEST: Final = 10


def run(arguments: Namespace) -> Answer:
    """The table of the best, or of the cells compared.

    Raises:
        CommandError: for tasks, cells, numbers or a folder that cannot be.
    """
    for name, most in _MOST.items():
        value = getattr(arguments, name)
        if value is not None and not 1 <= value <= most:
            raise CommandError(f"--{name}: expected a whole number from 1 to {most}, came {value}")
    tasks = _tasks(arguments.tasks, arguments.lag)
    budget = Budget(arguments.size, arguments.updates, arguments.seconds)
    try:
        with Engine(arguments.workers, arguments.scheduler, arguments.seconds) as engine:
            if arguments.compare:
                return _compared(arguments, tasks, budget, engine)
            return _searched(arguments, tasks, budget, engine)
    except MissingError as problem:
        raise CommandError(str(problem)) from None
    except ValueError as problem:
        raise CommandError(str(problem).split("\n", 1)[0]) from None
    except OSError as problem:
        where = problem.filename or arguments.scheduler
        raise CommandError(f"{where}: cannot be used: {why(problem)}") from None


def _tasks(text: str, lags: str) -> tuple[tuple[str, int], ...]:
    """All tasks at the first lag, then at the next: who fails is not tried on what is harder.

    Raises:
        CommandError: for a task that is unknown, or a lag that is no whole number in range.
    """
    names = [part.strip() for part in text.split(",")]
    if unknown := [name for name in names if name not in TASKS]:
        raise CommandError(f"--tasks: {unknown[0]!r}: expected some of {', '.join(TASKS)}")
    words = [word.strip() for word in lags.split(",")]
    held = [int(word) for word in words if word.isascii() and word.isdigit()]
    if len(held) != len(words) or not all(4 <= lag <= 10_000 for lag in held):
        raise CommandError(f"--lag: expected whole numbers from 4 to 10000, as 10,30, came {lags}")
    return tuple((name, lag) for lag in dict.fromkeys(held) for name in names)


def _cells(option: str, text: str) -> tuple[Cell, ...]:
    found = []
    for word in text.split(","):
        cell = find_cell(word.strip())
        if len(cell.inputs) != 1 or cell.constants or not cell.text:
            raise CommandError(f"{option}: {cell.name}: expected a cell with one input and no "
                               "constants")  # fmt: skip
        if not _says_all(cell):
            raise CommandError(f"{option}: {cell.name}: expected a cell that its equations say "
                               "alone; it has outputs, scalars, matrices or sizes declared beside "
                               "them, which a search does not keep")  # fmt: skip
        if cell.inputs[0].shape[0] in {state.shape[0] for state in cell.states}:
            raise CommandError(f"{option}: {cell.name}: its input has the size of its state, and "
                               "the tasks have inputs of their own size")  # fmt: skip
        found.append(cell)
    return tuple(found)


def _says_all(cell: Cell) -> bool:
    """Whether the text of the equations, by which cells are kept and changed, is the cell."""
    inputs = tuple(symbol.name for symbol in cell.inputs)
    try:
        alone = Cell.parse(name=cell.name, equations=cell.text, inputs=inputs)
    except CellError:
        return False
    return alone.equations == cell.equations


def _searched(
    arguments: Namespace, tasks: tuple[tuple[str, int], ...], budget: Budget, engine: Engine
) -> Answer:
    if arguments.output is None:
        raise CommandError("-o: expected a folder for the records, as -o found")
    start = given(*_cells("--start", arguments.start))
    plan = Plan(start, tasks, arguments.candidates, arguments.seed, budget)
    began = time.monotonic()

    def tell(done: int, wanted: int, best: Sequence[Record]) -> None:
        if sys.stderr.isatty() and not arguments.quiet:
            sys.stderr.write(progress_line(done, wanted, best, time.monotonic() - began))
            sys.stderr.flush()

    records = search(plan, arguments.output, engine, tell)
    if sys.stderr.isatty() and not arguments.quiet:
        sys.stderr.write("\n")
    best = ranked(records)[:_BEST]
    data: dict[str, Any] = {
        "candidates": len(records),
        "right": sum(record["verdict"] == "right" for record in records),
        "wrong": [record["name"] for record in records if record["verdict"].startswith("wrong")],
        "problems": sum(record["problem"] is not None for record in records),
        "best": best,
        "versions": {"bptt": toolkit_version()},
        "seed": arguments.seed,
    }
    status = "fail" if data["wrong"] else "ok"
    text = found_text(records, best, tasks, str(arguments.output))
    return Answer(status, text, data=data)


def _compared(
    arguments: Namespace, tasks: tuple[tuple[str, int], ...], budget: Budget, engine: Engine
) -> Answer:
    cells = _cells("--compare", arguments.compare)
    rows = compare(cells, tasks, arguments.seeds, arguments.seed, budget, engine,
                   arguments.parameters)  # fmt: skip
    data = {"comparison": [asdict(row) for row in rows], "seed": arguments.seed,
            "versions": {"bptt": toolkit_version()}}  # fmt: skip
    return Answer(text=comparison_text(rows), data=data)
