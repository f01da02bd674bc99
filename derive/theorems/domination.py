"""The norm-domination matrix N of any cell, and its closed conditions.

In: a `Derivation`. Out: `Domination`: N with entries in named quantities, the supremum of each
diagonal factor and the norm of each weight, and the condition ρ(N) < 1 where it has a closed
form. Numbers for them are `numeric`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Add, Expr, Mul, S

from derive.calculus.through_time import Derivation
from derive.theorems.claims import Relation
from derive.theorems.suprema import Quantities

EntryRows = tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True)
class Domination:
    """‖J_ab‖ ≤ N_ab for the states a, b, at every admissible step.

    `quantities` says what each named number is: the supremum over all admissible steps.
    """

    entries: EntryRows
    quantities: tuple[Relation, ...]

    @property
    def order(self) -> int:
        """How many states there are."""
        return len(self.entries)

    def conditions(self) -> tuple[Relation, ...]:
        """Relations that hold together if and only if ρ(N) < 1; none beyond two states.

        A nonnegative 2×2 matrix has ρ < 1 iff I − N is a nonsingular M-matrix, iff its leading
        minors 1 − N₁₁ and (1 − N₁₁)(1 − N₂₂) − N₁₂N₂₁ are positive. Where N₂₁ = ωN₁₁ and
        N₂₂ = α + ωN₁₂ the second is (1 − N₁₁)(1 − α) − ωN₁₂.
        """
        N = self.entries
        if self.order == 1:
            return (Relation(N[0][0], "<", S.One),)
        if self.order != 2:
            return ()
        first = Relation(N[0][0], "<", S.One)
        omega = self._ratio()
        if omega is not None:
            alpha = (N[1][1] - omega * N[0][1]).expand()
            left, right = omega * N[0][1], Mul(1 - N[0][0], 1 - alpha, evaluate=False)
            return first, Relation(alpha, "<", S.One), Relation(left, "<", right)
        right = Mul(1 - N[0][0], 1 - N[1][1], evaluate=False)
        return first, Relation(N[1][1], "<", S.One), Relation(N[0][1] * N[1][0], "<", right)

    def _ratio(self) -> Expr | None:
        """ω with N₂₁ = ωN₁₁, if N₂₂ − ωN₁₂ is a sum of nonnegative terms."""
        N = self.entries
        if N[0][0] == 0 or not (omega := N[1][0] / N[0][0]).is_polynomial():
            return None
        rest = (N[1][1] - omega * N[0][1]).expand()
        terms = rest.args if isinstance(rest, Add) else (rest,)
        return omega if all(term.is_nonnegative for term in terms) else None


def domination_matrix(derivation: Derivation, *, split: bool = False) -> Domination:
    """N for the states.

    With `split`, the supremum of a product is bounded by the product of suprema, and that of a
    slope by its largest value: coarser, and the form in which conditions are published.
    """
    states, jacobian = derivation.cell.states, derivation.step_jacobian
    norms = Quantities(derivation, split=split, evaluate=True)
    entries = tuple(
        tuple(norms.of(jacobian.expanded(a.name, b.name)) for b in states) for a in states
    )
    return Domination(entries, norms.relations())
