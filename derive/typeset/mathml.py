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
from derive.typeset.spacing import spaced

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
            case Row(items):
                thin = '<mspace width="0.17em"/>'
                return _mrow(*(thin * gap + self(part) for part, gap in spaced(items)))
            case Sum(terms):
                lead = '<mo form="prefix">−</mo>' if terms[0][0] == "−" else ""
                more = (self._sign(sign) + self(term) for sign, term in terms[1:])
                return _mrow(lead + self(terms[0][1]), *more)
            case Script(base, sub, sup):
                primed, sup = _unprimed(sup)
                mark = '<mo lspace="0" rspace="0">′</mo>' if primed else ""
                body = _mrow(self(base), mark) if primed else self(base)
                if not sub and not sup:
                    return body
                parts = body + "".join(self._small(part) for part in (sub, sup) if part)
                kind = "msubsup" if sub and sup else "msub" if sub else "msup"
                return f"<{kind}>{parts}</{kind}>"
            case Accent(kind, base):
                small = ' mathsize="60%"' if kind == "carry" else ""
                mark = f'<mo stretchy="false"{small}>{_MATHML_ACCENTS[kind]}</mo>'
                return f'<mover accent="true">{self(base)}{mark}</mover>'
            case Fraction(top, bottom):
                return f"<mfrac>{self(top)}{self(bottom)}</mfrac>"
            case Root(body):
                return f"<msqrt>{self(body)}</msqrt>"
            case Fenced(body, opening, closing):
                return _mrow(_mathml_fence(opening, "prefix", tall(body)), self(body),
                             _mathml_fence(closing, "postfix", tall(body)))  # fmt: skip
            case Delimiter(sign, _, closing):
                return _mathml_fence(sign, "postfix" if closing else "prefix", grown=False)
            case Large(sign, lower, upper):
                limits = self._small(lower) + (self._small(upper) if upper else "")
                kind = "munderover" if upper else "munder"
                return f"<{kind}><mo>{sign}</mo>{limits}</{kind}>"
            case Grid(rows):
                inside = "".join(
                    "<mtr>" + "".join(f"<mtd>{self(part)}</mtd>" for part in line) + "</mtr>"
                    for line in rows
                )
                table = f'<mtable displaystyle="true">{inside}</mtable>'
                return _mrow('<mo form="prefix">[</mo>', table, '<mo form="postfix">]</mo>')
            case Marked(body):
                return f'<mrow class="{self.mark}">{self(body)}</mrow>' if self.mark else self(body)

    def _small(self, item: Box) -> str:
        return replace(self, tight=True)(item)

    def _sign(self, sign: str) -> str:
        if sign in "∂∞":
            return f"<mi>{sign}</mi>"
        if sign in "⊤…⋯":
            return f'<mi mathvariant="normal">{sign}</mi>'
        if sign.strip() in {",", ":", ";", "/"}:
            after = "0" if self.tight or sign in ",:/" else "0.17em"
            return f'<mo lspace="0" rspace="{after}">{sign.strip()}</mo>'
        space = ' lspace="0" rspace="0"' if self.tight else ""
        form = ' form="infix"' if sign in "+−" else ""
        return f"<mo{form}{space}>{escape(sign)}</mo>"


def _unprimed(above: Box | None) -> tuple[bool, Box | None]:
    """Whether a superscript begins with a prime, and the rest: ′ is raised as it stands."""
    match above:
        case Operator("′"):
            return True, None
        case Row((Operator("′"), *rest)):
            return True, row(*rest)
    return False, above


def _mrow(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _mathml_fence(sign: str, form: str, grown: bool) -> str:
    stretch = "" if grown else ' stretchy="false"'
    return f'<mo form="{form}"{stretch}>{sign}</mo>' if sign else ""


def math_element(body: str, display: bool = False) -> str:
    """A <math> element of its own; display style without the block's centring."""
    style = ' displaystyle="true"' if display else ""
    return f"<math{style}>{body}</math>"
