"""Two states of which one keeps itself: its Jacobian over m steps decays no faster than λ^m.

In: a `Derivation` whose step Jacobian has the blocks of a `Carousel`. Out: the theorem, on the
cone of changes in which the state that is read stays small beside the one that is kept.
"""

from __future__ import annotations

from typing import Final

from sympy import Add, Expr, MatrixSymbol, Mul, OneMatrix, Pow, Rational, S, Symbol
from sympy import ZeroMatrix as Zero

from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Partial, add, hadamard, product
from derive.language.norms import Infimum, Norm, SingularMin, Smallest
from derive.theorems.carousel import Carousel, find_carousel
from derive.theorems.certified_rate import carousel_letters
from derive.theorems.claims import HOCHREITER, Bound, Line, Part, Relation, Theorem
from derive.theorems.one_sequence import chain_norm
from derive.theorems.suprema import letter

LAMBDA: Final = Symbol("lambda")
_HALF: Final = Rational(1, 2)


def kept_state(derivation: Derivation) -> Theorem | None:
    """σ_min(∂p_t/∂p_k) ≥ λ^{t−k} if √a_min ≥ √α + √(ωβ), λ the larger root of a quadratic."""
    found = find_carousel(derivation)
    if found is None:
        return None
    states = {state.name: state for state in derivation.cell.states}
    p, q = states[found.keeper], states[found.reader]
    low = _lowest(derivation, found)
    alpha, beta, omega = carousel_letters(derivation)
    loss = Mul(omega, beta, evaluate=False)
    eta, tau = (Symbol(letter(derivation, *names)) for names in (("eta", "xi"), ("tau", "kappa")))
    alone = isinstance(found.rest, Zero)
    roots = Pow(alpha, _HALF), Pow(loss, _HALF, evaluate=False)
    condition = Relation(
        S.One if low == 1 else Pow(low, _HALF), "≥", Add(*roots, evaluate=False)
    ) if not alone else Relation(low, "≥", loss)  # fmt: skip
    minus = Mul(S.NegativeOne, omega, beta, evaluate=False)
    trace = Add(low, minus, evaluate=False) if alone else Add(low, alpha, minus, evaluate=False)
    last = alpha if low == 1 else Mul(alpha, low, evaluate=False)
    inner = Add(Pow(tau, 2), Mul(-4, *(last.args if last.is_Mul else (last,)), evaluate=False),
                evaluate=False)  # fmt: skip
    larger = Mul(_HALF, Add(tau, Pow(inner, _HALF), evaluate=False), evaluate=False)
    quadratic = Add(
        Pow(LAMBDA, 2), Mul(S.NegativeOne, tau, LAMBDA, evaluate=False), last, evaluate=False
    )
    entries = [] if low == 1 else [Relation(low, "=", Infimum(Smallest(found.kept)))]
    entries += (
        [Relation(LAMBDA, "=", trace)] if alone
        else [Relation(LAMBDA, "=", larger), Relation(tau, "=", trace)]
    )  # fmt: skip
    target = Partial(At(p, TIME), At(p, EARLIER))
    norm, _ = chain_norm(derivation)
    rate = Symbol(letter(derivation, "r", "q", "kappa"))
    ours = (beta, omega) if alone else (alpha, beta, omega)
    consequences: list[Part] = [
        Line("Every change of {0} reaches {1} at no less than {2} of its length, and {3} is at "
             "least {2}: the gradient vanishes no faster than that."
             + ("" if low == 1 else " If {4}, it explodes."),
             (At(p, EARLIER), At(p, TIME), Pow(LAMBDA, LAG), norm,
              *(() if low == 1 else (Relation(LAMBDA, ">", S.One),)))),
        Line("With {0} of Theorem 2, {1}. The two theorems enclose the singular values of {2}.",
             (rate, Relation(Norm(target), "≤", Pow(rate, LAG)), target)),
    ]  # fmt: skip
    return Theorem(
        name="What the kept state carries",
        assumptions=(
            Line("{0}, {1} and {2} are those of Theorem 2, and all steps are admissible."
                 if len(ours) == 3 else
                 "{0} and {1} are those of Theorem 2, and all steps are admissible.", ours),
            *((Line("{0} with {1} below.", (Relation(low, ">", S.Zero), low)),)
              if low != 1 else ()),
            Line("{0}.", (condition,)),
        ),
        statement=(Line("For all {0},", (Relation(EARLIER, "<", TIME),)),),
        bound=Bound(SingularMin(target), "lower", Pow(LAMBDA, LAG), (), "an invariant cone"),
        entries=tuple(entries),
        consequences=tuple(consequences),
        proof=_proof(derivation, found, low, eta, tau, quadratic if not alone else None, trace),
        silent=(
            Line("{0}, so it proves no growth where {1}.",
                 (Relation(LAMBDA, "≤", low), Relation(low, "≤", S.One)))
            if low != 1 else Line("{0}, so it proves no growth.", (Relation(LAMBDA, "≤", low),)),
            Line("The condition asks that the paths through {0} are weak. Without it the theorem "
                 "says nothing: the paths might cancel.", (q,)),
        ),
        sources=(HOCHREITER,),
    )  # fmt: skip


def _lowest(derivation: Derivation, found: Carousel) -> Expr:
    """The name of inf min_i a_i: f_min for a gate f, a_min else; 1 where a = 𝟙."""
    if isinstance(found.kept, OneMatrix):
        return S.One
    plain = found.kept.name if isinstance(found.kept, MatrixSymbol) else "a"
    return Symbol(letter(derivation, f"{plain}_min", "kappa_min"), nonnegative=True)


def _proof(
    derivation: Derivation, found: Carousel, low: Expr, eta: Symbol, tau: Symbol,
    quadratic: Expr | None, trace: Expr,
) -> tuple[Line, ...]:  # fmt: skip
    states = {state.name: state for state in derivation.cell.states}
    p, q = states[found.keeper], states[found.reader]
    alpha, beta, omega = carousel_letters(derivation)
    clock = derivation.clock
    kept, readout, rest = (clock.at(e, TIME) for e in (found.kept, found.readout, found.rest))
    through = Partial(At(p, TIME), At(q, TIME - 1))
    dot_p, dot_q = (MatrixSymbol(f"{s.name}_dot", *s.shape) for s in (p, q))
    now_p, now_q, then_p, then_q = (
        At(s, time) for time in (TIME, TIME - 1) for s in (dot_p, dot_q)
    )
    first = Relation(now_p, "=", add(hadamard(kept, then_p), product(through, then_q)))
    terms = [hadamard(readout, now_p)] + ([product(rest, then_q)] if quadratic else [])
    second = Relation(now_q, "=", add(*terms))
    u, w, u_then, w_then = map(Norm, (now_p, now_q, then_p, then_q))

    def times(number: Expr, norm: Norm) -> Expr:
        return norm if number == 1 else Mul(number, norm, evaluate=False)

    lower = Relation(u, "≥", Add(times(low, u_then),
                                 Mul(S.NegativeOne, beta, w_then, evaluate=False),
                                 evaluate=False))  # fmt: skip
    tail = [Mul(alpha, w_then, evaluate=False)] if quadratic else []
    upper = Relation(w, "≤", Add(Mul(omega, u, evaluate=False), *tail, evaluate=False))
    jacobian = derivation.part("jacobian")[-1].number
    opening = Line(
        "Let {0} and {1} be the changes that a change {2} of {3} alone causes. By the blocks up "
        "to ({4}), {5} and {6}. So {7} and {8}.",
        (now_p, now_q, At(dot_p, EARLIER), At(p, EARLIER), jacobian, first, second, lower, upper),
    )
    inside = Relation(w_then, "≤", Mul(eta, u_then, evaluate=False))
    grown = Relation(u, "≥", Mul(LAMBDA, u_then, evaluate=False))
    closing = Line(
        "At step {0} the change of {1} is 0, so {2} holds there. By induction {3}. Since {4}, this "
        "is the bound.",
        (EARLIER, q, Relation(Norm(At(dot_q, EARLIER)), "≤",
                              Mul(eta, Norm(At(dot_p, EARLIER)), evaluate=False)),
         Relation(u, "≥", Mul(Pow(LAMBDA, LAG), Norm(At(dot_p, EARLIER)), evaluate=False)),
         Relation(now_p, "=", product(Partial(At(p, TIME), At(p, EARLIER)),
                                      At(dot_p, EARLIER)))),
    )  # fmt: skip
    if quadratic is None:
        return (
            opening,
            Line("If {0}, the first inequality gives {1} at once.",
                 (Relation(w_then, "≤", Mul(omega, u_then, evaluate=False)),
                  Relation(u, "≥", Mul(LAMBDA, u_then, evaluate=False)))),
            Line("The second says that this holds again one step later. At step {0} it holds, "
                 "for the change of {1} is 0. By induction {2}. Since {3}, this is the bound.",
                 (EARLIER, q, closing.slots[3], closing.slots[4])),
        )  # fmt: skip
    bracket = Add(omega, Mul(alpha, eta, Pow(LAMBDA, -1), evaluate=False), evaluate=False)
    gap = Add(low, Mul(S.NegativeOne, LAMBDA, evaluate=False), evaluate=False)
    choice = Relation(eta, "=", Mul(gap, Pow(beta, -1), evaluate=False))
    last = alpha if low == 1 else Mul(alpha, low, evaluate=False)
    return (
        opening,
        Line("{0} is the larger root of {1} with {2}. By the condition {9}, so the roots "
             "are real and not negative. At {3} the left side is {4}, and {3} is not left of the "
             "vertex since {10}; so {5}. If {6} is 0 there is nothing to prove; if {7} is 0, so "
             "that {8}, the first inequality is enough.",
             (LAMBDA, Relation(quadratic, "=", S.Zero), Relation(tau, "=", trace), low,
              Mul(omega, beta, *(() if low == 1 else (low,)), evaluate=False),
              Relation(LAMBDA, "≤", low), LAMBDA, beta, Relation(LAMBDA, "=", low),
              Relation(tau, "≥", Mul(2, Pow(last, _HALF, evaluate=False), evaluate=False)),
              Relation(alpha, "≤", low))),
        Line("Else let {0}. If {1}, then {2}, and with the second inequality {3}.",
             (choice, inside, grown,
              Relation(w, "≤", Mul(bracket, u, evaluate=False)))),
        Line("{0}: multiplied by {1} this is the equation for {2}. So {3}, the same one step "
             "later.",
             (Relation(bracket, "=", eta), Mul(beta, LAMBDA, evaluate=False), LAMBDA,
              Relation(w, "≤", Mul(eta, u, evaluate=False)))),
        closing,
    )  # fmt: skip
