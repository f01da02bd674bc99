"""From the Jacobian between two steps to the gradient: its length, and what truncation leaves out.

In: a `Derivation`. Out: ‖∂L/∂θ‖ ≤ T ĝ (I − N)^{−1} ê, and the error of truncated back-propagation
through time at K lags, T ĝ N^{K+1} (I − N)^{−1} ê, with N of the certified rate.
"""

from __future__ import annotations

from sympy import Add as Sum
from sympy import Identity, MatAdd, MatMul, MatPow, MatrixSymbol, Mul, Pow, S, Symbol

from derive.calculus.through_time import EARLIER, FACTOR, LENGTH, TIME, Derivation
from derive.language.expr import At, Partial, TimeSum, product
from derive.language.norms import Component, Immediate, Norm, Radius
from derive.theorems.certified_rate import closed_condition
from derive.theorems.claims import MILLER, Bound, Display, Line, Relation, Theorem
from derive.theorems.letters import THETA, Letters


def total_gradient(derivation: Derivation) -> Theorem | None:
    """The theorem; None where ρ(N) < 1 is out of reach or no parameter is learned."""
    found = closed_condition(derivation)
    if found.stuck or not derivation.cell.parameters:
        return None
    order, N = found.order, found.symbol
    letters = Letters(derivation)
    reach = letters.number("K", "Q", "V", integer=True)
    loss = MatrixSymbol(derivation.cell.notation.loss, 1, 1)
    theta = MatrixSymbol(letters(*THETA), 1, 1)
    whole = derivation.chain.target.args[0].args[0]
    hats = tuple(f"{letters(*names)}_hat" for names in (("g", "l", "chi"), ("e", "eta", "zeta")))
    g, e = MatrixSymbol(hats[0], 1, order), MatrixSymbol(hats[1], order, 1)
    left = MatMul(LENGTH, g)
    geometric = MatPow(MatAdd(Identity(order), -N), -1)
    power = MatPow(N, reach + 1)
    gradient, cut = (
        Partial(loss, theta),
        MatrixSymbol(f"{letters('G', 'H', 'Y')}_{reach}", 1, 1),
    )
    lag = Relation(FACTOR, "=", TIME - EARLIER)
    state = derivation.cell.states[0]
    a = state.name
    small = Relation(N if order == 1 else Radius(N), "<", S.One)
    if order == 1:
        one, each = Symbol(hats[0]), Symbol(hats[1])
        number = Symbol(N.name)
        rest = Pow(Sum(S.One, -number, evaluate=False), -1)
        total = Mul(LENGTH, one, each, rest, evaluate=False)
        error = Mul(LENGTH, one, each, Pow(number, reach + 1), rest, evaluate=False)
        single = Mul(one, Pow(number, FACTOR), each, evaluate=False)
        of_loss, of_step = one, each
        summed, tail = rest, Mul(Pow(number, reach + 1), rest, evaluate=False)
    else:
        total = MatMul(*left.args, geometric, e)
        error = MatMul(*left.args, power, geometric, e)
        single = MatMul(g, MatPow(N, FACTOR), e)
        summed, tail = geometric, MatMul(power, geometric)
        of_loss, of_step = Component(hats[0], a), Component(hats[1], a)
    share = product(
        Partial(At(loss, TIME), At(whole, TIME)),
        Partial(At(whole, TIME), At(whole, EARLIER)),
        Immediate(At(whole, EARLIER), theta),
    )
    pairs = TimeSum(TimeSum(share, EARLIER, S.One, TIME), TIME, S.One, LENGTH)
    bounds = (
        Relation(Norm(Partial(At(loss, TIME), At(state, TIME))), "≤", of_loss),
        Relation(Norm(Immediate(At(state, TIME), theta)), "≤", of_step),
    )
    return Theorem(
        name="total_gradient",
        assumptions=(
            Line("total_gradient.as_in", (N, small)),
            Line("total_gradient.loss" if order == 1 else "total_gradient.loss_of_states",
                 (theta, loss, At(loss, TIME), TIME)),
            Line("total_gradient.one_step", (*bounds, Immediate(At(state, TIME), theta)))
            if order == 1 else
            Line("total_gradient.one_step_of_states",
                 (*bounds, Immediate(At(state, TIME), theta), g, e, N)),
        ),
        statement=(Line("total_gradient.then"),),
        bound=Bound(Norm(gradient), "upper", total),
        consequences=(
            Line("total_gradient.truncated", (cut, At(loss, TIME), reach,
                  Relation(TIME - EARLIER, "≤", reach))),
            Display((Relation(Norm(MatAdd(gradient, MatMul(-1, cut))), "≤", error),)),
        ),
        proof=(
            Line("total_gradient.chain_rule", (Relation(gradient, "=", pairs),)),
            Line("total_gradient.one_lag", (lag, single)),
            Line("total_gradient.all_lags", (LENGTH, N, Relation(FACTOR, "=", S.Zero), summed,
                  small)),
            Line("total_gradient.left_out", (cut, reach + 1, tail)),
        ),
        silent=(
            Line("total_gradient.silent_norm"),
            Line("total_gradient.silent_pieces"),
            Line("total_gradient.silent_small"),
        ),
        sources=(MILLER,),
    )  # fmt: skip
