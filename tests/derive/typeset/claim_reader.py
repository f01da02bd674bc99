"""Reads the formulas of theorems: norms, suprema, extreme entries, powers; for the reader.

In: one side of a printed relation, and numbers along trajectories. Out: its value. Suprema and
infima are over every step of the trajectories that are known.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from tests.derive.typeset.printed_names import Known, extent, split_name
from tests.derive.typeset.printed_values import Eye, Map, UnreadableError, dense
from tests.derive.typeset.reader import Read, Reader

Array = Any
RELATION: Final = re.compile(r"\s*([=≤≥<>∈])\s*")


class ClaimReader(Reader):
    """Recursive descent over one side of a relation between norms."""

    def __init__(self, line: str, declared: set[str], functions: Any) -> None:
        super().__init__(line, declared, functions)
        self.bars: list[str] = []

    def opens(self) -> bool:
        """Whether the next token begins a factor."""
        token = self.peek()
        if token is None or (token.kind not in {"number", "name", "large"}
                             and token.text not in "([|‖∂·"):  # fmt: skip
            return False
        after = self.tokens[self.place + 1 : self.place + 2]
        if token.text == "‖":  # what a norm ends with has its kind below it
            return not (after and after[0].kind == "sub")
        return not (token.text == "|" and self.bars[-1:] == ["|"] and not token.apart)

    def beside(self) -> Read:
        """Factors side by side; a bar after a space, or where none is open, begins one."""
        factors = [self.quotient()]
        while self.opens():
            if self.peek("·"):
                self.take()
            factors.append(self.quotient())
        return self.side_by_side(factors)

    def atom(self) -> Read:
        """A bar's inside is a sum of its own: a norm by what stands below it, or sizes."""
        token = self.peek()
        if token is None or token.text not in "|‖":
            return super().atom()
        self.take()
        self.bars.append(token.text)
        inside = self.relation()
        self.bars.pop()
        self.take(token.text)
        if token.text == "|":
            return lambda known: np.abs(inside(known))
        kind = self.take().text.strip("_{}₂")
        if kind not in {"", "2", "∞"}:
            raise UnreadableError(f"‖ ‖{kind} in {self.line!r}")
        order = np.inf if kind == "∞" else 2
        return lambda known: number(np.linalg.norm(matrix_of(inside(known)), order))

    def raised(self) -> Read:
        """An atom with an exponent, or a word and what it is of."""
        token = self.peek()
        if token is not None and token.kind == "name":
            word = token.text
            if word in {"sup", "inf"}:
                self.take()
                return self.over_steps(np.max if word == "sup" else np.min)
            if word in {"det", "ρ"} and word not in self.declared:
                self.take()
                return self.of_matrix(_determinant if word == "det" else _radius)
            below = self.tokens[self.place + 1 : self.place + 2]
            if word in {"min", "max"} and below and below[0].kind == "sub":
                self.take()
                return self.extreme(np.min if word == "min" else np.max)
            if word == "σ" and below and below[0].text == "_{min}":
                self.take()
                self.take()
                return self.of_matrix(lambda a: np.linalg.svd(a, compute_uv=False).min())
        if token is not None and token.kind == "large":
            return self.large()
        read = self.atom()
        while self.next_is("sup"):
            read = self.power(read, self.take().text)
        return read

    def name(self) -> str:
        """A symbol with what stands below it; above it only a word belongs to it."""
        text = self.take().text
        while self.next_is("sub"):
            text += self.take().text
        if self.next_is("sup") and re.fullmatch(r"\^\{?[^\W\d]\w*\}?", self.peek().text):
            above = split_name(text + self.peek().text)[0]
            if any(above == held.split("_")[0] for held in self.declared):
                text += self.take().text
        return text

    def over_steps(self, take: Any) -> Read:
        """The supremum or infimum over all admissible steps, entry by entry."""
        body = self.raised()

        def value(known: Known) -> Array:
            found = []
            for path in known.paths or [known]:
                for t in path.steps:
                    inner = path.at(t=t)
                    inner.still, inner.index = known.still, known.index
                    found.append(dense(body(inner)))
            return take(np.stack(found), axis=0)

        return value

    def of_matrix(self, take: Any) -> Read:
        """A number of a matrix."""
        body = self.raised()
        return lambda known: number(take(matrix_of(body(known))))

    def extreme(self, take: Any) -> Read:
        """The smallest or the largest entry, of what an index below names."""
        index = self.take().text.strip("_{}")
        body = self.beside()

        def value(known: Known) -> Array:
            inner = known.at()
            inner.index = index
            return number(take(np.asarray(body(inner), dtype=float)))

        return value

    def power(self, read: Read, text: str) -> Read:
        """Entry by entry of a column, of a square matrix the power of matrices."""
        if text == "ᵀ":
            return lambda known: np.transpose(dense(read(known)))
        inner = re.sub(r"^\^?\{?|\}?$", "", text.translate(_RAISED))

        def value(known: Known) -> Array:
            exponent, base = _exponent(inner, known), read(known)
            if isinstance(base, Eye):  # an empty product
                return Eye(base.times**exponent)
            square = np.ndim(base) == 2 and base.shape[0] == base.shape[1] > 1
            if square:
                return np.linalg.matrix_power(base, int(exponent))
            with np.errstate(invalid="ignore", divide="ignore"):  # where a condition excludes it
                return base**exponent

        return value


_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789−")


def _determinant(a: Array) -> float:
    return float(np.linalg.det(a))


def _radius(a: Array) -> float:
    return float(np.abs(np.linalg.eigvals(a)).max())


def _exponent(text: str, known: Known) -> float:
    """The number that an exponent is: t − k, 1/(2n), K + 1, −1."""
    if found := re.fullmatch(r"\(*\(?([\w]+)\)?/\(?(\w+)\)*", text):
        return _exponent(found[1], known) / _exponent(found[2], known)
    if (time := known.time(text)) is not None:
        return float(time)
    if text.startswith("−"):
        return -_exponent(text[1:], known)
    return float(extent(text, known))


def number(value: Any) -> Array:
    """A number as a scalar."""
    return np.asarray(value, dtype=float).reshape(1, 1)


def matrix_of(value: Any) -> Array:
    """A map as a matrix, a multiple of I of no size as a number."""
    if isinstance(value, Map):
        return value.matrix
    if isinstance(value, Eye):
        return number(value.times)
    return dense(value)


def read_claim(line: str, known: Known) -> Array:
    """The value of one side of a relation."""
    key = "claim " + line
    if key not in known.parsed:
        declared = {*known.still, *known.timed}
        known.parsed[key] = ClaimReader(line, declared, known.functions).all()
    return known.parsed[key](known)


def sides(formula: str) -> list[str]:
    """A chain of relations as sides and signs in turn; a bracket's own relation stays in it."""
    made, depth, part = [], 0, ""
    for sign in formula:
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign in "=≤≥<>":
            made += [part.strip(), sign]
            part = ""
        else:
            part += sign
    return [*made, part.strip()]


def named(left: str) -> str:
    """The letter of a definition's left side, as it is looked up."""
    return "_".join(split_name(left))
