"""Which forget gates and recurrent norms are certified, for cells that keep a state by a gate.

In: a `Derivation`. Out: `Region`: for each f̂ the largest g such that ρ(N) < 1 whenever the gate
never exceeds f̂ and every matrix that multiplies a state has the norm g or less, whatever the other
weights, biases and inputs are. Miller and Hardt's region beside it where the cell is theirs.

Let p_t = f ⊙ p_{t−1} + r_t be the kept state, 0 ≤ f ≤ f̂ < 1 and |r_t| ≤ R entry by entry. From
p_0 = 0, |p_t| ≤ R / (1 − f̂) by induction. Other symbols lie in the range of their function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from sympy import Basic, MatAdd, MatMul, MatrixExpr, MatrixSymbol, preorder_traversal
from sympy import Symbol as Letter
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.through_time import Derivation
from derive.cell import previous
from derive.language.expr import Elementwise, Softmax, split_coefficient, symbols_of
from derive.language.expr import replace as exchange
from derive.language.norms import MaxAbs, Norm, Supremum
from derive.theorems.carousel import Carousel, find_carousel
from derive.theorems.claims import Relation
from derive.theorems.domination import Domination, domination_matrix
from numeric.bounds.all_inputs.closed_condition import Condition, floats_of, value_of
from numeric.bounds.all_inputs.ranges import Box
from numeric.meaning.enclose import enclose
from numeric.numbers.intervals import Interval

Array = Any
POINTS: Final = 41
_HALVINGS: Final = 24
_LARGEST: Final = 4.0
_UNIT: Final = 1 + 1e-9


@dataclass(frozen=True)
class Region:
    """`ours` and `theirs` are the largest g at each f̂; `gate` is the gate's name."""

    gate: str
    gates: tuple[float, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...] | None

    @property
    def ratio(self) -> float | None:
        """Area certified by ours over theirs, by the trapezoidal rule."""
        if self.theirs is None:
            return None
        return _area(self.gates, self.ours) / _area(self.gates, self.theirs)

    @property
    def holds_theirs(self) -> bool:
        """Whether ours reaches at least as far at every f̂ tried."""
        theirs = self.theirs or ()
        return all(a >= b for a, b in zip(self.ours, theirs, strict=False))


def _area(xs: Sequence[float], ys: Sequence[float]) -> float:
    pairs = zip(pairwise(xs), pairwise(ys), strict=True)
    return sum((b - a) * (low + high) / 2 for (a, b), (low, high) in pairs)


def region(derivation: Derivation) -> Region | None:
    """The region; None where no gate keeps a state, or where its equation has another form."""
    carousel = find_carousel(derivation)
    gate = None if carousel is None else kept_by(derivation, carousel)
    if carousel is None or gate is None:
        return None
    domination = domination_matrix(derivation, split=True)
    conditions = domination.conditions()
    gates = tuple(np.linspace(0.0, 1.0, POINTS)[:-1].tolist())
    found = [_quantities(derivation, domination, carousel, gate, top) for top in gates]
    known = [quantities for quantities in found if quantities is not None]
    largest = iter(_largest(conditions, known))
    ours = [0.0 if quantities is None else next(largest) for quantities in found]
    if not any(ours):
        return None
    theirs = tuple(map(miller_hardt, gates)) if is_plain(derivation, carousel, gate) else None
    return Region(
        gate.name, (*gates, 1.0), (*ours, 0.0), None if theirs is None else (*theirs, 0.0)
    )


def miller_hardt(top: float) -> float:
    """The largest g with ‖W_i‖, ‖W_o‖ < 1 − f̂, ‖W_z‖ ≤ (1 − f̂)/4 and ‖W_f‖ < (1 − f̂)².

    Source: Miller and Hardt 2019, Stable recurrent models, proposition on LSTMs; ∞-norms.
    """
    return min((1 - top) / 4, (1 - top) ** 2)


def kept_by(derivation: Derivation, carousel: Carousel) -> MatrixSymbol | None:
    """The gate f, a logistic function of something, in front of the kept state."""
    held = {e.target.name: e.value for e in derivation.forward}
    terms = carousel.kept.args if isinstance(carousel.kept, MatAdd) else (carousel.kept,)
    for term in terms:
        value = held.get(term.name) if isinstance(term, MatrixSymbol) else None
        if isinstance(value, Elementwise) and value.function.name == "sigmoid":
            return term
    return None


def _quantities(
    derivation: Derivation, domination: Domination, carousel: Carousel, gate: MatrixSymbol,
    top: float,
) -> dict[Any, float] | None:  # fmt: skip
    """A bound of every supremum where the gate is at most `top`; norms and parameters left out."""
    values = _ranges(derivation, carousel, gate, top)
    if values is None:
        return None
    meaning = {r.left: r.right for r in domination.quantities}
    fixed, found = {*derivation.cell.parameters}, {}
    for unit in _units(domination):
        body = meaning.get(unit, unit)
        inner = {*symbols_of(body.args[0])} if isinstance(body, (MaxAbs, Norm)) else set()
        of_weights = bool(inner) and (isinstance(body, Norm) or inner <= fixed)
        found[unit] = math.nan if of_weights else _bounded(body, values)
    return found if all(not math.isinf(value) for value in found.values()) else None


def _units(domination: Domination) -> set[Any]:
    """The names, norms and suprema that N is made of."""
    kinds = (Letter, Norm, MaxAbs, Supremum)
    todo, used = [entry for row in domination.entries for entry in row], set()
    while todo:
        node = todo.pop()
        used |= {node} if isinstance(node, kinds) else set()
        todo += () if isinstance(node, kinds) else node.args
    return used


class _One(dict[str, int]):
    """Every size is 1: ranges hold entry by entry."""

    def __missing__(self, name: str) -> int:
        return 1


_ONES: Final[Mapping[str, int]] = _One()


def _ranges(
    derivation: Derivation, carousel: Carousel, gate: MatrixSymbol, top: float
) -> Box | None:
    """One entry of every symbol; what weights make is any number, the kept state by induction."""
    cell = derivation.cell
    keeper = next(s for s in cell.states if s.name == carousel.keeper)
    everything = Interval(np.full((1, 1), -math.inf), np.full((1, 1), math.inf))
    zero_to_top = Interval(np.zeros((1, 1)), np.full((1, 1), top))
    free = {s.name: everything for s in (*cell.parameters, *cell.constants, *cell.inputs)}
    size = _kept_size(derivation, keeper, gate, top, {**free, gate.name: zero_to_top})
    if size is None:
        return None
    bound = Interval(np.full((1, 1), -size), np.full((1, 1), size))
    values: Box = {**free, previous(keeper).name: bound}
    values |= {previous(s).name: everything for s in cell.states if s != keeper}
    for equation in derivation.forward:
        name = equation.target.name
        values[name] = _entry(equation.value, values)
        if name == gate.name:
            values[name] = zero_to_top
        if name == keeper.name:
            values[name] = bound
    for state in cell.states:
        if state != keeper:
            values[previous(state).name] = values[state.name]
    return values


def _kept_size(
    derivation: Derivation, keeper: MatrixSymbol, gate: MatrixSymbol, top: float, values: Box
) -> float | None:
    """C with |p_t| ≤ C, from p = f ⊙ p_prev + r; None where p is of another form."""
    before = previous(keeper)
    held: Box = dict(values)
    everything = values[derivation.cell.parameters[0].name]
    for state in derivation.cell.states:
        held[previous(state).name] = everything
    for equation in derivation.forward:
        if equation.target == keeper:
            break
        if equation.target != gate:
            held[equation.target.name] = _entry(equation.value, held)
    else:
        return None
    value = equation.value
    if not isinstance(value, MatAdd):
        return None
    unit = Interval(np.full((1, 1), -_UNIT), np.full((1, 1), _UNIT))
    if _entry(value, {**held, before.name: unit}).within(unit):
        return _UNIT  # a convex combination of p_prev and what lies in [−1, 1]
    own = [term for term in value.args if isinstance(term, HadamardProduct)
           and {*term.args} == {gate, before}]  # fmt: skip
    rest = [term for term in value.args if term not in own]
    if len(own) != 1 or not rest or any(before in symbols_of(term) for term in rest):
        return None
    size = sum(float(_entry(term, held).magnitude.max()) for term in rest)
    if not math.isfinite(size) or top >= 1:
        return None
    return size / (1 - top) * (1 + 1e-12)


def _entry(value: MatrixExpr, values: Box) -> Interval:
    """The range of an entry; any number where weights or inputs stand outside of a function."""
    with np.errstate(all="ignore"):
        try:
            return enclose(*_of_any_size(value, values), _ONES)
        except ValueError:
            return Interval(np.full((1, 1), -math.inf), np.full((1, 1), math.inf))


def _bounded(meaning: Basic, values: Box) -> float:
    """A bound of a supremum of entries, whatever the sizes are; infinite for that of a norm.

    The ∞-norm of a row, as of ones that sum the units, grows with its length.
    """
    while not isinstance(meaning, MatrixExpr):
        if isinstance(meaning, Norm):
            return math.inf
        (meaning,) = meaning.args
    if meaning.shape[1] != 1:
        return math.inf
    return float(_entry(meaning, values).magnitude.max())


def _of_any_size(value: MatrixExpr, values: Box) -> tuple[MatrixExpr, Box]:
    """The value with what mixes entries as new symbols: a softmax in [0, 1], a product anything.

    Of one entry a softmax is 1, and a product has one term: no range of theirs at size 1 holds
    at other sizes.
    """
    made, mixed = _unmixed(value)
    ranges = {name: Interval(*(np.full((1, 1), end) for end in ends)) for name, ends in mixed}
    return made, {**values, **ranges}


@lru_cache(maxsize=1024)
def _unmixed(value: MatrixExpr) -> tuple[MatrixExpr, tuple[tuple[str, tuple[float, float]], ...]]:
    """The value with new symbols in it, and the range of each."""
    written: dict[MatrixExpr, MatrixExpr] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for node in preorder_traversal(value):
        mixes = isinstance(node, MatMul) and isinstance(split_coefficient(node)[1], MatMul)
        if (mixes or isinstance(node, Softmax)) and node.shape[1] == 1:
            name = f"mixed_{len(written)}"
            written[node] = MatrixSymbol(name, *node.shape)
            ranges[name] = (0.0, 1.0) if isinstance(node, Softmax) else (-math.inf, math.inf)
    return exchange(value, written), tuple(ranges.items())


def _largest(conditions: Sequence[Relation], several: Sequence[Mapping[Any, float]]) -> list[float]:
    """The largest g, about and from below, at which every condition holds exactly, for each.

    Halving by floats, of all at once, finds them first; halving by exact numbers only where these
    do not confirm one.
    """
    if not several:
        return []

    def holding(quantities: Mapping[Any, float]) -> Callable[[float], bool]:
        def holds(g: float) -> bool:
            known = {unit: Fraction(g if math.isnan(v) else v) for unit, v in quantities.items()}
            return all(Condition(r, value_of(r.left, known.get), value_of(r.right, known.get)).holds
                       for r in conditions)  # fmt: skip

        return holds

    found = []
    for quantities, low, high in zip(several, *_about(conditions, several), strict=True):
        holds = holding(quantities)
        if not holds(0.0):
            found.append(0.0)
        elif holds(low) and not (high < _LARGEST and holds(high)):
            found.append(low)
        else:
            found.append(_halved(holds))
    return found


def _halved(holds: Callable[[float], bool]) -> float:
    """Where it still holds, and close above it does not, if anywhere below the largest."""
    low, high = 0.0, _LARGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


@np.errstate(all="ignore")
def _about(
    conditions: Sequence[Relation], several: Sequence[Mapping[Any, float]]
) -> tuple[list[float], list[float]]:
    """The same by floats: where the conditions still hold, and where close above they do not."""
    every = {unit: np.array([quantities[unit] for quantities in several]) for unit in several[0]}
    low, high = np.zeros(len(several)), np.full(len(several), _LARGEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        known = {unit: np.where(np.isnan(v), middle, v) for unit, v in every.items()}
        holds = np.ones(len(several), dtype=bool)
        for relation in conditions:
            left, right = (floats_of(side, known.get) for side in (relation.left, relation.right))
            holds &= False if left is None or right is None else left < right
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return low.tolist(), high.tolist()


def is_plain(derivation: Derivation, carousel: Carousel, gate: MatrixSymbol) -> bool:
    """Whether the cell is p = f ⊙ p_prev + i ⊙ z, q = o ⊙ tanh(p) with i, o = σ, z = tanh.

    Each of f, i, o and z is then a function of q_prev and the inputs alone.
    """
    held = {e.target: e.value for e in derivation.forward}
    states = {s.name: s for s in derivation.cell.states}
    p, q = states[carousel.keeper], states[carousel.reader]
    kept, read = held[p], held[q]
    if not isinstance(kept, MatAdd) or not isinstance(read, HadamardProduct):
        return False
    others = [term for term in kept.args if not isinstance(term, HadamardProduct)
              or {*term.args} != {gate, previous(p)}]  # fmt: skip
    if len(kept.args) != 2 or len(others) != 1 or not isinstance(others[0], HadamardProduct):
        return False
    functions = sorted(_function(factor, held) for factor in others[0].args)
    out = [factor for factor in read.args if _function(factor, held) == "sigmoid"]
    rest = [factor for factor in read.args if factor not in out]
    squashed = len(rest) == 1 and held.get(rest[0], rest[0]) == Elementwise("tanh", p)
    seen = {s for target, value in held.items() if target not in {p, q} for s in symbols_of(value)}
    alone = not seen & {previous(p), p} - _inner(held, p)
    return functions == ["sigmoid", "tanh"] and len(out) == 1 and squashed and alone


def _inner(held: Mapping[Any, MatrixExpr], p: MatrixSymbol) -> set[MatrixSymbol]:
    """The state itself where all that reads it is its own tanh."""
    readers = [value for value in held.values() if p in symbols_of(value)]
    return {p} if all(Elementwise("tanh", p) in (v, *v.args) for v in readers) else set()


def _function(factor: MatrixExpr, held: Mapping[Any, MatrixExpr]) -> str:
    value = held.get(factor, factor)
    return str(value.function.name) if isinstance(value, Elementwise) else ""
