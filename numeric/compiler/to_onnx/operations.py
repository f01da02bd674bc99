"""Operations of a program as nodes of ONNX: each row of the table writes one.

In: a graph, the names of the operands, settings. Out: the name of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

from sympy import Add, And, Max, Min, Mul, Or, Piecewise, Pow, S

from derive.language.functions import FUNCTIONS, X
from numeric.compiler.to_onnx.graph import Graph

_DIRECT: Final = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "abs": "Abs", "softplus": "Softplus",
}  # fmt: skip
_OF_ONE: Final = frozenset((
    "Abs", "Acosh", "Asinh", "Atan", "Cos", "Cosh", "Erf", "Exp", "Log", "Sign", "Sin", "Sinh",
    "Tanh",
))  # fmt: skip
Write = Callable[[Graph, Sequence[str], tuple[Any, ...]], str]


def _add(g: Graph, given: Sequence[str], signs: tuple[Any, ...]) -> str:
    total = given[0] if signs[0] > 0 else g.add("Neg", [given[0]])
    for plus, other in zip(signs[1:], given[1:], strict=True):
        total = g.add("Add" if plus > 0 else "Sub", [total, other])
    return total


def _function(g: Graph, given: Sequence[str], settings: tuple[Any, ...]) -> str:
    name, *parameters = settings
    if name in _DIRECT and not parameters:
        return g.add(_DIRECT[name], given)
    row = FUNCTIONS[name]
    return _formula(g, row.bind(row.formula, tuple(parameters)), given[0])


def _formula(g: Graph, formula: Any, argument: str) -> str:
    """A formula of one variable.

    Raises:
        ValueError: if a part of it has no node.
    """

    def of(part: Any) -> str:
        return _formula(g, part, argument)

    if formula == X:
        return argument
    if not formula.free_symbols:
        return g.constant(float(formula))
    if (op := type(formula).__name__.capitalize()) in _OF_ONE:
        return g.add(op, [of(formula.args[0])])
    match formula:
        case Add():
            return reduce(lambda a, b: g.add("Add", [a, b]), map(of, formula.args))
        case Mul():
            return reduce(lambda a, b: g.add("Mul", [a, b]), map(of, formula.args))
        case Pow(base=base, exp=power) if power == S.Half:
            return g.add("Sqrt", [of(base)])
        case Pow(base=base, exp=power) if power.is_Rational and power < 0:
            return g.add("Div", [g.constant(1.0), of(base**-power)])
        case Pow(base=base, exp=power) if power.is_Rational:
            return g.add("Pow", [of(base), g.constant(float(power))])
        case Max() | Min():
            op = "Max" if isinstance(formula, Max) else "Min"
            return reduce(lambda a, b: g.add(op, [a, b]), map(of, formula.args))
        case Piecewise():
            return _pieces(g, formula, of)
    raise ValueError(f"target onnx: no node for {formula}; target numpy writes this cell")


_RELATIONS: Final = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual"}


def _pieces(g: Graph, formula: Piecewise, of: Callable[[Any], str]) -> str:
    """The first piece whose condition holds."""
    *pieces, (last, _) = formula.args
    made = of(last)
    for value, condition in reversed(pieces):
        made = g.add("Where", [_condition(g, condition, of), of(value), made])
    return made


def _condition(g: Graph, condition: Any, of: Callable[[Any], str]) -> str:
    """Where it holds.

    Raises:
        ValueError: for a condition that is made of no comparisons.
    """
    if isinstance(condition, (And, Or)):
        parts = [_condition(g, part, of) for part in condition.args]
        op = "And" if isinstance(condition, And) else "Or"
        return reduce(lambda a, b: g.add(op, [a, b]), parts)
    relation = _RELATIONS.get(getattr(condition, "rel_op", ""))
    if relation is None:
        raise ValueError(f"target onnx: no node for {condition}; target numpy writes this cell")
    return g.add(relation, [of(condition.lhs), of(condition.rhs)])


def _columns(g: Graph, given: Sequence[str], settings: tuple[Any, ...], axis: int = -1) -> str:
    start, size = (S(one) for one in settings)
    return g.add("Slice", [given[0], g.extent(start), g.extent(start + size), g.whole(axis)])


def _many(op: str, axes: Sequence[Sequence[int]], last: int | None = None) -> Write:
    """An operation on operands with axes put in, and one taken away."""

    def write(g: Graph, given: Sequence[str], settings: tuple[Any, ...]) -> str:
        parts = [g.add("Unsqueeze", [one, g.whole(*more)]) if more else one
                 for one, more in zip(given, axes, strict=True)]  # fmt: skip
        made = g.add(op, parts)
        return made if last is None else g.add("Squeeze", [made, g.whole(last)])

    return write


def _summed(axis: int, keep: int = 0) -> Write:
    return lambda g, o, s: g.add("ReduceSum", [o[0], g.whole(axis)], keepdims=keep)


def _each(op: str) -> Write:
    return lambda g, o, s: reduce(lambda a, b: g.add(op, [a, b]), o)


WRITTEN: Final[Mapping[str, Write]] = {
    "add": _add,
    "multiply": _each("Mul"),
    "divide": _each("Div"),
    "maximum": _each("Max"),
    "minimum": _each("Min"),
    "apply": lambda g, o, s: g.add("MatMul", [o[0], g.add("Transpose", [o[1]], perm=[1, 0])]),
    "pull": _each("MatMul"),
    "product": _each("MatMul"),
    "function": _function,
    "softmax": lambda g, o, s: g.add("Softmax", o, axis=-1),
    "concat": lambda g, o, s: g.add("Concat", o, axis=-1),
    "stack": lambda g, o, s: g.add("Concat", o, axis=0),
    "columns": _columns,
    "rows": lambda g, o, s: _columns(g, o, s, 0),
    "total": _summed(-1, 1),
    "gather": lambda g, o, s: g.add("ReduceSum", o, keepdims=0),  # forward: of all entries
    "sum_rows": _summed(-2),
    "sum_columns": _summed(-1),
    "spread": lambda g, o, s: g.add("Expand", [o[0], g.shape(s)]),
    "transpose": lambda g, o, s: g.add("Transpose", o, perm=[1, 0]),
    "each_transpose": lambda g, o, s: g.add("Transpose", o, perm=[0, 2, 1]),
    "lift": lambda g, o, s: g.add("Unsqueeze", [o[0], g.whole(-1)]),
    "each_apply": _many("MatMul", [(), (-1,)], -1),
    "each_pull": _many("MatMul", [(-2,), ()], -2),
    "each_outer": _many("Mul", [(-1,), (-2,)]),
    "scale_rows": _many("Mul", [(-1,), ()]),
    "scale_columns": _many("Mul", [(), (-2,)]),
}


def write(g: Graph, op: str, operands: Sequence[Any], settings: tuple[Any, ...]) -> str:
    """The result of an operation; operands are names, or numbers.

    Raises:
        ValueError: if it has no nodes.
    """
    if op not in WRITTEN:
        raise ValueError(f"target onnx: no nodes for {op!r}; target numpy writes this cell")
    given = [one if isinstance(one, str) else g.constant(float(one)) for one in operands]
    return WRITTEN[op](g, given, settings)
