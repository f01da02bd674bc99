"""Presentation tree → plain text, LaTeX, MathML: three back ends over one tree.

In: boxes, expressions or equations. Out: strings. Spacing between factors is decided here,
once for the three; the colour of cotangents is the caller's (`mark`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from derive.boxes import GREEK, PRIME, TRANSPOSED, Accent, Box, Delimiter, Fenced, Fraction, Grid
from derive.boxes import Large, Marked, Number, Operator, Row, Script, Sum, Symbol, tall

_LATEX_SIGNS: Final = {
    "−": "-", "⊙": r"\odot ", "×": r"\times ", "·": r"\cdot ", "≤": r"\le ", "≥": r"\ge ",
    "→": r"\to ", "∈": r"\in ", "≔": r":=", "′": r"\prime ", "⊤": r"\top ", "∂": r"\partial ",
    "∞": r"\infty ", "…": r"\dots ", "∗": "*", "⋯": r"\cdots ", "∀": r"\forall ", "ℓ": r"\ell ",
}  # fmt: skip
_LATEX_FENCES: Final = {"‖": r"\|", "{": r"\{", "}": r"\}"}
_LATEX_FUNCTIONS: Final = frozenset(
    ("tanh", "exp", "sin", "cos", "log", "max", "min", "sup", "inf", "det", "lim")
)
_LATEX_ACCENTS: Final = {"carry": "overleftarrow"}
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
        case (Delimiter(sign), _) if sign in ")]}":
            return not isinstance(right, (Operator, Delimiter))
        case (Operator() | Large() | Delimiter() | Number(), _):
            return False
        case (_, Operator() | Delimiter() | Number()):
            return False
        case (Symbol() | Script(sup=Operator("′")), Fenced()):
            return False
        case (Symbol(), Symbol(name)):
            return len(name) > 1 and name not in GREEK
        case (Symbol(), _):
            return _is_word(right)
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
                return f"{sign}_{{{self(lower).replace(' ', '')}}}{above.replace(' ', '')} "
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
        return f"_{text}" if text.isalnum() else f"_{{{text}}}"

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
                rest = (f" {_LATEX_SIGNS.get(sign, sign)} {self(term)}" for sign, term in terms[1:])
                return first + "".join(rest)
            case Script(base, sub, sup):
                below = f"_{{{self(sub)}}}" if sub else ""
                if sup == PRIME:
                    return f"{self(base)}'{below}"
                return self._base(base) + below + (f"^{{{self(sup).strip()}}}" if sup else "")
            case Accent(kind, base):
                return rf"\{_LATEX_ACCENTS.get(kind, kind)}{{{self(base)}}}"
            case Fraction(top, bottom):
                return rf"\frac{{{self(top)}}}{{{self(bottom)}}}"
            case Fenced(body, opening, closing):
                left, right = self._fence(opening, "l", body), self._fence(closing, "r", body)
                return f"{left}{self(body)}{right}"
            case Delimiter(sign, grown):
                side = "l" if sign in "([{" else "r"
                return (rf"\Bigg{side}" if grown else "") + _LATEX_FENCES.get(sign, sign)
            case Large(sign, lower, upper):
                head = r"\sum" if sign == "∑" else r"\prod"
                return f"{head}_{{{self(lower)}}}" + (f"^{{{self(upper)}}} " if upper else " ")
            case Grid(rows):
                body = r" \\ ".join(" & ".join(map(self, line)) for line in rows)
                return rf"\begin{{bmatrix}}{body}\end{{bmatrix}}"
            case Marked(body):
                return f"{self.mark}{{{self(body)}}}" if self.mark else self(body)

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
    if name == "ℝ":
        return r"\mathbb{R}"
    if len(name) == 1:
        return _LATEX_SIGNS.get(name, name)
    return rf"\operatorname{{{name}}}"


@dataclass(frozen=True)
class MathML:
    """Presentation MathML without the enclosing <math>; `mark` is the class of a cotangent."""

    mark: str = ""

    def __call__(self, item: Box) -> str:
        """The box as MathML."""
        match item:
            case Symbol(name):
                return f"<mi>{GREEK.get(name, escape(name))}</mi>"
            case Number(text):
                return f"<mn>{escape(text)}</mn>"
            case Operator(sign):
                return _mathml_sign(sign)
            case Row(items):
                thin = '<mspace width="0.17em"/>'
                return _mrow(*(thin * gap + self(part) for part, gap in spaced(items)))
            case Sum(terms):
                lead = '<mo form="prefix">−</mo>' if terms[0][0] == "−" else ""
                rest = (f"<mo>{sign}</mo>{self(term)}" for sign, term in terms[1:])
                return _mrow(lead + self(terms[0][1]), *rest)
            case Script(base, sub, sup):
                parts = "".join(self(part) for part in (base, sub, sup) if part)
                kind = "msubsup" if sub and sup else "msub" if sub else "msup"
                return f"<{kind}>{parts}</{kind}>"
            case Accent(kind, base):
                stretchy = "true" if kind == "carry" else "false"
                mark = f'<mo stretchy="{stretchy}">{_MATHML_ACCENTS[kind]}</mo>'
                return f'<mover accent="true">{self(base)}{mark}</mover>'
            case Fraction(top, bottom):
                return f"<mfrac>{self(top)}{self(bottom)}</mfrac>"
            case Fenced(body, opening, closing):
                return _mrow(_mathml_fence(opening, "prefix", tall(body)), self(body),
                             _mathml_fence(closing, "postfix", tall(body)))  # fmt: skip
            case Delimiter(sign, _):
                return _mathml_fence(sign, "prefix" if sign in "([{" else "postfix", grown=False)
            case Large(sign, lower, None):
                return f'<munder><mo movablelimits="false">{sign}</mo>{self(lower)}</munder>'
            case Large(sign, lower, upper):
                limits = self(lower) + self(upper)  # type: ignore[arg-type]
                head = f'<mo movablelimits="false">{sign}</mo>'
                return f"<munderover>{head}{limits}</munderover>"
            case Grid(rows):
                lines = "".join(
                    "<mtr>" + "".join(f"<mtd>{self(part)}</mtd>" for part in line) + "</mtr>"
                    for line in rows
                )
                return f"<mrow><mo>[</mo><mtable>{lines}</mtable><mo>]</mo></mrow>"
            case Marked(body):
                return f'<mrow class="{self.mark}">{self(body)}</mrow>' if self.mark else self(body)


def _mrow(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _mathml_sign(sign: str) -> str:
    if sign in "∂∞":
        return f"<mi>{sign}</mi>"
    if sign in "⊤…⋯":
        return f'<mi mathvariant="normal">{sign}</mi>'
    if sign in ",:;":
        return f'<mo lspace="0" rspace="{"0.17em" if sign == ";" else "0"}">{sign}</mo>'
    return f"<mo>{escape(sign)}</mo>"


def _mathml_fence(sign: str, form: str, grown: bool) -> str:
    stretch = "" if grown else ' stretchy="false"'
    return f'<mo form="{form}"{stretch}>{sign}</mo>' if sign else ""


def math_element(body: str, display: bool = False) -> str:
    """A <math> element of its own; display style without the block's centring."""
    style = ' displaystyle="true"' if display else ""
    return f"<math{style}>{body}</math>"


def latex_lines(rows: Sequence[tuple[Box, Box]]) -> str:
    """Equations aligned at the relation sign, as display mathematics for a notebook."""
    latex = Latex()
    body = " \\\\\n".join(f"{latex(left)} &= {latex(right)}" for left, right in rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def mathml_lines(rows: Sequence[tuple[Box, Box]]) -> str:
    """Equations aligned at the relation sign, as a MathML table."""
    mathml = MathML()
    cell = '<mtd style="text-align:{}">{}</mtd>'
    lines = "".join(
        "<mtr>"
        + cell.format("right", mathml(left))
        + cell.format("left", _mrow("<mo>=</mo>", mathml(right)))
        + "</mtr>"
        for left, right in rows
    )
    return f'<math display="block" displaystyle="true"><mtable>{lines}</mtable></math>'
