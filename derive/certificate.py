"""N that dominates every admissible step → decay at a certified rate, and when ρ(N) < 1.

In: a `Derivation`. Out: `Certificate`: N entry by entry in named quantities, its characteristic
polynomial and the closed condition for one or two states. `certified_rate` states the theorem.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Add, Expr, MatrixSymbol, Mul, OneMatrix, Pow, S
from sympy import Symbol as Letter
from sympy import ZeroMatrix as Zero

from derive.bptt import Derivation
from derive.carousel import Carousel, find_carousel
from derive.claims import Relation
from derive.norms import BlockSup, Entries
from derive.quantities import Quantities, letter

LAMBDA = Letter("lambda")


@dataclass(frozen=True)
class Certificate:
    """N with ‖J_ab‖₂ ≤ N_ab at every admissible step, and what decides ρ(N) < 1.

    `names` are the states in the order of N's rows; `matrix` is a number for one state.
    `definitions` say what the letters in `matrix` mean, each after those that use it.
    `conditions` hold together if and only if ρ(N) < 1; they are empty beyond two states and
    where `stuck` names a state whose diagonal entry is 1 or more whatever the weights.
    """

    names: tuple[str, ...]
    symbol: MatrixSymbol
    matrix: Expr
    definitions: tuple[Relation, ...]
    polynomial: Expr | None
    conditions: tuple[Relation, ...]
    stuck: str | None
    carousel: Carousel | None

    @property
    def order(self) -> int:
        """How many states there are."""
        return len(self.names)


def certificate(derivation: Derivation) -> Certificate:
    """N of the cell, from its step Jacobian."""
    names = tuple(state.name for state in derivation.cell.states)
    symbol = MatrixSymbol(letter(derivation, "N", "D"), len(names), len(names))
    quantities = Quantities(derivation)
    found = find_carousel(derivation)
    if found is not None:
        return _of_carousel(derivation, symbol, found, quantities)
    rows = _rows(derivation, quantities)
    if len(names) == 1:
        value = rows[-1].right
        stuck = names[0] if _at_least_one(value) else None
        return Certificate(
            names, symbol, value, (*rows[:-1], *quantities.relations()), None,
            () if stuck else (Relation(symbol, "<", S.One),), stuck, None,
        )  # fmt: skip
    values = {(r.left.args[0].name, r.left.args[1].name): r.right for r in rows}
    entry = {(a, b): S.Zero if values[a, b] == 0 else BlockSup(a, b) for a in names for b in names}
    stuck = next((a for a in names if _at_least_one(values[a, a])), None)
    shown = tuple(r for r in rows if r.right != 0)
    matrix = Entries(*(entry[a, b] for a in names for b in names))
    polynomial, conditions = _two_by_two(*matrix.args) if len(names) == 2 else (None, ())
    return Certificate(
        names, symbol, matrix, (*shown, *quantities.relations()), polynomial,
        () if stuck else conditions, stuck, None,
    )  # fmt: skip


def _rows(derivation: Derivation, quantities: Quantities) -> tuple[Relation, ...]:
    """N_ab = … for every named partial result and every block, names before their use."""
    jacobian = derivation.step_jacobian
    named = dict(jacobian.named)
    states = {state.name for state in jacobian.states}
    rows = []
    for partial, value in jacobian.named:
        if partial.args[0].name not in states:
            left = quantities.dominate(partial)
            rows.append(Relation(left, "=", quantities.dominate(value)))
    for (of, by), block in jacobian.blocks.items():
        value = quantities.dominate(named.get(block, block))
        rows.append(Relation(BlockSup(of, by), "=", value))
    return tuple(rows)


def _of_carousel(
    derivation: Derivation, symbol: MatrixSymbol, found: Carousel, quantities: Quantities
) -> Certificate:
    """N = [[â, β], [ωâ, α + ωβ]] where J_qp = diag(ψ) J_pp and J_qq = R + diag(ψ) J_pq."""
    named = dict(derivation.step_jacobian.named)
    keep = (
        S.One if isinstance(found.kept, OneMatrix)
        else quantities.supremum(found.kept) if isinstance(found.kept, MatrixSymbol)
        else quantities.name(found.kept, "a_hat")
    )  # fmt: skip
    alpha, beta, omega = carousel_letters(derivation)
    quantities.name(found.readout, omega.name)
    through = named.get(found.coupling, found.coupling)
    rows = [Relation(beta, "=", quantities.dominate(through))]
    rest: Expr = S.Zero
    if not isinstance(found.rest, Zero):
        rest = alpha
        rows.append(Relation(alpha, "=", quantities.dominate(found.rest)))
    corner = Add(*(term for term in (rest, Mul(omega, beta, evaluate=False)) if term != 0),
                 evaluate=False) if rest != 0 else Mul(omega, beta, evaluate=False)  # fmt: skip
    turned = omega if keep == 1 else Mul(omega, keep, evaluate=False)
    stuck = found.keeper if keep == 1 or _at_least_one(keep) else None
    unit = Add(S.One, -keep, evaluate=False)
    product = Mul(omega, beta, evaluate=False)
    conditions: tuple[Relation, ...] = (Relation(keep, "<", S.One),)
    if rest == 0:
        conditions += (Relation(product, "<", unit),)
        polynomial = Add(Pow(LAMBDA, 2), _minus((keep, product)), evaluate=False)
    else:
        other = Add(S.One, -alpha, evaluate=False)
        conditions += (
            Relation(alpha, "<", S.One),
            Relation(product, "<", Mul(unit, other, evaluate=False)),
        )
        last = Mul(keep, alpha, evaluate=False)
        polynomial = Add(Pow(LAMBDA, 2), _minus((keep, alpha, product)), last, evaluate=False)
    return Certificate(
        (found.keeper, found.reader), symbol, Entries(keep, beta, turned, corner),
        (*rows, *quantities.relations()), polynomial, () if stuck else conditions, stuck, found,
    )  # fmt: skip


def carousel_letters(derivation: Derivation) -> tuple[Letter, Letter, Letter]:
    """α, β, ω, or others where the cell has these."""
    names = (
        letter(derivation, "alpha", "mu"),
        letter(derivation, "beta", "nu"),
        letter(derivation, "omega", "chi"),
    )
    first, second, third = (Letter(name, nonnegative=True) for name in names)
    return first, second, third


def _minus(terms: tuple[Expr, ...]) -> Expr:
    return Mul(S.NegativeOne, Add(*terms, evaluate=False), LAMBDA, evaluate=False)


def _two_by_two(a: Expr, b: Expr, c: Expr, d: Expr) -> tuple[Expr, tuple[Relation, ...]]:
    """det(λI − N), and what holds if and only if ρ(N) < 1."""
    diagonal = tuple(entry for entry in (a, d) if entry != 0)
    terms = [Pow(LAMBDA, 2)] + ([_minus(diagonal)] if diagonal else [])
    if len(diagonal) == 2:
        terms.append(Mul(a, d, evaluate=False))
    if b != 0 and c != 0:
        terms.append(Mul(S.NegativeOne, b, c, evaluate=False))
    polynomial = Add(*terms, evaluate=False)
    conditions = tuple(Relation(entry, "<", S.One) for entry in diagonal)
    if b != 0 and c != 0:
        units = [Add(S.One, -entry, evaluate=False) for entry in diagonal]
        right = Mul(*units, evaluate=False) if len(units) > 1 else units[0] if units else S.One
        conditions += (Relation(Mul(b, c, evaluate=False), "<", right),)
    return polynomial, conditions


def _at_least_one(entry: Expr) -> bool:
    """Whether a sum of nonnegative terms holds a 1 of its own."""
    constant, _ = entry.expand().as_coeff_Add()
    return bool(constant >= 1)
