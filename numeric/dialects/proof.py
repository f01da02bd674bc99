"""Whether a map of parameters is an identity of two cells: evaluations that know no search.

In: a `ParameterMap`. Out: `Proof`. Over the prime field both cells' equations give the same
elements after several steps, at random parameters, inputs and states, with a bound on the chance
that different formulas do; in floats the emitted code of both gives the same states, at entries
of all sizes, so that it meets the pieces of a function with kinks: those that begin at numbers of
the equations, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from sympy import Rational, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise
from derive.language.pairs import PAIR_FUNCTIONS
from numeric.compiler.kernel import compile_cell
from numeric.dialects.blocks import blocks_of, frames, results_of
from numeric.dialects.one_step import distinct_sizes
from numeric.dialects.parameter_map import Move, ParameterMap
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import shape_of
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.degree import Degree, DegreeArray, error_probability, variables
from numeric.numbers.prime_field import FIELD, DualArray, random_duals
from numeric.numbers.random_functions import random_functions
from numeric.verification.exact import constants_of

Array = Any
STEPS: Final = 2
BATCH: Final = 2
SEEDS: Final = 2
DECADES: Final = (-3, -1, 0, 0, 0.5, 1, 2, 4)
CLOSE: Final = 1e-9
DEGREES: Final = Arithmetic(number=lambda constant: Degree.lift(float(constant)))


@dataclass(frozen=True)
class Proof:
    """`exact`: equal over the field; `error_probability` that different formulas are.

    `agreement`: the largest difference of the emitted code's states, relative to the largest
    state of the array.
    """

    exact: bool
    error_probability: float
    agreement: float

    @property
    def holds(self) -> bool:
        """Whether both say so."""
        return self.exact and self.agreement <= CLOSE


@dataclass(frozen=True)
class _Call:
    """What a cell is called with."""

    parameters: Mapping[str, Array]
    inputs: Mapping[str, Array]
    initial: Mapping[str, Array]
    constants: Mapping[str, Array]


def prove(found: ParameterMap, seed: int = 0) -> Proof:
    """The map's verdict."""
    chances, exact = [], True
    for turn in range(SEEDS):
        equal, chance = _over_the_field(found, seed + turn)
        exact = exact and equal
        chances.append(chance)
    return Proof(exact, float(np.prod(chances)), _in_floats(found, seed))


def equal_by_name(source: Cell, target: Cell, seed: int = 0) -> bool:
    """Whether the cells are one function where equal names mean equal arrays."""
    if source.equations == target.equations:
        return True
    own, other = ({b.text: b for b in blocks_of(cell)} for cell in (source, target))
    for frame in frames(source, target):
        pairs = {**frame.states, **frame.inputs, **frame.constants}.items()
        named = own.keys() == other.keys() and all(a == b for a, b in pairs)
        if named and all(
            tuple(map(frame.in_source, other[name].shape)) == block.shape
            for name, block in own.items()
        ):
            moves = tuple(Move(block, other[name]) for name, block in own.items())
            return prove(ParameterMap(source, target, frame, moves), seed).holds
    return False


def _over_the_field(found: ParameterMap, seed: int) -> tuple[bool, float]:
    rng = np.random.default_rng(seed)
    sizes = distinct_sizes(found.source)
    call = _drawn(found.source, sizes, partial(random_duals, rng))
    constants = (*constants_of(found.source), *constants_of(found.target))
    with random_functions(seed, constants) as functions, np.errstate(all="ignore"):
        left, right = _both(found, call, sizes, FIELD, DualArray)
        equal = all(
            [e.value for e in DualArray.of(a).ravel()] == [e.value for e in DualArray.of(b).ravel()]
            for a, b in zip(left, right, strict=True)
        )
        if not equal:
            return False, 0.0
        degrees = _Call(*({n: variables(a) for n, a in group.items()} for group in (
            call.parameters, call.inputs, call.initial, call.constants)))  # fmt: skip
        parts = _both(found, degrees, sizes, DEGREES, DegreeArray)
        return True, error_probability([*parts[0], *parts[1]], functions)


def _drawn(cell: Cell, sizes: Mapping[str, int], make: Any) -> _Call:
    def lead(symbol: Any) -> tuple[int, ...]:
        if symbol in cell.inputs:
            return (STEPS, BATCH)
        if symbol in cell.states:
            return (BATCH,)
        return (STEPS,) if symbol.name in cell.sequences else ()

    moving = {*cell.inputs, *cell.states}
    return _Call(*(
        {s.name: make((*lead(s), *shape_of(s, sizes, s in moving))) for s in group}
        for group in (cell.parameters, cell.inputs, cell.states, cell.constants)
    ))  # fmt: skip


def _translated(found: ParameterMap, call: _Call, sizes: Mapping[str, int], kind: Any) -> _Call:
    """The target's call of the source's."""
    frame = found.frame
    if kind is None:
        parameters = found.apply(call.parameters, sizes)
    else:
        made = found.apply(call.parameters, sizes, kind.element.lift)
        parameters = {name: kind.of(value) for name, value in made.items()}
    return _Call(
        parameters,
        {own: call.inputs[other] for own, other in frame.inputs.items()},
        {own: call.initial[other] for own, other in frame.states.items()
         if other in call.initial},
        {own: call.constants[other] for own, other in frame.constants.items()},
    )  # fmt: skip


def _both(
    found: ParameterMap, call: _Call, sizes: Mapping[str, int], arithmetic: Arithmetic, kind: Any
) -> tuple[list[Array], list[Array]]:
    """The states of every step of both, in the order of the target's."""
    other = _translated(found, call, sizes, kind)
    left = run_cell(found.source, call.parameters, call.inputs, call.initial, call.constants,
                    arithmetic)  # fmt: skip
    right = run_cell(found.target, other.parameters, other.inputs, other.initial, other.constants,
                     arithmetic)  # fmt: skip
    names = [s.name for s in results_of(found.target)]
    return (
        [value for name in names for value in left[found.frame.states[name]]],
        [value for name in names for value in right[name]],
    )


def _in_floats(found: ParameterMap, seed: int) -> float:
    """The emitted code of both, entries of all sizes."""
    decades = (*DECADES, *_far_kinks(found.source, found.target))
    sizes, worst = distinct_sizes(found.source), 0.0
    source, target = (compile_cell(cell) for cell in (found.source, found.target))
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for decade in decades:
            call = _drawn(found.source, sizes,
                          lambda shape, by=10.0**decade: rng.normal(size=shape) * by)  # fmt: skip
            small = {name: value / max(1.0, 10.0 ** (decade - 1))
                     for name, value in call.parameters.items()}  # fmt: skip
            call = _Call(small, call.inputs, call.initial, call.constants)
            other = _translated(found, call, sizes, None)
            left, _ = source.forward(call.parameters, call.inputs, call.initial, call.constants)
            right, _ = target.forward(other.parameters, other.inputs, other.initial,
                                      other.constants)  # fmt: skip
            for name, whose in found.frame.states.items():
                want, got = left[whose], right[name]
                fits = np.isfinite(want) & np.isfinite(got)
                scale = np.max(np.abs(want), initial=0.0, where=fits)
                off = np.max(np.abs(np.where(fits, got - want, 0.0)), initial=0.0)
                worst = max(worst, off / scale if scale else float(off > 0))
                if not np.array_equal(np.isfinite(want), np.isfinite(got)):
                    worst = np.inf
    return float(worst)


def _far_kinks(*cells: Cell) -> tuple[float, ...]:
    """Decades beyond the usual ones at which a kink may lie, by the numbers in the equations."""
    numbers = {
        abs(math.log10(abs(float(node)))) + 0.5
        for cell in cells if with_kinks(cell)
        for equation in cell.equations
        for node in preorder_traversal(equation.value)
        if isinstance(node, Rational) and node != 0
    }  # fmt: skip
    return tuple(sorted(decade for decade in numbers if decade > DECADES[-1]))


def with_kinks(cell: Cell) -> tuple[str, ...]:
    """The functions of the cell whose slope jumps somewhere."""
    nodes = [node for equation in cell.equations for node in preorder_traversal(equation.value)]
    kinked = [n.function.name for n in nodes if isinstance(n, Elementwise) and n.function.kink]
    pairs = [name for node in nodes for name, kind in PAIR_FUNCTIONS.items()
             if isinstance(node, kind)]  # fmt: skip
    return tuple(dict.fromkeys([*kinked, *pairs]))
