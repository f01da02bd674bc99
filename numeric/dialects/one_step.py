"""One step of two cells at common points: many parameters at once, in floats.

In: a frame, and maps that are not whole yet. Out: how far the two cells' results are apart. The
source's parameters are short decimals, so that a point that tells two cells apart can be printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from derive.cell import Cell, previous
from numeric.dialects.blocks import Block, Frame, blocks_of, results_of
from numeric.dialects.parameter_map import Move, cut
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.sizes import extent_of, size_names

Array = Any
SAMPLES: Final = 16
SCALES: Final = (0.3, 1.0, 3.0)


def distinct_sizes(source: Cell) -> dict[str, int]:
    """A size for each letter, no two alike: what does not fit by its letters fits by no number."""
    return {name: 2 + place for place, name in enumerate(size_names(source))}


@dataclass(frozen=True)
class Point:
    """Parameters of the source, and a column of inputs, states and constants for each sample."""

    sizes: Mapping[str, int]
    parameters: Mapping[str, Array]
    given: Mapping[str, Array]


def draw(source: Cell, rng: np.random.Generator, samples: int = SAMPLES) -> Point:
    """Entries of two decimals, those of a sample of one of several scales."""
    sizes = distinct_sizes(source)

    def entries(shape: tuple[Any, ...], scale: Array) -> Array:
        rows, columns = (extent_of(extent, sizes) for extent in shape)
        size = (rows, columns if columns > 1 else np.size(scale))
        drawn = rng.normal(size=size) * scale
        return np.round(drawn, 2) + 0.01 * (np.round(drawn, 2) == 0)

    parameters = {
        s.name: np.round(rng.uniform(0.3, 1.2, [extent_of(e, sizes) for e in s.shape]), 2)
        * rng.choice([-1, 1], [extent_of(e, sizes) for e in s.shape])
        for s in source.parameters
    }
    scales = np.resize(SCALES, samples)
    given = {s.name: entries(s.shape, scales) for s in (*source.inputs, *source.states)}
    given |= {s.name: entries(s.shape, 1.0) for s in source.constants}
    return Point(sizes, parameters, given)


@dataclass(frozen=True)
class Stepper:
    """A cell's results after one step, for as many parameters at once as an axis before has."""

    cell: Cell
    equations: tuple[tuple[str, Any], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the equations."""
        made = tuple((e.target.name, compiled(e.value)) for e in self.cell.equations)
        object.__setattr__(self, "equations", made)

    def values(
        self, parameters: Mapping[str, Array], given: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> dict[str, Array]:
        """All that has a name in the step, by its name."""
        values = {**parameters}
        for symbol in (*self.cell.inputs, *self.cell.constants):
            values[symbol.name] = given[symbol.name]
        for state in self.cell.states:
            values[previous(state).name] = given[state.name]
        step = Step(values, sizes)
        for name, equation in self.equations:
            values[name] = equation(step)
        return values

    def __call__(
        self, parameters: Mapping[str, Array], given: Mapping[str, Array],
        sizes: Mapping[str, int], order: Sequence[str],
    ) -> Array:  # fmt: skip
        """The states named, one below the other.

        Shapes: parameters (K, rows, columns), given (rows, samples), result (K, all, samples).
        """
        with np.errstate(all="ignore"):  # parameters of zero may leave no value: 0 / 0
            values = self.values(parameters, given, sizes)
        count = max((len(value) for value in parameters.values()), default=1)
        samples = next(iter(given.values())).shape[-1]
        rows = {s.name: extent_of(s.shape[0], sizes) for s in results_of(self.cell)}
        return np.concatenate(
            [np.broadcast_to(values[name], (count, rows[name], samples)) for name in order], axis=1
        )


def has_values_at_zero(cell: Cell) -> bool:
    """Whether a step is a number where all parameters are zero, and none was divided by there.

    Where one was, cells that are equal elsewhere may differ: x / b and −(x / −b) are infinities of
    two signs at b = 0.
    """
    point = draw(cell, np.random.default_rng(0))
    zeros = {name: np.zeros((1, *np.shape(value))) for name, value in point.parameters.items()}
    try:
        with np.errstate(divide="raise", invalid="raise", over="ignore", under="ignore"):
            Stepper(cell).values(zeros, point.given, point.sizes)
    except FloatingPointError:
        return False
    return True


Partial = Mapping[Block, tuple[Move, ...]]


@dataclass(frozen=True)
class Comparison:
    """The two cells at one point, of the source's parameters only some blocks not zero."""

    source: Cell
    target: Cell
    frame: Frame
    point: Point
    steppers: tuple[Stepper, Stepper] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile both cells."""
        object.__setattr__(self, "steppers", (Stepper(self.source), Stepper(self.target)))

    @property
    def target_sizes(self) -> dict[str, int]:
        """The target's sizes, by its own letters."""
        return {own: self.point.sizes[other] for own, other in self.frame.sizes.items()}

    def wanted(self, kept: Sequence[frozenset[Block]]) -> Array:
        """What the source gives with only the blocks kept."""
        sizes = self.point.sizes
        stacks = {s.name: np.zeros((len(kept), *np.shape(self.point.parameters[s.name])))
                  for s in self.source.parameters}  # fmt: skip
        for block in blocks_of(self.source):
            rows = [place for place, blocks in enumerate(kept) if block in blocks]
            if rows:
                own = cut(self.point.parameters[block.parameter], block, sizes)
                cut(stacks[block.parameter], block, sizes)[rows] = own
        order = [self.frame.states[s.name] for s in results_of(self.target)]
        return self.steppers[0](stacks, self.point.given, sizes, order)

    def given(
        self, maps: Sequence[Sequence[Move]], offsets: Sequence[Mapping[Block, Any]]
    ) -> Array:
        """What the target gives with the parameters that the moves and offsets make."""
        sizes = self.target_sizes
        stacks = {
            s.name: np.zeros((len(maps), *(extent_of(extent, sizes) for extent in s.shape)))
            for s in self.target.parameters
        }
        for place, (moves, added) in enumerate(zip(maps, offsets, strict=True)):
            for block, number in added.items():
                cut(stacks[block.parameter][place], block, sizes)[...] += float(number)
            for move in moves:
                own = cut(self.point.parameters[move.source.parameter], move.source,
                          self.point.sizes)  # fmt: skip
                own = own.T if move.transposed else own
                cut(stacks[move.target.parameter][place], move.target, sizes)[...] += (
                    float(move.factor) * own
                )
        pairs = {**self.frame.inputs, **self.frame.states, **self.frame.constants}
        held = self.point.given
        given = {own: held[other] for own, other in pairs.items() if other in held}
        order = [s.name for s in results_of(self.target)]
        return self.steppers[1](stacks, given, sizes, order)


def apart(got: Array, want: Array) -> Array:
    """For each of the first axis the largest difference, relative to the largest wanted entry."""
    scale = np.max(np.abs(want), axis=(1, 2), initial=0.0, where=np.isfinite(want))
    both = np.isnan(got) & np.isnan(want)
    off = np.where(both | (got == want), 0.0, np.abs(got - want))
    off = np.where(np.isnan(off), np.inf, off)
    return np.max(off, axis=(1, 2), initial=0.0) / np.where(scale > 0, scale, 1.0)
