"""Presentation tree → plain text with Unicode's letters, superscripts and accents.

In: boxes. Out: one line of text, for terminals, comments in emitted code and error messages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from derive.typeset.boxes import (
    GREEK,
    PRIME,
    TRANSPOSED,
    Accent,
    Box,
    Delimiter,
    Fenced,
    Fraction,
    Grid,
    Large,
    Marked,
    Number,
    Operator,
    Root,
    Row,
    Script,
    Sum,
    Symbol,
)
from derive.typeset.spacing import spaced

_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SCRIPTED: Final = re.compile(r"[^_]+(_[^_]+)+")
_COMBINING: Final = {
    "bar": "\u0304", "tilde": "\u0303", "hat": "\u0302", "dot": "\u0307", "carry": "\u20d6",
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """Plain Unicode text on one line; `mark` goes before and after a cotangent."""

    mark: tuple[str, str] = ("", "")

    def __call__(self, item: Box) -> str:
        """The box as text."""
        match item:
            case Symbol(name):  # a letter with another below it looks as a name with _ does
                return f"'{name}'" if _SCRIPTED.fullmatch(name) else GREEK.get(name, name)
            case Number(text):
                return text
            case Operator(sign):
                if sign in "=≤≥<>→∈≔↦⊙×·+−":
                    return f" {sign} "
                return sign + " " * (sign in ";")
            case Row(items):
                return "".join(self._row(items))
            case Sum(terms):
                first = ("−" if terms[0][0] == "−" else "") + self(terms[0][1])
                return first + "".join(f" {sign} {self(term)}" for sign, term in terms[1:])
            case Script(base, sub, sup):
                return self(base) + self._sub(sub) + self._sup(sup)
            case Accent(kind, base):
                text, mark = self(base), _COMBINING[kind]
                made = f"{text[:-1]}{mark}'" if text.endswith("'") else text + mark
                return unicodedata.normalize("NFC", made)
            case Fraction(top, bottom):
                return f"{self._operand(top)}/{self._operand(bottom)}"
            case Root(body):
                return f"sqrt({self(body)})"
            case Fenced(body, opening, closing):
                return f"{opening}{self(body)}{closing}"
            case Delimiter(sign):
                return sign
            case Large(sign, lower, upper):
                above = f"^{{{self(upper)}}}" if upper else ""
                return sign + self._sub(lower) + above.replace(" ", "") + " "
            case Grid(rows):
                return "[" + "; ".join(", ".join(map(self, line)) for line in rows) + "]"
            case Marked(body):
                return self(body).join(self.mark)

    def _row(self, items: Sequence[Box]) -> Iterator[str]:
        before: Box | None = None
        for item, gap in spaced(items):
            inner = item.body if isinstance(item, Marked) else item
            text = self(item)
            beside = isinstance(before, (Symbol, Number)) and not isinstance(
                item, (Operator, Fenced, Delimiter, Number)
            )
            yield " " * (gap or beside) + (f"({text})" if isinstance(inner, Fraction) else text)
            before = item

    def _operand(self, item: Box) -> str:
        text, inner = self(item), item.body if isinstance(item, Marked) else item
        return f"({text})" if " " in text or isinstance(inner, Fraction) else text

    def _sub(self, item: Box | None) -> str:
        if item is None:
            return ""
        text = self(item).replace(" ", "")
        if text.isascii() and text.isdigit():
            return text.translate(_SUBSCRIPTS)
        return f"_{text}" if text.isalnum() or len(text) == 1 else f"_{{{text}}}"

    def _sup(self, item: Box | None) -> str:
        if item is None:
            return ""
        if item == TRANSPOSED:
            return "ᵀ"
        text = self(item).replace(" ", "")
        if item == PRIME or (text.isascii() and text.isdigit()):
            return text.translate(_SUPERSCRIPTS)
        return f"^{text}" if text.isalnum() else f"^{{{text}}}"
