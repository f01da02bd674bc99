"""What a gate near 0 and near 1 does: the equations it is in, with 0 and with 1 put in its place.

In: a cell. Out: for each gate and each equation in which it is a factor the value at both ends,
and what then becomes of the direct derivative by a state before it. A gate is a result of a
function with values between 0 and 1 that is a factor of an elementwise product, or scales the
rows or columns of a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import (
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    ZeroMatrix,
    preorder_traversal,
)
from sympy.matrices.expressions import DiagMatrix, HadamardProduct

from derive.cell import Cell, Equation, previous
from derive.language.expr import (
    Elementwise,
    Quotient,
    add,
    diagonal,
    hadamard,
    operands,
    product,
    replace,
    split_coefficient,
    symbols_of,
)
from derive.language.functions import X


@dataclass(frozen=True)
class End:
    """An equation with a gate at one end: `value` is 0 or 1, `becomes` the right side there.

    `direct` is by which previous state the equation has a term that is this state times factors
    alone, and what the derivative of these terms by it becomes.
    """

    gate: MatrixSymbol
    value: int
    target: MatrixSymbol
    becomes: MatrixExpr
    direct: tuple[MatrixSymbol, MatrixExpr] | None


def gates(cell: Cell) -> tuple[MatrixSymbol, ...]:
    """The gates, in the order of their equations."""
    factors = {
        symbol
        for equation in cell.equations
        for node in preorder_traversal(equation.value)
        if isinstance(node, (HadamardProduct, DiagMatrix))
        for factor in node.args
        for symbol in _as_gate(factor)
    }
    return tuple(e.target for e in cell.equations if e.target in factors and _between(e.value))


def _as_gate(factor: MatrixExpr) -> Iterator[MatrixSymbol]:
    """The symbol g of a factor g or 1 − g."""
    if isinstance(factor, MatrixSymbol):
        yield factor
    elif isinstance(factor, MatAdd) and any(isinstance(term, OneMatrix) for term in factor.args):
        yield from symbols_of(factor)


def _between(value: MatrixExpr) -> bool:
    """Whether the value is of a function between 0 and 1, of the parameters it has by default."""
    if not isinstance(value, Elementwise) or value.parameters:
        return False
    found = value.function.range
    return bool(found.inf == 0 and found.sup == 1)


def ends(cell: Cell, gate: MatrixSymbol) -> tuple[End, ...]:
    """The equations that the gate is a factor in, at 0 and at 1, where they have a value there."""
    made = []
    for equation in cell.equations:
        if gate == equation.target or gate not in {*symbols_of(equation.value)}:
            continue
        for value, whole in ((0, ZeroMatrix), (1, OneMatrix)):
            there = {gate: whole(*gate.shape)}
            if _without_value(replace(equation.value, there)):
                continue
            direct = _direct(cell, equation, gate)
            if direct is not None:
                direct = direct[0], limit(replace(direct[1], there))
            becomes = limit(replace(equation.value, there))
            made.append(End(gate, value, equation.target, becomes, direct))
    return tuple(made)


def kept(cell: Cell, equation: Equation) -> tuple[MatrixSymbol, MatrixExpr] | None:
    """The state's own previous value, and what multiplies it in the equation of the state.

    None where no term of a sum is the previous state times factors, or the factors are unknown.
    """
    if equation.target not in cell.states:
        return None
    before = previous(equation.target)
    terms = equation.value.args if isinstance(equation.value, MatAdd) else (equation.value,)
    found: list[MatrixExpr] = []
    for term in terms:
        number, rest = split_coefficient(term)
        factors = rest.args if isinstance(rest, HadamardProduct) else (rest,)
        others = [factor for factor in factors if factor != before]
        if len(others) == len(factors) - 1 and all(before not in {*symbols_of(o)} for o in others):
            left = hadamard(*others) if others else OneMatrix(*before.shape)
            found.append(product(diagonal(left)) if number == 1 else number * diagonal(left))
    return (before, add(*found)) if found else None


def _direct(
    cell: Cell, equation: Equation, gate: MatrixSymbol
) -> tuple[MatrixSymbol, MatrixExpr] | None:
    found = kept(cell, equation)
    return found if found is not None and gate in {*symbols_of(found[1])} else None


def _without_value(expr: MatrixExpr) -> bool:
    """Whether something is divided by zero, or a function taken where it has no value."""
    for node in preorder_traversal(expr):
        if isinstance(node, Quotient) and isinstance(limit(node.args[1]), ZeroMatrix):
            return True
        if isinstance(node, Elementwise):
            for whole, value in ((ZeroMatrix, 0), (OneMatrix, 1)):
                if isinstance(limit(node.argument), whole):
                    made = node.function.formula.subs(X, value)
                    if made.is_finite is False:
                        return True
    return False


def limit(expr: MatrixExpr) -> MatrixExpr:
    """The expression with the zeros and ones in it worked out as far as they go."""
    if isinstance(expr, MatrixSymbol) or not operands(expr):
        return expr
    number, rest = split_coefficient(expr)
    if number != 1:
        inner = limit(rest)
        return inner if isinstance(inner, ZeroMatrix) else MatMul(number, inner)
    parts = [limit(part) if isinstance(part, MatrixExpr) else part for part in expr.args]
    match expr:
        case MatAdd():
            return _sum(parts)
        case HadamardProduct():
            return hadamard(*parts)
        case MatMul():
            return product(*parts)
        case DiagMatrix():
            return diagonal(parts[0])
        case Quotient() if isinstance(parts[0], ZeroMatrix):
            return parts[0]
    return expr.func(*parts)


def _sum(terms: list[MatrixExpr]) -> MatrixExpr:
    """A sum in which 𝟙 and −𝟙 cancel."""
    ones = [term for term in terms if isinstance(split_coefficient(term)[1], OneMatrix)]
    if len(ones) > 1 and sum(split_coefficient(term)[0] for term in ones) == 0:
        terms = [term for term in terms if term not in ones] or [ZeroMatrix(*terms[0].shape)]
    return add(*terms)
