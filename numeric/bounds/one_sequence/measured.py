"""Measured Jacobian products along a trajectory, beside the bounds that hold on it.

In: a `Derivation`, parameters and one sequence. Out: log10 of ‖∂s_t/∂s_k‖₂ for t the last step
and every lag t − k, and of the upper bounds. Products are kept as a unit matrix and a logarithm,
so that they neither underflow nor overflow; slopes are read from the input of their function.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import Abs, Add, Expr, Mul

from derive.calculus.through_time import Derivation
from derive.cell import Cell, previous, timeless_symbols
from derive.language.expr import symbols_of
from derive.language.norms import BlockBound, Largest, MaxAbs, Norm
from derive.theorems.claims import Theorem
from derive.theorems.theorems import dominate, theorem
from numeric.bounds.drawn import draw
from numeric.meaning.interpret import as_columns, evaluate
from numeric.meaning.sizes import usual_sizes

Array = Any
GAINS: Final = (0.2, 1.0, 2.5)


@dataclass(frozen=True)
class Curve:
    """One trajectory: log10 norms at the lags 1, 2, …, and the bound's constants."""

    gain: float
    log10_measured: tuple[float, ...]
    log10_upper: tuple[float, ...]
    constants: tuple[tuple[Expr, float], ...] = ()

    @property
    def lags(self) -> range:
        """1, 2, …: how many steps lie between k and t."""
        return range(1, len(self.log10_measured) + 1)


@dataclass(frozen=True)
class Measurement:
    """Curves for several gains, and what was drawn to get them."""

    curves: tuple[Curve, ...]
    sizes: tuple[tuple[str, int], ...]
    steps: int
    seed: int
    input_scale: float


@dataclass(frozen=True)
class Trajectory:
    """The step Jacobians J_t and the matrices N_t that dominate them, t = 1, …, T."""

    jacobians: tuple[Array, ...]
    dominating: tuple[Array, ...]


@np.errstate(over="ignore", invalid="ignore")
def trajectory(
    derivation: Derivation,
    parameters: Mapping[str, Array],
    inputs: Mapping[str, Array],
    initial: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
) -> Trajectory:
    """J_t and N_t of one sequence; a state that overflows gives a J_t that is not finite.

    Shapes: inputs (T, m), initial (n,), constants (T, size) where a sequence.
    """
    cell, constants = derivation.cell, constants or {}
    fixed = {name: as_columns(value) for name, value in parameters.items()}
    fixed |= {n: as_columns(v) for n, v in constants.items() if n not in cell.sequences}
    sizes = _sizes(cell, {**fixed, **inputs, **initial})
    state = {name: value.reshape(-1, 1) for name, value in initial.items()}
    dominator = _Dominator(derivation, sizes)
    jacobians, dominating = [], []
    for t in range(len(next(iter(inputs.values())))):
        values = {**fixed, **{name: value[t].reshape(-1, 1) for name, value in inputs.items()}}
        values |= {name: constants[name][t].reshape(-1, 1) for name in cell.sequences}
        values |= {previous(s).name: state[s.name] for s in cell.states}
        for equation in derivation.forward:
            values[equation.target.name] = evaluate(equation.value, values, sizes)
        state = {s.name: values[s.name] for s in cell.states}
        jacobians.append(_jacobian(derivation, values, sizes))
        dominating.append(dominator(values))
    return Trajectory(tuple(jacobians), tuple(dominating))


def log10_products(factors: Sequence[Array]) -> list[float]:
    """log10 ‖A_T A_{T−1} … A_{T−m+1}‖₂ for m = 1, …, T; −inf for a product that is zero."""
    product = np.eye(len(factors[-1]))
    scale = 0.0
    found: list[float] = []
    for factor in reversed(factors):
        product = product @ factor
        norm = float(np.linalg.norm(product, 2))
        if norm == 0.0:
            return found + [-math.inf] * (len(factors) - len(found))
        product, scale = product / norm, scale + math.log10(norm)
        found.append(scale)
    return found


def measure(
    derivation: Derivation,
    gains: Sequence[float] = GAINS,
    *,
    state_size: int = 32,
    input_size: int = 8,
    steps: int = 60,
    seed: int = 0,
    input_scale: float = 0.3,
) -> Measurement:
    """‖∂s_t/∂s_k‖₂ and its upper bound for random weights of several gains.

    One curve alone where the gain plays no part: no weight of the cell multiplies a state.
    """
    cell = derivation.cell
    sizes = usual_sizes(cell, state_size, input_size)
    claim = theorem(derivation)
    curves = []
    for gain in gains:
        drawn = draw(cell, sizes, gain, steps, seed, input_scale)
        path = trajectory(derivation, **drawn)
        measured = log10_products(path.jacobians)
        still = {**drawn["constants"], **drawn["parameters"]}
        constants = tuple(_constants(claim, still, sizes))
        upper = log10_products(path.dominating)
        if constants:
            rate = math.log10(math.prod(value for _, value in constants))
            upper = [rate * lag for lag in range(1, steps + 1)]
        curves.append(Curve(gain, tuple(measured), tuple(upper), constants))
    if len({(curve.log10_measured, curve.log10_upper) for curve in curves}) == 1:
        curves = curves[:1]
    return Measurement(tuple(curves), tuple(sizes.items()), steps, seed, input_scale)


def _constants(
    claim: Theorem, still: Mapping[str, Array], sizes: Mapping[str, int]
) -> Iterator[tuple[Expr, float]]:
    """The factors of the rate r in a bound r^{t−k}, with their values."""
    columns = {name: as_columns(value) for name, value in still.items()}
    rate = claim.rate
    for factor in rate.args if isinstance(rate, Mul) else ():
        if isinstance(factor, Largest):
            yield factor, float(claim.supremum or 0)
        else:
            yield factor, float(np.linalg.norm(evaluate(factor.args[0], columns, sizes), 2))


def _sizes(cell: Cell, arrays: Mapping[str, Array]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for symbol in (*cell.states, *cell.inputs, *cell.parameters, *cell.constants):
        if symbol.name in arrays:
            shape = np.shape(arrays[symbol.name])
            own = shape[-1:] if symbol in {*cell.states, *cell.inputs} else shape
            sizes.update({
                str(e): k for e, k in zip(symbol.shape, own, strict=False) if e.is_Symbol
            })
    return sizes


def _jacobian(
    derivation: Derivation, values: Mapping[str, Array], sizes: Mapping[str, int]
) -> Array:
    states = derivation.cell.states
    jacobian = derivation.step_jacobian
    return np.block([
        [evaluate(jacobian.expanded(of.name, by.name), values, sizes) for by in states]
        for of in states
    ])


class _Dominator:
    """Evaluates N_ab = dominate(J_ab); norms of what time does not change are taken once."""

    def __init__(self, derivation: Derivation, sizes: Mapping[str, int]) -> None:
        jacobian = derivation.step_jacobian
        self.sizes, self.states = sizes, derivation.cell.states
        self.fixed = timeless_symbols(derivation.cell, derivation.forward)
        self.norms: dict[Expr, float] = {}
        self.named = [
            ((str(n.args[0].name), str(n.args[1].name).removesuffix("_prev")), dominate(value))
            for n, value in jacobian.named
        ]
        known = {pair for pair, _ in self.named}
        self.blocks = [
            (pair, dominate(value)) for pair, value in jacobian.blocks.items() if pair not in known
        ]

    def __call__(self, values: Mapping[str, Array]) -> Array:
        found: dict[tuple[str, str], float] = {}
        for pair, bound in (*self.named, *self.blocks):
            found[pair] = self.number(bound, values, found)
        return np.array([[found[a.name, b.name] for b in self.states] for a in self.states])

    def number(
        self, bound: Expr, values: Mapping[str, Array], found: Mapping[tuple[str, str], float]
    ) -> float:
        """The value of a sum of products of norms.

        Raises:
            TypeError: for an expression that `dominate` does not make.
        """
        match bound:
            case Norm(args=(matrix,)):
                return self.norm(bound, matrix, values)
            case MaxAbs(args=(column,)):
                return float(np.max(np.abs(evaluate(column, values, self.sizes)), initial=0.0))
            case BlockBound(args=(of, by, _)):
                return found[of.name, by.name]
            case Add(args=terms):
                return math.fsum(self.number(term, values, found) for term in terms)
            case Mul(args=factors):
                return math.prod(self.number(factor, values, found) for factor in factors)
            case Abs() | Expr() if bound.is_number:
                return float(bound)
        raise TypeError(f"no bound of this form: {type(bound).__name__}")

    def norm(self, bound: Norm, matrix: Expr, values: Mapping[str, Array]) -> float:
        if bound in self.norms:
            return self.norms[bound]
        value = float(np.linalg.norm(evaluate(matrix, values, self.sizes), 2))
        if self.fixed.issuperset(symbols_of(matrix)):
            self.norms[bound] = value
        return value
