"""`bptt verify --all`: every cell of the catalogue in every style, on as many workers as wanted.

In: what was asked for, and how one cell is judged. Out: the status of each.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from derive.cell import catalogue
from derive.typeset.layout import Layout
from numeric.compiler.target import MissingError
from numeric.engine import Engine, GivenUp
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PASS
from reports.document.words import Speaker
from reports.terminal.console import Answer, CommandError, painted, toolkit_version, why
from reports.terminal.progress import progress_bar

_NOT_WITH: Final = ("of", "framework", "batch_first", "timeout", "layers", "bidirectional",
                    "readout", "checkpoint", "truncate", "parallel")  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One cell of the catalogue to judge, plain data."""

    cell: str
    targets: tuple[str, ...]
    profile: str
    seed: int


def verify_all(
    arguments: Namespace, targets: tuple[str, ...], judge: Callable[[Job], Mapping[str, Any]]
) -> Answer:
    """The status of each cell, of its checks and gradients; what is wrong in words.

    Raises:
        CommandError: for a CELL beside it, other flags, a cluster that cannot be reached.
    """
    given = [name for name in _NOT_WITH if getattr(arguments, name, None)]
    if arguments.cell is not None or given:
        raise CommandError("bptt verify: --all means every cell of the catalogue, on its own: no "
                           "CELL, no FILE.py and no network beside it")  # fmt: skip
    jobs = [Job(name, targets, arguments.profile, arguments.seed) for name in catalogue]
    held: dict[str, Mapping[str, Any]] = {}
    try:
        with (
            Engine(arguments.workers, arguments.scheduler) as engine,
            progress_bar(arguments.quiet, "verify") as tell,
        ):
            for job, found in engine.completed(judge, jobs):
                held[job.cell] = found if not isinstance(found, GivenUp) else {
                    "status": INCONCLUSIVE, "reason": found.why}  # fmt: skip
                tell(job.cell, len(held), len(jobs))
    except MissingError as problem:
        raise CommandError(f"bptt verify: {problem}") from None
    except OSError as problem:
        raise CommandError(f"{arguments.scheduler}: cannot be used: {why(problem)}") from None
    cells = {name: _short(held[name]) for name in catalogue}
    statuses = {found["status"] for found in cells.values()}
    worst = next((one for one in (FAIL, INCONCLUSIVE) if one in statuses), PASS)
    say = Speaker(Layout(), language=arguments.language)
    named, lines = say.words("verify.named"), []
    for name, found in cells.items():
        if found["status"] != PASS:
            lines.append(named.format(name, say.phrase(found["status"])))
            lines += [f"  {named.format(key, say.phrase(told))}"
                      for key, told in found.get("diagnoses", {}).items()]  # fmt: skip
    passed = sum(found["status"] == PASS for found in cells.values())
    lines.append(say.words("verify.all").format(len(cells), passed))
    return Answer(
        worst, "\n".join(painted(line, say.phrase) for line in lines),
        data={"cells": cells, "seed": arguments.seed, "profile": arguments.profile,
              "versions": {"bptt": toolkit_version()}},
    )  # fmt: skip


def _short(found: Mapping[str, Any]) -> dict[str, Any]:
    """Statuses alone, and what is known of what is wrong."""
    if "checks" not in found:
        return dict(found)
    told = {name: entry["diagnosis"] for name, entry in found["gradients"].items()
            if entry.get("diagnosis")}  # fmt: skip
    return {
        "status": found["status"],
        **{part: {name: entry["status"] for name, entry in found[part].items()}
           for part in ("checks", "gradients")},
        **({"diagnoses": told} if told else {}),
    }  # fmt: skip
