"""Modules that move at periods of their own: the rate of a clockwork, module by module.

In: a `Derivation` whose state is κ_t ⊙ φ(a) + (1 − κ_t) ⊙ s_prev with a clock κ that is given.
Out: the theorem that the Jacobian decays at max_i (γ‖M_ii‖₂)^{1/T_i}, whatever the blocks beside
the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Add, Identity, MatrixExpr, MatrixSymbol, Mul, Pow, S, Symbol

from derive.calculus.jacobian import partials
from derive.calculus.through_time import EARLIER, FACTOR, LAG, TIME, Derivation
from derive.language.expr import At, Elementwise, Slope, symbols_of
from derive.language.functions import FUNCTIONS
from derive.language.norms import Extreme, Largest, Norm, Radius
from derive.theorems.claims import KOUTNIK, Bound, Line, Relation, Theorem
from derive.theorems.convex_update import split_mean
from derive.theorems.letters import RATE, Letters
from derive.theorems.one_sequence import chain_norm
from derive.typeset.scalars import INDEX


@dataclass(frozen=True)
class Clocked:
    """s = κ ⊙ φ(a) + (1 − κ) ⊙ s_prev with ∂a/∂s_prev = M, free of time; `function` is φ."""

    clock: MatrixSymbol
    function: str
    argument: MatrixExpr
    matrix: MatrixExpr


def find_clock(derivation: Derivation) -> Clocked | None:
    """The clock of the cell's only state, if it has one."""
    cell = derivation.cell
    if len(cell.states) != 1:
        return None
    (state,), (before,) = cell.states, cell.previous_states
    defined = {e.target: e.value for e in derivation.forward}
    found = split_mean(defined[state], before)
    if found is None:
        return None
    clock, new = found
    new = defined.get(new, new)
    known = isinstance(clock, MatrixSymbol) and clock.name in cell.sequences
    if not known or not isinstance(new, Elementwise) or new.parameters:
        return None
    reach, named = partials(cell, derivation.forward, before)
    matrix = dict(named).get(reach.get(new.argument), reach.get(new.argument))
    fixed = derivation.timeless
    if matrix is None or not fixed.issuperset(symbols_of(matrix)) or isinstance(matrix, Identity):
        return None
    if not new.function.largest_slope.is_finite:
        return None
    return Clocked(clock, new.function.name, new.argument, matrix)


def clock_rate(derivation: Derivation) -> Theorem | None:
    """‖∂s_t/∂s_k‖₂ ≤ C r^{t−k} for every r > max_i (γ‖M_ii‖₂)^{1/T_i}."""
    found = find_clock(derivation)
    if found is None:
        return None
    norm, _ = chain_norm(derivation)
    gamma = Largest(found.function)
    letters, notation = Letters(derivation), derivation.cell.notation
    i, j = notation.index, notation.factor
    period = Symbol(f"{letters('T', 'P')}_{i}")
    whole, constant = letters.number("H", "V"), letters.number("C", "R")
    rate = letters.number(*RATE)
    name = found.matrix.name if isinstance(found.matrix, MatrixSymbol) else letters("M", "Y")
    own, part = (MatrixSymbol(f"{name}_{i}{end}", 2, 2) for end in (i, j))
    local = Mul(gamma, Norm(own), evaluate=False)
    slowest = Extreme("max", INDEX, Pow(local, 1 / period, evaluate=False))
    row = Mul(gamma, Norm(part), evaluate=False)
    supremum = FUNCTIONS[found.function].largest_slope
    clock = derivation.clock
    kappa = clock.at(found.clock, TIME)
    slope = Slope(found.function, clock.at(found.argument, TIME))
    N, Q = Symbol(notation.norms), letters.matrix("Q", "Z", "X")
    step, chain = derivation.part("jacobian")[-1], derivation.part("chain")[-1]
    return Theorem(
        name="clockwork",
        assumptions=(
            Line("clockwork.modules", (TIME, kappa, INDEX, period)),
            Line("clockwork.no_faster", (part, found.matrix, Relation(INDEX, ">", FACTOR))),
            Line("clockwork.slope", (slope, Relation(gamma, "=", supremum))),
        ),
        statement=(Line("clockwork.statement", (Relation(rate, ">", slowest), constant,
                         Relation(EARLIER, "<", TIME))),),
        bound=Bound(norm, "upper", Mul(constant, Pow(rate, LAG), evaluate=False)),
        consequences=(
            Line("clockwork.decay", (Relation(local, "<", S.One), period,
                  Pow(local, 1 / period, evaluate=False))),
            Line("clockwork.beside", (constant,)),
        ),
        proof=(
            Line("clockwork.one_factor", (step.number, At(MatrixSymbol(str(N), 2, 2), TIME), INDEX,
                  row, FACTOR, period)),
            Line("clockwork.common_multiple", (whole,
                  Pow(local, Mul(whole, Pow(period, -1), evaluate=False), evaluate=False), INDEX,
                  Mul(whole, Pow(period, -1), evaluate=False), Q)),
            Line("clockwork.powers", (Relation(Radius(Q), "<", Pow(rate, whole)), Q,
                  Pow(rate, whole), chain.number, Add(whole, S.NegativeOne, evaluate=False))),
        ),
        silent=(
            Line("clockwork.silent_constant", (constant,)),
            Line("clockwork.silent_module", (Relation(local, ">", S.One),)),
        ),
        sources=(KOUTNIK,),
    )  # fmt: skip
