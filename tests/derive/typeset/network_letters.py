"""Letters of layers and directions, as the lines of a network print them: for the reader.

In: a line. Out: the line with marks at its letters in place of superscripts; and what the letters
of one direction of one layer stand for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.derive.typeset.cell_page import FUNCTIONS, nfd
from tests.derive.typeset.printed_names import BAR, CARRY, Known, split_name
from tests.derive.typeset.printed_values import UnreadableError

LAYERS: Final = "\u0363\u0364\u0365\u0366"  # marks of the layers 1, 2, …
PRIME: Final = "\u0368"
_NAME: Final = re.compile(
    r"(?P<base>(?:[^\W\d_ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉][\u0300-\u036f\u20d0-\u20ff]*)+)(?P<early>′?)"
    r"(?P<sub>_\{(?:[^{}]|\{[^{}]*\})*\}|_[^\Wᵀ⁰¹²³⁴⁵⁶⁷⁸⁹]+|[₀₁₂₃₄₅₆₇₈₉]+)?"
    r"(?P<sup>\^\{(?:[^{}]|\{[^{}]*\})*\}|\^\w+|′)?"
)
UP, DOWN, TOP = "From layer to layer", "To the layer below", "To the top layer"
TABLE, TABLE_BACK = "From an index to the input", "From the lowest layer to the table"
READOUT, LOSS, OF_READOUT = "Readout", "The loss, backward", "Gradients of the readout"
TURNED: Final = "The reverse direction, from the last step to the first"


@dataclass(frozen=True)
class Line:
    """A numbered line, and what is said of it."""

    section: str
    number: int
    left: str
    right: str
    note: str = ""

    @property
    def source(self) -> int:
        """The line of one layer that it is an instance of, as its remark says; 0 without one."""
        found = re.search(r"from \((\d+)\)$|\((\d+)\), turned$", self.note)
        return int(found[1] or found[2]) if found else 0


def printed_lines(text: str) -> Iterator[Line]:
    """Every numbered line of a text with its remark."""
    section = ""
    for line in text.splitlines():
        if re.match(r"\S", line):
            section = line.strip()
        elif found := re.match(r"\s+\((\d+)\)\s+(.*?) = (.*?)(?: {4}\[(.*)\])?$", line):
            yield Line(section, int(found[1]), nfd(found[2].strip()), nfd(found[3]), found[4] or "")


def marked(line: str, layer: int = 0) -> str:
    """The line with marks in place of the superscripts of layers and directions; l is `layer`."""

    def one(found: re.Match[str]) -> str:
        base, early, sub, sup = (found[k] or "" for k in ("base", "early", "sub", "sup"))
        if (early or sup == "′") and base in FUNCTIONS and line[found.end() :].startswith("("):
            return found[0]
        inner = re.sub(r"[\^{} ]", "", sup)
        index = re.search(r"\(([^()]*)\)", inner)
        marks = LAYERS[_number(index[1], layer) - 1] if index else ""
        prime = PRIME * (bool(early) or "′" in inner)
        kept = re.sub(r"′|,?\([^()]*\)", "", inner).strip(",")
        above = f"^{kept}" if kept and (index or prime) else "" if index or prime else sup
        return base + marks + prime + sub + above

    line = unicodedata.normalize("NFD", line)
    return _NAME.sub(one, line)


def _number(text: str, layer: int) -> int:
    number = Known(times={"l": layer} if layer else {}).time(text)
    if number is None or not 1 <= number <= len(LAYERS):
        raise UnreadableError(f"({text}) is no layer")
    return number


def with_marks(name: str, marks: str) -> str:
    """A symbol as it is looked up, with marks at its letter."""
    letter = re.match(r"[^_^]*", name)
    assert letter is not None
    return letter[0] + marks + name[letter.end() :]


def apart(name: str) -> tuple[str, tuple[str, ...]]:
    base, *below = split_name(name)
    return base, tuple(below)


def plain(name: str) -> str:
    """A letter without the marks of its layer and direction."""
    return re.sub(f"[{LAYERS}{PRIME}]", "", name)


@dataclass
class View:
    """One direction of one layer: its letters as one layer's lines have them, and with a prime.

    Among the letters with a prime the others are those of the direction from 1 to T.
    """

    depth: int
    reverse: bool
    bare: Known
    primed: Known
    joint: Known
    marks: str

    def put(self, name: str, time: int | None, value: Any) -> None:
        """A value for a letter of this direction, in all that read it."""
        for known, held in ((self.bare, name), (self.primed, with_marks(name, PRIME)),
                            (self.joint, with_marks(name, self.marks))):  # fmt: skip
            known.put(held, time, value)

    def share(self, name: str, time: int | None, value: Any) -> None:
        """A value for a letter that both directions have without a prime."""
        self.bare.put(name, time, value)
        self.primed.put(name, time, value)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of what a cotangent is of."""
        base = name.replace(BAR, "").replace(CARRY, "")
        return np.shape(next(iter(self.bare.timed[base].values())))
