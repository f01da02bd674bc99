"""Two states of which one keeps itself: its Jacobian over m steps decays no faster than λ^m.

In: a `Derivation` whose step Jacobian has the blocks of a `Carousel`. Out: the theorem, on the
cone of changes in which the state that is read stays small beside the one that is kept.
"""

from __future__ import annotations

from itertools import starmap
from typing import Final

from sympy import Add, Expr, MatrixSymbol, Mul, OneMatrix, Pow, Rational, S, Symbol
from sympy import ZeroMatrix as Zero

from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.language.expr import At, Elementwise, Partial, add, hadamard, product
from derive.language.norms import Infimum, Norm, SingularMin, Smallest
from derive.theorems.carousel import Carousel, find_carousel
from derive.theorems.certified_rate import carousel_letters, eigenvalue, lettered
from derive.theorems.claims import HOCHREITER, Bound, Line, Part, Relation, Theorem
from derive.theorems.letters import KEPT, RATE, Letters
from derive.theorems.one_sequence import chain_norm

_HALF: Final = Rational(1, 2)


def kept_state(derivation: Derivation) -> Theorem | None:
    """σ_min(∂p_t/∂p_k) ≥ λ^{t−k} if √a_min ≥ √α + √(ωβ), λ the larger root of a quadratic."""
    found = find_carousel(derivation)
    if found is None:
        return None
    states = {state.name: state for state in derivation.cell.states}
    p, q = states[found.keeper], states[found.reader]
    letters = lettered(derivation)
    low = _lowest(letters, found)
    alpha, beta, omega = carousel_letters(letters)
    root = eigenvalue(letters)
    loss = Mul(omega, beta, evaluate=False)
    eta, tau = starmap(letters.number, (("eta", "psi"), ("tau", "theta")))
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
        Pow(root, 2), Mul(S.NegativeOne, tau, root, evaluate=False), last, evaluate=False
    )
    entries = [] if low == 1 else [Relation(low, "=", Infimum(Smallest(found.kept)))]
    entries += (
        [Relation(root, "=", trace)] if alone
        else [Relation(root, "=", larger), Relation(tau, "=", trace)]
    )  # fmt: skip
    target = Partial(At(p, TIME), At(p, EARLIER))
    norm, _ = chain_norm(derivation)
    rate = letters.number(*RATE)
    ours = (beta, omega) if alone else (alpha, beta, omega)
    below, at_most_one = Relation(root, "≤", low), Relation(low, "≤", S.One)
    grows = low != 1 and not _at_most_one(derivation, found)
    if low == 1:
        silent = Line("kept_state.silent_growth", (below,))
    else:
        silent = Line(
            "kept_state.silent_growth_below_one" if grows else "kept_state.silent_growth_bounded",
            (below, at_most_one),
        )
    consequences: list[Part] = [
        Line("kept_state.decay_or_growth" if grows else "kept_state.decay",
             (At(p, EARLIER), At(p, TIME), Pow(root, LAG), norm,
              *((Relation(root, ">", S.One),) if grows else ()))),
        Line("kept_state.enclosed", (rate, Relation(Norm(target), "≤", Pow(rate, LAG)), target)),
    ]  # fmt: skip
    return Theorem(
        name="kept_state",
        assumptions=(
            Line("kept_state.letters", (ours,)),
            *((Line("kept_state.lowest", (Relation(low, ">", S.Zero), low)),)
              if low != 1 else ()),
            Line("kept_state.condition", (condition,)),
        ),
        statement=(Line("shared.for_all", (Relation(EARLIER, "<", TIME),)),),
        bound=Bound(SingularMin(target), "lower", Pow(root, LAG)),
        entries=tuple(entries),
        consequences=tuple(consequences),
        proof=_proof(derivation, letters, found, low, eta, tau, None if alone else quadratic,
                     trace),
        silent=(
            silent,
            Line("kept_state.silent_paths", (q,)),
        ),
        sources=(HOCHREITER,),
    )  # fmt: skip


def _lowest(letters: Letters, found: Carousel) -> Expr:
    """The name of inf min_i a_i: f_min for a gate f, a_min else; 1 where a = 𝟙."""
    if isinstance(found.kept, OneMatrix):
        return S.One
    plain = found.kept.name if isinstance(found.kept, MatrixSymbol) else letters(*KEPT)
    return letters.number(f"{plain}_min", "kappa_min", nonnegative=True)


def _at_most_one(derivation: Derivation, found: Carousel) -> bool:
    """Whether a is a gate whose function never exceeds 1."""
    value = next((e.value for e in derivation.forward if e.target == found.kept), None)
    if not isinstance(value, Elementwise) or value.parameters:
        return False
    return bool(value.function.range.sup <= 1)


def _proof(
    derivation: Derivation, letters: Letters, found: Carousel, low: Expr, eta: Symbol,
    tau: Symbol, quadratic: Expr | None, trace: Expr,
) -> tuple[Line, ...]:  # fmt: skip
    states = {state.name: state for state in derivation.cell.states}
    p, q = states[found.keeper], states[found.reader]
    alpha, beta, omega = carousel_letters(letters)
    root = eigenvalue(letters)
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
        "kept_state.changes",
        (now_p, now_q, At(dot_p, EARLIER), At(p, EARLIER), jacobian, first, second, lower, upper),
    )
    inside = Relation(w_then, "≤", Mul(eta, u_then, evaluate=False))
    grown = Relation(u, "≥", Mul(root, u_then, evaluate=False))
    start_p, start_q = At(dot_p, EARLIER), At(dot_q, EARLIER)
    small = Relation(Norm(start_q), "≤", Mul(eta, Norm(start_p), evaluate=False))
    carried = (
        Relation(u, "≥", Mul(Pow(root, LAG), Norm(start_p), evaluate=False)),
        Relation(now_p, "=", product(Partial(At(p, TIME), At(p, EARLIER)), start_p)),
    )
    closing = Line("kept_state.induction", (EARLIER, q, small, *carried))
    if quadratic is None:
        return (
            opening,
            Line("kept_state.at_once", (Relation(w_then, "≤", Mul(omega, u_then, evaluate=False)),
                  Relation(u, "≥", Mul(root, u_then, evaluate=False)))),
            Line("kept_state.again", (EARLIER, q, *carried)),
        )  # fmt: skip
    bracket = Add(omega, Mul(alpha, eta, Pow(root, -1), evaluate=False), evaluate=False)
    gap = Add(low, Mul(S.NegativeOne, root, evaluate=False), evaluate=False)
    choice = Relation(eta, "=", Mul(gap, Pow(beta, -1), evaluate=False))
    last = alpha if low == 1 else Mul(alpha, low, evaluate=False)
    return (
        opening,
        Line("kept_state.root", (root, Relation(quadratic, "=", S.Zero),
              Relation(tau, "=", trace), low,
              Mul(omega, beta, *(() if low == 1 else (low,)), evaluate=False),
              Relation(root, "≤", low), root, beta, Relation(root, "=", low),
              Relation(tau, "≥", Mul(2, Pow(last, _HALF, evaluate=False), evaluate=False)),
              Relation(alpha, "≤", low))),
        Line("kept_state.inside", (choice, inside, grown,
              Relation(w, "≤", Mul(bracket, u, evaluate=False)))),
        Line("kept_state.later", (Relation(bracket, "=", eta), Mul(beta, root, evaluate=False),
              root, Relation(w, "≤", Mul(eta, u, evaluate=False)))),
        closing,
    )  # fmt: skip
