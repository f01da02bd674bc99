"""Certified growth a priori: for all inputs in a box and all initial states in another.

In: a `Setting`. Out: `Certificate`: a rate r and, at every lag, an upper bound of
‖∂s_t/∂s_{t−l}‖₂ that no admissible sequence exceeds, by each method and the smallest; and, where
the zero state rests, a lower rate. Theorem A: N ≥ 0 with ‖J_ab‖ ≤ N_ab, v > 0, Nv ≤ rv give
‖J_t ⋯ J_{k+1}‖ ≤ r^{t−k} in the norm max_a ‖s_a‖ / v_a.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

import numpy as np

from derive.calculus.jacobian import diagonal_columns
from numeric.bounds.all_inputs.box_pieces import Pieces, box_pieces
from numeric.bounds.all_inputs.fractional_form import Fractional, fractional_form
from numeric.bounds.all_inputs.fractional_norm import NAME as FRACTIONAL
from numeric.bounds.all_inputs.fractional_norm import ScaledNorm, scaled_norm
from numeric.bounds.all_inputs.from_below import carousel, least_rate, resting_rate
from numeric.bounds.all_inputs.gate_pieces import NAME as SPLIT
from numeric.bounds.all_inputs.gate_pieces import split_rate
from numeric.bounds.all_inputs.ranges import Box, Ranges, Setting, boxes_over_time, invariant_box
from numeric.bounds.all_inputs.row_stack import Sharpened, balance
from numeric.bounds.domination import ROWS, SPECTRAL, Domination, Partition, Parts
from numeric.bounds.growth import Method, chains, log_product, nonnegative, powers, rate_over
from numeric.meaning.enclose import enclose
from numeric.numbers.intervals import Interval, stacked
from numeric.numbers.matrices import raised, up

Array = Any
_FINEST: Final = 1024
_DENSE: Final = 300  # entries of the whole state, where blocks are maps
_LONGEST: Final = 5000
_BRIEF: Final = 20_000
_TOGETHER: Final = 64  # steps
_STACK, _STACK_SCALED = "row-stack", "row-stack, scaled"


@dataclass(frozen=True)
class Certificate:
    """What holds for every sequence in the boxes; `box` is None where no invariant set was found.

    Every bound holds for every two times that are so many steps apart. `methods` hold for
    sequences of any length if `unlimited`, constants being repeated as a whole, else of at most
    `steps` steps, and then none has a rate; `finite` are more methods for that many steps.
    `rest_rate` bounds the growth at rest from below, `carousel_rate` that of ‖∂p_t/∂p_k y‖ for a
    kept state p, and `least_rate` that of ‖∂s_t/∂s_k y‖, at every y and every admissible sequence.
    `scaled` proves the method of the fractional form, `pieces` that of the box cut in pieces.
    """

    box: Box | None
    methods: tuple[Method, ...]
    steps: int
    rest_rate: float | None = None
    carousel_rate: float | None = None
    least_rate: float | None = None
    finite: tuple[Method, ...] = ()
    scaled: ScaledNorm | None = field(default=None, repr=False, compare=False)
    pieces: Pieces | None = field(default=None, repr=False, compare=False)

    @property
    def unlimited(self) -> bool:
        """Whether `methods` hold for sequences of any length."""
        return self.box is not None or math.isfinite(self.rate)

    def holds_at(self, states: Mapping[str, Array]) -> bool:
        """Whether what knows no time holds for step Jacobians at these states, exact or not.

        Shapes: states (T + 1, n) or (T + 1, n, k).
        """
        if self.box is None:
            return self.unlimited

        def inside(state: Array, held: Interval) -> bool:
            lo, hi = (end if state.ndim > 2 else end[:, 0] for end in (held.lo, held.hi))
            return bool(np.all(state >= lo) and np.all(state <= hi))

        return all(inside(states[name], held) for name, held in self.box.items())

    @property
    def rate(self) -> float:
        """The smallest certified rate; ∞ if there is none."""
        return min((method.rate for method in self.methods), default=math.inf)

    @property
    def best(self) -> Method:
        """The method with the smallest rate."""
        return min(self.methods, key=lambda method: method.rate)

    def upper(self, lag: int) -> tuple[float, str]:
        """The smallest log10 bound at a lag, and the method that gave it."""
        return min((method.log10_upper[lag - 1], method.name) for method in self.methods)

    @property
    def log10_upper(self) -> tuple[float, ...]:
        """The smallest bound at each lag."""
        return tuple(map(min, zip(*(m.log10_upper for m in self.methods), strict=True)))


def certify(
    setting: Setting,
    lags: int = 60,
    partition: Partition | None = None,
    steps: int | None = None,
    near: Certificate | None = None,
    *,
    sharp: bool = True,
    only: Collection[str] | None = None,
) -> Certificate:
    """Every a-priori bound that the setting admits, for sequences of so many steps.

    `steps` matters only where the bounds change with time.
    With a partition (size name → lengths of its parts) one more method uses it.
    The search for a scaled norm starts where that of a setting nearby ended, and goes on below a
    rate of 1 if the bounds have to be `sharp`; then too the box is cut in pieces where nothing else
    is below 1. If not, rates are all that is asked for: no bound of `finite` steps is made beside
    `methods`, and no `least_rate`. Of a box without sequences `only` the methods of these names are
    asked for, where it is given, and from below the rate at rest alone.

    Raises:
        ValueError: for fewer steps than lags, or more than there are constants for.
    """
    given = [len(setting.constants[name]) for name in setting.derivation.cell.sequences]
    steps = steps or min(given, default=lags)
    if steps < lags or steps > min(given, default=steps):
        raise ValueError(f"steps: expected {lags}, the lags, to {min(given, default=steps)}, the "
                         f"steps whose constants are given, came {steps}")  # fmt: skip
    ranges = Ranges(setting)
    box = invariant_box(ranges)
    if setting.derivation.cell.sequences and box is None:
        made = tuple(_over_time(ranges, None, lags, partition, steps)) if steps <= _LONGEST else ()
        return Certificate(None, made, steps, _rest(ranges))
    found = everywhere(ranges, box, lags, partition, near, sharp=sharp, only=only)
    if setting.derivation.cell.sequences:
        return replace(found, steps=steps, rest_rate=_rest(ranges))
    values = ranges.values(box or anything(setting))
    finite: tuple[Method, ...] = ()
    long = steps * setting.width > (_BRIEF if found.methods else _LONGEST * _FINEST)
    asked = not long and (sharp or not (found.methods or only is not None))
    if asked and found.rate >= 1:
        finite = tuple(_over_time(ranges, None, lags, partition, steps))
    methods, finite = (found.methods, finite) if found.methods else (finite, ())
    return replace(
        found, methods=methods, steps=steps, rest_rate=_rest(ranges), finite=finite,
        carousel_rate=carousel(setting, values) if box is not None and only is None else None,
        least_rate=least_rate(setting, values) if sharp and only is None else None,
    )  # fmt: skip


def everywhere(
    ranges: Ranges, box: Box | None, lags: int, partition: Partition | None = None,
    near: Certificate | None = None, *, sharp: bool = True, only: Collection[str] | None = None,
) -> Certificate:  # fmt: skip
    """What holds of products of any step Jacobians, each taken at a state of the box.

    Where the box is None, at any state; but nothing is known there of constants that change with
    time. These come one after the other and are repeated as a whole.
    """
    setting = ranges.setting
    if setting.derivation.cell.sequences:
        whole = min(len(setting.constants[name]) for name in setting.derivation.cell.sequences)
        timed = box is not None and whole <= _LONGEST
        made = _over_time(ranges, box, lags, partition, whole) if timed else ()
        return Certificate(box, tuple(made), whole)
    values = ranges.values(box or anything(setting))
    methods = [method for method in over_a_box(setting, values, lags, partition, only)
               if box is not None or math.isfinite(method.rate)]  # fmt: skip
    if box is not None and not setting.derivation.has_matrices and asks(SPLIT, only):
        methods += split_rate(ranges, values, lags)
    form = scaled = None
    if asks(FRACTIONAL, only):
        form = fractional_form(setting.derivation, values, setting.sizes)
        scaled = _scaled(form, near, sharp=sharp)
    methods += [scaled.method(lags)] if scaled else []
    undecided = min((method.rate for method in methods), default=math.inf) >= 1
    pieces = box_pieces(ranges, box, form) if sharp and undecided and box is not None else None
    methods += [pieces.method(lags)] if pieces else []
    return Certificate(box, tuple(methods), lags, scaled=scaled, pieces=pieces)


def _rest(ranges: Ranges) -> float | None:
    """The growth at rest, where it is not too large to compute."""
    setting = ranges.setting
    small = not setting.derivation.has_matrices or setting.width <= _DENSE
    return resting_rate(ranges) if small else None


def asks(name: str, only: Collection[str] | None) -> bool:
    """Whether a method is asked for."""
    return only is None or name in only


def anything(setting: Setting) -> Box:
    """Every state there is: invariant under any step; slopes may still be bounded."""
    return setting.box(setting.derivation.cell.states, (-math.inf, math.inf))


def _scaled(form: Fractional | None, near: Certificate | None, *, sharp: bool) -> ScaledNorm | None:
    if form is None:
        return None
    start = near.scaled.scaling if near is not None and near.scaled is not None else None
    return scaled_norm(form, sharp=sharp, start=start)


def suprema(setting: Setting, values: Mapping[str, Interval]) -> dict[Any, Array]:
    """Sup |d_i| of each column d of a diag(d)."""
    found = {}
    for column in diagonal_columns(setting.derivation.step_jacobian):
        found[column] = enclose(column, values, setting.sizes).magnitude[:, 0]
    return found


def dominations(setting: Setting, partition: Partition | None) -> Iterator[tuple[str, Parts, str]]:
    """The partitions and norms that are tried; of matrices, ‖·‖_F of each whole state alone."""
    sizes = setting.sizes
    yield "states, 2-norm", Parts(sizes), SPECTRAL
    if setting.derivation.has_matrices:
        return
    yield "states, ∞-norm", Parts(sizes), ROWS
    if partition:
        yield "modules, 2-norm", Parts(sizes, partition), SPECTRAL
    if setting.width <= _FINEST:
        yield "units", Parts(sizes, finest=True), SPECTRAL


def over_a_box(
    setting: Setting, values: Box, lags: int, partition: Partition | None,
    only: Collection[str] | None = None,
) -> Iterator[Method]:  # fmt: skip
    """Bounds of the product of any step Jacobians, each taken anywhere in the boxes."""
    kinds = [kind for kind in dominations(setting, partition) if asks(kind[0], only)]
    stacks = asks(_STACK, only) or asks(_STACK_SCALED, only)
    if not kinds and not stacks:
        return
    sup = suprema(setting, values)
    for name, parts, norm in kinds:
        N = Domination(setting.derivation, values, parts, norm).matrix(sup, values)
        yield powers(name, N, lags, norm, setting.width)
    if stacks and not setting.derivation.has_matrices:
        yield from _sharpened(setting, values, lags, sup, only)


def _sharpened(
    setting: Setting, values: Box, lags: int, sup: Mapping[Any, Array],
    only: Collection[str] | None,
) -> Iterator[Method]:  # fmt: skip
    """Sums by the row-stack, and the same with the matrices scaled by a diagonal.

    Of methods asked for by name no diagonal is sought where I is one with a rate below 1.
    """
    stacked = Sharpened(setting.derivation, values, setting.sizes)
    method = powers(_STACK, stacked.matrix(sup, values), lags, SPECTRAL, setting.width)
    yield method
    if not asks(_STACK_SCALED, only) or not math.isfinite(method.rate):
        return
    if only is not None and method.rate < 1:
        yield replace(method, name=_STACK_SCALED)
        return
    scales = balance(stacked, sup, values)
    if scales is None:
        return
    within = Sharpened(setting.derivation, values, setting.sizes, scales)
    found = powers(_STACK_SCALED, within.matrix(sup, values), lags, SPECTRAL, setting.width)
    if found.rate < method.rate:
        extents = {state.shape[0] for state in setting.derivation.cell.states}
        held = [scales.get(extent, np.ones(1)) for extent in extents]
        spread = max(float(d.max()) for d in held) / min(float(d.min()) for d in held)
        constant = math.log10(raised(spread))
        upper = tuple(up(value + constant, value, constant) for value in found.log10_upper)
        yield replace(found, log10_upper=upper)


# ---- bounds that change with time --------------------------------------------------------------


def _over_time(
    ranges: Ranges, box: Box | None, lags: int, partition: Partition | None, steps: int
) -> Iterator[Method]:
    """Products of N(t), each of its own step; with a box the constants repeat, and have a rate."""
    setting = ranges.setting
    kinds = [kind for kind in dominations(setting, partition) if kind[0] != "units" or box]
    matrices: dict[str, list[Array]] = {name: [] for name, _, _ in kinds}
    made: dict[tuple[str, bytes], Array] = {}
    dominators: dict[str, Domination] = {}
    period = steps if box is None else period_of(setting, steps)
    for values, now, sup in _moments(ranges, box, period):
        key = b"".join(part.lo.tobytes() for part in now.values())
        for name, parts, norm in kinds:
            if box is not None and (name, key) in made:
                matrices[name].append(made[name, key])
                continue
            own = dominators.setdefault(name, Domination(setting.derivation, values, parts, norm))
            sup = sup or suprema(setting, values)
            N = own.matrix(sup, values)
            made[name, key] = N
            matrices[name].append(N)
    for name, _, norm in kinds:
        yield _varying(name, matrices[name], lags, norm, setting.width, periodic=box is not None)


def _moments(
    ranges: Ranges, box: Box | None, steps: int
) -> Iterator[tuple[Box, Box, dict[Any, Array] | None]]:
    """The ranges of a step, its constants, and suprema where those of many steps are made."""
    if box is None and not ranges.setting.derivation.has_matrices:
        several = boxes_over_time(ranges, steps)
        while some := [*islice(several, _TOGETHER)]:
            found = _suprema_of_each(ranges.setting, [values for values, _ in some])
            for t, (values, now) in enumerate(some):
                yield values, now, {column: bound[:, t] for column, bound in found.items()}
    elif box is None:
        yield from ((values, now, None) for values, now in boxes_over_time(ranges, steps))
    else:
        for t in range(steps):
            now = ranges.moments(t)
            yield ranges.values(box, now), now, None


def _suprema_of_each(setting: Setting, every: Sequence[Box]) -> dict[Any, Array]:
    """Sup |d_i| at each of several steps, which stand side by side in columns."""
    joined = {
        name: value if all(values[name] is value for values in every)
        else stacked([values[name] for values in every], axis=1)
        for name, value in every[0].items()
    }  # fmt: skip
    found = {}
    for column in diagonal_columns(setting.derivation.step_jacobian):
        bound = enclose(column, joined, setting.sizes).magnitude
        found[column] = np.broadcast_to(bound, (len(bound), len(every)))
    return found


def _varying(
    name: str, matrices: Sequence[Array], lags: int, norm: str, width: int, periodic: bool
) -> Method:
    """The largest bound over all times; a rate by the product over one period."""
    found = chains(matrices, lags, norm, width, around=periodic)
    rate = math.inf
    if periodic and all(np.all(np.isfinite(N)) for N in matrices):
        whole = nonnegative(matrices[0])
        for N in matrices[1:]:
            whole = log_product(nonnegative(N), whole)
        rate = rate_over(whole, len(matrices))
    return Method(name, rate, tuple(found))


def period_of(setting: Setting, steps: int) -> int:
    """The shortest time after which constants of so many steps, repeated as a whole, repeat.

    It divides the steps; if no shorter time does, it is all of them.
    """
    told = [np.asarray(setting.constants[name])[:steps]
            for name in setting.derivation.cell.sequences]  # fmt: skip
    return next(
        period for period in range(1, steps + 1)
        if steps % period == 0
        and all(np.array_equal(held[period:], held[:-period]) for held in told)
    )  # fmt: skip
