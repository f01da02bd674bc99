"""Calls of a C file on several threads: the batch is split, each part has memory of its own.

In: the source of a C file. Out: its interface as before. One thread works below `LEAST`
multiplications, else as many as $BPTT_THREADS, or $OMP_NUM_THREADS, or the cores. What belongs to
a sample comes from one part; the parameters' gradients and the loss are sums over the parts, so
that they agree with those of one thread to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import numpy as np

from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.to_c.calls import Calls, Known
from numeric.compiler.to_c.interface import Interface
from numeric.compiler.to_c.network_calls import Answer, NetworkCalls
from numeric.compiler.to_c.pools import Array

LEAST: Final = 1e8  # multiplications of one forward pass: below, threads cost what they save
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
    if work < LEAST:
        return [slice(None)]
    count = min(most_threads(), batch // FEWEST)
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


def side_by_side(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the jobs return, done at the same time; the first on the caller's own thread."""
    with ThreadPoolExecutor(max(1, len(jobs) - 1)) as pool:
        others = [pool.submit(job) for job in jobs[1:]]
        return [jobs[0](), *(other.result() for other in others)]


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
class SplitTape:
    """What the pass forward leaves for the pass back: the tapes of all parts."""

    known: Known
    parts: tuple[slice, ...]
    tapes: tuple[Any, ...]


@dataclass
class ThreadedCalls(Calls):
    """The two passes of one file, on one thread or several."""

    others: list[Calls] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The interface, and which arrays have samples."""
        super().__post_init__()
        self.along = axes(self.interface)

    def worker(self, number: int) -> Calls:
        """The calls of a thread, which remember its own arrays."""
        while len(self.others) <= number:
            self.others.append(Calls(self.source, self.interface))
        return self.others[number]

    def forward(
        self, params: Any, inputs: Any, initial: Any = None, constants: Any = None
    ) -> tuple[dict[str, Array], Any]:
        """The states of every step, and the tape that `backward` needs.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        split = parts(params, inputs)
        if len(split) < 2:
            return super().forward(params, inputs, initial, constants)
        known, groups, initial = self.checked(params, inputs, initial, constants)

        def job(number: int, part: slice) -> Callable[[], Any]:
            given = [cut(groups[g], g, self.along, part) for g in ("params", "inputs")]
            given.append(cut(initial, "initial", self.along, part))
            given.append(cut(groups["constants"], "constants", self.along, part))
            return lambda: self.worker(number).forward(*given)

        self.worker(len(split) - 1)
        found = side_by_side([job(number, part) for number, part in enumerate(split)])
        states = {name: np.concatenate([s[name] for s, _ in found], 1) for name in found[0][0]}
        return states, SplitTape(known, tuple(split), tuple(tape for _, tape in found))

    def backward(self, params: Any, tape: Any, cotangents: Any) -> Gradients:
        """The gradients of L, from cotangents[s][t] = ∂L/∂s_t at each step.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        if not isinstance(tape, SplitTape):
            return super().backward(params, tape, cotangents)
        params, cotangents = self.checked_back(tape.known, params, cotangents)

        def job(number: int, part: slice) -> Callable[[], Any]:
            given = cut(cotangents, "cotangents", self.along, part)
            return lambda: self.worker(number).backward(params, tape.tapes[number], given)

        self.worker(len(tape.parts) - 1)
        found = side_by_side([job(number, part) for number, part in enumerate(tape.parts)])
        return merged(found, self.along)


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
