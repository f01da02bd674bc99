"""The step Jacobian at rest: zero inputs, zero states, and biases that keep the state there.

In: a `Derivation`. Out: `Rest`: J at that point block by block, found by putting zeros into the
equations and the step Jacobian. `zero_state` states what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import (
    Basic,
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    Number,
    OneMatrix,
    S,
    ZeroMatrix,
    preorder_traversal,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.calculus.through_time import Derivation
from derive.language.expr import (
    SCALAR,
    Broadcast,
    Concat,
    Elementwise,
    Quotient,
    Slope,
    VectorFunction,
    add,
    diagonal,
    hadamard,
    product,
    replace,
    scale,
    split_coefficient,
    symbols_of,
)
from derive.language.functions import X
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from derive.theorems.carousel import find_carousel

Values = dict[MatrixSymbol, MatrixExpr]


@dataclass(frozen=True)
class Rest:
    """J₀ = ∂s_t/∂s_{t−1} at rest; of `biases`, the `zeroed` are 0 to keep the state there.

    `reduced` has the eigenvalues of J₀, apart from zeros: J₀ itself for one state, and
    diag(a) + J_pq diag(ψ) where the other state is read from the kept one. `unbiased` is the same
    where all biases are 0.
    """

    biases: tuple[MatrixSymbol, ...]
    zeroed: tuple[MatrixSymbol, ...]
    blocks: dict[tuple[str, str], MatrixExpr]
    reduced: MatrixExpr | None
    unbiased: MatrixExpr | None


class _UndefinedError(Exception):
    """Something is asked for at rest that has no value there, or none in a closed form."""


def rest(derivation: Derivation) -> Rest | None:
    """J₀ of the cell; None if no biases keep the state at zero, or J₀ changes with time."""
    cell = derivation.cell
    biases = _biases(derivation)
    try:
        zeroed = biases
        if not _stays(derivation, zeroed):
            return None
        for bias in biases:
            fewer = tuple(b for b in zeroed if b != bias)
            zeroed = fewer if _stays(derivation, fewer) else zeroed
        values, jacobian = _values(derivation, zeroed), derivation.step_jacobian
        blocks = {
            (a.name, b.name): _settled(jacobian.expanded(a.name, b.name), values)
            for a in cell.states for b in cell.states
        }  # fmt: skip
        plain = _values(derivation, biases)
        reduced, unbiased = (_reduced(derivation, given) for given in (values, plain))
    except _UndefinedError:
        return None
    timed = {s for s in cell.constants if s.name in cell.sequences}
    if any(timed & set(symbols_of(block)) for block in blocks.values()):
        return None
    return Rest(biases, zeroed, blocks, reduced, unbiased)


def _biases(derivation: Derivation) -> tuple[MatrixSymbol, ...]:
    """The column parameters that are only ever a term of a sum."""
    terms: set[Basic] = set()
    others: set[Basic] = set()
    for equation in derivation.forward:
        for node in preorder_traversal(equation.value):
            found = terms if isinstance(node, MatAdd) else others
            found.update(node.args)
    columns = (p for p in derivation.cell.parameters if p.shape[1] == 1 and p.shape != SCALAR)
    return tuple(p for p in columns if p in terms and p not in others)


def _stays(derivation: Derivation, zeroed: tuple[MatrixSymbol, ...]) -> bool:
    values = _values(derivation, zeroed)
    return all(isinstance(values[state], ZeroMatrix) for state in derivation.cell.states)


def _values(derivation: Derivation, zeroed: tuple[MatrixSymbol, ...]) -> Values:
    """What each symbol of the step is at rest; matrices that time does not change keep names."""
    cell = derivation.cell
    fixed = derivation.timeless
    values: Values = {
        s: ZeroMatrix(*s.shape) for s in (*cell.inputs, *cell.previous_states, *zeroed)
    }
    for equation in derivation.forward:
        if equation.target not in fixed or equation.target.shape[1] == 1:
            values[equation.target] = _settled(equation.value, values)
    return values


def _reduced(derivation: Derivation, values: Values) -> MatrixExpr | None:
    """A matrix of one state's size with J₀'s eigenvalues, apart from zeros."""
    jacobian = derivation.step_jacobian
    names = [state.name for state in derivation.cell.states]
    if len(names) == 1:
        return _settled(jacobian.expanded(names[0], names[0]), values)
    found = find_carousel(derivation)
    if found is None:
        return None
    written: dict[MatrixExpr, MatrixExpr] = {}
    for name, value in jacobian.named:
        written[name] = replace(value, written)
    kept, readout, through, corner = (
        _settled(replace(part, written), values)
        for part in (found.kept, found.readout, found.coupling, found.rest)
    )
    if not isinstance(corner, ZeroMatrix):
        return None
    return _sum([diagonal(kept), product(through, diagonal(readout))])


def _settled(expr: MatrixExpr, values: Values) -> MatrixExpr:
    """The expression at rest: zeros and numbers worked out, parameters kept.

    Raises:
        _UndefinedError: for the slope of a function with a kink, for functions of vectors, where
            two are equal of which one is chosen, and for what has no value at zero.
    """
    match expr:
        case MatrixSymbol():
            return values.get(expr, expr)
        case Identity() | ZeroMatrix() | OneMatrix():
            return expr
        case Elementwise(args=(_, argument, *_)):
            return _applied(expr, _settled(argument, values))
        case Slope(args=(_, argument, *_)):
            if expr.function.kink:
                raise _UndefinedError
            return _applied(expr, _settled(argument, values))
        case MatAdd(args=terms):
            return _sum([_settled(term, values) for term in terms])
        case HadamardProduct(args=factors):
            return hadamard(*(_settled(factor, values) for factor in factors))
        case MatMul():
            number, other = split_coefficient(expr)
            parts = other.args if isinstance(other, MatMul) else (other,)
            return scale(number, product(*(_settled(part, values) for part in parts)))
        case DiagMatrix(args=(column,)):
            return diagonal(_settled(column, values))
        case Broadcast(args=(inner, *_)):
            number, other = split_coefficient(_settled(inner, values))
            if isinstance(other, (OneMatrix, ZeroMatrix)):
                return scale(number, type(other)(*expr.shape))
            return scale(number, Broadcast(other, *expr.shape))
        case Concat(args=parts):
            made = [_settled(part, values) for part in parts]
            zero = all(isinstance(part, ZeroMatrix) for part in made)
            return ZeroMatrix(*expr.shape) if zero else Concat(*made)
        case Quotient(args=(top, bottom)):
            above, below = _settled(top, values), _settled(bottom, values)
            number, other = split_coefficient(below)
            if isinstance(below, ZeroMatrix):
                raise _UndefinedError
            if isinstance(other, OneMatrix):
                return scale(S.One / number, above)
            return above if isinstance(above, ZeroMatrix) else Quotient(above, below)
        case VectorFunction() | AtLeast() | Below():
            raise _UndefinedError
        case Maximum(args=pair) | Minimum(args=pair):
            one, two = (_settled(part, values) for part in pair)
            return one if one == two else expr.func(one, two)
    return expr.func(*(_settled(part, values) if isinstance(part, MatrixExpr) else part
                       for part in expr.args))  # fmt: skip


def _applied(expr: Elementwise | Slope, argument: MatrixExpr) -> MatrixExpr:
    """φ(c 𝟙) as a number times 𝟙, where the number is rational; else φ of the argument.

    Raises:
        _UndefinedError: where the function has no value or no slope.
    """
    number, other = split_coefficient(argument)
    row = expr.function
    formula = row.slope if isinstance(expr, Slope) else row.formula
    if isinstance(argument, ZeroMatrix):
        number, other = S.Zero, OneMatrix(*argument.shape)
    if row.needs and isinstance(other, OneMatrix) and number <= 0:
        raise _UndefinedError
    if isinstance(other, OneMatrix):
        value = row.bind(formula, expr.parameters).subs(X, number)
        if value.is_Rational:
            return scale(value, other)
    return expr.func(expr.args[0], argument, *expr.parameters)


def _sum(terms: list[MatrixExpr]) -> MatrixExpr:
    """The sum in the order given, multiples of 𝟙 and of I put together."""
    order: list[MatrixExpr] = []
    counts: dict[MatrixExpr, Number] = {}
    for term in terms:
        for part in term.args if isinstance(term, MatAdd) else (term,):
            number, other = split_coefficient(part)
            key = other if isinstance(other, (OneMatrix, Identity)) else part
            if key not in counts:
                order.append(key)
            one = number if key is not part else S.One
            counts[key] = counts.get(key, S.Zero) + one
    return add(*(scale(counts[key], key) for key in order))
