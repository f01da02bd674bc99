"""What each operation of a program means on NumPy arrays.

In: operands and settings. Out: the value. `OPERATIONS` is the table that every target spells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from sympy import Number, Symbol, lambdify

from derive.language.functions import FUNCTIONS


def _add(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    total = operands[0] if settings[0] > 0 else -operands[0]
    for sign, operand in zip(settings[1:], operands[1:], strict=True):
        total = total + operand if sign > 0 else total - operand
    return total


def _multiply(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    result = operands[0]
    for operand in operands[1:]:
        result = result * operand
    return result


def _outer(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    u, v = (np.asarray(operand) for operand in operands)
    return u.reshape(-1, u.shape[-1]).T @ v.reshape(-1, v.shape[-1])


@cache
def _entrywise(name: str, formula: str, parameters: tuple[Number, ...]) -> Callable[[Any], Any]:
    row = FUNCTIONS[name]
    expr = row.bind(getattr(row, formula), parameters)
    (symbol,) = expr.free_symbols or {Symbol("unused")}
    entry: Callable[[Any], Any] = lambdify(symbol, expr, "numpy")
    return entry


def _function(formula: str) -> Callable[[list[Any], tuple[Any, ...]], Any]:
    def evaluate(operands: list[Any], settings: tuple[Any, ...]) -> Any:
        name, *parameters = settings
        argument = np.asarray(operands[0], float)
        values = _entrywise(name, formula, tuple(parameters))(argument)
        return np.broadcast_to(values, argument.shape)

    return evaluate


def _softmax(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    e = np.exp(operands[0] - np.max(operands[0], axis=-1, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=-1, keepdims=True)


def _scatter(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    rows, places = operands
    total = np.zeros(settings)
    np.add.at(total, places, rows)
    return total


def _from_end(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    rows, ends = operands
    spread = np.zeros(settings)
    spread[ends, np.arange(len(ends))] = rows
    return spread


def _written(text: str) -> Callable[[list[Any], tuple[Any, ...]], Any]:
    """The meaning of an operation that NumPy says in one expression."""
    names = ["a", "b", "c"][: text.count("{}")]
    meaning = eval(f"lambda {', '.join(names)}: {text.format(*names)}", {"np": np})
    return lambda operands, settings: meaning(*operands)


def _log_softmax(o: Any) -> Any:
    shifted = o - np.max(o, axis=-1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _cross_entropy(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    o, targets, *outside = operands
    picked = np.take_along_axis(_log_softmax(o), targets[..., None], axis=-1)
    return -np.sum(np.where(outside[0], 0, picked) if outside else picked)


def _cross_entropy_slope(operands: list[Any], settings: tuple[Any, ...]) -> Any:
    o, targets, *outside = operands
    slope = np.exp(_log_softmax(o)) - (np.arange(o.shape[-1]) == targets[..., None])
    return np.where(outside[0], 0, slope) if outside else slope


EXPRESSIONS: Final[dict[str, str]] = {
    "transpose": "{}.T",
    "embed": "{}[{}]",
    # what is done with a matrix of each sample, (…, rows, columns), and vectors (…, size)
    "each_transpose": "{}.swapaxes(-1, -2)",
    "each_apply": "({} @ {}[..., None])[..., 0]",
    "each_pull": "({}[..., None, :] @ {})[..., 0, :]",
    "each_outer": "({}[..., None] * {}[..., None, :])",
    "scale_rows": "({}[..., None] * {})",
    "scale_columns": "({} * {}[..., None, :])",
    "sum_rows": "{}.sum(axis=-2)",
    "sum_columns": "{}.sum(axis=-1)",
    "lift": "{}[..., None]",
}
"""Operations whose meaning is one NumPy expression of their operands: it is their spelling, too."""

OPERATIONS: Final[dict[str, Callable[[list[Any], tuple[Any, ...]], Any]]] = {
    "add": _add,
    "multiply": _multiply,
    "divide": lambda o, s: o[0] / o[1],
    "maximum": lambda o, s: np.maximum(*o),
    "minimum": lambda o, s: np.minimum(*o),
    "at_least": lambda o, s: np.greater_equal(*o).astype(float),
    "below": lambda o, s: np.less(*o).astype(float),
    "apply": lambda o, s: o[0] @ o[1].T,
    "pull": lambda o, s: o[0] @ o[1],
    "outer": _outer,
    "product": lambda o, s: o[0] @ o[1],
    "function": _function("formula"),
    "slope": _function("slope"),
    "slope_from_output": _function("slope_from_output"),
    "softmax": _softmax,
    "each_dot": lambda o, s: np.sum(o[0] * o[1], axis=(-2, -1))[..., None],
    "concat": lambda o, s: np.concatenate(o, axis=-1),
    "stack": lambda o, s: np.concatenate(o, axis=0),
    "columns": lambda o, s: o[0][..., s[0] : s[0] + s[1]],
    "rows": lambda o, s: o[0][s[0] : s[0] + s[1]],
    "total": lambda o, s: np.sum(o[0], axis=-1, keepdims=True),
    "gather": lambda o, s: np.sum(
        np.asarray(o[0]), axis=tuple(range(np.ndim(o[0]) - len(s))) if s else None
    ),
    "spread": lambda o, s: np.broadcast_to(o[0], s),
    "zeros": lambda o, s: np.zeros(s),
    "select": lambda o, s: np.where(*o),
    "inside": lambda o, s: np.where(o[1], 0, o[0]),
    "scatter": _scatter,
    "at_end": lambda o, s: o[0][o[1], np.arange(len(o[1]))],
    "from_end": _from_end,
    "cross_entropy": _cross_entropy,
    "cross_entropy_slope": _cross_entropy_slope,
    **{op: _written(text) for op, text in EXPRESSIONS.items()},
}
