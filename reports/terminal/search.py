"""What `bptt search` prints for people: its progress, the best cells, a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from numeric.numbers.printed import ceiling_signed
from numeric.search.comparison import Row
from reports.terminal.console import columns

_SHOWN: Final = 10


def progress_line(done: int, wanted: int, best: Sequence[dict[str, Any]], seconds: float) -> str:
    """One line over the one before."""
    rate = seconds / max(done, 1)
    first = f"best {best[0]['name']} {_gone(best[0])}" if best else "none is right yet"
    left = rate * (wanted - done)
    return f"\r{done} of {wanted}, {first}, about {left:.0f} s left".ljust(72)


def _gone(record: dict[str, Any]) -> str:
    return f"{record['learnt']} learnt, score {record['score']:.3f}"


def found_text(
    records: Sequence[dict[str, Any]], best: Sequence[dict[str, Any]],
    tasks: Sequence[tuple[str, int]], folder: str,
) -> str:  # fmt: skip
    """The best cells with what they learnt, and the equations of the first."""
    names = [f"{task} {lag}" for task, lag in tasks]
    rows = [("cell", *names, "numbers", "certified", "measured", "how it came about")]
    for record in best:
        held = {(t["task"], t["lag"]): t for t in record["tasks"]}
        shares = [_share(held.get(task)) for task in tasks]
        growth = record.get("growth", {}).get("start", {})
        rows.append((
            record["name"], *shares, str(record.get("parameters", "–")),
            _log(growth.get("certified"), ceiling_signed), _log(growth.get("measured")),
            record["mutation"] or "given",
        ))  # fmt: skip
    right = sum(record["verdict"] == "right" for record in records)
    lines = [
        f"{len(records)} candidates, {right} proved right", "", *columns(rows, "  "), "",
        "A task's column: what is left of the error, 1 for guessing, 0 for who knows the rule;",
        "* where it was learnt.",
        "certified, measured: log10 of the norm of the Jacobian over 20 steps, weights drawn.",
    ]  # fmt: skip
    if best:
        lines += ["", f"{best[0]['name']}:", *(f"  {line}" for line in
                                               best[0]["equations"].strip().split("\n")), "",
                  f"bptt emit {folder}:BEST -o best.py writes its gradient code."]  # fmt: skip
    return "\n".join(lines)


def _share(task: dict[str, Any] | None) -> str:
    if task is None:
        return "–"
    if task["share"] is None:
        return "diverged"
    return f"{task['share']:.3f}{'*' * task['learnt']}"


def _log(value: float | None, written: Callable[[float], str] = "{:+.1f}".format) -> str:
    return "–" if value is None else written(value)


def _mean(row: Row) -> str:
    """The mean, and of how many seeds where some gave no number."""
    if row.share is None:
        return "diverged"
    some = f" ({row.finished} of {row.seeds})" if row.finished < row.seeds else ""
    return f"{row.share:.3f}{some}"


def comparison_text(rows: Sequence[Row]) -> str:
    """A line for each cell and task."""
    table = [("cell", "task", "lag", "error left", "± 95 %", "learnt", "numbers")]
    for row in rows:
        table.append((
            row.cell, row.task, str(row.lag),
            _mean(row),
            "–" if row.half_width is None else f"{row.half_width:.3f}",
            f"{row.learnt} of {row.seeds}", str(row.parameters or "–"),
        ))  # fmt: skip
    return "\n".join(columns(table))
