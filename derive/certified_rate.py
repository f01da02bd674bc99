"""N dominates every admissible step, Nv ≤ rv ⇒ the Jacobian over m steps decays as r^m.

In: a `Derivation`. Out: the theorem, of a number N for one state, of a matrix and a positive
vector v for several, with the closed condition for ρ(N) < 1 where there is one.
"""

from __future__ import annotations

from sympy import Add, Expr, Identity, MatAdd, MatMul, MatPow, MatrixSymbol, Mul, Pow, S
from sympy import Symbol as Letter

from derive.bptt import EARLIER, LAG, TIME, Derivation
from derive.certificate import Certificate, certificate
from derive.claims import Bound, Display, Line, Part, Relation, Theorem
from derive.contraction import diagonal_times_matrix
from derive.expr import At, Partial
from derive.norms import BlockSup, Component, Extreme, Norm, Radius
from derive.quantities import letter
from derive.sources import BONASSI, MILLER, PASCANU, TERZI, YOSHIHARA
from derive.stepwise import INEQUALITIES, NORMS, chain_norm


def certified_rate(derivation: Derivation) -> Theorem:
    """The theorem on N: of a number for one state, of a matrix and a vector v for several."""
    found = certificate(derivation)
    return _number(derivation, found) if found.order == 1 else _matrix(derivation, found)


def admissible() -> Line:
    """What a supremum is taken over."""
    return Line(
        "Admissible are the steps of all sequences for which the claim is made: those of one "
        "trajectory, or of all inputs and initial states in given sets. Each supremum is over all "
        "admissible steps {0} and finite; a larger number may stand in its place.", (TIME,)
    )  # fmt: skip


_RANGE = Line(
    "It is as good as its suprema. For all inputs at once they must hold for all inputs; without a "
    "bound on the inputs the value of a function may come arbitrarily near the ends of its range."
)


def _number(derivation: Derivation, found: Certificate) -> Theorem:
    norm, _ = chain_norm(derivation)
    state = derivation.cell.states[0]
    one = Norm(Partial(At(state, TIME), At(state, TIME - 1)))
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    N = found.symbol
    consequences: list[Part] = []
    if found.stuck:
        consequences.append(Line(
            "Here {0} whatever the weights. So the theorem certifies no decay; it bounds the "
            "growth.", (Relation(N, "≥", S.One),)))  # fmt: skip
    else:
        consequences.append(Line(
            "If {0}, then {1} tends to 0 at least geometrically as {2} grows, along every "
            "admissible trajectory: the gradient vanishes. The condition is sufficient.",
            (Relation(N, "<", S.One), norm, LAG)))  # fmt: skip
    simple = diagonal_times_matrix(derivation) is not None
    return Theorem(
        name="Certified rate",
        assumptions=(
            NORMS,
            admissible(),
        ),
        statement=(Line("Let {0} be the number below. Then for all {1} between which all steps "
                        "are admissible,", (N, Relation(EARLIER, "<", TIME))),),
        bound=Bound(norm, "upper", MatPow(N, LAG), (), "submultiplicativity of the norm"),
        entries=(Relation(N, "=", found.matrix), *found.definitions),
        consequences=tuple(consequences),
        proof=(
            Line("{0}, {1} and {2}. Applied to the step Jacobian ({3}) these give {4} at every "
                 "admissible step.", (*INEQUALITIES, step.number, Relation(one, "≤", N))),
            Line("The chain ({0}) has {1} factors, and the norm of a product is at most the "
                 "product of the norms.", (chain.number, LAG)),
        ),
        silent=(
            _RANGE,
            Line("{0} does not imply that gradients explode.", (Relation(N, "≥", S.One),)),
        ),
        sources=(PASCANU,) if simple else (BONASSI,),
    )  # fmt: skip


def _matrix(derivation: Derivation, found: Certificate) -> Theorem:
    states = {state.name: state for state in derivation.cell.states}
    order = len(states)
    norm, target = chain_norm(derivation)
    N, first, last = found.symbol, found.names[0], found.names[-1]
    v = MatrixSymbol(letter(derivation, "v", "w", "q"), order, 1)
    rate = Letter(letter(derivation, "r", "q", "kappa"))
    block = Norm(Partial(At(states[first], TIME), At(states[last], EARLIER)))
    ratio = Mul(Component(v.name, first), Pow(Component(v.name, last), -1), evaluate=False)
    shrunk = Pow(rate, LAG, evaluate=False)
    below = Relation(MatMul(N, v), "≤", MatMul(rate, v))
    small = Relation(Radius(N), "<", S.One)
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    power = MatPow(N, LAG)
    ones = MatrixSymbol("u", order, 1)
    consequences: list[Part] = [
        Line("The same holds for every pair of states, in both orders. For one state and itself "
             "{0} drops out.", (v,)),
    ]  # fmt: skip
    if found.stuck:
        consequences.append(Line(
            "Here {0} whatever the weights, so {1}. The theorem certifies no decay; it bounds "
            "the growth.", (Relation(_diagonal(found), "≥", S.One),
                            Relation(Radius(N), "≥", S.One))))  # fmt: skip
    else:
        consequences.append(Line(
            "Such a {0} exists with some {1} if and only if {2}. Then {3} tends to 0 "
            "geometrically as {4} grows, along every admissible trajectory: the gradient "
            "vanishes. The condition is sufficient.",
            (v, Relation(rate, "<", S.One), small, norm, LAG)))  # fmt: skip
    if found.conditions and found.polynomial is not None:
        consequences += [
            Line("The eigenvalues of {0} solve", (N,)),
            Display((Relation(found.polynomial, "=", S.Zero),)),
            Line("and {0} if and only if", (small,)),
            Display(found.conditions),
        ]
    return Theorem(
        name="Certified rate",
        assumptions=(
            NORMS,
            admissible(),
        ),
        statement=(
            Line(f"Let {{0}} be the {order} × {order} matrix below. Let {{1}} have positive "
                 "entries, and let {2}, entry by entry. Then for all {3} between which all steps "
                 "are admissible,",
                 (N, v, below, Relation(EARLIER, "<", TIME))),
        ),
        bound=Bound(block, "upper", Mul(ratio, shrunk, evaluate=False), (), "by blocks"),
        entries=(Relation(N, "=", found.matrix), *found.definitions),
        consequences=tuple(consequences),
        proof=(
            Line("{0}, {1} and {2}. Applied to the blocks of the step Jacobian, up to ({3}), "
                 "these bound the norm of each block by the entry of {4} in its place."
                 + _carousel_words(found), (*INEQUALITIES, step.number, N)),
            Line("A block of a product is a sum of products of blocks. By induction over the "
                 "{0} factors of ({1}), the norm of each block of {2} is at most the entry of "
                 "{3} in its place.", (LAG, chain.number, target, power)),
            Line("No entry of {0} is negative, so {1} gives {2}. The entry of {3} in row {4} and "
                 "column {5}, times {6}, is one term of row {4} on the left, so it is at most {7}. "
                 "This is the bound.",
                 (N, below, Relation(MatMul(power, v), "≤", MatMul(shrunk, v)), power,
                  Letter("a"), Letter("b"), Letter(f"{v.name}_b"),
                  Mul(shrunk, Letter(f"{v.name}_a"), evaluate=False))),
            Line("If {0}, let {1} with a column {2} of ones. Its entries are at least 1, and {3}, "
                 "which is at most {4} with {5}. Conversely, if {6} with {7}, the powers of {8} "
                 "tend to 0, so {0}.",
                 (small, Relation(v, "=", MatMul(MatPow(MatAdd(Identity(order), -N), -1), ones)),
                  ones, Relation(MatMul(N, v), "=", MatAdd(v, MatMul(-1, ones))),
                  MatMul(rate, v),
                  Relation(rate, "=", Add(S.One, Mul(S.NegativeOne, Pow(
                      Extreme("max", Letter("a"), Letter(f"{v.name}_a")), -1), evaluate=False),
                      evaluate=False)),
                  below, Relation(rate, "<", S.One), N)),
            *_roots(found),
        ),
        silent=(
            _RANGE,
            Line("{0} does not imply that gradients explode: each inequality of the proof may be "
                 "far from equality.", (Relation(Radius(N), "≥", S.One),)),
        ),
        sources=(MILLER, TERZI, YOSHIHARA) if found.carousel else (BONASSI, YOSHIHARA),
    )  # fmt: skip


def _diagonal(found: Certificate) -> Expr:
    return BlockSup(str(found.stuck), str(found.stuck))


def _carousel_words(found: Certificate) -> str:
    """Where the second row comes from."""
    if found.carousel is None:
        return ""
    return (" The second block row is a diagonal matrix times the first, plus a matrix of its "
            "own in the corner.")  # fmt: skip


def _roots(found: Certificate) -> tuple[Line, ...]:
    """Why the closed condition decides ρ(N) < 1."""
    if not found.conditions or found.order != 2:
        return ()
    a, b, c, d = found.matrix.args
    if b == 0 or c == 0:
        return (Line("One entry beside the diagonal is 0, so the eigenvalues are the entries on "
                     "the diagonal."),)  # fmt: skip
    return (
        Line("The polynomial of a nonnegative 2 × 2 matrix has real roots, whose sum {0} is not "
             "negative. So {1} is the larger root; it is at least each entry on the diagonal, and "
             "below 1 if and only if the polynomial is positive at 1 and {0} is below 2. Its "
             "value at 1 is {2}. Where the conditions hold this is positive and both entries on "
             "the diagonal are below 1. Conversely {1} below 1 gives both.",
             (_flat((a, d)), Radius(found.symbol), _at_one(found))),
    )  # fmt: skip


def _at_one(found: Certificate) -> Expr:
    """The characteristic polynomial at 1: what the last condition says is positive."""
    last = found.conditions[-1]
    factors = last.left.args if isinstance(last.left, Mul) else (last.left,)
    return _flat((last.right, Mul(S.NegativeOne, *factors, evaluate=False)))


def _flat(terms: tuple[Expr, ...]) -> Expr:
    """A sum in the order given, without parentheses within."""
    parts = [part for term in terms for part in (term.args if term.is_Add else (term,))]
    return Add(*parts, evaluate=False)
