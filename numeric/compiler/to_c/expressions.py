"""Entrywise statements as C: one expression on vectors each.

In: a statement and the text of its operands. Out: the text of its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from derive.language.functions import FUNCTIONS
from numeric.compiler.program import Operand, Statement
from numeric.compiler.target import Style
from numeric.compiler.to_c.names import number_text

KINDS: Final = {"function": "value", "slope": "slope", "slope_from_output": "slope_from_output"}
_ONE, _ZERO = "splat(R(1.0))", "splat(R(0.0))"
Text = Callable[[str], str]


def expression(statement: Statement, style: Style, text: Text) -> str:
    """The right side of an entrywise statement; `text` gives that of a name."""
    return _SPELLED[statement.op](statement, style, text)


def _operands(statement: Statement, text: Text) -> list[str]:
    """The operands; numbers stand as they are beside a vector, else as a vector."""
    made = [text(o) if isinstance(o, str) else number_text(o) for o in statement.operands]
    return made if statement.reads else [f"splat({part})" for part in made]


def _add(statement: Statement, style: Style, text: Text) -> str:
    total = ""
    for sign, part in zip(statement.settings, _operands(statement, text), strict=True):
        total += f" {'-' if sign < 0 else '+'} {part}" if total else "-" * (sign < 0) + part
    return total


def _multiply(statement: Statement, style: Style, text: Text) -> str:
    return " * ".join(_operands(statement, text))


def _divide(statement: Statement, style: Style, text: Text) -> str:
    return " / ".join(_operands(statement, text))


_SIGNS: Final = {"maximum": "<", "minimum": ">", "at_least": ">=", "below": "<"}


def _pair(statement: Statement, style: Style, text: Text) -> str:
    a, b = (_vector(operand, text) for operand in statement.operands)
    chosen = (b, a) if statement.op in {"maximum", "minimum"} else (_ONE, _ZERO)
    return f"choose({a} {_SIGNS[statement.op]} {b}, {chosen[0]}, {chosen[1]})"


def _spread(statement: Statement, style: Style, text: Text) -> str:
    return _operands(statement, text)[0]


def _select(statement: Statement, style: Style, text: Text) -> str:
    where, first, second = (_vector(operand, text) for operand in statement.operands)
    return f"choose({where} > splat(R(0.0)), {first}, {second})"


def _function(statement: Statement, style: Style, text: Text) -> str:
    name, *given = statement.settings
    spelled = getattr(style.spelling(name), KINDS[statement.op])
    table = FUNCTIONS[name].parameters
    numbers = [*given, *(default for _, default in table[len(given) :])]
    values = {str(s): number_text(n) for (s, _), n in zip(table, numbers, strict=True)}
    (operand,) = statement.operands
    inner = _vector(operand, text)
    letter = "y" if statement.op == "slope_from_output" else "a"
    spelled = spelled.format(**values) if values else spelled
    return re.sub(rf"\b{letter}\b", lambda _: inner, spelled)


def _vector(operand: Operand, text: Text) -> str:
    return text(operand) if isinstance(operand, str) else f"splat({number_text(operand)})"


_SPELLED: Final[dict[str, Callable[[Statement, Style, Text], str]]] = {
    "add": _add,
    "multiply": _multiply,
    "divide": _divide,
    **dict.fromkeys(_SIGNS, _pair),
    "spread": _spread,
    "select": _select,
    "function": _function,
    "slope": _function,
    "slope_from_output": _function,
}
