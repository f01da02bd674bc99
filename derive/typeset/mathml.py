"""Presentation tree → MathML that renders without a script.

In: boxes. Out: elements; the colour of cotangents is the caller's (`mark`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Final

from derive.typeset.boxes import (
    GREEK,
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
    row,
    tall,
)
from derive.typeset.spacing import is_word, spaced

_SLANTED: Final = frozenset("CEFHJKMNPTUVWXYZ")
_THIN: Final = '<mspace width="0.17em"/>'
_APART: Final = '<mspace width="0.33em"/>'
"""Between two names, as inf and min: a browser shows a thin space there as none."""
_MATHML_ACCENTS: Final = {"bar": "¯", "tilde": "˜", "hat": "ˆ", "dot": "˙", "carry": "←"}


@dataclass(frozen=True)
class MathML:
    """Presentation MathML without the enclosing <math>; `mark` is the class of a cotangent.

    `tight` leaves no space around signs, as in subscripts and limits.
    """

    mark: str = ""
    tight: bool = False

    def __call__(self, item: Box) -> str:
        """The box as MathML."""
        match item:
            case Symbol(name):
                return f"<mi>{GREEK.get(name, escape(name))}</mi>"
            case Number(text):
                return f"<mn>{escape(text)}</mn>"
            case Operator(sign):
                return self._sign(sign)
            case Row() | Sum() | Fenced() | Grid():
                return _mrow(*self._parts(item))
            case Script(base, sub, sup):
                primed, sup = _unprimed(sup)
                body = _mrow(self(base), "<mo>′</mo>") if primed else self(base)
                if not sub and not sup:
                    return body
                lower = self._small(sub) if sub else ""
                upper = _leaning(base, self._small(sup)) if sup else ""
                parts = body + lower + upper
                kind = "msubsup" if sub and sup else "msub" if sub else "msup"
                return f"<{kind}>{parts}</{kind}>"
            case Accent(kind, base):
                small = ' mathsize="60%"' if kind == "carry" else ""
                mark = f'<mo stretchy="false"{small}>{_MATHML_ACCENTS[kind]}</mo>'
                near = str(kind != "bar").lower()  # as an accent a bar lies on the stem of an h
                return f'<mover accent="{near}">{self(base)}{mark}</mover>'
            case Fraction(top, bottom):
                return f"<mfrac>{self(top)}{self(bottom)}</mfrac>"
            case Root(body):
                return f"<msqrt>{self(body)}</msqrt>"
            case Delimiter(sign, _, closing):
                form = "postfix" if closing else "prefix"
                return f'<mo form="{form}" stretchy="false">{sign}</mo>'
            case Large(sign, lower, upper):
                limits = self._small(lower) + (self._small(upper) if upper else "")
                kind = "munderover" if upper else "munder"
                return f"<{kind}><mo>{sign}</mo>{limits}</{kind}>"
            case Marked(body):
                return f'<mrow class="{self.mark}">{self(body)}</mrow>' if self.mark else self(body)

    def element(self, item: Box, sign: str = "") -> str:
        """The box in a <math> of its own, after a sign."""
        parts = (self._sign(sign), self(item)) if sign else self._parts(item)
        return f"<math>{''.join(parts)}</math>"

    def _parts(self, item: Box) -> tuple[str, ...]:
        """What stands in the row of the box, which a <math> is already.

        A browser knows the form of a sign by its place, first, last or between, in its row: it is
        written where the place says another.
        """
        match item:
            case Row(items):
                ends, named = {0, len(items) - 1}, [*map(is_word, items)]
                return tuple(
                    (_APART if named[place] and named[place - 1] else _THIN) * gap
                    + (self._sign(part.sign, place in ends)
                       if isinstance(part, Operator) else self(part))
                    for place, (part, gap) in enumerate(spaced(items))
                )  # fmt: skip
            case Sum(terms):
                lead = "<mo>−</mo>" if terms[0][0] == "−" else ""
                more = (self._sign(sign, end=False) + self(term) for sign, term in terms[1:])
                return lead, self(terms[0][1]), *more
            case Fenced(body, opening, closing):
                grown = tall(body)
                room = '<mspace width="0.1em"/>' if grown and opening in ("‖", "|") else ""
                inside = f"{room}{self(body)}{room}"
                return _mathml_fence(opening, grown), inside, _mathml_fence(closing, grown)
            case Grid(rows):
                inside = "".join(
                    "<mtr>" + "".join(f"<mtd>{self(part)}</mtd>" for part in line) + "</mtr>"
                    for line in rows
                )
                return "<mo>[</mo>", f'<mtable displaystyle="true">{inside}</mtable>', "<mo>]</mo>"
        return (self(item),)

    def _small(self, item: Box) -> str:
        return replace(self, tight=True)(item)

    def _sign(self, sign: str, end: bool = True) -> str:
        if sign in "∂∞":
            return f"<mi>{sign}</mi>"
        if sign in "⊤…⋯":
            return f'<mi mathvariant="normal">{sign}</mi>'
        if sign.strip() in {",", ":", ";", "/"}:
            after = "0" if self.tight or sign in ":/" else "0.17em"
            return f'<mo lspace="0" rspace="{after}">{sign.strip()}</mo>'
        space = ' lspace="0" rspace="0"' if self.tight else ""
        form = ' form="infix"' if end and sign in "+−" else ""
        return f"<mo{form}{space}>{escape(sign)}</mo>"


def _unprimed(above: Box | None) -> tuple[bool, Box | None]:
    """Whether a superscript begins with a prime, and the rest: ′ is raised as it stands."""
    match above:
        case Operator("′"):
            return True, None
        case Row((Operator("′"), *rest)):
            return True, row(*rest)
    return False, above


def _leaning(base: Box, upper: str) -> str:
    """A superscript, off the slanted right side of a capital, which browsers do not reckon with."""
    if isinstance(base, Symbol) and base.name in _SLANTED:
        return _mrow('<mspace width="0.11em"/>', upper)
    return upper


def _mrow(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _mathml_fence(sign: str, grown: bool) -> str:
    stretch = "" if grown else ' stretchy="false"'
    return f"<mo{stretch}>{sign}</mo>" if sign else ""
