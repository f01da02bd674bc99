"""How much the last state depends on each parameter: ‖∂s_T/∂θ‖₂ along a sequence, certified.

In: a `Run`. Out: for each parameter a measured norm, bounds from both sides, and how much larger
it is than ∂F_k/∂θ of one step. The rows of ∂s_T/∂θ are the entries of the state, its columns
those of θ, and so

    ∂s_T/∂θ = Σ_k J_T ⋯ J_{k+1} ∂F_k/∂θ,

where F_k is the step k and its states before are held fixed. A loss with the gradient g in s_T has
‖∂L/∂θ‖_F = ‖gᵀ ∂s_T/∂θ‖ ≤ ‖g‖ ‖∂s_T/∂θ‖₂, with equality for some g.

∂F_k/∂θ comes from the adjoint of one step, with the unit vectors as cotangents, all in one: what it
gives a matrix is a column times a row, b uᵀ, so that the k-th share is (J_T ⋯ J_{k+1} Bᵀ) ⊗ uᵀ and
its norm the product of two. Errors are bounded in ‖·‖_F. What time does not change is passed
through once, after the sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sympy import MatrixExpr, MatrixSymbol, Transpose
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import AdjointEquation, bar
from derive.language.expr import Quotient, split_coefficient, symbols_of
from numeric.bounds.one_sequence.products import Products
from numeric.bounds.one_sequence.step_jacobians import Jacobians, Run, enclosed_values
from numeric.bounds.step_shares import Factor, Share, moves, step_shares
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import shape_of
from numeric.numbers.intervals import Interval, gamma
from numeric.numbers.matrices import Near, bounds, frobenius, raised

Array = Any
_LARGEST: Final = 4_000_000
_LONGEST: Final = 400_000
_CHUNK: Final = 64
_HELD: Final = 2_000_000
_TIMES: Final = 2_000_000
_LOST: Final = 1e-300  # above what an entry loses that underflows


@dataclass(frozen=True)
class ParameterNorm:
    """log10 of ‖∂s_T/∂θ‖₂: measured, at most, at least; and of max_k ‖∂F_k/∂θ‖₂, at most."""

    measured: float
    upper: float
    lower: float
    own: float

    @property
    def amplification(self) -> float:
        """At least how many times the norm is the largest ‖∂F_k/∂θ‖ within one step."""
        if not math.isfinite(self.lower) or not math.isfinite(self.own):
            return 0.0
        return float(10.0 ** min(self.lower - self.own, 300.0)) * (1 - 1e-9)


@np.errstate(over="ignore", invalid="ignore", under="ignore")
def parameter_norms(run: Run, after: int = 0) -> dict[str, ParameterNorm | None]:
    """The norms by parameter; of the shares of steps before so many last ones.

    With `after` K that is what a gradient leaves out that goes back over K steps. None where it is
    too much work or overflows, has another form, or states are matrices.
    """
    sums = ParameterSums(run, after)
    if not sums.sums:
        return sums.norms()
    products = Products(run.steps)
    sums.add(None)
    for factor in Jacobians(run).backwards(run.steps - 1):
        products.add(factor)
        sums.add(products.product)
    return sums.norms()


class ParameterSums:
    """Σ_k P_k ∂F_k/∂θ by parameter, fed with P_T = I, P_{T−1} = J_T, …, P_1 = J_T ⋯ J_2.

    The shares of the first `after` of these are left out.
    """

    def __init__(self, run: Run, after: int = 0) -> None:
        self.left_out = after
        derivation, widths = run.derivation, [v.shape[1] for v in run.states.values()]
        self.run, self.sums = run, dict[MatrixSymbol, _Sum]()
        width = sum(widths)
        work = max(run.steps * width, run.steps * width**3 // _TIMES)
        if work <= _LONGEST and not derivation.has_matrices:  # there cotangents are no columns
            shapes = {e.of: shape_of(e.of, run.sizes) for e in derivation.parameters}
            self.sums = {symbol: _Sum(shape, width) for symbol, shape in shapes.items()
                         if width * math.prod(shape) <= _LARGEST}  # fmt: skip
        self.shares = _shares(run, {*self.sums})

    def add(self, product: Near | None) -> None:
        """The shares of the step that comes before those of the product; None stands for I."""
        if not self.sums:
            return
        later = _Later(product)
        for symbol, found in next(self.shares).items():
            if found is None:
                self.sums.pop(symbol, None)
            elif symbol in self.sums and self.left_out <= 0:
                self.sums[symbol].add(later, found)
        self.left_out -= 1

    def norms(self) -> dict[str, ParameterNorm | None]:
        """The norms, once every step was added."""
        totals: dict[MatrixSymbol, Near3] = {s: held.total() for s, held in self.sums.items()}
        for equation in self.run.derivation.parameters:
            _pass_on(equation, totals, self.run)
        return {s.name: _norm(totals[s]) if s in totals else None
                for s in self.run.derivation.cell.parameters}  # fmt: skip


@dataclass
class Near3:
    """An array (state, rows of θ, columns of θ) within an error in ‖·‖_F.

    `own` is at least the ‖·‖₂ of the share of any one step, nothing in front of it.
    """

    array: Array
    error: float
    own: float = 0.0


class _Later:
    """P_k with its error and ‖·‖_F, and what it makes of columns, which parameters share."""

    def __init__(self, product: Near | None) -> None:
        self.matrix, self.error, self.size = None, 0.0, 1.0
        self._moved: dict[int, tuple[Factor, Array, float]] = {}
        if product is not None:
            P = np.ldexp(product.matrix, product.exponent) if product.exponent else product.matrix
            lost = math.sqrt(P.size) * _LOST
            self.error = float(np.ldexp(product.error, product.exponent)) + lost
            self.matrix, self.size = P, frobenius(P)

    def moved(self, columns: Factor, width: int) -> tuple[Array, float]:
        """fl(P_k Bᵀ) and its ‖·‖_F."""
        key = id(columns)  # they are held, so that no others get this number
        if key not in self._moved:
            made = columns.moved(self.matrix, width)
            self._moved[key] = columns, made, frobenius(made)
        return self._moved[key][1:]


@dataclass
class _Sum:
    """Σ_k (P_k Bᵀ) ⊗ uᵀ: the factors of some steps side by side, multiplied together."""

    shape: tuple[int, ...]
    width: int
    array: Array = None
    count: int = 0
    left: list[Array] = field(default_factory=list)
    right: list[Array] = field(default_factory=list)
    turned: list[bool] = field(default_factory=list)
    error: float = 0.0
    size: float = 0.0
    own: float = 0.0

    def add(self, later: _Later, shares: list[Share]) -> None:
        """The shares of one step, P_k in front of them."""
        own = 0.0
        for share in shares:
            B, u = share.columns, share.row
            if B.zero:
                continue
            own += raised(B.norm * raised(u.size + u.spread))
            made, size = later.moved(B, self.width)
            # (P + E)(B + F) ⊗ (u + G) − fl(PB) ⊗ u
            error = later.error * (B.size + B.spread) + later.size * B.spread
            error += gamma(self.width + 4) * later.size * B.size * (later.matrix is not None)
            self.error += raised(error * (u.size + u.spread) + size * u.spread, 12)
            self.size += raised(size * u.size)
            self.left.append(made)
            self.right.append(u.middle[0])
            self.turned.append(share.turned)
            if len(self.left) * made.size >= _HELD or len(self.left) >= _CHUNK:
                self.flush()
        self.own = max(self.own, raised(own, len(shares) + 4) if own else 0.0)

    def flush(self) -> None:
        """Adds what was kept to the array."""
        rows, columns = (*self.shape, 1, 1)[:2]
        if self.array is None:
            self.array = np.zeros((self.width, rows, columns))
        for flipped in (False, True):
            chosen = [k for k, turned in enumerate(self.turned) if turned == flipped]
            if not chosen:
                continue
            left = np.array([self.left[k] for k in chosen]).reshape(len(chosen), -1)
            made = left.T @ np.array([self.right[k] for k in chosen])
            made = made.reshape(self.width, -1, made.shape[1])
            self.array += np.swapaxes(made, 1, 2) if flipped else made
        self.count += len(self.left) + 2
        self.left, self.right, self.turned = [], [], []

    def total(self) -> Near3:
        """The sum, and its error with all rounding."""
        self.flush()
        if not self.size and not self.error:
            return Near3(self.array, 0.0)
        rounding = gamma(self.count + 8) * self.size
        error = raised(self.error * (1 + gamma(self.count + 8)) + rounding)
        return Near3(self.array, error, self.own)


def _norm(total: Near3) -> ParameterNorm | None:
    if not total.error and not total.array.any():  # every share is 0
        return ParameterNorm(-math.inf, -math.inf, -math.inf, -math.inf)
    if not (np.all(np.isfinite(total.array)) and math.isfinite(total.error)):
        return None
    near = Near(total.array.reshape(len(total.array), -1), total.error).balanced()
    low, high, y = bounds(near)
    measured = float(np.linalg.norm(near.matrix @ y))
    own = math.log10(total.own) if total.own > 0 else -math.inf
    return ParameterNorm(near.log10(measured, 0), near.log10(high, 1), near.log10(low, -1),
                         own + 1e-13 * (1 + abs(own)) if math.isfinite(own) else own)  # fmt: skip


# ---- the shares of a step ----------------------------------------------------------------------


def _shares(
    run: Run, wanted: set[MatrixSymbol]
) -> Iterator[dict[MatrixSymbol, list[Share] | None]]:
    """∂F_k/∂θ for k = T, T − 1, …, 1 and every wanted θ."""
    last = run.steps
    while last > 0:
        first = max(0, last - _CHUNK)
        values = enclosed_values(run, first, last)
        yield from step_shares(run.derivation, values, run.sizes, wanted, last - first)
        last = first


# ---- what time does not change -----------------------------------------------------------------


def _pass_on(equation: AdjointEquation, totals: dict[MatrixSymbol, Near3], run: Run) -> None:
    """Adds to the total of a parameter what comes by way of symbols made of parameters alone."""
    by_bar = {bar(symbol): symbol for symbol in totals}
    values = {name: value for name, value in enclosed_values(run, 0, 1).items()}
    for term in equation.terms:
        if term.each_step or equation.of not in totals:
            continue
        through = [by_bar.get(symbol) for symbol in symbols_of(term.value) if moves(symbol)]
        made = None if None in through else _linear(term.value, totals, by_bar, values, run.sizes)
        if made is None:
            del totals[equation.of]
            return
        own = totals[equation.of]
        array = own.array + made.array
        rounding = 2 * gamma(4) * (frobenius(own.array) + frobenius(made.array))
        error = raised(own.error + made.error + rounding)
        totals[equation.of] = Near3(array, error, raised(own.own + made.own))


def _linear(
    node: MatrixExpr, totals: Mapping[MatrixSymbol, Near3],
    by_bar: Mapping[MatrixSymbol, MatrixSymbol], values: Mapping[str, Interval],
    sizes: Mapping[str, int],
) -> Near3 | None:  # fmt: skip
    """C ⊙ X, X ⊘ C, cX, Xᵀ and X of what is known; None for another form."""
    size, rest = split_coefficient(node)
    factor = enclosed(size)
    if rest in by_bar:
        return _times(totals[by_bar[rest]], factor)
    if isinstance(rest, Transpose):
        inner = _linear(rest.args[0], totals, by_bar, values, sizes)
        if inner is None:
            return None
        return _times(Near3(np.swapaxes(inner.array, 1, 2), inner.error, inner.own), factor)
    if isinstance(rest, Quotient) and not moves(rest.args[1]):
        inner = _linear(rest.args[0], totals, by_bar, values, sizes)
        below = enclose(rest.args[1], values, sizes)
        return None if inner is None else _times(inner, factor / below)
    if isinstance(rest, HadamardProduct):
        inner, others = None, []
        for part in rest.args:
            made = _linear(part, totals, by_bar, values, sizes) if moves(part) else None
            if made is None:
                others.append(part)
            else:
                inner = made
        if inner is None or any(map(moves, others)):
            return None
        for part in others:
            inner = _times(inner, enclose(part, values, sizes))
        return _times(inner, factor)
    return None


def _times(near: Near3, factor: Interval) -> Near3:
    """Entry by entry with a factor that is the same for every row of the state."""
    if factor.exact and factor.size == 1 and float(np.abs(factor.lo).max()) == 1.0:
        return Near3(near.array * factor.lo, near.error, near.own)
    middle = factor.middle
    size = float(factor.magnitude.max(initial=0.0))
    spread = float(factor.radius.max(initial=0.0))
    error = near.error * size + frobenius(near.array) * (spread + 2 * gamma(2) * size)
    return Near3(near.array * middle, raised(error), raised(near.own * size))
