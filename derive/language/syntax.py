"""Equation text → syntax trees. Knows the grammar and nothing of shapes; needs no SymPy.

In: the text of a cell's equations. Out: one `Assignment` a line, each node with its place.
Nothing is executed: the text is read by the tokeniser and the recursive descent below, both
bounded in size and depth.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from derive.language.habits import instead

MAX_TEXT: Final = 20_000
MAX_DEPTH: Final = 90  # of the descent: three calls a bracket
MAX_HEIGHT: Final = 60  # of the tree: brackets, and operands in a row
MAX_NAME: Final = 40
MAX_DIGITS: Final = 40
MAX_MESSAGE: Final = 600
MAX_SHOWN: Final = 100  # of the line that an error shows

_TOKEN: Final = re.compile(
    r"(?P<number>([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][+-]?[0-9]{1,3})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\.T\b|[-+*/@=(),\[\]])"
)
PREVIOUS: Final = "_prev"  # how an author writes a state's value one step earlier
BAR: Final = ".bar"  # how the derivation names a cotangent: no author's name has a dot
LOSS: Final = ".bar_loss"
ROTATE: Final = "rotate"
STEP: Final = "step"
CARRY: Final = ".bar_carry"
DOT: Final = ".dot"  # and a small change
_OUR_SIZES: Final = frozenset({
    "T", "B", "t", "np", "params", "inputs", "initial", "constants", "states", "tape",
    "cotangents", "forward", "backward", "dtype", "range", "sizes", "targets", "lengths",
})  # fmt: skip


class CellError(ValueError):
    """A cell that cannot be: says where, what was expected, what came and what to do."""

    def __init__(
        self, message: str, *, cell: str = "", line: int = 0, column: int = 0, text: str = ""
    ) -> None:
        message = _cut(message, MAX_MESSAGE)
        self.message, self.cell, self.line, self.column = message, cell, line, column
        where = [f"cell {_cut(cell, MAX_NAME)!r}"] if cell else []
        if line:
            where.append(f"line {line}, column {column}")
        caret = _pointed(text, column) if text else ""
        super().__init__(f"{', '.join(where)}: {message}{caret}" if where else message + caret)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _pointed(text: str, column: int) -> str:
    """The part of the line around a column, and a caret below it; what is no letter as a dot."""
    start = 0 if len(text) <= MAX_SHOWN else max(0, column - 1 - MAX_SHOWN // 2)
    part = text[start : start + MAX_SHOWN]
    shown = "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in part)
    return f"\n    {shown}\n    {' ' * (column - 1 - start)}^"


@dataclass(frozen=True)
class Node:
    """A node of the syntax tree: a number, a name, a call or an operator, with its place."""

    kind: str
    value: str
    children: tuple[Node, ...]
    line: int
    column: int

    def walk(self) -> Iterator[Node]:
        """Every node below and including this one, in the order of reading."""
        yield self
        for child in self.children:
            yield from child.walk()

    def height(self) -> int:
        """The number of nodes on the longest way down."""
        level: tuple[Node, ...] = (self,)
        height = 0
        while level:
            height += 1
            level = tuple(child for node in level for child in node.children)
        return height


@dataclass(frozen=True)
class Assignment:
    """`target = value`, one line of a cell."""

    target: Node
    value: Node


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    line: int
    column: int


class _Parser:
    """Recursive descent over the tokens; one method a grammar rule."""

    def __init__(self, text: str, cell: str) -> None:
        self.cell = cell
        self.lines = text.rstrip().split("\n")
        self.tokens = list(self._tokens())
        self.position = 0
        self.open: list[_Token] = []

    def error(self, message: str, place: _Token | Node) -> CellError:
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        return CellError(
            message, cell=self.cell, line=place.line, column=place.column, text=line.rstrip()
        )

    def _tokens(self) -> Iterator[_Token]:
        open_brackets = 0
        for number, line in enumerate(self.lines, 1):
            code = line.split("#", 1)[0]
            at = 0
            while at < len(code):
                if code[at] in " \t\r":
                    at += 1
                    continue
                match = _TOKEN.match(code, at)
                if match is None:
                    place = _Token("", code[at], number, at + 1)
                    known = "the notation has names, numbers, @ * / + - .T , ( ) [ ] and ="
                    raise self.error(
                        f"unexpected {code[at]!r}: {instead(code, at + 1) or known}", place
                    )
                kind = str(match.lastgroup)
                token = _Token(kind, match.group(), number, at + 1)
                open_brackets += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.value, 0)
                yield token
                at = match.end()
            if open_brackets <= 0:
                yield _Token("end of line", "", number, len(code.rstrip()) + 1)
        yield _Token("end of line", "", len(self.lines), len(self.lines[-1]) + 1)

    @property
    def current(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.current
        if self.position < len(self.tokens) - 1:
            self.position += 1
        if token.value in {"(", "["}:
            self.open.append(token)
        elif token.value in {")", "]"} and self.open:
            self.open.pop()
        return token

    def expect(self, value: str, what: str) -> _Token:
        if self.current.value != value:
            raise self.unexpected(what, self.current, inside=value in {")", "]"})
        return self.take()

    def unexpected(self, what: str, place: _Token, *, inside: bool = False) -> CellError:
        """The error of another token than expected; `inside` an expression, after an operand."""
        came = repr(place.value) if place.value else f"the {place.kind}"
        line = self.lines[place.line - 1]
        hint = instead(line, place.column)
        if self.open and self.open[-1].line < place.line:
            bracket = self.open[-1]
            hint = (
                f"{bracket.value!r} of line {bracket.line}, column {bracket.column} is still open"
            )
        elif not hint and inside and (place.kind in {"name", "number"} or place.value == "("):
            hint = "write * for a product entry by entry, @ for one with a matrix"
        return self.error(f"expected {what}, came {came}{hint and '; '}{hint}", place)

    def assignments(self) -> Iterator[Assignment]:
        while self.position < len(self.tokens) - 1:
            if self.current.kind == "end of line":
                self.take()
                continue
            if self.current.kind != "name":
                raise self.unexpected("a name to assign to", self.current)
            target = self.name(self.take())
            if self.current.value == ",":
                yield from self.rotation(target)
                continue
            self.expect("=", "'=' after the name")
            value = self.sum(0)
            if self.current.kind != "end of line":
                raise self.unexpected(
                    "an operator or the end of the line", self.current, inside=True
                )
            if value.height() > MAX_HEIGHT:
                raise self.error(
                    f"nested deeper than {MAX_HEIGHT}: give a part of it a name of its own", target
                )
            yield Assignment(target, value)

    def rotation(self, first: Node) -> Iterator[Assignment]:
        """`u, v = rotate(a, b, theta)`: the pair (a, b) turned by the angle, entry by entry."""
        self.take()
        if self.current.kind != "name":
            raise self.error("expected a second name to assign to", self.current)
        second = self.name(self.take())
        self.expect("=", "'=' after the names")
        place = self.current
        call = self.sum(0)
        if (call.kind, call.value, len(call.children)) != ("call", ROTATE, 3):
            raise self.error(f"two names take what {ROTATE}(a, b, theta) makes", place)
        if self.current.kind != "end of line":
            raise self.unexpected("the end of the line", self.current)
        if call.height() > MAX_HEIGHT - 3:
            raise self.error(
                f"nested deeper than {MAX_HEIGHT}: give a part of it a name of its own", place
            )
        a, b, theta = call.children

        def node(kind: str, *parts: Node, name: str = "") -> Node:
            return Node(kind, name or kind, parts, place.line, place.column)

        cosine, sine = (node("call", theta, name=name) for name in ("cos", "sin"))
        yield Assignment(first, node("-", node("*", cosine, a), node("*", sine, b)))
        yield Assignment(second, node("+", node("*", sine, a), node("*", cosine, b)))

    def binary(self, operators: str, operand: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(
                f"nested deeper than {MAX_DEPTH}: give a part of it a name of its own",
                self.current,
            )
        rule = getattr(self, operand)
        left: Node = rule(depth + 1)
        while self.current.kind == "operator" and self.current.value in operators:
            token = self.take()
            right: Node = rule(depth + 1)
            left = Node(token.value, token.value, (left, right), token.line, token.column)
        return left

    def sum(self, depth: int) -> Node:
        return self.binary("+-", "term", depth)

    def term(self, depth: int) -> Node:
        return self.binary("*/@", "unary", depth)

    def unary(self, depth: int) -> Node:
        if self.current.value in {"-", "+"} and self.current.kind == "operator":
            token = self.take()
            if depth > MAX_DEPTH:
                raise self.error(f"nested deeper than {MAX_DEPTH}", token)
            operand = self.unary(depth + 1)
            if token.value == "+":
                return operand
            return Node("negate", "-", (operand,), token.line, token.column)
        node = self.primary(depth)
        while self.current.value == ".T":
            token = self.take()
            node = Node("transpose", ".T", (node,), token.line, token.column)
        return node

    def primary(self, depth: int) -> Node:
        token = self.take()
        if token.kind == "number":
            if len(token.value) > MAX_DIGITS:
                raise self.error(f"a number of more than {MAX_DIGITS} characters", token)
            return Node("number", token.value, (), token.line, token.column)
        if token.value == "(":
            inner = self.sum(depth + 1)
            self.expect(")", "')'")
            return inner
        if token.value == "[":
            parts = self.arguments(depth, "]")
            return Node("call", "concat", parts, token.line, token.column)
        if token.kind == "name":
            if self.current.value == "(":
                return self.call(token, depth)
            return self.name(token)
        raise self.unexpected("a name, a number, '(' or '['", token)

    def call(self, token: _Token, depth: int) -> Node:
        if len(token.value) > MAX_NAME:
            raise self.error(_too_long(token.value), token)
        if token.value.startswith(f"{STEP}_"):
            written = f"step(a, slope={token.value.removeprefix(f'{STEP}_')})"
            raise self.error(f"unknown function {token.value!r}: write {written}", token)
        self.take()
        if token.value == STEP:
            return self.step(token, depth)
        return Node("call", token.value, self.arguments(depth, ")"), token.line, token.column)

    def step(self, token: _Token, depth: int) -> Node:
        """`step(a, slope=NAME)` or `step(a, slope=NAME(numbers))`: a function for each slope."""
        argument = self.sum(depth + 1)
        declared = "', slope=NAME': the slope of step is declared, as in step(a, slope=triangle)"
        for value in (",", "slope", "="):
            self.expect(value, declared)
        name = self.take()
        if name.kind != "name" or len(name.value) > MAX_NAME - len(STEP):
            raise self.error("expected the name of a slope", name)
        numbers: tuple[Node, ...] = ()
        if self.current.value == "(":
            self.take()
            numbers = self.arguments(depth, ")")
        self.expect(")", "')'")
        return Node("call", f"{STEP}_{name.value}", (argument, *numbers), token.line, token.column)

    def arguments(self, depth: int, end: str) -> tuple[Node, ...]:
        found = [self.sum(depth + 1)]
        while self.current.value == ",":
            self.take()
            found.append(self.sum(depth + 1))
        self.expect(end, f"',' or {end!r}")
        return tuple(found)

    def name(self, token: _Token) -> Node:
        if reason := refusal(token.value):
            raise self.error(reason, token)
        return Node("name", token.value, (), token.line, token.column)


def call_text(function: str, argument: str, *numbers: str) -> str:
    """How a call is written: `tanh(a)`, `elu(a, 0.5)`, `step(a, slope=triangle(0.5))`."""
    if not function.startswith(f"{STEP}_"):
        return f"{function}({', '.join((argument, *numbers))})"
    given = f"({', '.join(numbers)})" if numbers else ""
    return f"{STEP}({argument}, slope={function.removeprefix(f'{STEP}_')}{given})"


def refusal(name: str) -> str:
    """Why a name cannot be a symbol of a cell; empty if it can."""
    if len(name) > MAX_NAME:
        return _too_long(name)
    bare = name.removesuffix(PREVIOUS)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not bare.strip("_"):
        return f"{name!r} is no symbol: a name has a letter, then letters, digits and _"
    if keyword.iskeyword(bare):
        return f"{name!r} is a keyword of Python: choose another name"
    if bare.endswith(PREVIOUS):
        return f"{name!r}: two steps back is the previous value of a state that is one step late"
    return ""


def size_refusal(name: str) -> str:
    """Why a name cannot be that of a size; empty if it can."""
    if not refusal(name) and name in _OUR_SIZES:
        return f"{name!r} is no size of a cell: T is the number of steps, B of samples"
    return refusal(name)


def _too_long(name: str) -> str:
    return f"the name {name[:12]}… is longer than {MAX_NAME} letters: choose a shorter one"


def parse(text: str, cell: str = "") -> tuple[Assignment, ...]:
    """The assignments of a cell's text, a line each; a line goes on inside brackets.

    Raises:
        CellError: where the text is not of the grammar, with line, column and a caret.
    """
    if len(text) > MAX_TEXT:
        raise CellError(f"{len(text)} characters of equations; at most {MAX_TEXT}", cell=cell)
    return tuple(_Parser(text, cell).assignments())


def states_of(assignments: tuple[Assignment, ...]) -> tuple[str, ...]:
    """The names that also occur with `_prev`, in the order of assignment."""
    previous = {
        node.value.removesuffix(PREVIOUS)
        for assignment in assignments
        for node in assignment.value.walk()
        if node.kind == "name" and node.value.endswith(PREVIOUS)
    }
    return tuple(a.target.value for a in assignments if a.target.value in previous)
