"""The search: chunks of mutants of the best so far, each judged, each kept.

In: `Plan`. Out: records, chunk by chunk, in a `Store`. The first chunk holds the cells it starts
from. Each later one is drawn from the pool of the best of four fifths of the chunks before it, by a
generator of the seed and the chunk's number alone: so the table depends neither on the number of
workers nor on how often the search was interrupted.

Source: after Józefowicz, Zaremba and Sutskever 2015, section 3.2: a pool of the best, mutated,
with the simplest task as a filter.
"""

from __future__ import annotations

from collections import deque
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
_AHEAD: Final = 5


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

    chunks: list[Sequence[Record]] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)

    @property
    def records(self) -> list[Record]:
        return [record for chunk in self.chunks for record in chunk]

    def add(self, records: Sequence[Record]) -> None:
        self.chunks.append(records)
        self.digests |= {record["digest"] for record in records}

    def pool(self, chunks: int) -> list[Record]:
        """The best of the first so many chunks."""
        return ranked([record for chunk in self.chunks[:chunks] for record in chunk])[:POOL]


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
    known = _Known()
    for records in store.chunks():
        known.add(records)
    under_way: deque[tuple[list[Candidate], Iterator[Record | GivenUp]]] = deque()
    drawn = len(known.records)
    while True:
        place = len(known.chunks) + len(under_way)
        if drawn < plan.candidates and drawn_from(place) <= len(known.chunks):
            chunk = [*_chunk(plan, known, place)][: plan.candidates - drawn]
            if chunk:
                known.digests |= {candidate.digest for candidate in chunk}
                drawn += len(chunk)
                under_way.append((chunk, engine.results(judge, chunk)))
                continue
        if not under_way:
            return known.records
        chunk, results = under_way.popleft()
        records = [_record(one, found) for one, found in zip(chunk, results, strict=True)]
        store.add(len(known.chunks), records)
        known.add(records)
        if progress is not None:
            progress(len(known.records), plan.candidates, known.pool(len(known.chunks)))


def drawn_from(place: int) -> int:
    """From the pool of how many chunks a chunk is drawn.

    The last fifth is still being judged then, or more workers than a chunk has candidates would
    wait for one another.
    """
    return place - place // _AHEAD


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
    pool = known.pool(drawn_from(place))
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
