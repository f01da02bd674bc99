"""Presentation tree → plain text, LaTeX, MathML: three back ends over one tree.

In: boxes, expressions or equations. Out: strings. Spacing between factors is decided here,
once for the three; the colour of cotangents is the caller's (`mark`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from typing import Final

from derive.boxes import (
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
    Row,
    Script,
    Sum,
    Symbol,
    row,
    tall,
)

_LATEX_SIGNS: Final = {
    "−": "-", "⊙": r"\odot ", "×": r"\times ", "·": r"\cdot ", "≤": r"\le ", "≥": r"\ge ",
    "→": r"\to ", "∈": r"\in ", "≔": r":=", "′": r"\prime ", "⊤": r"\top ", "∂": r"\partial ",
    "∞": r"\infty ", "…": r"\dots ", "∗": "*", "⋯": r"\cdots ", "∀": r"\forall ", "ℓ": r"\ell ",
}  # fmt: skip
_LATEX_FENCES: Final = {"‖": r"\|", "{": r"\{", "}": r"\}"}
_LATEX_FUNCTIONS: Final = frozenset((
    "tanh",
    "exp",
    "sin",
    "cos",
    "log",
    "max",
    "min",
    "sup",
    "inf",
    "det",
    "lim",
))
_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_COMBINING: Final = {
    "bar": "\u0304", "tilde": "\u0303", "hat": "\u0302", "dot": "\u0307", "carry": "\u20d6",
}  # fmt: skip
_MATHML_ACCENTS: Final = {"bar": "¯", "tilde": "˜", "hat": "ˆ", "dot": "˙", "carry": "←"}


def spaced(items: Sequence[Box]) -> Iterator[tuple[Box, bool]]:
    """Each box of a row, and whether a thin space parts it from the one before."""
    before: Box | None = None
    for item in items:
        yield item, before is not None and _gap(before, item)
        before = item


def _gap(left: Box, right: Box) -> bool:
    match left, right:
        case (Delimiter(closing=True), _):
            return not isinstance(right, (Operator, Delimiter))
        case (Operator() | Large() | Delimiter() | Number(), _):
            return False
        case (_, Operator() | Delimiter() | Number() | Script(base=Delimiter())):
            return False
        case (Symbol() | Script(sup=Operator("′")), Fenced()):
            return False
        case (Symbol(), _):
            return _is_word(left) or _is_word(right)
    return True


def _is_word(item: Box) -> bool:
    while isinstance(item, (Script, Row)):
        item = item.base if isinstance(item, Script) else item.items[0]
    return isinstance(item, Symbol) and len(item.name) > 1 and item.name not in GREEK


@dataclass(frozen=True)
class Text:
    """Plain Unicode text on one line; `mark` goes before and after a cotangent."""

    mark: tuple[str, str] = ("", "")

    def __call__(self, item: Box) -> str:
        """The box as text."""
        match item:
            case Symbol(name):
                return GREEK.get(name, name)
            case Number(text):
                return text
            case Operator(sign):
                if sign in "=≤≥<>→∈≔⊙×·+−":
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
                return unicodedata.normalize("NFC", self(base) + _COMBINING[kind])
            case Fraction(top, bottom):
                return f"{self._operand(top)}/{self._operand(bottom)}"
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
        text = self(item)
        return f"({text})" if " " in text.replace(" − 1", "") else text

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


@dataclass(frozen=True)
class Latex:
    """LaTeX for math mode with amsmath and amssymb; `mark` is the macro around a cotangent."""

    mark: str = ""
    display: bool = True

    def __call__(self, item: Box) -> str:
        """The box as LaTeX."""
        match item:
            case Symbol(name):
                return _latex_symbol(name)
            case Number(text):
                return text
            case Operator(sign):
                return _LATEX_SIGNS.get(sign, sign)
            case Row(items):
                return "".join(_thin(self(part), gap) for part, gap in spaced(items))
            case Sum(terms):
                first = ("-" if terms[0][0] == "−" else "") + self(terms[0][1])
                more = (f" {_LATEX_SIGNS.get(sign, sign)} {self(term)}" for sign, term in terms[1:])
                return first + "".join(more)
            case Script(base, sub, sup):
                below = f"_{{{self._small(sub)}}}" if sub else ""
                flat = sup is not None and isinstance(base, Accent) and base.kind == "carry"
                if sup == PRIME:
                    made = self(base).strip()
                    return (rf"\smash[t]{{{made}}}" if flat else made) + "'" + below
                above = f"^{{{self._small(sup)}}}" if sup else ""
                made = self._base(base)
                return (rf"\smash[t]{{{made}}}" if flat else made) + below + above
            case Accent("carry", base):
                arrow = r"\scriptscriptstyle\leftarrow"
                return rf"\overset{{{arrow}}}{{{self(_dotless(base))}}}"
            case Accent(kind, base):
                return rf"\{kind}{{{self(_dotless(base))}}}"
            case Fraction(top, bottom):
                return rf"\frac{{{self(top)}}}{{{self(bottom)}}}"
            case Fenced(body, opening, closing):
                left, right = self._fence(opening, "l", body), self._fence(closing, "r", body)
                return f"{left}{self(body)}{right}"
            case Delimiter(sign, grown, closing):
                side = "r" if closing else "l"
                if sign == "‖" and not grown:
                    return rf"\{side}Vert "
                return (rf"\Bigg{side}" if grown else "") + _LATEX_FENCES.get(sign, sign)
            case Large(sign, lower, upper):
                head = r"\sum" if sign == "∑" else r"\prod"
                above = f"^{{{self._small(upper)}}}" if upper else ""
                return f"{head}_{{{self._small(lower)}}}{above} "
            case Grid(rows):
                high = self.display and any(map(tall, chain(*rows)))
                skip, style = (r" \\[1.1em] ", r"\displaystyle ") if high else (r" \\ ", "")
                inside = skip.join(" & ".join(style + self(part) for part in line) for line in rows)
                return rf"\begin{{bmatrix}}{inside}\end{{bmatrix}}"
            case Marked(body):
                return f"{self.mark}{{{self(body)}}}" if self.mark else self(body)

    def _small(self, item: Box) -> str:
        return self(item).strip().replace(" - ", "-").replace(" + ", "+")

    def _base(self, base: Box) -> str:
        text = self(base)
        return text if isinstance(base, (Symbol, Number, Accent, Fenced)) else f"{{{text}}}"

    def _fence(self, sign: str, side: str, body: Box) -> str:
        grown = tall(body)
        size = (rf"\Bigg{side}" if _has_large(body) else rf"\Big{side}") if grown else ""
        if grown and not self.display:
            size = rf"\big{side}"
        if not size and sign == "‖":
            return r"\lVert " if side == "l" else r"\rVert "
        return size + _LATEX_FENCES.get(sign, sign)


def _dotless(base: Box) -> Box:
    return Symbol(base.name + "math") if base in {Symbol("i"), Symbol("j")} else base


def _has_large(item: Box) -> bool:
    match item:
        case Large() | Grid():
            return True
        case Row(items):
            return any(map(_has_large, items))
        case Sum(terms):
            return any(_has_large(term) for _, term in terms)
        case Fenced(body) | Marked(body):
            return _has_large(body)
    return False


def _thin(text: str, gap: bool) -> str:
    return rf"\,{text}" if gap else text


def _latex_symbol(name: str) -> str:
    if name in GREEK or name in _LATEX_FUNCTIONS:
        return rf"\{name} "
    if name in {"imath", "jmath"}:
        return rf"\{name} "
    if name == "ℝ":
        return r"\mathbb{R}"
    if len(name) == 1:
        return _LATEX_SIGNS.get(name, name)
    return rf"\mathrm{{{name}}}"


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
