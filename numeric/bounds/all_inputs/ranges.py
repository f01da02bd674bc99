"""Ranges of every symbol of a cell, from its equations, weights, an input box and an initial box.

In: a `Setting`. Out: an invariant box of the states where one is found, checked by inclusion:
if F(B) ∪ {s_0} ⊆ B then every s_t lies in B, by induction on t. How the candidate B was found
does not matter for the proof. Where none is found, the boxes of step 1, 2, … one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Basic, MatMul, MatrixExpr, MatrixSymbol

from derive.calculus.through_time import Derivation
from derive.cell import Equation
from derive.language.expr import split_coefficient, symbols_of
from numeric.meaning.enclose import enclose, enclosing, plain_equations
from numeric.meaning.interpret import Step
from numeric.meaning.sizes import as_columns, shape_of
from numeric.numbers.intervals import Interval, interval

Array = Any
Arrays = Mapping[str, Array]
Box = dict[str, Interval]
Equations = tuple[tuple[Any, MatrixExpr], ...]
_ROUNDS: Final = 150
_WIDEN_EVERY: Final = 6
_BEYOND: Final = (1 + 1e-6, 1.01, 1.3)
_LARGEST: Final = 1e8
_SHRINKS: Final = 240
_NARROW: Final = 200
_SETTLED: Final = 1e-7
_SLOWEST: Final = 1 - 1e-9
_SQUASHED: Final = 3
_SECANTS: Final = (1 + 1e-6, 1 + 1e-4, 1 + 1e-4, 1.001, 1.01, 1.1)


@dataclass(frozen=True)
class Setting:
    """A cell with weights, and the boxes that inputs and initial states lie in.

    Shapes: parameters and constants as declared, a sequence (T, size); the ends of a box are
    numbers, or arrays of the size of what they bound.
    """

    derivation: Derivation
    parameters: Arrays
    sizes: Mapping[str, int]
    input_box: tuple[Any, Any] = (-1.0, 1.0)
    initial_box: tuple[Any, Any] = (0.0, 0.0)
    constants: Arrays = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a box that is none.

        Raises:
            ValueError: if a lower end lies above the upper, or an end is no number.
        """
        for name, (low, high) in (("input", self.input_box), ("initial", self.initial_box)):
            if not np.all(np.asarray(low) <= np.asarray(high)):
                raise ValueError(f"{name} box: expected low ≤ high, came {low} and {high}")

    def fixed(self) -> Box:
        """What no step changes: parameters, constants, and sequences over all their steps."""
        found = {name: interval(as_columns(_f64(v))) for name, v in self.parameters.items()}
        for name, value in self.constants.items():
            value = _f64(value)
            if name in self.derivation.cell.sequences:
                ends = (np.reshape(end(axis=0), (-1, 1)) for end in (value.min, value.max))
                found[name] = Interval(*ends)
            else:
                found[name] = interval(as_columns(value))
        return found

    def box(self, symbols: Any, ends: tuple[Any, Any]) -> Box:
        """The box of each symbol."""
        made = {}
        for symbol in symbols:
            own = shape_of(symbol, self.sizes, moves=True)
            shape = own if symbol.shape[1] != 1 else (*own, 1)
            low, high = (
                np.array(np.broadcast_to(np.reshape(_f64(e), (-1, 1)), shape)) for e in ends
            )
            made[symbol.name] = Interval(low, high)
        return made

    @property
    def width(self) -> int:
        """The number of entries of the whole state."""
        return sum(int(value.lo.size) for value in self.initial().values())

    def inputs(self) -> Box:
        """The box of the inputs."""
        return self.box(self.derivation.cell.inputs, self.input_box)

    def initial(self) -> Box:
        """The box of the initial states."""
        return self.box(self.derivation.cell.states, self.initial_box)


def _f64(value: Any) -> Array:
    return np.asarray(value, dtype=np.float64)


class Ranges:
    """F on boxes: the range of every symbol of a step, from a box of the states before it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.given = {**setting.fixed(), **setting.inputs()}
        self._still = self.given.keys() - set(setting.derivation.cell.sequences)
        made = _prepared(setting.derivation.forward, frozenset(self._still))
        self.equations, self._moving, held = made
        self._held = {symbol.name: enclose(part, self.given, setting.sizes)
                      for part, symbol in held}  # fmt: skip

    @np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
    def values(self, states: Box, now: Box | None = None) -> Box:
        """Every symbol's range; `now` fixes constants of one step, or other symbols."""
        found = {**self.given, **self._held, **(now or {})}
        found |= {f"{name}_prev": value for name, value in states.items()}
        for target, value in self._moving if self._still.isdisjoint(now or ()) else self.equations:
            found[target.name] = enclosing(value)(Step(found, self.setting.sizes))
        return found

    def step(self, states: Box, now: Box | None = None) -> Box:
        """The states' ranges after one step."""
        values = self.values(states, now)
        return {name: values[name] for name in states}

    def moments(self, t: int) -> Box:
        """The constants that are given anew at each step, at step t from 0 on."""
        cell = self.setting.derivation.cell
        return {name: interval(np.reshape(_f64(self.setting.constants[name])[t], (-1, 1)))
                for name in cell.sequences}  # fmt: skip


@lru_cache(maxsize=64)
def _prepared(
    forward: tuple[Equation, ...], still: frozenset[str]
) -> tuple[Equations, Equations, tuple[tuple[MatMul, MatrixSymbol], ...]]:
    """The equations plain, and with a symbol for each product that no step changes.

    One preparation serves all weights, as a scan over gains and a search have many.
    """
    plain = plain_equations((e.target, e.value) for e in forward)
    products = {part for _, value in plain for part in _products(value, still)}
    held = {part: MatrixSymbol(str(part), *part.shape) for part in products}
    return plain, tuple((t, value.xreplace(held)) for t, value in plain), tuple(held.items())


def _products(node: Basic, names: Collection[str]) -> Iterator[MatMul]:
    """The largest products of matrices in which nothing but these symbols occurs."""
    product = isinstance(node, MatMul) and isinstance(split_coefficient(node)[1], MatMul)
    if product and all(symbol.name in names for symbol in symbols_of(node)):
        yield node
        return
    for part in node.args:
        yield from _products(part, names)


def invariant_box(ranges: Ranges) -> Box | None:
    """A box B with F(B) ⊆ B and s_0 ∈ B, made small; None if none was found."""
    return _grown(ranges) or _from_everywhere(ranges)


def _grown(ranges: Ranges) -> Box | None:
    """An invariant box that grows out of the initial one.

    The candidate grows by F and by extrapolating that growth; what is returned passed the test
    of inclusion, in outward-rounded arithmetic. With B also hull(F(B) ∪ s_0) ∩ B is invariant,
    since F is monotone in its box: that is how it shrinks.
    """
    start = ranges.setting.initial()
    box, before = start, None
    for count in range(1, _ROUNDS + 1):
        image = ranges.step(box)
        if _inside(image, box):
            return _shrunk(ranges, box, start)
        grown = {name: box[name].hull(image[name]) for name in box}
        if not all(np.all(value.magnitude < _LARGEST) for value in grown.values()):
            return None
        growth = {name: (box[name].lo - grown[name].lo, grown[name].hi - box[name].hi)
                  for name in box}  # fmt: skip
        if before is not None and count % _WIDEN_EVERY == 0:
            for more in _BEYOND:
                wide = {name: _extrapolated(grown[name], growth[name], before[name], more)
                        for name in grown}  # fmt: skip
                if _inside(ranges.step(wide), wide):
                    return _shrunk(ranges, wide, start)
        box, before = grown, growth
    return None


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # no candidate, then
def _from_everywhere(ranges: Ranges) -> Box | None:
    """An invariant box cut out of all numbers, for states that are kept.

    A step from anywhere bounds what a function squashes. What is still unbounded is a state that
    is kept, p = f ⊙ p_before + r: the size of its image is about affine in its own size C, entry
    by entry, so where a secant meets C is a candidate, R / (1 − f̂).
    """
    start = ranges.setting.initial()
    box = ranges.setting.box(ranges.setting.derivation.cell.states, (-np.inf, np.inf))
    for _ in range(_SQUASHED):
        image = ranges.step(box)
        box = {name: image[name].hull(start[name]) for name in box}
    free = {name: ~np.isfinite(value.magnitude) for name, value in box.items()}

    def at(size: dict[str, Array]) -> Box:
        return {name: Interval(np.where(free[name], np.minimum(-size[name], start[name].lo), b.lo),
                               np.where(free[name], np.maximum(size[name], start[name].hi), b.hi))
                for name, b in box.items()}  # fmt: skip

    sizes = {name: np.zeros_like(value.lo) for name, value in box.items()}
    for more in _SECANTS:
        image = ranges.step(at(sizes))
        further = ranges.step(at({name: size + 1.0 for name, size in sizes.items()}))
        slopes = {n: np.clip(further[n].magnitude - image[n].magnitude, 0.0, 1.0) for n in box}
        meets = {n: sizes[n] + np.maximum(image[n].magnitude - sizes[n], 0.0) / (1 - slopes[n])
                 for n in box}  # fmt: skip
        sizes = {n: np.where(free[n], value * more + (more - 1) * 1e-3, 0.0)
                 for n, value in meets.items()}  # fmt: skip
        if not all(np.all(size < _LARGEST) for size in sizes.values()):
            return None
        candidate = at(sizes)
        if _inside(ranges.step(candidate), candidate):
            return _shrunk(ranges, candidate, start)
    return None


def _extrapolated(box: Interval, growth: Any, before: Any, more: float) -> Interval:
    """Ends moved to where a geometric growth would end, and a little beyond."""
    ends = []
    for now, then in zip(growth, before, strict=True):
        ratio = np.clip(now / np.maximum(then, 1e-300), 0.0, _SLOWEST)
        ends.append((now * ratio / (1 - ratio)) * more)
    slack = (more - 1) * 1e-3 * (1e-3 + box.magnitude)
    return Interval(box.lo - ends[0] - slack, box.hi + ends[1] + slack)


def _inside(image: Box, box: Box) -> bool:
    return all(image[name].within(box[name]) for name in box)


def _shrunk(ranges: Ranges, box: Box, start: Box) -> Box:
    before: dict[str, Any] | None = None
    width = ranges.setting.width
    for count in range(1, (_SHRINKS if width <= _NARROW else _SHRINKS // 4) + 1):
        image = ranges.step(box)
        smaller = {name: image[name].hull(start[name]).meet(box[name]) for name in box}
        loss = {n: (smaller[n].lo - box[n].lo, box[n].hi - smaller[n].hi) for n in box}
        box = smaller
        sizes = {n: 1e-3 + box[n].magnitude for n in box}
        if all(np.all(end <= _SETTLED * sizes[n]) for n, ends in loss.items() for end in ends):
            break
        if before is not None and count % _WIDEN_EVERY == 0:
            narrow = {n: _narrowed(box[n], start[n], loss[n], before[n]) for n in box}
            if _inside(ranges.step(narrow), narrow):
                box = narrow
        before = loss
    return box


def _narrowed(box: Interval, start: Interval, loss: Any, before: Any) -> Interval:
    """Ends moved to almost where a geometric shrinking would end, the initial box kept."""
    ends = []
    for now, then in zip(loss, before, strict=True):
        ratio = np.clip(now / np.maximum(then, 1e-300), 0.0, 0.99999)
        ends.append(0.95 * now * ratio / (1 - ratio))
    lo, hi = np.minimum(box.lo + ends[0], start.lo), np.maximum(box.hi - ends[1], start.hi)
    good = lo <= hi
    return Interval(np.where(good, lo, box.lo), np.where(good, hi, box.hi))


def boxes_over_time(ranges: Ranges, steps: int) -> Iterator[tuple[Box, Box]]:
    """(ranges of every symbol at step t, constants of step t) for t = 1, …, T.

    They hold for every sequence in the input box from the initial box; they may grow with t.
    """
    box = ranges.setting.initial()
    for t in range(steps):
        now = ranges.moments(t)
        values = ranges.values(box, now)
        yield values, now
        box = {name: values[name] for name in box}
