"""Reads printed mathematics back as a person would, and computes with it.

In: the lines that `bptt show` prints, and numbers for the symbols that its list of shapes declares.
Out: the value of every line. Nothing of the typesetting is used here: what is printed wrong comes
out wrong, or cannot be read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from typing import Final

import numpy as np

from tests.derive.typeset.printed_names import (
    DOT,
    Known,
    Token,
    direction,
    extent,
    join_name,
    part,
    split_name,
    symbol,
    tokens,
)
from tests.derive.typeset.printed_values import (
    Array,
    AtKinkError,
    Eye,
    Map,
    UnreadableError,
    Value,
    blocks,
    dense,
    entrywise,
    over,
    plus,
    scaled,
    times,
)

_POWERS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_H: Final = 1e-6
_KINK: Final = 0.05  # of the slope, between its two sides
Read = Callable[[Known], Value]


def read(line: str, known: Known) -> Value:
    """The value of a printed expression.

    Raises:
        UnreadableError: if it says nothing, or two things.
    """
    if line not in known.parsed:
        known.parsed[line] = Reader(line, {*known.still, *known.timed}, known.functions).all()
    return known.parsed[line](known)


class Reader:
    """Recursive descent over one line: sums of products of what stands side by side."""

    def __init__(self, line: str, declared: set[str], functions: Collection[str]) -> None:
        self.line, self.place = line, 0
        self.declared, self.functions = declared, functions
        self.tokens = tokens(line, self.declared)

    def all(self) -> Read:
        """The whole line."""
        read = self.relation()
        if self.place != len(self.tokens):
            raise UnreadableError(f"{self.tokens[self.place].text!r} is left of {self.line!r}")
        return read

    def peek(self, text: str = "") -> Token | None:
        """The next token, if it is this one."""
        token = self.tokens[self.place] if self.place < len(self.tokens) else None
        return token if token is not None and (not text or token.text == text) else None

    def next_is(self, kind: str) -> bool:
        """Whether the next token is of a kind."""
        token = self.peek()
        return token is not None and token.kind == kind

    def take(self, text: str = "") -> Token:
        """The next token, which has to be this one."""
        token = self.peek(text)
        if token is None:
            raise UnreadableError(f"expected {text!r} at token {self.place} of {self.line!r}")
        self.place += 1
        return token

    def relation(self) -> Read:
        """X ↦ body, or a sum."""
        start = self.place
        read = self.sum()
        if not self.peek("↦"):
            return read
        self.place = start
        name = self.name()
        self.take("↦")
        body = self.sum()

        def mapped(known: Known) -> Value:
            moved, time = direction(name, known)

            def of(change: Array) -> Array:
                inner = known.at()
                inner.timed = {**known.timed, moved: {time: change}}
                return body(inner)

            return Map(of, known.timed[moved.replace(DOT, "")][time].shape)

        return mapped

    def sum(self) -> Read:
        """Products with signs before them."""
        minus = bool(self.peek("−"))
        if minus:
            self.take()
        terms = [(minus, self.product())]
        while self.peek("+") or self.peek("−"):
            minus = self.take().text == "−"
            terms.append((minus, self.product()))

        def added(known: Known) -> Value:
            total: Value = None
            for minus, read in terms:
                value = scaled(-1.0, read(known)) if minus else read(known)
                total = value if total is None else plus(total, value)
            return total

        return added

    def product(self) -> Read:
        """What stands side by side is multiplied first, then ⊙."""
        factors = [self.beside()]
        while self.peek("⊙"):
            self.take()
            factors.append(self.beside())

        def multiplied(known: Known) -> Value:
            value = factors[0](known)
            for factor in factors[1:]:
                value = entrywise(value, factor(known))
            return value

        return factors[0] if len(factors) == 1 else multiplied

    def beside(self) -> Read:
        """Factors side by side; a scalar among them scales."""
        factors = [self.quotient()]
        while (token := self.peek()) is not None and (
            token.kind in {"number", "name", "large"} or token.text in "([|‖∂·"
        ):
            if token.text in "|‖" and not token.apart:
                break
            if token.text == "·":
                self.take()
            factors.append(self.quotient())
        return self.side_by_side(factors)

    def side_by_side(self, factors: list[Read]) -> Read:
        """Their product; below an index, entry by entry."""

        def multiplied(known: Known) -> Value:
            value = factors[0](known)
            for factor in factors[1:]:
                value = (entrywise if known.index else times)(value, factor(known))
            return value

        return factors[0] if len(factors) == 1 else multiplied

    def quotient(self) -> Read:
        """A fraction: one atom over another."""
        top = self.raised()
        if not self.peek("/"):
            return top
        self.take()
        bottom = self.raised()
        return lambda known: over(top(known), bottom(known))

    def raised(self) -> Read:
        """An atom with what stands above it."""
        if (token := self.peek()) is not None and token.kind == "large":
            return self.large()
        read = self.atom()
        while (token := self.peek()) is not None and token.kind == "sup":
            self.take()
            read = _raised(read, token.text)
        return read

    def atom(self) -> Read:
        """A number, a symbol, a function of something, or what brackets enclose."""
        token = self.peek()
        if token is None:
            raise UnreadableError(f"{self.line!r} ends early")
        if token.text == "∂":
            return self.partial()
        if token.kind == "number":
            self.take()
            if token.text == "1" and self.next_is("sub"):
                size = _inner(self.take().text)
                return lambda known: np.ones((extent(size, known), 1))
            return lambda known: float(token.text)
        if token.text == "(":
            self.take()
            read = self.relation()
            self.take(")")
            return self.entry(read)
        if token.text == "[":
            return self.brackets()
        if token.text in "|‖":
            self.take()
            read = self.relation()
            self.take(token.text)
            if token.text == "|":
                return lambda known: np.abs(read(known))
            below = self.take().text if self.next_is("sub") else "2"
            if _inner(below) not in {"2", "₂"}:
                raise UnreadableError(self.line)
            return lambda known: np.sqrt(np.sum(read(known) ** 2)).reshape(1, 1)
        return self.named()

    def entry(self, read: Read) -> Read:
        """With an index below, the entry of a column that a sum runs over."""
        token = self.peek()
        if token is None or token.kind != "sub":
            return read
        self.take()

        def one(known: Known) -> Value:
            if _inner(token.text) != known.index:
                raise UnreadableError(f"{token.text} below brackets in {self.line!r}")
            inner = known.at()
            inner.index = ""
            return read(inner)

        return one

    def name(self) -> str:
        """A symbol with what stands below it, as it is printed."""
        token = self.take()
        if token.kind != "name":
            raise UnreadableError(f"{token.text!r} is no name in {self.line!r}")
        text = token.text
        while self.next_is("sub"):
            text += self.take().text
        above = self.peek()
        if (
            above is not None
            and above.kind == "sup"
            and above.text[0] == "^"
            and any(
                split_name(text + above.text)[0] == held.split("_")[0] for held in self.declared
            )
        ):
            text += self.take().text
        return text

    def named(self) -> Read:
        """A symbol, or a function with what it is applied to."""
        name = self.name()
        primed = 0
        while self.peek("′"):
            self.take()
            primed += 1
        base, *below = split_name(name)
        key = name if name in self.functions else join_name(base, below)
        if key in self.functions and (token := self.peek("(")) is not None:
            if name in self.declared:
                raise UnreadableError(f"{name} is a symbol and a function in {self.line!r}")
            if token.apart and not name.startswith("ψ"):
                raise UnreadableError(f"{name} is apart from what it is applied to: {self.line!r}")
            return self.applied(key, primed)
        if name == "log" and self.next_is("name"):
            inside = self.raised()
            return lambda known: np.log(inside(known))
        letters = sum(not unicodedata.combining(sign) for sign in base)
        if (token := self.peek("(")) is not None and not token.apart and letters > 1:
            raise UnreadableError(f"{name}(…) is no function in {self.line!r}")
        if primed:
            raise UnreadableError(f"no function {name} in {self.line!r}")
        if name == "I" and "I" not in self.declared:
            return lambda known: Eye()
        return lambda known: symbol(name, known)

    def applied(self, name: str, primed: int) -> Read:
        """φ(a), φ(a; 0.1), max(a, b), and derivatives by small steps."""
        self.take("(")
        inside = [self.relation()]
        while self.peek(",") or self.peek(";"):
            self.take()
            inside.append(self.relation())
        self.take(")")

        def value(known: Known) -> Value:
            function = known.functions[name]
            a, *rest = (read(known) for read in inside)
            if not primed:
                return function(a, *rest)
            here, up, down = (function(a + h, *rest) for h in (0.0, _H, -_H))
            bent, slope = np.abs(up + down - 2 * here) / _H, np.abs(up - down) / (2 * _H)
            if np.any(bent > _KINK * (1 + slope)):
                raise AtKinkError(self.line)
            return (up - down) / (2 * _H)

        return value

    def brackets(self) -> Read:
        """A column or a matrix of blocks, a choice [a ≥ b], or a part [a]_{1:n}."""
        self.take("[")
        rows: list[list[Read]] = [[self.relation()]]
        if (sign := self.peek()) is not None and sign.text in "≥<":
            self.take()
            right = self.relation()
            self.take("]")
            holds = np.greater_equal if sign.text == "≥" else np.less
            return lambda known: holds(rows[0][0](known), right(known)).astype(float)
        while not self.peek("]"):
            if self.take().text == ";":
                rows.append([])
            rows[-1].append(self.relation())
        self.take("]")
        if self.next_is("sub"):
            index = _inner(self.take().text)
            return lambda known: part(rows[0][0](known), index, known)
        return lambda known: blocks([[read(known) for read in line] for line in rows])

    def partial(self) -> Read:
        """∂u/∂v, or ∂L_t/∂u_t."""
        self.take("∂")
        of = self.name()
        self.take("/")
        self.take("∂")
        by = self.name()

        def value(known: Known) -> Value:
            held = f"∂{of}/∂{by}"
            if split_name(of)[0] == "L":
                symbol, time = known.meant(by)
                if time is None or known.time(split_name(of)[-1]) != time:
                    raise UnreadableError(f"{held} is of two times")
                return known.timed[f"∂L/∂{symbol}"][time]
            (u, a), (v, b) = known.meant(of), known.meant(by)
            if known.partial is None or a is None:
                raise UnreadableError(f"{held} has no value in {self.line!r}")
            return known.partial(u, a, v, -1 if b is None else b)

        return value

    def large(self) -> Read:
        """∑ and ∏ over times, in the order that is written, or over the entries of a column."""
        sign = self.take().text
        below = _inner(self.take().text)
        if "=" not in below:
            body = self.product()

            def over_entries(known: Known) -> Value:
                inner = known.at()
                inner.index = below
                value = np.asarray(body(inner))
                total = np.sum(value, axis=0) if sign == "∑" else np.prod(value, axis=0)
                return total.reshape(1, -1)

            return over_entries
        letter, first = below.split("=")
        last = _inner(self.take().text)
        body = self.product()

        def over_times(known: Known) -> Value:
            a, b = known.time(first), known.time(last)
            if a is None or b is None:
                raise UnreadableError(f"the limits of {self.line!r}")
            steps = range(a, b + 1) if sign == "∑" else range(a, b - 1, -1)
            values = [body(known.at(**{letter: step})) for step in steps]
            if not values:
                return 0.0 if sign == "∑" else Eye()
            total = values[0]
            for value in values[1:]:
                total = plus(total, value) if sign == "∑" else times(total, value)
            return total

        return over_times


def _inner(text: str) -> str:
    """What stands in a sub- or superscript, without its braces."""
    return text.lstrip("_^").removeprefix("{").removesuffix("}") if text[0] in "_^" else text


def _raised(read: Read, text: str) -> Read:
    if text == "ᵀ":
        return lambda known: np.transpose(dense(read(known)))
    if not (given := _inner(text).translate(_POWERS)).isdigit():
        raise UnreadableError(f"{text} is no power")
    power = float(given)
    return lambda known: read(known) ** power
