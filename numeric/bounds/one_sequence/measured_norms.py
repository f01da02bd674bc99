"""‖∂s_T/∂s_{T−lag}‖₂ of several runs, measured with vectors alone: no product is multiplied out.

In: runs of one cell on the same number of steps, as with some parameters changed. Out: log10 of
each. Runs whose matrices are equal go side by side, a column for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from derive.calculus.paths import PathGraph, path_graph
from numeric.bounds.one_sequence.path_products import Steps
from numeric.bounds.one_sequence.side_by_side import log10_norms, scaled
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.numbers.lanczos import begin

Array = Any
_STEPS: Final = 16
_SETTLED: Final = 1e-7
_CHUNK: Final = 1024


def measured_norms(runs: Sequence[Run], lag: int, start: Array | None = None) -> list[float]:
    """log10 of the norms; `start` is about the direction that is stretched most, if one is known.

    Assumes: no state is a matrix.
    """
    found: list[float] = [0.0] * len(runs)
    groups: list[list[int]] = []
    for place, run in enumerate(runs):
        group = next((g for g in groups if _beside(runs[g[0]], run)), None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    graph = path_graph(runs[0].derivation)
    for group in groups:
        made = _together([runs[place] for place in group], graph, lag, start)
        for place, value in zip(group, made, strict=True):
            found[place] = float(value)
    return found


def _beside(one: Run, other: Run) -> bool:
    """Whether all matrices that time does not change are equal."""
    given = {*one.parameters, *one.constants}
    made = any(s.shape[1] != 1 for s in one.derivation.timeless if s.name not in given)
    return all(
        value is other.parameters[name] or np.array_equal(value, other.parameters[name])
        for name, value in one.parameters.items()
        if made or np.ndim(value) == 2
    )


def _together(runs: Sequence[Run], graph: PathGraph, lag: int, start: Array | None) -> Array:
    ends = np.cumsum([0, *(run.shape[1] for run in runs[0].states.values())])
    names = [state.name for state in runs[0].derivation.cell.states]
    spans = {name: slice(ends[k], ends[k + 1]) for k, name in enumerate(names)}
    vectors = np.repeat(begin(int(ends[-1]), start)[:, None], len(runs), axis=1)
    chunks = [*_chunks(runs[0].steps - lag, runs[0].steps)]
    held: dict[int, _Side] = {}

    def side(place: int) -> _Side:
        if place not in held:
            if len(chunks) > 1:  # what is not needed now is made anew when it is
                held.clear()
            held[place] = _Side(runs, graph, *chunks[place])
        return held[place]

    def sweep(which: Array, columns: Array) -> tuple[Array, Array]:
        size = np.zeros(len(which))
        for transposed in (False, True):
            order = range(len(chunks))
            for place in reversed(order) if transposed else order:
                step = side(place)
                for t in step.times(transposed):
                    columns = step.moved(columns, which, t, spans, transposed)
                    columns, more = scaled(columns)
                    size += more
        return columns, size

    return log10_norms(sweep, vectors, _STEPS, _SETTLED)


def _chunks(first: int, last: int) -> Iterator[tuple[int, int]]:
    yield from ((k, min(k + _CHUNK, last)) for k in range(first, last, _CHUNK))


class _Side:
    """The steps first+1, …, last of all runs: run by run, a column for each step."""

    def __init__(self, runs: Sequence[Run], graph: PathGraph, first: int, last: int) -> None:
        every = [Steps(run, graph, first, last) for run in runs]
        self.width, self.count = last - first, len(runs)
        self.steps = every[0]
        if self.count > 1:
            fixed = {symbol.name for symbol in runs[0].derivation.timeless}
            values = {}
            for name in every[0].values:
                parts = [step.values[name] for step in every]
                differ = any(not np.array_equal(part, parts[0]) for part in parts[1:])
                if differ or name not in fixed:
                    parts = [np.broadcast_to(part, (len(part), self.width)) for part in parts]
                    values[name] = np.concatenate(parts, axis=1)
                else:
                    values[name] = parts[0]
            self.steps.values = values
            self.steps.width = self.width * self.count

    def times(self, backwards: bool) -> Iterator[int]:
        yield from range(self.width - 1, -1, -1) if backwards else range(self.width)

    def moved(
        self, columns: Array, which: Array, t: int, spans: dict[str, slice], transposed: bool
    ) -> Array:
        """J or Jᵀ of step t times the columns of those runs."""
        at = slice(t, t + 1) if self.count == 1 else which * self.width + t
        go = self.steps.backward if transposed else self.steps.forward
        return go(columns, spans, at)
