"""How a cell says what its constants are by default: a number, values, or a rule by name.

In: the `defaults` of a cell and its constants. Out: nothing, or an error; the arrays are made
by `numeric.meaning.default_constants`. This table is the one that knows the rules' names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sympy import MatrixSymbol

from derive.language.syntax import CellError

CLOCK: Final = "clock"
BLOCK_UPPER: Final = "block_upper"
LEGENDRE: Final = "legendre"
RULES: Final[Mapping[str, str]] = {
    CLOCK: "a vector given anew at each step, 1 where a unit's period divides the step",
    BLOCK_UPPER: "a square matrix, 1 where a module of units may hear another",
    LEGENDRE: "a square matrix or a vector that moves a window in Legendre polynomials",
}
MAX_VALUES: Final = 10_000


def check_defaults(
    defaults: Mapping[str, Any],
    constants: Iterable[MatrixSymbol],
    sequences: frozenset[str],
    cell: str,
) -> None:
    """Refuse a default that no constant of the cell can have.

    A list is one step's value where the constant is a sequence; every step has it.

    Raises:
        CellError: naming the constant, what was expected and what came.
    """
    known = {symbol.name: symbol for symbol in constants}
    for name, value in defaults.items():
        if name not in known:
            said = ", ".join(known) or "it has none"
            raise CellError(
                f"'defaults' names {name!r}, which is no constant of the cell ({said})", cell=cell
            )
        symbol, sequence = known[name], name in sequences
        if isinstance(value, str):
            problem = _rule_problem(value, symbol, sequence)
        else:
            problem = _value_problem(value, symbol)
        if problem:
            raise CellError(f"the default of {name!r}: {problem}", cell=cell)


def rank(symbol: MatrixSymbol) -> int:
    """The number of axes of a constant at one step: 0 a scalar, 1 a vector, 2 a matrix."""
    if symbol.shape[1] != 1:
        return 2
    return 0 if symbol.shape[0] == 1 else 1


def _rule_problem(rule: str, symbol: MatrixSymbol, sequence: bool) -> str:
    if rule not in RULES:
        known = ", ".join(RULES)
        return f"expected a number, a list of numbers or a rule ({known}), came {rule!r}"
    square = rank(symbol) == 2 and symbol.shape[0] == symbol.shape[1]
    fits = {
        CLOCK: sequence and rank(symbol) == 1,
        BLOCK_UPPER: square and not sequence,
        LEGENDRE: (square or rank(symbol) == 1) and not sequence,
    }
    return "" if fits[rule] else f"the rule {rule!r} makes {RULES[rule]}; this one is none"


def _value_problem(value: Any, symbol: MatrixSymbol) -> str:
    if _is_number(value):
        return ""
    expected = ("a number", "a list of numbers", "a list of equally long rows")[rank(symbol)]
    if not isinstance(value, list):
        return f"expected {expected} or the name of a rule, came {value!r}"[:200]
    rows = [row if isinstance(row, list) else [row] for row in value]
    entries = [entry for row in rows for entry in row]
    if len(entries) > MAX_VALUES:
        return f"{len(entries)} values; at most {MAX_VALUES}"
    nested = {isinstance(row, list) for row in value}
    right = entries and all(map(_is_number, entries)) and len({len(row) for row in rows}) == 1
    if not right or rank(symbol) == 0 or nested != {rank(symbol) == 2}:
        return f"expected {expected}, all finite, came {value!r}"[:200]
    return ""


def _is_number(value: Any) -> bool:
    largest = sys.float_info.max
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= largest
