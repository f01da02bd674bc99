"""Calls of a C file on several threads: the batch is split, each part has memory of its own.

In: the source of a C file. Out: its interface as before. One thread works below `LEAST`
multiplications, else as many as $BPTT_THREADS, or $OMP_NUM_THREADS, or the cores. A cell's arrays
of samples stay where they are, a network's are copied. What belongs to a sample comes from one
part; the parameters' gradients and the loss are sums over the parts, so that they agree with those
of one thread to rounding.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from math import prod
from operator import attrgetter
from typing import Any, Final

import numpy as np

from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.to_c.build import NoCompilerError
from numeric.compiler.to_c.calls import GRADIENTS, KINDS, Calls
from numeric.compiler.to_c.crew import MOST, crew
from numeric.compiler.to_c.interface import Interface
from numeric.compiler.to_c.known import Known
from numeric.compiler.to_c.network_calls import Answer, NetworkCalls
from numeric.compiler.to_c.pools import Array, address_of, lines_of
from numeric.compiler.to_c.segments import PLAN

LEAST: Final = 5e7  # multiplications of one forward pass: below, threads cost what they save
LEAST_IN_PLACE: Final = 1e7  # the same where nothing is copied
FEWEST: Final = 4  # rows of a part: with fewer, the products are slower than a thread is worth
_SIZE: Final = attrgetter("size")
_WORD: Final = 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1  # addresses are counted modulo it + 1
_VARIABLES: Final = ("BPTT_THREADS", "OMP_NUM_THREADS")
Groups = Mapping[str, Mapping[str, Array]]
Gradients = dict[str, dict[str, Array]]


def most_threads() -> int:
    """How many threads a call may use.

    Raises:
        ValueError: if a variable of the environment says so in no whole number.
    """
    for name in _VARIABLES:
        if given := os.environ.get(name):
            first = given.split(",")[0]
            if not first.isdecimal() or int(first) < 1:
                raise ValueError(f"${name}: expected a number of threads, came {given!r}")
            return min(int(first), MOST)
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, MOST)


def parts(params: Any, inputs: Any) -> list[slice]:
    """The samples of each thread; one part where the work is small, or nobody can tell.

    Raises:
        ValueError: if a variable of the environment says so in no whole number.
    """
    try:
        steps, batch = next(iter(inputs.values())).shape[:2]
        if batch < 2 * FEWEST:
            return [slice(None)]
        if steps * batch * sum(map(_SIZE, params.values())) < LEAST:
            return [slice(None)]  # with vectors too: no need to look at each
        work = steps * batch * sum(array.size for array in params.values() if array.ndim == 2)
    except (AttributeError, StopIteration, ValueError):
        return [slice(None)]  # the checks of arguments say what is wrong
    return shares(batch, work, most_threads())


def shares(batch: int, work: float, most: int) -> list[slice]:
    """The samples of each of so many threads at most; of one where there is little work."""
    count = max(1, min(most, batch // FEWEST)) if work >= LEAST else 1
    edges = [batch * k // count for k in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def axes(interface: Interface) -> dict[tuple[str, str], int]:
    """For each array of samples, group and name, the axis that they stand along."""
    found = {(s.group, s.key): s.dims.index("B") for s in interface.slots if "B" in s.dims}
    initial = {("initial", k): axis for (g, k), axis in found.items() if g == "gradients.initial"}
    return found | initial


def cut(arrays: Mapping[str, Array], group: str, along: Mapping[Any, int], part: slice) -> Any:
    """A group's arrays for the samples of a part."""
    return {
        name: array[(slice(None),) * along[group, name] + (part,)]
        if (group, name) in along else array
        for name, array in arrays.items()
    }  # fmt: skip


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads that stay: to start one takes longer than some calls."""
    return ThreadPoolExecutor(MOST, thread_name_prefix="bptt")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_workers.cache_clear)


def side_by_side(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the jobs return, done at the same time; the first on the caller's own thread."""
    others = [_workers().submit(job) for job in jobs[1:]]
    try:
        return [jobs[0](), *(other.result() for other in others)]
    finally:
        wait(others)  # nobody writes to what the caller holds once this is left


def merged(found: Sequence[Gradients], along: Mapping[Any, int]) -> Gradients:
    """The gradients of all samples: those of parameters added up, others one after another."""
    whole: Gradients = {}
    for group, arrays in found[0].items():
        whole[group] = {}
        for name in arrays:
            pieces = [one[group][name] for one in found]
            axis = along.get((f"gradients.{group}", name))
            whole[group][name] = sum(pieces[1:], pieces[0]) if axis is None else (
                np.concatenate(pieces, axis))  # fmt: skip
    return whole


@dataclass(frozen=True)
class Split:
    """The parts of the batches of one set of sizes, and what their passes need.

    `jobs`: a table of the crew's for each pass, with places in the memory of the pointers, of the
    tapes and of the rooms. `moved`: how far each pointer of a part stands from the whole batch's,
    in bytes.
    """

    sizes: tuple[Any, ...]  # of each part: the jobs point to them
    jobs: Array
    moved: Array
    tape_bytes: int
    room_bytes: int
    own: slice  # the pointers to parameters' gradients
    sums: tuple[int, ...]  # where in the rooms those of a part begin, but for the first's
    numbers: int  # of all of them
    last: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # what was asked of each pass


@dataclass
class ThreadedCalls(Calls):
    """The two passes of one file, on one thread or several."""

    last_split: tuple[Known, int, Split | None] | None = None

    def __post_init__(self) -> None:
        """The interface, and whether the file is one that saves memory."""
        super().__post_init__()
        self.saves_memory = PLAN in self.source

    def split(self, known: Known) -> Split | None:
        """The parts that a batch is worked on in; None for one."""
        if not self.interface.in_parts or known.work < LEAST_IN_PLACE:
            return None
        # each part has a workspace of its own: what saves memory is told to, or one thread's
        if self.saves_memory and not os.environ.get(_VARIABLES[0]):
            return None
        most, last = most_threads(), self.last_split
        if last is None or last[0] is not known or last[1] != most:
            count, found = min(most, known.sizes["B"] // FEWEST), None
            if count > 1:
                with suppress(NoCompilerError):  # one that has no threads
                    crew()
                    found = self._in_parts(known, count)
            last = self.last_split = (known, most, found)
        return last[2]

    def _in_parts(self, known: Known, count: int) -> Split:
        names = ("forward_part", "backward_part", "workspace_part", "tape_bytes")
        forward, backward, room_bytes, tape_bytes = map(self.functions(known.dtype), names)
        batch = known.sizes["B"]
        edges = [batch * k // count for k in range(count + 1)]
        sizes, begins, tape, room = [], [], 0, 0
        row = ctypes.sizeof(self.pointers)
        for number, (start, stop) in enumerate(pairwise(edges)):
            there = {**known.sizes, "B": stop - start}
            sizes.append(self.size_type(*(there.get(n, 0) for n, _ in self.interface.sizes)))
            at = ctypes.addressof(sizes[-1])
            begins.append((at, batch, number * row, tape, room))
            tape += lines_of(tape_bytes(at))
            room += lines_of(room_bytes(at, batch))
        jobs = np.zeros((2, count, 6), np.uintp)
        jobs[:, :, 1:] = begins
        for table, function in zip(jobs, (forward, backward), strict=True):
            table[:, 0] = int(ctypes.cast(function, ctypes.c_void_p).value or 0)
        moved = np.zeros((count, len(self.interface.slots)), np.uintp)
        for place, slot in enumerate(self.interface.slots):
            if "B" in slot.dims:
                shape = known.shapes[slot.group][slot.key]
                width = prod(shape[slot.dims.index("B") + 1 :]) * known.dtype.itemsize
                moved[:, place] = np.multiply(edges[:-1], width)
        starts = known.blocks[GRADIENTS].layout.places.items()
        total = min(start for (group, _), start in starts if group != "gradients.params")
        own = [place for place, _ in self.places.get("gradients.params", ())] or [0, -1]
        sums = tuple(room + k * total for k in range(count - 1))
        return Split(
            tuple(sizes), jobs, moved, tape, room + (count - 1) * total,
            slice(own[0], own[-1] + 1), sums, total // known.dtype.itemsize,
        )  # fmt: skip

    def ready(
        self, known: Known, number: int, pointers: Any, tape: int, split: Split | None
    ) -> partial[None]:
        """One pass, to be called, of the batch or of its parts side by side."""
        if split is None:
            return super().ready(known, number, pointers, tape, None)
        room, address = self.rooms.take(split.room_bytes)
        asked, found = (tape, address, bytes(pointers)), split.last.get(number)
        if found is None or found[0] != asked:
            made = self._pointed(known, number, pointers, tape, address, split)
            found = split.last[number] = (asked, made)
        jobs, at, adding, table = found[1]
        return partial(_done, jobs, at, adding, table, room)

    def _pointed(
        self, known: Known, number: int, pointers: Any, tape: int, room: int, split: Split
    ) -> tuple[Array, int, list[tuple[Any, ...]], Array]:
        """A pass's jobs and their address, the sums to be called after them, all pointers."""
        whole = np.frombuffer(pointers, np.uintp)
        table = whole + split.moved
        if not whole.all():
            table[:, whole == 0] = 0  # what is not given
        bases = np.array([0, 0, 0, address_of(table), tape, room], np.uintp)
        jobs, adding = split.jobs[number] + bases, []
        if number == 1:
            add = getattr(crew(), f"crew_add_{KINDS[known.dtype]}")
            first = int(whole[split.own.start])
            for line, at in zip(table[1:], split.sums, strict=True):
                line[split.own] += np.uintp(room + at - first & _WORD)
                adding.append((add, first, room + at, split.numbers))
        return jobs, address_of(jobs), adding, table


def _done(jobs: Array, at: int, adding: Sequence[tuple[Any, ...]], _: Array, room: Array) -> None:
    """Do the jobs, then add up; what they point to is kept as long as this is."""
    crew().crew_run(at, len(jobs))
    for add, *words in adding:
        add(*words)


@dataclass
class ThreadedNetworkCalls(NetworkCalls):
    """Loss and gradients of one file, on one thread or several."""

    others: list[NetworkCalls] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The interface, and which arrays have samples."""
        super().__post_init__()
        self.along = axes(self.interface)

    def answer(
        self, params: Any, inputs: Any, targets: Any, initial: Any, constants: Any, lengths: Any,
        final_cotangents: Any,
    ) -> Answer:  # fmt: skip
        """Loss, gradients, and each state as its sample ends.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        split = parts(params, inputs)
        if len(split) < 2:
            return super().answer(
                params, inputs, targets, initial, constants, lengths, final_cotangents
            )
        _, groups, initial = self.given(
            params, inputs, targets, initial, constants, lengths, final_cotangents
        )
        while len(self.others) < len(split):
            self.others.append(NetworkCalls(self.source, self.interface))

        def job(number: int, part: slice) -> Callable[[], Any]:
            own: Groups = {g: cut(arrays, g, self.along, part) for g, arrays in groups.items()}
            start = cut(initial, "initial", self.along, part)
            ends = own.get("lengths", {}).get("lengths")
            return lambda: self.others[number].answer(
                own["params"], own["inputs"], own["targets"]["targets"], start,
                own["constants"], ends, own[FINAL_COTANGENTS],
            )  # fmt: skip

        found = side_by_side([job(number, part) for number, part in enumerate(split)])
        losses = [loss for loss, *_ in found]
        final = {name: np.concatenate([end[name] for *_, end in found]) for name in found[0][2]}
        gradients = merged([bars for _, bars, _ in found], self.along)
        return sum(losses[1:], losses[0]), gradients, final
