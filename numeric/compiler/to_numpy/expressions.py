"""Statements as NumPy expressions: the spelling of each operation.

In: a program, a style. Out: for a statement the text of its right side and how tightly it
binds; the functions of the style that the text calls are collected on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import ClassVar, Final

from sympy import Expr, Number, S

from derive.language.functions import FUNCTIONS
from numeric.compiler.operations import EXPRESSIONS, OPERATIONS
from numeric.compiler.program import Dims, Operand, Program, Statement
from numeric.compiler.target import Style
from numeric.compiler.to_numpy.by_part import ByPart
from numeric.compiler.to_numpy.checks import EACH, HELPERS
from numeric.compiler.to_numpy.formula import ATOM, PRODUCT, SUM, number_text
from numeric.compiler.to_numpy.functions import IN_PLACE
from numeric.compiler.to_numpy.own_names import free

KINDS: Final = {"function": "value", "slope": "slope", "slope_from_output": "slope_from_output"}
SUFFIXES: Final = {"value": "", "slope": "_slope", "slope_from_output": "_slope_from_output"}


@dataclass
class Spelled:
    """The right sides of a program's statements in one style.

    `helpers` collects the emitted functions; `inlined` holds the text of temporaries that are
    written where they are used; `renamed` what an array is called in the text; `viewed`
    which views have a line already; `terms` in which sum's array a term of it stands;
    `parts` the names under which rows are looked at part by part; `each` the text of functions
    that NumPy has not.
    """

    each: ClassVar[Mapping[str, str]] = EACH

    program: Program
    style: Style
    helpers: dict[str, str] = field(default_factory=dict)
    inlined: dict[str, tuple[str, int]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    viewed: set[str] = field(default_factory=set)
    terms: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)

    @cached_property
    def layout(self) -> ByPart:
        """Which arrays of loops are kept part by part."""
        return ByPart(self.program)

    # ---- operands ---------------------------------------------------------------------------

    def operand(self, operand: Operand, in_loop: bool = False) -> tuple[str, int]:
        """The text of an operand and how tightly it binds."""
        if not isinstance(operand, str):
            return number_text(operand)
        if operand in self.inlined:
            return self.inlined[operand]
        operand = self.terms.get(operand, operand)
        name = self.renamed.get(operand, operand)
        return (f"{name}[t]" if in_loop and self.program.is_sequence(operand) else name), ATOM

    def transposed(self, name: str) -> str:
        """What a matrix's transpose is called where it is kept."""
        return free(f"{name}_T", self.program.dims)

    def bound(self, operand: Operand, in_loop: bool, level: int) -> str:
        """The text of an operand, in brackets where it binds less than the level."""
        text, binds = self.operand(operand, in_loop)
        return text if binds >= level else f"({text})"

    # ---- one statement as an expression -----------------------------------------------------

    def expression(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        """The right side of a statement."""
        if statement.op in EXPRESSIONS:
            parts = [self.bound(o, in_loop, ATOM) for o in statement.operands]
            return EXPRESSIONS[statement.op].format(*parts), ATOM
        return getattr(self, f"_{statement.op}")(statement, in_loop)  # type: ignore[no-any-return]

    def _add(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        text = ""
        for sign, operand in zip(statement.settings, statement.operands, strict=True):
            part = self.bound(operand, in_loop, PRODUCT if sign < 0 else SUM)
            text += (" - " if sign < 0 else " + ") + part if text else "-" * (sign < 0) + part
        return text, SUM if len(statement.operands) > 1 else PRODUCT

    def _multiply(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        sign = {"multiply": " * ", "divide": " / ", "product": " @ "}[statement.op]
        return sign.join(self.bound(o, in_loop, ATOM) for o in statement.operands), PRODUCT

    _divide = _product = _multiply

    def _maximum(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        one, two = (self.operand(o, in_loop)[0] for o in statement.operands)
        return f"np.{statement.op}({one}, {two})", ATOM

    _minimum = _maximum

    def _at_least(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        one, two = (self.bound(o, in_loop, SUM) for o in statement.operands)
        return f"{one} {'>=' if statement.op == 'at_least' else '<'} {two}", 0

    _below = _at_least

    def _apply(
        self, statement: Statement, in_loop: bool, transposed: str = ".T"
    ) -> tuple[str, int]:
        a, w = (self.bound(o, in_loop, ATOM) for o in statement.operands)
        dims = self.dims(statement.operands[0], in_loop)
        if len(dims) == 3:
            columns = size_text(self.dims(statement.target, in_loop)[-1])
            rows = f"{a}.reshape(T * B, {size_text(dims[-1])})"
            return f"({rows} @ {w}{transposed}).reshape(T, B, {columns})", ATOM
        return f"{a} @ {w}{transposed}", PRODUCT

    def _pull(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        return self._apply(statement, in_loop, "")

    def _outer(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        u, v = (self.bound(o, in_loop, ATOM) for o in statement.operands)
        dims = [self.dims(o, in_loop) for o in statement.operands]
        if all(len(d) == 1 for d in dims):
            return f"np.outer({u}, {v})", ATOM
        if len(dims[0]) > 2:
            u, v = (f"{text}.reshape({_product_text(d[:-1])}, {size_text(d[-1])})"
                    for text, d in zip((u, v), dims, strict=True))  # fmt: skip
        return f"{u}.T @ {v}", PRODUCT

    def _each_dot(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        """The sum of all entries of a product: a row of all of one meets a column of the other."""
        a, b = (self.bound(o, in_loop, ATOM) for o in statement.operands)
        *lead, rows, columns = self.dims(statement.operands[0], in_loop)
        size, one = prod((rows, columns)), S.One
        return (
            f"({a}.reshape{shape_text((*lead, one, size))} "
            f"@ {b}.reshape{shape_text((*lead, size, one))})[..., 0]"
        ), ATOM

    def _function(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        """A call, or for a spelling that is one call or one short product, the spelling itself."""
        name, *parameters = statement.settings
        kind = KINDS[statement.op]
        spelled = spell(getattr(self.style.spelling(name), kind), name, tuple(parameters))
        letter = "y" if statement.op == "slope_from_output" else "a"
        text, _ = self.operand(statement.operands[0], in_loop)
        if spelled == f"np.{name}({letter})":
            return f"np.{name}({text})", ATOM
        if (
            statement.op == "slope_from_output"
            and spelled.count(letter) <= 2
            and ("np." not in spelled)
        ):
            inner = self.bound(statement.operands[0], in_loop, ATOM)
            return re.sub(rf"\b{letter}\b", inner, spelled), SUM
        call = self.helper(name, kind, tuple(parameters))
        return f"{call}({text})", ATOM

    _slope = _slope_from_output = _function

    def helper(self, name: str, kind: str, parameters: tuple[Number, ...]) -> str:
        """The name of an emitted function; its text is kept for the top of the module."""
        tag = "".join(f"_{number_text(p)[0]}".translate(_IDENTIFIER) for p in parameters)
        call = f"{name}{SUFFIXES[kind]}{tag}"
        letter = "y" if kind == "slope_from_output" else "a"
        text = spell(getattr(self.style.spelling(name), kind), name, parameters)
        used = {one: self.each[one] for one in EACH if re.search(rf"\b{one}\(", text)}
        self.helpers |= used
        if call in used:
            return call
        if self.style.in_place:
            body = IN_PLACE.get(call) or (
                f'\ndef {call}({letter}, out):\n    np.copyto(out, {text}, casting="unsafe")\n'
            )
        else:
            body = f"\ndef {call}({letter}):\n    return {text}\n"
        self.helpers[call] = body
        return call

    def _softmax(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        self.helpers["softmax"] = (
            "\ndef softmax(a):\n"
            "    e = np.exp(a - np.max(a, axis=-1, keepdims=True))\n"
            "    return e / e.sum(axis=-1, keepdims=True)\n"
        )
        return f"softmax({self.operand(statement.operands[0], in_loop)[0]})", ATOM

    def _concat(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        parts = ", ".join(self.operand(o, in_loop)[0] for o in statement.operands)
        axis = 0 if statement.op == "stack" else -1
        return f"np.concatenate(({parts}), axis={axis})", ATOM

    _stack = _concat

    def _columns(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        source = self.bound(statement.operands[0], in_loop, ATOM)
        return f"{source}[..., {slice_text(*statement.settings)}]", ATOM

    def _rows(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        source = self.bound(statement.operands[0], in_loop, ATOM)
        return f"{source}[{slice_text(*statement.settings)}]", ATOM

    def _total(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        source = self.bound(statement.operands[0], in_loop, ATOM)
        return f"{source}.sum(axis=-1, keepdims=True)", ATOM

    def _gather(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        source = self.bound(statement.operands[0], in_loop, ATOM)
        lead = len(self.dims(statement.operands[0], in_loop)) - len(statement.settings)
        if not statement.settings:
            return f"{source}.sum(keepdims=True).reshape(())", ATOM
        if lead <= 0:  # of one number there is nothing to sum
            return source, ATOM
        axes = "0" if lead == 1 else str(tuple(range(lead)))
        return f"{source}.sum(axis={axes})", ATOM

    def _spread(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        text, _ = self.operand(statement.operands[0], in_loop)
        if not isinstance(statement.operands[0], str):
            return f"np.full_like(like, {text}, shape={shape_text(statement.settings)})", ATOM
        return f"np.broadcast_to({text}, {shape_text(statement.settings)})", ATOM

    def _select(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        parts = ", ".join(self.operand(o, in_loop)[0] for o in statement.operands)
        return f"np.where({parts})", ATOM

    def _inside(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        self.helpers["inside"] = HELPERS["inside"]
        rows, outside = (self.operand(o, in_loop)[0] for o in statement.operands)
        return f"inside({rows}, {outside}, ragged)", ATOM

    def _at_end(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        rows, ends = (self.operand(o, in_loop)[0] for o in statement.operands)
        return f"{rows}[{ends}, np.arange(B)]", ATOM

    def _scatter(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        return self._emitted(statement, shape_text(statement.settings), "like")

    _from_end = _scatter

    def _cross_entropy(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        return self._emitted(statement)

    _cross_entropy_slope = _cross_entropy

    def _emitted(self, statement: Statement, *more: str) -> tuple[str, int]:
        """A call of a function that travels with the module."""
        self.helpers[statement.op] = HELPERS[statement.op]
        parts = [self.operand(o)[0] for o in statement.operands]
        return f"{statement.op}({', '.join([*parts, *more])})", ATOM

    def _zeros(self, statement: Statement, in_loop: bool) -> tuple[str, int]:
        return f"np.zeros_like(like, shape={shape_text(statement.settings)})", ATOM

    def dims(self, operand: Operand, in_loop: bool) -> Dims:
        """The dimensions of the array that the text of an operand stands for."""
        if not isinstance(operand, str):
            return ()
        dims = self.program.dims[operand]
        return dims[1:] if in_loop and self.program.is_sequence(operand) else dims


SPELLED: Final = frozenset(
    op for op in OPERATIONS if op in EXPRESSIONS or hasattr(Spelled, f"_{op}")
)
_IDENTIFIER: Final = str.maketrans({".": "p", "/": "_over_", "-": "m", **dict.fromkeys("+() ")})


def spell(template: str, name: str, parameters: tuple[Number, ...]) -> str:
    """A spelling with the function's numbers put in."""
    from_table = _defaults(name)
    given = [number_text(p)[0] for p in parameters]
    values = dict(zip(from_table, [*given, *list(from_table.values())[len(given) :]], strict=True))
    return template.format(**values) if values else template


def _defaults(name: str) -> dict[str, str]:
    from_table = FUNCTIONS[name].parameters
    return {str(symbol): number_text(default)[0] for symbol, default in from_table}


def size_text(extent: Expr) -> str:
    """A size as Python source."""
    terms = extent.as_ordered_terms()[::-1] if extent.is_Add else [extent]
    return " + ".join(re.sub(r"\*+", r" \g<0> ", str(term)) for term in terms)


def _product_text(dims: Dims) -> str:
    """How many rows there are, as Python source."""
    return " * ".join(f"({size_text(d)})" if d.is_Add else size_text(d) for d in dims)


def part_text(start: Expr, size: Expr, width: Expr) -> str:
    """The index of one part, or of several."""
    first, count = start / width, size / width
    return size_text(first) if count == 1 else slice_text(first, count)


def shape_text(dims: Dims) -> str:
    """Dimensions as a Python tuple."""
    inner = ", ".join(size_text(extent) for extent in dims)
    return f"({inner},)" if len(dims) == 1 else f"({inner})"


def slice_text(start: Expr, size: Expr) -> str:
    """`start : start + size` as Python source."""
    end = size_text(start + size)
    return f"{'' if start == 0 else size_text(start)}:{end}"
