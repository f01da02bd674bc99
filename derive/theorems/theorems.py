"""Derivation → every theorem on ∂s_t/∂s_k that the structure of its step Jacobian admits.

In: a `Derivation`. Out: `Theorem`s in the order in which a report numbers them: upper bounds,
then lower ones. Which of them a cell gets is read off its equations, never off its name.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import S

from derive.calculus.through_time import Derivation
from derive.language.norms import Radius
from derive.theorems.by_ranges import bounded_advice, foretold
from derive.theorems.certified_rate import certified_rate, closed_condition
from derive.theorems.claims import Line, Relation, Theorem
from derive.theorems.clockwork import clock_rate
from derive.theorems.cone import kept_state
from derive.theorems.contraction import contraction, diagonal_times_matrix
from derive.theorems.convex_update import weighted_mean
from derive.theorems.gradient_totals import total_gradient
from derive.theorems.growth_at_rest import at_rest
from derive.theorems.lower_bounds import no_uniform_explosion, smallest_singular_value, volume
from derive.theorems.one_sequence import (
    block_domination,
    chain_norm,
    dominate,
    domination,
    is_constant,
    stepwise,
)
from derive.theorems.scaled_norm import scaled_norm

__all__ = ["dominate", "domination", "theorem", "theorems"]


def theorem(derivation: Derivation) -> Theorem:
    """The first theorem: for all inputs where J = diag(φ′(a)) M, else along a trajectory."""
    simple = diagonal_times_matrix(derivation)
    if simple is not None:
        return contraction(derivation, *simple)
    several = len(derivation.cell.states) > 1
    return block_domination(derivation) if several else stepwise(derivation)


def theorems(derivation: Derivation) -> tuple[Theorem, ...]:
    """All theorems that the cell's structure admits, the first one first.

    Of a cell with matrices that change with time the upper bounds, by the norms of maps.
    """
    upper = (
        _with_certificate(derivation, theorem(derivation)),
        certified_rate(derivation),
        scaled_norm(derivation),
        total_gradient(derivation),
    )
    found = (
        upper
        if derivation.has_matrices
        else (
            *upper,
            weighted_mean(derivation),
            clock_rate(derivation),
            kept_state(derivation),
            smallest_singular_value(derivation),
            volume(derivation),
            at_rest(derivation),
            no_uniform_explosion(derivation),
        )
    )
    return tuple(claim for claim in found if claim is not None)


def _with_certificate(derivation: Derivation, first: Theorem) -> Theorem:
    """The first theorem, its verdict completed by what holds for all weights or for sets of inputs.

    The advice is of what is not excluded.
    """
    if first.rate is not None:
        return first
    made = closed_condition(derivation)
    if made.order == 1 and made.matrix == S.One:
        norm, _ = chain_norm(derivation)
        bounded = Line("shared.bounded", (Relation(norm, "≤", S.One),))
        return replace(first, verdict=(bounded,), advice=bounded_advice(derivation))
    found = foretold(derivation)
    if found is not None:
        first = replace(first, verdict=found.verdict, advice=found.advice)
    decided = is_constant(derivation) if found is None else found.settled
    if decided or made.stuck:
        return first
    condition = Relation(made.symbol if made.order == 1 else Radius(made.symbol), "<", S.One)
    return replace(first, verdict=(*first.verdict, Line("shared.over_sets", (condition,))))
