"""The search: chunks of mutants of the best so far, each judged, each kept.

In: `Plan`. Out: records, chunk by chunk, in a `Store`. The first chunk holds the cells it starts
from. Each later one is drawn from the pool of the best of four fifths of the chunks before it, by
generators of the seed and the chunk's number alone: so the table depends neither on the number of
workers nor on how often the search was interrupted. Workers draw; here what is new is told from
what was seen, chunk by chunk in order.

Source: after Józefowicz, Zaremba and Sutskever 2015, section 3.2: a pool of the best, mutated,
with the simplest task as a filter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from derive.cell import Cell, cell_of
from numeric.engine import Batch, Engine, GivenUp
from numeric.search.candidate import Budget, Candidate, Record, judge
from numeric.search.identity import digest_of
from numeric.search.proposals import AT_ONCE, Proposal, Request, propose
from numeric.search.store import Store

CHUNK: Final = 20
POOL: Final = 16
_SPARE: Final = 2  # requests for a chunk more than it needs: some mutants were seen before
_ROUNDS: Final = 20
_AHEAD: Final = 5
_LEAST_AHEAD: Final = 2


Given = tuple[str, str, tuple[str, ...]]  # name, equations, inputs


def given(*cells: str | Cell) -> tuple[Given, ...]:
    """Cells to start from, or their names, as plain data."""
    held = map(cell_of, cells)
    return tuple((cell.name, cell.text, tuple(x.name for x in cell.inputs)) for cell in held)


@dataclass(frozen=True)
class Plan:
    """What is searched: cells to start from, (task, lag) in order, how many candidates."""

    start: tuple[Given, ...]
    tasks: tuple[tuple[str, int], ...]
    candidates: int
    seed: int = 0
    budget: Budget = field(default_factory=Budget)


@dataclass
class _Known:
    """The records so far, every function that has been seen, the best after each chunk."""

    records: list[Record] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    pools: list[list[Record]] = field(default_factory=lambda: [[]])

    def add(self, records: Sequence[Record]) -> None:
        self.records.extend(records)
        self.digests |= {record["digest"] for record in records}
        self.pools.append(ranked([*self.pools[-1], *records])[:POOL])

    @property
    def chunks(self) -> int:
        return len(self.pools) - 1


def ranked(records: Sequence[Record]) -> list[Record]:
    """The best first: tasks learnt, then how much of guessing's error is gone; right ones only."""
    right = [record for record in records if record["verdict"] == "right"]
    return sorted(right, key=lambda r: (-r["learnt"], -r["score"], r["name"]))


Proposals = tuple[Proposal, ...]
_Asked = tuple[list[Request], Batch[Proposals]]


@dataclass(frozen=True)
class Work:
    """What workers do: draw mutants, judge a candidate. Functions that travel, of plain data."""

    propose: Callable[[Request], Proposals] = propose
    judge: Callable[[Candidate], Record] = judge


WORK: Final = Work()


@dataclass
class _Search:
    """What is asked for, drawn and judged at the moment, each in the order of the chunks."""

    plan: Plan
    engine: Engine
    work: Work
    known: _Known
    proposed: deque[_Asked] = field(default_factory=deque)
    judged: deque[tuple[list[Candidate], Batch[Record]]] = field(default_factory=deque)
    drawn: int = 0
    ended: bool = False

    @property
    def place(self) -> int:
        """The number of the chunk that is taken next from the proposals."""
        return self.known.chunks + len(self.judged)

    def ask(self) -> None:
        """Have mutants drawn for every chunk whose parents are known and that is wanted."""
        while not self.ended:
            place = self.place + len(self.proposed)
            ahead = self.drawn + CHUNK * len(self.proposed)
            if ahead >= self.plan.candidates or drawn_from(place) > self.known.chunks:
                return
            self.proposed.append(self._asked(place, 0))

    def _asked(self, place: int, round_: int) -> _Asked:
        pool = self.known.pools[drawn_from(place)]
        parents = tuple((record["name"], record["equations"]) for record in pool)
        inputs = self.plan.start[0][2]
        requests = [Request(parents, inputs, (self.plan.seed, place, round_, k), AT_ONCE)
                    for k in range(-(-CHUNK // AT_ONCE) + _SPARE)]  # fmt: skip
        return requests, self.engine.results(self.work.propose, requests)

    def take(self) -> None:
        """The next chunk, of what is new among its proposals; where none ever is, the end."""
        place, asked = self.place, self.proposed.popleft()
        for round_ in range(1, _ROUNDS + 1):
            if new := self._new(*asked):
                self.hand_out([self._candidate(f"c{place:04d}_{k:02d}", one)
                               for k, one in enumerate(new)])  # fmt: skip
                return
            asked = self._asked(place, round_)
        self.ended = True
        self.proposed.clear()

    def _new(self, requests: list[Request], found: Batch[Proposals]) -> list[Proposal]:
        """At most a chunk of functions that were not seen before, in the order of the requests."""
        new: dict[str, Proposal] = {}
        for request, made in zip(requests, found, strict=True):
            for one in self.work.propose(request) if isinstance(made, GivenUp) else made:
                if one.digest not in self.known.digests:
                    new.setdefault(one.digest, one)
        return [*new.values()][:CHUNK]

    def _candidate(self, name: str, one: Proposal) -> Candidate:
        plan, inputs = self.plan, self.plan.start[0][2]
        return Candidate(name, one.digest, one.equations, inputs, one.parent, one.mutation,
                         plan.tasks, plan.seed, plan.budget)  # fmt: skip

    def hand_out(self, chunk: list[Candidate]) -> None:
        """Have a chunk judged, or as much of it as is wanted."""
        chunk = chunk[: self.plan.candidates - self.drawn]
        self.known.digests |= {candidate.digest for candidate in chunk}
        self.drawn += len(chunk)
        self.judged.append((chunk, self.engine.results(self.work.judge, chunk)))

    def keep(self, store: Store) -> None:
        """The records of the chunk that was handed out first, waited for and written."""
        chunk, results = self.judged.popleft()
        records = [_record(one, found) for one, found in zip(chunk, results, strict=True)]
        store.add(self.known.chunks, records)
        self.known.add(records)


def search(
    plan: Plan, folder: Path, engine: Engine,
    progress: Callable[[int, int, Sequence[Record]], None] | None = None, work: Work = WORK,
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
    at = _Search(plan, engine, work, known, drawn=len(known.records))
    if not known.chunks:
        at.hand_out([*_given(plan)])
    late = False
    while True:
        at.ask()
        if at.proposed and not (at.proposed[0][1].waits_for and at.judged):
            at.take()
        elif not at.judged:
            return known.records
        elif late or not at.judged[0][1].waits_for:
            at.keep(store)
            if progress is not None:
                progress(len(known.records), plan.candidates, known.pools[-1])
            late = False
        else:
            asked = [at.proposed[0][1]] if at.proposed else []
            late = not engine.await_one(at.judged[0][1], *asked)


def drawn_from(place: int) -> int:
    """From the pool of how many chunks a chunk is drawn.

    The last fifth is still being judged then, at least two chunks, or more workers than a chunk has
    candidates would wait for one another.
    """
    return place - max(place // _AHEAD, min(place - 1, _LEAST_AHEAD)) if place else 0


def _record(candidate: Candidate, found: Record | GivenUp) -> Record:
    if not isinstance(found, GivenUp):
        return found
    return {
        "name": candidate.name, "digest": candidate.digest, "equations": candidate.equations,
        "parent": candidate.parent, "mutation": candidate.mutation, "tasks": [], "learnt": 0,
        "score": 0.0, "verdict": "", "problem": found.why, "seconds": None,
    }  # fmt: skip


def _given(plan: Plan) -> Iterator[Candidate]:
    for name, text, inputs in plan.start:
        digest = digest_of(Cell.parse(name=name, equations=text, inputs=inputs))
        yield Candidate(name, digest, text, inputs, "", "", plan.tasks, plan.seed, plan.budget)
