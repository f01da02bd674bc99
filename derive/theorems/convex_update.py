"""A state that is a weighted mean of itself and a new value: rows of the Jacobian, gate by gate.

In: a `Derivation` whose state is (1 − w) ⊙ s_prev + w ⊙ g with w = σ(a) or 1 − σ(a). Out: the
theorem that the largest row sum is below 1 if K_i + (1 − w_min,i) A_i < 1 for every unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from sympy import (
    Add,
    Expr,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    Number,
    OneMatrix,
    Pow,
    S,
    Symbol,
    ZeroMatrix,
)
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.fold import Algebra, NoValueError
from derive.calculus.jacobian import partials
from derive.calculus.through_time import EARLIER, LAG, TIME, Derivation
from derive.cell import Equation
from derive.language.expr import (
    At,
    Concat,
    Elementwise,
    Partial,
    add,
    diagonal,
    hadamard,
    negate,
    product,
    replace,
    scale,
    split_coefficient,
    symbols_of,
)
from derive.language.norms import EntrywiseAbs, EntrywiseSup, Extreme, Infimum, Norm, RowNorm
from derive.theorems.claims import BONASSI, Bound, Line, Relation, Theorem
from derive.theorems.letters import RATE, Letters
from derive.typeset.scalars import INDEX

Action = Callable[[MatrixExpr], MatrixExpr]


@dataclass(frozen=True)
class Update:
    """s = (1 − w) ⊙ s_prev + w ⊙ g; `weight` is w, `gate` the logistic unit in it.

    `difference` is g − s_prev; `gate_rows` and `new_rows` bound the row sums of |∂a/∂s_prev| and
    |∂g/∂s_prev| entry by entry, a the argument of the gate.
    """

    weight: MatrixExpr
    gate: MatrixSymbol
    new: MatrixExpr
    difference: MatrixExpr
    gate_rows: MatrixExpr
    new_rows: MatrixExpr


def find_update(derivation: Derivation) -> Update | None:
    """The update of the cell's only state, if it is of this form."""
    cell = derivation.cell
    if len(cell.states) != 1:
        return None
    (state,), (before,) = cell.states, cell.previous_states
    value = next(e.value for e in derivation.forward if e.target == state)
    found = split_mean(value, before)
    if found is None:
        return None
    weight, new = found
    gates = [s for s in symbols_of(weight) if s != before]
    if len(gates) != 1:
        return None
    gate = gates[0]
    defined = next((e.value for e in derivation.forward if e.target == gate), None)
    match defined:
        case Elementwise(argument=MatrixSymbol() as net) if defined.function.name == "sigmoid":
            pass
        case _:
            return None
    if weight not in {gate, add(OneMatrix(*gate.shape), negate(gate))}:
        return None
    name = MatrixSymbol(f"{state.name}_new", *state.shape)
    reach, named = partials(cell, (*derivation.forward, Equation(name, new)), before)
    written: dict[MatrixExpr, MatrixExpr] = {}
    for partial, expanded in named:
        written[partial] = replace(expanded, written)
    zero, ones = ZeroMatrix(state.shape[0], before.shape[0]), OneMatrix(before.shape[0], 1)
    sums = _RowSums(derivation.timeless)
    try:
        rows = [sums.of(replace(reach.get(s, zero), written))(ones) for s in (net, name)]
    except NoValueError:
        return None
    return Update(weight, gate, new, add(new, negate(before)), *rows)


def split_mean(value: MatrixExpr, before: MatrixSymbol) -> tuple[MatrixExpr, MatrixExpr] | None:
    """(w, g) of (1 − w) ⊙ s_prev + w ⊙ g."""
    match value:
        case MatAdd(args=(HadamardProduct(args=(a, b)), HadamardProduct(args=(c, d)))):
            pass
        case _:
            return None
    for keep, old in ((a, b), (b, a), (c, d), (d, c)):
        if old != before:
            continue
        other = (c, d) if keep in {a, b} and old in {a, b} else (a, b)
        for weight, new in (other, other[::-1]):
            one = OneMatrix(*before.shape)
            if keep == add(one, negate(weight)) or weight == add(one, negate(keep)):
                return weight, new
    return None


class _RowSums(Algebra[Action]):
    """At least |block| u, entry by entry, for u ≥ 0: suprema of diagonals, |W| of weights."""

    def __init__(self, fixed: frozenset[MatrixSymbol]) -> None:
        self.fixed = fixed

    def is_whole(self, block: MatrixExpr) -> bool:
        return isinstance(block, Concat) and self.fixed.issuperset(symbols_of(block))

    def zero(self, block: ZeroMatrix) -> Action:
        return lambda u: ZeroMatrix(block.shape[0], 1)

    def identity(self, extent: Expr) -> Action:
        return lambda u: u

    def diagonal(self, column: MatrixExpr) -> Action:
        number, rest = split_coefficient(column)
        still = self.fixed.issuperset(symbols_of(rest))
        made = EntrywiseAbs(rest) if still else EntrywiseSup(rest)
        return lambda u: scale(abs(number), hadamard(made, u))

    def sum(self, terms: Sequence[Action]) -> Action:
        return lambda u: add(*(term(u) for term in terms))

    def product(self, number: Number, factors: Sequence[Action]) -> Action:
        return lambda u: scale(abs(number), reduce(lambda v, f: f(v), reversed(factors), u))

    def matrix(self, block: MatrixExpr) -> Action:
        if not self.fixed.issuperset(symbols_of(block)):
            return super().matrix(block)
        return lambda u: MatMul(EntrywiseAbs(block), u)


def weighted_mean(derivation: Derivation) -> Theorem | None:
    """‖∂s_t/∂s_k‖_∞ ≤ r^{t−k} if K_i + (1 − w_min,i) A_i < 1 for all i."""
    found = find_update(derivation)
    if found is None:
        return None
    state = derivation.cell.states[0]
    letters, i = Letters(derivation), derivation.cell.notation.index
    rate = letters.number(*RATE)
    names = letters("A", "P", "F"), letters("K", "Q", "G"), letters("w", "pi", "upsilon")
    A, K = (MatrixSymbol(name, *state.shape) for name in names[:2])
    A_i, K_i = (Symbol(f"{name}_{i}") for name in names[:2])
    plain = MatrixSymbol(names[2], *state.shape)
    w_i, low = Symbol(f"{names[2]}_{i}"), Symbol(f"{names[2]}_min_{i}")
    still = isinstance(found.gate_rows, ZeroMatrix)
    bare = isinstance(found.new_rows, ZeroMatrix)
    gap = _plus(S.One, _less(K_i) if not bare else None,
                _less(_one_minus(low), A_i) if not still else None)  # fmt: skip
    inside = Mul(low, gap, evaluate=False) if gap != 1 else low
    left = [] if bare else [K_i]
    left += [] if still else [Mul(_one_minus(low), A_i, evaluate=False)]
    target = Partial(At(state, TIME), At(state, EARLIER))
    one = Partial(At(state, TIME), At(state, TIME - 1))
    size, any_ = state.shape[0], letters.matrix("M", "Y", "Phi")
    definitions = [Relation(rate, "=", Add(S.One, Mul(S.NegativeOne, Extreme(
        "min", INDEX, inside), evaluate=False), evaluate=False))]  # fmt: skip
    definitions.append(Relation(low, "=", Infimum(w_i)))
    if not still:
        definitions.append(Relation(A, "=", hadamard(
            EntrywiseSup(found.difference), found.gate_rows)))  # fmt: skip
    if not bare:
        definitions.append(Relation(K, "=", found.new_rows))
    clock = derivation.clock
    weight, new, gap_t = (
        clock.at(part, TIME) for part in (found.weight, found.new, found.difference)
    )
    w = At(plain, TIME)
    before = At(state, TIME - 1)
    mean = add(hadamard(add(OneMatrix(*state.shape), negate(w)), before), hadamard(w, new))
    pieces = [diagonal(add(OneMatrix(*state.shape), negate(w)))]
    if not still:
        pieces.append(product(diagonal(gap_t), Partial(w, before)))
    if not bare:
        pieces.append(product(diagonal(w), Partial(new, before)))
    row = _plus(_one_minus(w_i), None if still else Mul(w_i, _one_minus(w_i), A_i, evaluate=False),
                None if bare else Mul(w_i, K_i, evaluate=False))  # fmt: skip
    step = derivation.part("jacobian")[-1].number
    conditions = [Relation(low, ">", S.Zero)]
    if left:
        conditions.append(Relation(Add(*left, evaluate=False) if len(left) > 1 else left[0],
                                   "<", S.One))  # fmt: skip
    return Theorem(
        name="weighted_mean",
        assumptions=(
            Line("weighted_mean.norm", (RowNorm(any_), any_, EntrywiseAbs(any_),
                  MatMul(OneMatrix(size, 1)))),
            Line("weighted_mean.mean", (Relation(w, "=", weight),
                  Relation(At(state, TIME), "=", mean))),
            Line("weighted_mean.every_unit", (INDEX, tuple(conditions))),
        ),
        statement=(Line("shared.all_admissible", (Relation(EARLIER, "≤", TIME),)),),
        bound=Bound(RowNorm(target), "upper", Pow(rate, LAG, evaluate=False)),
        entries=tuple(definitions),
        consequences=(
            Line("weighted_mean.decay", (Relation(rate, "<", S.One), Relation(Norm(target), "≤",
                  Mul(Pow(size, S.Half, evaluate=False), Pow(rate, LAG), evaluate=False)))),
        ),
        proof=(
            Line("weighted_mean.product_rule", (Relation(one, "=", add(*pieces)), step)) if still
            else Line("weighted_mean.product_rule_and_slope", (
                Relation(one, "=", add(*pieces)), step,
                Mul(w_i, _one_minus(w_i), evaluate=False), INDEX, Partial(w, before))),
            *((Line("weighted_mean.row_is", (INDEX, row)), Line("weighted_mean.bounded", (rate,)))
              if still and bare else
              (Line("weighted_mean.row_at_most", (INDEX, row, _one_minus_product(
                  w_i, K_i if not bare else None, A_i if not still else None))),
               Line("weighted_mean.bounded_at_lowest", (rate, w_i, low)))),
        ),
        silent=(
            Line("weighted_mean.silent_one_unit", (Relation(low, ">", S.Zero),)),
            Line("weighted_mean.silent_sufficient"),
        ),
        sources=(BONASSI,),
    )  # fmt: skip


def _one_minus(x: Symbol) -> Add:
    return Add(S.One, Mul(S.NegativeOne, x, evaluate=False), evaluate=False)


def _less(*factors: Symbol) -> Mul:
    return Mul(S.NegativeOne, *factors, evaluate=False)


def _plus(*terms: object) -> Add:
    kept = [term for term in terms if term is not None]
    return kept[0] if len(kept) == 1 else Add(*kept, evaluate=False)


def _one_minus_product(w: Symbol, K: Symbol | None, A: Symbol | None) -> Add:
    """1 − w (1 − K − (1 − w) A)."""
    inner = _plus(S.One, None if K is None else _less(K),
                  None if A is None else _less(_one_minus(w), A))  # fmt: skip
    return Add(S.One, _less(w, inner) if inner != 1 else _less(w), evaluate=False)
