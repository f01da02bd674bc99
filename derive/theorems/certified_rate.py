"""N dominates every admissible step, Nv ≤ rv ⇒ the Jacobian over m steps decays as r^m.

In: a `Derivation`. Out: `ClosedCondition`, N entry by entry in named quantities with its
characteristic polynomial; and the theorem, of a number N for one state, of a matrix and a positive
vector v for several, with the closed condition for ρ(N) < 1 where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from typing import Final

from sympy import (
    Add,
    Expr,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    MatPow,
    MatrixSymbol,
    Max,
    Mul,
    OneMatrix,
    Pow,
    S,
)
from sympy import (
    Symbol as Letter,
)
from sympy import (
    ZeroMatrix as Zero,
)

from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Partial, negate, replace, symbols_of
from derive.language.norms import BlockSup, Component, Entries, Extreme, Norm, Radius
from derive.theorems.carousel import Carousel, find_carousel
from derive.theorems.claims import (
    BONASSI,
    MILLER,
    PASCANU,
    TERZI,
    YOSHIHARA,
    Bound,
    Display,
    Line,
    Part,
    Relation,
    Theorem,
)
from derive.theorems.contraction import diagonal_times_matrix
from derive.theorems.letters import KEPT, PLACES, RATE, Letters
from derive.theorems.one_sequence import chain_norm, inequalities, norms, of_maps
from derive.theorems.suprema import Quantities, contracting


def certified_rate(derivation: Derivation) -> Theorem:
    """The theorem on N: of a number for one state, of a matrix and a vector v for several."""
    found = closed_condition(derivation)
    return _number(derivation, found) if found.order == 1 else _matrix(derivation, found)


_CAROUSEL: Final = ("alpha", "mu"), ("beta", "nu"), ("omega", "chi")
_EIGENVALUE: Final = ("lambda", "zeta", "xi")
_ADMISSIBLE: Final = Line("certified_rate.admissible", (TIME,))
_RANGE: Final = Line("certified_rate.range")


def _number(derivation: Derivation, found: ClosedCondition) -> Theorem:
    norm, _ = chain_norm(derivation)
    state = derivation.cell.states[0]
    one = Norm(Partial(At(state, TIME), At(state, TIME - 1)))
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    N, letters = found.symbol, Letters(derivation)
    consequences: list[Part] = []
    if found.stuck:
        consequences.append(Line("certified_rate.no_decay", (Relation(N, "≥", S.One),)))
    else:
        below = Relation(N, "<", S.One)
        consequences.append(Line("certified_rate.decay", (below, norm, LAG)))
    simple = diagonal_times_matrix(derivation) is not None
    return Theorem(
        name="certified_rate",
        assumptions=(norms(letters), *of_maps(derivation, letters), _ADMISSIBLE,
                     *_erasing(derivation)),
        statement=(Line("certified_rate.number", (N, Relation(EARLIER, "<", TIME))),),
        bound=Bound(norm, "upper", MatPow(N, LAG)),
        entries=(Relation(N, "=", found.matrix), *found.definitions),
        consequences=tuple(consequences),
        proof=(
            Line("certified_rate.norm_of_step", (*inequalities(letters), step.number,
                  Relation(one, "≤", N))),
            Line("certified_rate.norm_of_product", (chain.number, LAG)),
        ),
        silent=(
            _RANGE,
            Line("certified_rate.silent_number", (Relation(N, "≥", S.One),)),
        ),
        sources=(PASCANU,) if simple else (BONASSI,),
    )  # fmt: skip


def _matrix(derivation: Derivation, found: ClosedCondition) -> Theorem:
    states = {state.name: state for state in derivation.cell.states}
    order = len(states)
    norm, target = chain_norm(derivation)
    N, first, last = found.symbol, found.names[0], found.names[-1]
    letters = lettered(derivation)
    rate = letters.number(*RATE)
    v = MatrixSymbol(letters("v", "w", "p"), order, 1)
    block = Norm(Partial(At(states[first], TIME), At(states[last], EARLIER)))
    ratio = Mul(Component(v.name, first), Pow(Component(v.name, last), -1), evaluate=False)
    shrunk = Pow(rate, LAG, evaluate=False)
    below = Relation(MatMul(N, v), "≤", MatMul(rate, v))
    small = Relation(Radius(N), "<", S.One)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    power = MatPow(N, LAG)
    ones = MatrixSymbol(letters("u", "e", "iota"), order, 1)
    a, b = starmap(letters.number, PLACES)
    v_a, v_b = (Letter(f"{v.name}_{place}") for place in (a, b))
    share = Mul(S.NegativeOne, Pow(Extreme("max", a, v_a), -1), evaluate=False)
    consequences: list[Part] = [
        Line("certified_rate.every_pair", (v,)),
    ]  # fmt: skip
    if found.stuck:
        large = (Relation(entry, "≥", S.One) for entry in (_diagonal(found), Radius(N)))
        consequences.append(Line("certified_rate.no_decay_matrix", tuple(large)))
    else:
        below_one = Relation(rate, "<", S.One)
        consequences.append(Line("certified_rate.decay_matrix", (v, below_one, small, norm, LAG)))
    if found.conditions and found.polynomial is not None:
        consequences += [
            Line("certified_rate.eigenvalues", (N,)),
            Display((Relation(found.polynomial, "=", S.Zero),)),
            Line("certified_rate.if_and_only_if", (small,)),
            Display(found.conditions),
        ]
    return Theorem(
        name="certified_rate",
        assumptions=(norms(letters), *of_maps(derivation, letters), _ADMISSIBLE,
                     *_erasing(derivation),
                     *([] if found.names == tuple(states) else [
                         Line("certified_rate.order", (N, tuple(states[n] for n in found.names)))
                     ])),
        statement=(Line("certified_rate.matrix",
                        (N, v, below, Relation(EARLIER, "<", TIME), str(order))),),
        bound=Bound(block, "upper", Mul(ratio, shrunk, evaluate=False)),
        entries=(Relation(N, "=", found.matrix), *found.definitions),
        consequences=tuple(consequences),
        proof=(
            Line("certified_rate.norms_of_blocks", (*inequalities(letters), step.number, N))
            if found.carousel is None else
            Line("certified_rate.norms_of_carousel",
                 (*inequalities(letters), step.number, N, states[found.carousel.reader],
                  states[found.carousel.keeper])),
            Line("certified_rate.blocks_of_product", (LAG, chain.number, target, power)),
            Line("certified_rate.powers", (
                N, below, Relation(MatMul(power, v), "≤", MatMul(shrunk, v)), power, a, b,
                v_b, Mul(shrunk, v_a, evaluate=False))),
            Line("certified_rate.resolvent", (
                small, Relation(v, "=", MatMul(MatPow(MatAdd(Identity(order), -N), -1), ones)),
                ones, Relation(MatMul(N, v), "=", MatAdd(v, MatMul(-1, ones))), MatMul(rate, v),
                Relation(rate, "=", Add(S.One, share, evaluate=False)), below,
                Relation(rate, "<", S.One), N)),
            *_roots(found),
        ),
        silent=(
            _RANGE,
            Line("certified_rate.silent_matrix", (Relation(Radius(N), "≥", S.One),)),
        ),
        sources=(MILLER, TERZI, YOSHIHARA) if found.carousel else (BONASSI, YOSHIHARA),
    )  # fmt: skip


def _erasing(derivation: Derivation) -> tuple[Line, ...]:
    """What a step erases by, where that lies between 0 and 2 whatever the weights."""
    strengths = contracting(derivation)
    if not strengths:
        return ()
    timed = {s: At(s, TIME) for part in strengths for s in symbols_of(part)
             if s not in derivation.timeless}  # fmt: skip
    between = tuple(Relation(replace(negate(part), timed), "≤", Integer(2)) for part in strengths)
    return (Line("certified_rate.erasing", (between,)),)


def _diagonal(found: ClosedCondition) -> Expr:
    return BlockSup(str(found.stuck), str(found.stuck))


def _roots(found: ClosedCondition) -> tuple[Line, ...]:
    """Why the closed condition decides ρ(N) < 1."""
    if not found.conditions or found.order != 2:
        return ()
    a, b, c, d = found.matrix.args
    if b == 0 or c == 0:
        return (Line("certified_rate.triangular"),)
    return (
        Line("certified_rate.roots", (_flat((a, d)), Radius(found.symbol), _at_one(found))),
    )  # fmt: skip


def _at_one(found: ClosedCondition) -> Expr:
    """The characteristic polynomial at 1: what the last condition says is positive."""
    last = found.conditions[-1]
    factors = last.left.args if isinstance(last.left, Mul) else (last.left,)
    return _flat((last.right, Mul(S.NegativeOne, *factors, evaluate=False)))


def _flat(terms: tuple[Expr, ...]) -> Expr:
    """A sum in the order given, without parentheses within."""
    parts = [part for term in terms for part in (term.args if term.is_Add else (term,))]
    return Add(*parts, evaluate=False)


def lettered(derivation: Derivation) -> Letters:
    """Letters of which α, β, ω, λ and r are given: they go from one theorem to another."""
    letters = Letters(derivation)
    for choices in (*_CAROUSEL, _EIGENVALUE, RATE):
        letters(*choices)
    return letters


def eigenvalue(letters: Letters) -> Letter:
    """λ, or another where the cell has this."""
    return letters.number(*_EIGENVALUE)


@dataclass(frozen=True)
class ClosedCondition:
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


def closed_condition(derivation: Derivation) -> ClosedCondition:
    """N of the cell, from its step Jacobian."""
    names = tuple(state.name for state in derivation.cell.states)
    symbol = MatrixSymbol(derivation.cell.notation.norms, len(names), len(names))
    quantities = Quantities(derivation)
    found = find_carousel(derivation)
    if found is not None:
        return _of_carousel(derivation, symbol, found, quantities)
    rows = _rows(derivation, quantities)
    if len(names) == 1:
        value = rows[-1].right
        stuck = names[0] if _at_least_one(value) else None
        return ClosedCondition(
            names, symbol, value, (*rows[:-1], *quantities.relations()), None,
            () if stuck else (Relation(symbol, "<", S.One),), stuck, None,
        )  # fmt: skip
    values = {(r.left.args[0].name, r.left.args[1].name): r.right for r in rows}
    entry = {(a, b): S.Zero if values[a, b] == 0 else BlockSup(a, b) for a in names for b in names}
    stuck = next((a for a in names if _at_least_one(values[a, a])), None)
    shown = tuple(r for r in rows if r.right != 0)
    matrix = Entries(*(entry[a, b] for a in names for b in names))
    root = eigenvalue(lettered(derivation))
    polynomial, conditions = _two_by_two(root, *matrix.args) if len(names) == 2 else (None, ())
    return ClosedCondition(
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
            left = quantities.of(partial)
            rows.append(Relation(left, "=", quantities.of(value)))
    for (of, by), block in jacobian.blocks.items():
        value = quantities.of(named.get(block, block))
        rows.append(Relation(BlockSup(of, by), "=", value))
    return tuple(rows)


def _of_carousel(
    derivation: Derivation, symbol: MatrixSymbol, found: Carousel, quantities: Quantities
) -> ClosedCondition:
    """N = [[â, β], [ωâ, α + ωβ]] where J_qp = diag(ψ) J_pp and J_qq = R + diag(ψ) J_pq."""
    named, letters = dict(derivation.step_jacobian.named), lettered(derivation)
    keep = (
        S.One if isinstance(found.kept, OneMatrix)
        else quantities.supremum(found.kept) if isinstance(found.kept, MatrixSymbol)
        else quantities.name(found.kept, f"{letters(*KEPT)}_hat")
    )  # fmt: skip
    alpha, beta, omega = carousel_letters(letters)
    root = eigenvalue(letters)
    quantities.name(found.readout, omega.name)
    through = named.get(found.coupling, found.coupling)
    rows = [Relation(beta, "=", quantities.of(through))]
    rest: Expr = S.Zero
    if not isinstance(found.rest, Zero):
        rest = alpha
        rows.append(Relation(alpha, "=", quantities.of(found.rest)))
    corner = Add(*(term for term in (rest, Mul(omega, beta, evaluate=False)) if term != 0),
                 evaluate=False) if rest != 0 else Mul(omega, beta, evaluate=False)  # fmt: skip
    turned = omega if keep == 1 else Mul(omega, keep, evaluate=False)
    stuck = found.keeper if keep == 1 or _at_least_one(keep) else None
    unit = Add(S.One, -keep, evaluate=False)
    product = Mul(omega, beta, evaluate=False)
    conditions: tuple[Relation, ...] = (Relation(keep, "<", S.One),)
    if rest == 0:
        conditions += (Relation(product, "<", unit),)
        polynomial = Add(Pow(root, 2), _minus(root, (keep, product)), evaluate=False)
    else:
        other = Add(S.One, -alpha, evaluate=False)
        conditions += (
            Relation(alpha, "<", S.One),
            Relation(product, "<", Mul(unit, other, evaluate=False)),
        )
        last = Mul(keep, alpha, evaluate=False)
        polynomial = Add(Pow(root, 2), _minus(root, (keep, alpha, product)), last, evaluate=False)
    return ClosedCondition(
        (found.keeper, found.reader), symbol, Entries(keep, beta, turned, corner),
        (*rows, *quantities.relations()), polynomial, () if stuck else conditions, stuck, found,
    )  # fmt: skip


def carousel_letters(letters: Letters) -> tuple[Letter, Letter, Letter]:
    """α, β, ω, or others where the cell has these."""
    first, second, third = (letters.number(*choices, nonnegative=True) for choices in _CAROUSEL)
    return first, second, third


def _minus(root: Letter, terms: tuple[Expr, ...]) -> Expr:
    return Mul(S.NegativeOne, Add(*terms, evaluate=False), root, evaluate=False)


def _two_by_two(
    root: Letter, a: Expr, b: Expr, c: Expr, d: Expr
) -> tuple[Expr, tuple[Relation, ...]]:
    """det(λI − N), and what holds if and only if ρ(N) < 1."""
    diagonal = tuple(entry for entry in (a, d) if entry != 0)
    terms = [Pow(root, 2)] + ([_minus(root, diagonal)] if diagonal else [])
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
    """Whether a sum of nonnegative terms holds a 1 of its own, or is the larger of 1 and more."""
    if isinstance(entry, Max):
        return any(map(_at_least_one, entry.args))
    constant, _ = entry.expand().as_coeff_Add()
    return bool(constant >= 1)
