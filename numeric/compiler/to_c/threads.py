"""Calls of a C file on several threads: the batch is split, each part has memory of its own.

In: the source of a C file. Out: its interface as before. One thread works below `LEAST`
multiplications, else as many as $BPTT_THREADS, or $OMP_NUM_THREADS, or the cores. What belongs to
a sample comes from one part; the parameters' gradients and the loss are sums over the parts, so
that they agree with those of one thread to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import numpy as np

from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.to_c.calls import GRADIENTS, RETURNED, Calls
from numeric.compiler.to_c.interface import Interface
from numeric.compiler.to_c.known import Known, NativeTape
from numeric.compiler.to_c.network_calls import Answer, NetworkCalls
from numeric.compiler.to_c.pools import Array, Layout, Results
from numeric.compiler.to_c.segments import PLAN

LEAST: Final = 5e7  # multiplications of one forward pass: below, threads cost what they save
_MOST: Final = 4096  # threads in all: one is started where none is idle, so that few are
_KEPT: Final = 3  # kinds of copies that a part remembers, beside the last
FEWEST: Final = 4  # rows of a part: with fewer, the products are slower than a thread is worth
_SIZE: Final = attrgetter("size")
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
            return int(first)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
    return ThreadPoolExecutor(_MOST, thread_name_prefix="bptt")


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


class PartCalls(Calls):
    """The passes of one part of a batch, on memory of its own."""

    def __post_init__(self) -> None:
        """The interface, and memory for copies."""
        super().__post_init__()
        self.copies: dict[tuple[Any, ...], tuple[Layout, Results]] = {}

    def of(self, known: Known, samples: int) -> Known:
        """What is known of a part, from what is known of the whole batch."""
        sizes, found = {**known.sizes, "B": samples}, self.recent
        if found is None or (found.sizes, found.dtype) != (sizes, known.dtype):
            found = self.recent = self.know(sizes, known.dtype, RETURNED, GRADIENTS)
        return found

    def own(self, dtype: Any, group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Copies row by row, in memory that is used again once nobody holds them."""
        shapes = {(group, name): array.shape for name, array in arrays.items()}
        key = (dtype, *shapes.items())
        layout, held = self.copies.get(key) or (Layout(shapes, dtype), Results())
        self.copies = {key: (layout, held), **dict([*self.copies.items()][:_KEPT])}
        made = held.take(layout)[2].get(group, {})
        for name, array in arrays.items():
            np.copyto(made[name], array)
        return made


@dataclass(frozen=True)
class SplitTape:
    """What the pass forward leaves for the pass back: the tapes of all parts."""

    known: Known
    parts: tuple[slice, ...]
    tapes: tuple[NativeTape, ...]


@dataclass
class ThreadedCalls(Calls):
    """The two passes of one file, on one thread or several."""

    others: list[PartCalls] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The interface, and which arrays have samples."""
        super().__post_init__()
        self.along = axes(self.interface)
        self.saves_memory = PLAN in self.source

    def worker(self, number: int) -> PartCalls:
        """The calls of a thread, which have memory of their own."""
        while len(self.others) <= number:
            self.others.append(PartCalls(self.source, self.interface))
        return self.others[number]

    def _point(
        self, worker: PartCalls, pointers: Any, dtype: Any, groups: Groups, part: slice
    ) -> dict[str, Any]:
        """Point to a part's samples, row by row as C wants them; the arrays, to be kept."""
        kept: dict[str, Any] = {}
        for group, arrays in groups.items():
            own = {name: array for name, array in arrays.items() if (group, name) in self.along}
            if own:
                own = worker.own(dtype, group, cut(own, group, self.along, part))
                worker.point(pointers, {group: own})
            kept[group] = {**arrays, **own}
        return kept

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], Any]:
        """The states of every step, and the tape that `backward` needs.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        # parts need copies: what keeps few states takes them only where it is told to
        alone = self.saves_memory and not os.environ.get(_VARIABLES[0])
        split = [slice(None)] if alone else parts(params, inputs)
        if len(split) < 2:
            return super().forward(params, inputs, initial, constants)
        known, pointers, groups, initial = self.asked(params, inputs, initial, constants)
        _, made = self.results(known, pointers, RETURNED)
        returned = {name: rows[1:] for name, rows in made["states"].items()}
        returned |= made.get("outputs", {})

        def job(worker: PartCalls, part: slice) -> NativeTape:
            own = worker.of(known, part.stop - part.start)
            there = self.pointers.from_buffer_copy(pointers)
            given = self._point(worker, there, known.dtype, groups, part)
            start = cut(initial, "initial", self.along, part)
            found, tape = worker.onward(own, there, given, start)
            for name, rows in found.items():
                np.copyto(returned[name][:, part], rows)
            return tape

        jobs = [partial(job, self.worker(number), part) for number, part in enumerate(split)]
        return returned, SplitTape(known, tuple(split), tuple(side_by_side(jobs)))

    def backward(self, params: Any, tape: Any, cotangents: Any) -> Gradients:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, SplitTape):
            return super().backward(params, tape, cotangents)
        known, pointers = tape.known, self.pointers()
        groups = self.asked_back(known, pointers, params, cotangents)
        _, made = self.results(known, pointers, GRADIENTS)
        whole = {group.removeprefix("gradients."): made.get(group, {}) for group in GRADIENTS}

        def job(worker: PartCalls, part: slice, own: NativeTape) -> dict[str, Array]:
            there = self.pointers.from_buffer_copy(own.pointers)
            for place, _ in self.places.get("params", ()):  # whose arrays may be others by now
                there[place] = pointers[place]
            kept = self._point(worker, there, known.dtype, groups, part)
            found = worker.back(own.known, there, own)
            del kept
            for group in ("inputs", "initial"):
                for name, rows in found[group].items():
                    axis = self.along[f"gradients.{group}", name]
                    np.copyto(whole[group][name][(slice(None),) * axis + (part,)], rows)
            return found["params"]

        jobs = [
            partial(job, self.worker(number), part, own)
            for number, (part, own) in enumerate(zip(tape.parts, tape.tapes, strict=True))
        ]
        first, second, *others = side_by_side(jobs)
        for name, total in whole["params"].items():
            np.add(first[name], second[name], out=total)
            for other in others:
                total += other[name]
        return whole


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
