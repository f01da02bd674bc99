"""The search: chunks of mutants of the best so far, each judged, each kept.

In: `Plan`. Out: records, chunk by chunk, in a `Store`. The first chunk holds the cells it starts
from. Each later one is drawn from the pool of the best that all chunks before it leave, by a
generator of the seed and the chunk's number alone: so the table depends neither on the number of
workers nor on how often the search was interrupted.

Source: after Józefowicz, Zaremba and Sutskever 2015, section 3.2: a pool of the best, mutated,
with the simplest task as a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from derive.cell import Cell, cell_of
from derive.language.syntax import CellError
from numeric.search.candidate import Budget, Candidate, Record, judge
from numeric.search.engine import Engine, GivenUp
from numeric.search.identity import digest_of
from numeric.search.mutations import mutate
from numeric.search.store import Store

CHUNK: Final = 20
POOL: Final = 16
_TRIES: Final = 200


@dataclass(frozen=True)
class Plan:
    """What is searched: cells to start from, (task, lag) in order, how many candidates."""

    start: tuple[str, ...]
    tasks: tuple[tuple[str, int], ...]
    candidates: int
    seed: int = 0
    budget: Budget = field(default_factory=Budget)


@dataclass
class _Known:
    """The records so far, and every function that has been seen."""

    records: list[Record] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)

    def add(self, records: Sequence[Record]) -> None:
        self.records += records
        self.digests |= {record["digest"] for record in records}

    def pool(self) -> list[Record]:
        return ranked(self.records)[:POOL]


def ranked(records: Sequence[Record]) -> list[Record]:
    """The best first: tasks learnt, then how much of guessing's error is gone; right ones only."""
    right = [record for record in records if record["verdict"] == "right"]
    return sorted(right, key=lambda r: (-r["learnt"], -r["score"], r["name"]))


def search(
    plan: Plan, folder: Path, engine: Engine,
    progress: Callable[[int, int, Sequence[Record]], None] | None = None,
) -> list[Record]:  # fmt: skip
    """All records, the ones found in the folder among them.

    Raises:
        ValueError: if the folder holds another search.
        CellError: if a cell to start from cannot be.
        OSError: if the folder cannot be written.
    """
    store = Store(folder)
    settings = asdict(plan)
    settings.pop("candidates")  # a finished search may be asked for more
    store.begin(settings)
    known, done = _Known(), 0
    for records in store.chunks():
        known.add(records)
        done += 1
    while len(known.records) < plan.candidates:
        drawn = [*_chunk(plan, known, done)][: plan.candidates - len(known.records)]
        if not drawn:
            break
        records = [_record(one, found) for one, found in
                   zip(drawn, engine.results(judge, drawn), strict=True)]  # fmt: skip
        store.add(done, records)
        known.add(records)
        done += 1
        if progress is not None:
            progress(len(known.records), plan.candidates, known.pool())
    return known.records


def _record(candidate: Candidate, found: Record | GivenUp) -> Record:
    if not isinstance(found, GivenUp):
        return found
    return {
        "name": candidate.name, "digest": candidate.digest, "equations": candidate.equations,
        "parent": candidate.parent, "mutation": candidate.mutation, "tasks": [], "learnt": 0,
        "score": 0.0, "verdict": "", "problem": found.why, "seconds": None,
    }  # fmt: skip


def _chunk(plan: Plan, known: _Known, place: int) -> Iterator[Candidate]:
    if place == 0:
        for name in plan.start:
            cell = cell_of(name)
            yield _candidate(plan, name, digest_of(cell), cell.text, _inputs(cell), "", "")
        return
    rng = np.random.default_rng([plan.seed, place])
    pool = known.pool()
    seen, made = set(known.digests), 0
    for _ in range(_TRIES * CHUNK):
        if made == CHUNK or not pool:
            return
        parent = pool[int(len(pool) * rng.random() ** 2)]  # the better ones more often
        name = f"c{place:04d}_{made:02d}"
        inputs = tuple(x.name for x in cell_of(plan.start[0]).inputs)
        try:
            mutant = mutate(_parsed(parent, inputs), rng, name)
            digest = digest_of(mutant.cell)
        except (CellError, TypeError, ZeroDivisionError):
            continue
        if digest in seen:
            continue
        seen.add(digest)
        made += 1
        yield _candidate(plan, name, digest, mutant.cell.text, inputs, parent["name"], mutant.what)


def _parsed(record: Record, inputs: tuple[str, ...]) -> Cell:
    return Cell.parse(name=record["name"], equations=record["equations"], inputs=inputs)


def _inputs(cell: Cell) -> tuple[str, ...]:
    return tuple(symbol.name for symbol in cell.inputs)


def _candidate(plan: Plan, name: str, digest: str, text: str, inputs: tuple[str, ...], parent: str,
               mutation: str) -> Candidate:  # fmt: skip
    return Candidate(name, digest, text, inputs, parent, mutation, plan.tasks, plan.seed,
                     plan.budget)  # fmt: skip
