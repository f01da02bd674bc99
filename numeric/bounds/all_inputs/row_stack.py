"""Sharper norms of the blocks of a step Jacobian: terms taken together, and diagonal scaling.

In: the blocks Σ_j diag(d_j) A_j with bounds of each |d_ji|. Out: `Sharpened`, a `Domination`
whose entries are the smaller of two bounds, and `balance`, which finds a scaling.

Row-stack: for all α_j > 0, where the first A_j are known matrices and ‖A_j‖ ≤ ν_j for the others,

    ‖Σ_j diag(d_j) A_j‖₂² ≤ max_i Σ_j d_ji²/α_j² · (σ_max([α_1 A_1; α_2 A_2; …])² + Σ α_j² ν_j²),

since the sum is [diag(d_1)/α_1 …] [α_1 A_1; …], the first factor has the norm max_i ‖(d_ji/α_j)_j‖
and ‖[A; B]‖² ≤ ‖A‖² + ‖B‖². With α_j² = max_i d_ji / ‖A_j‖ this is at most Σ_j max_i d_ji ‖A_j‖,
the triangle's bound, by Cauchy and Schwarz.

Scaling: with a positive diagonal D_p for each size p, D commutes with every diag(d), so that
D_p (Σ_j diag(d_j) A_j ⋯ B_j) D_q⁻¹ is the same expression in the matrices D M D⁻¹. Products of
Jacobians keep that form, and ‖P‖ ≤ max D / min D · ‖D P D⁻¹‖.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import Expr, Identity, MatAdd, MatMul, MatrixExpr
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.through_time import Derivation
from derive.language.expr import Concat, Partial, split_coefficient
from numeric.bounds.domination import SPECTRAL, Domination, Parts, StepNorms
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number
from numeric.meaning.sizes import extent_of
from numeric.numbers.intervals import Interval, gamma, interval, stacked
from numeric.numbers.lanczos import top
from numeric.numbers.matrices import norm_bound, raised

Array = Any
Scales = Mapping[Expr, Array]
_SEARCHED: Final = 400
_FACTORS: Final = (0.3, 0.6, 0.85, 1.2, 1.7, 3.3)
_ROUNDS: Final = 60
_STEEPEST: Final = 0.5
_WIDEST: Final = math.log(1e4)


@dataclass(frozen=True)
class _Term:
    """diag(d) A with d ≥ 0 entry by entry, or a bound of it; A as factors, () for I."""

    d: Array
    rest: tuple[MatrixExpr, ...]


class Sharpened(Domination):
    """N with one part for each state; sums by the row-stack, matrices scaled by D."""

    def __init__(
        self,
        derivation: Derivation,
        values: Mapping[str, Interval],
        sizes: Mapping[str, int],
        scales: Scales | None = None,
    ) -> None:
        super().__init__(derivation, values, Parts(sizes), SPECTRAL)
        self.scales = scales or {}
        self.held: dict[MatrixExpr, Interval] = {}

    def sharpened(self, node: MatrixExpr, plain: Array, step: StepNorms) -> Array:
        """The smaller of the triangle's bound and those of the row-stack."""
        if not isinstance(node, (MatAdd, MatMul)) or self.leaf(node) or not np.any(plain):
            return plain
        found = [float(np.max(plain))]
        before: list[_Term] = []
        for deep in (False, True):
            terms = list(self._terms(node, None, step.sup, deep))
            if len(terms) > 1 and not _same(terms, before):  # most sums have no sums within
                found.append(self._stacked(_joined(terms), step))
            before = terms
        best = min(found)
        return plain if best >= found[0] else np.full(plain.shape, best)

    def norms(self, node: MatrixExpr, now: Mapping[str, Interval]) -> Array:
        """‖D M D⁻¹‖, once for a weight."""
        if not self.scales:
            return super().norms(node, now)
        if not self.leaf(node):
            value = enclose(node, {**self.values, **now}, self.parts.sizes)
            return np.array([[norm_bound(self.scaled(node, value))]])
        if node not in self.leaves:
            self.leaves[node] = np.array([[norm_bound(self.matrix_of(node))]])
        return self.leaves[node]

    def matrix_of(self, node: MatrixExpr) -> Interval:
        """D M D⁻¹ of a matrix that time does not change."""
        if node not in self.held:
            value = enclose(node, self.values, self.parts.sizes)
            self.held[node] = self.scaled(node, value)
        return self.held[node]

    def scaled(self, node: MatrixExpr, value: Interval) -> Interval:
        """D_p M D_q⁻¹ of a p × q matrix, rounded outwards."""
        left, right = (self.scales.get(extent) for extent in node.shape)
        if left is not None:
            value = interval(left[:, None]) * value
        return value if right is None else value / interval(right[None, :])

    def _terms(
        self, node: MatrixExpr, d: Array | None, sup: Mapping[MatrixExpr, Array], deep: bool
    ) -> Iterator[_Term]:
        """The summands of a sum; deep: also of the sums that a diagonal stands in front of."""
        if isinstance(node, Partial) and deep:
            node = self.written.get(node, node)
        if isinstance(node, MatAdd) and not self.leaf(node):
            for term in node.args:
                yield from self._terms(term, d, sup, deep)
            return
        coefficient, rest = split_coefficient(node)
        factors = list(rest.args) if isinstance(rest, MatMul) and not self.leaf(rest) else [rest]
        size = float(number(coefficient).magnitude)
        own = np.full(extent_of(node.shape[0], self.parts.sizes), size) if d is None else d * size
        while factors and isinstance(factors[0], (DiagMatrix, Identity)):
            front = factors.pop(0)
            if isinstance(front, DiagMatrix):
                own = own * sup[front.args[0]]
        own = own * (1 + gamma(16)) + 1e-300
        sums = [f for f in factors if isinstance(f, (MatAdd, Partial)) and not self.leaf(f)]
        if deep and len(factors) == 1 and sums:
            yield from self._terms(factors[0], own, sup, deep)
        else:
            yield _Term(own, tuple(factors))

    def _stacked(self, terms: Sequence[_Term], step: StepNorms) -> float:
        """The row-stack's bound, with the best α that a short search finds."""
        known: list[tuple[Array, Interval]] = []
        others: list[tuple[Array, float]] = []
        for term in terms:
            if not term.rest:
                known.append((term.d, interval(np.eye(len(term.d)))))
            elif len(term.rest) == 1 and self.leaf(term.rest[0]):
                known.append((term.d, self.matrix_of(term.rest[0])))
            else:
                node = term.rest[0] if len(term.rest) == 1 else MatMul(*term.rest)
                others.append((term.d, float(np.max(step.of(node)))))
        ds = np.array([d for d, _ in known] + [d for d, _ in others])
        nu = np.array([bound for _, bound in others])
        if not (np.all(np.isfinite(ds)) and np.all(np.isfinite(nu))):
            return math.inf
        middles = [value.middle for _, value in known]
        sizes = np.array([*(top(m)[0] for m in middles), *nu])
        beta = np.maximum(ds.max(axis=1), 1e-30) / np.maximum(sizes, 1e-30)
        if len(terms) > 1 and max(ds.shape[1], *(m.shape[1] for m in middles), 1) <= _SEARCHED:
            beta = _searched(beta, ds, [m.T @ m for m in middles], nu)
        alpha = np.sqrt(beta)
        lengths = [*(alpha[len(known) :] * nu)]
        if known:
            lengths.append(
                norm_bound(stacked([v * a for (_, v), a in zip(known, alpha, strict=False)]))
            )
        # as lengths: squares of small numbers are 0, and so is their product
        rows = max(math.hypot(*column) for column in (ds / alpha[:, None]).T)
        count = 4 * len(terms)
        found = raised(raised(rows, count) * raised(math.hypot(*lengths), count))
        return found if math.isfinite(found) else math.inf


def _same(terms: Sequence[_Term], before: Sequence[_Term]) -> bool:
    """Whether these are the summands that there were before."""
    return len(terms) == len(before) and all(
        a.rest == b.rest and np.array_equal(a.d, b.d) for a, b in zip(terms, before, strict=True)
    )


def _joined(terms: Sequence[_Term]) -> list[_Term]:
    """|d_1 + d_2| ≤ |d_1| + |d_2| where the matrices are the same."""
    found: dict[tuple[MatrixExpr, ...], Array] = {}
    for term in terms:
        before = found.get(term.rest)
        found[term.rest] = term.d if before is None else (before + term.d) * (1 + gamma(4))
    return [_Term(d, rest) for rest, d in found.items() if np.any(d)]


def _searched(beta: Array, ds: Array, grams: Sequence[Array], nu: Array) -> Array:
    """Weights α² that make the bound smaller, one after the other; any are right."""
    squared, squares = ds**2, nu**2

    def values(tried: Array) -> Array:
        """The square of the bound for each row of weights; eigenvalues of all rows at once."""
        rows = (squared / tried[:, :, None]).sum(axis=1).max(axis=1)
        others = (tried[:, len(grams) :] * squares).sum(axis=1)
        if not grams:
            return rows * others
        total = sum(tried[:, k, None, None] * G for k, G in enumerate(grams))
        if not np.all(np.isfinite(total)):
            return np.full(len(tried), math.inf)
        return rows * (others + np.linalg.eigvalsh(total)[:, -1])

    (best,) = values(beta[None])
    for _ in range(2):
        for place in range(len(beta)):
            left = np.array(_FACTORS)
            while len(left):
                tried = np.tile(beta, (len(left), 1))
                tried[:, place] *= left
                found = values(tried)
                if not np.any(found < best):
                    break
                better = int(np.argmax(found < best))
                beta, best, left = tried[better], found[better], left[better + 1 :]
    return beta


# ---- scaling -----------------------------------------------------------------------------------


def balance(domination: Sharpened, sup: Mapping[MatrixExpr, Array], now: Mapping[str, Interval],
            ) -> dict[Expr, Array] | None:  # fmt: skip
    """D for each size, for which the Perron root of N is small; None where there is nothing to do.

    The logarithm of the root is, to first order, Σ_j w_j log ‖D M_j D⁻¹‖ with the elasticities
    w_j; its gradient in l = log D is Σ_j w_j (u_j² on the rows, −v_j² on the columns), u_j and v_j
    being the singular vectors of the largest singular value. Descent along it; any D is right.
    """
    jacobian = domination.derivation.step_jacobian
    if any(
        value.has(Concat) for value in (*jacobian.blocks.values(), *domination.written.values())
    ):
        return None
    plain = Domination(domination.derivation, domination.values, domination.parts)
    weights = _elasticities(plain, sup, now)
    matrices = {node: enclose(node, domination.values, domination.parts.sizes).middle
                for node in weights}  # fmt: skip
    if not matrices:
        return None
    logs: dict[Expr, Array] = {}
    for node, matrix in matrices.items():
        for extent, count in zip(node.shape, matrix.shape, strict=True):
            logs.setdefault(extent, np.zeros(count))
    best, found = math.inf, logs
    for step in range(_ROUNDS):
        slopes = {extent: np.zeros_like(values) for extent, values in logs.items()}
        total = 0.0
        for node, matrix in matrices.items():
            p, q = node.shape
            scaled = np.exp(logs[p])[:, None] * matrix * np.exp(-logs[q])
            size, v = top(scaled)
            if not 0.0 < size < math.inf:
                continue
            u = scaled @ v / size
            slopes[p] += weights[node] * u**2
            slopes[q] -= weights[node] * v**2
            total += weights[node] * math.log(size)
        if total < best:
            best, found = total, {extent: values.copy() for extent, values in logs.items()}
        steepest = max(float(np.abs(values).max(initial=0.0)) for values in slopes.values())
        if steepest < 1e-9:
            break
        rate = _STEEPEST / (1 + step / 4) / steepest
        for extent, values in slopes.items():
            moved = logs[extent] - rate * values
            logs[extent] = np.clip(moved - np.mean(moved), -_WIDEST, _WIDEST)
    return {extent: np.exp(values) for extent, values in found.items()}


def _elasticities(
    plain: Domination, sup: Mapping[MatrixExpr, Array], now: Mapping[str, Interval]
) -> dict[MatrixExpr, float]:
    """∂ log ρ(N) / ∂ log ‖M‖ of each matrix of weights."""
    base = _root(plain.matrix(sup, now))
    found = {}
    if not 0 < base < math.inf:
        return {}
    for node, value in list(plain.leaves.items()):
        plain.leaves[node] = value * 1.01
        found[node] = (math.log(_root(plain.matrix(sup, now))) - math.log(base)) / math.log(1.01)
        plain.leaves[node] = value
    return {node: weight for node, weight in found.items() if weight > 1e-6}


def _root(N: Array) -> float:
    try:
        return float(np.abs(np.linalg.eigvals(N)).max()) if np.all(np.isfinite(N)) else math.inf
    except np.linalg.LinAlgError:
        return math.inf
