"""Presentation tree → LaTeX against latex-base alone.

In: boxes. Out: the source of one formula; the colour of cotangents is the caller's (`mark`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

from derive.typeset.boxes import (
    GREEK,
    PRIME,
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
    tall,
)
from derive.typeset.spacing import spaced

_LATEX_SIGNS: Final = {
    "↦": r"\mapsto ",
    "−": "-", "⊙": r"\odot ", "×": r"\times ", "·": r"\cdot ", "≤": r"\le ", "≥": r"\ge ",
    "→": r"\to ", "∈": r"\in ", "≔": r":=",
    "≈": r"\approx ", "′": r"\prime ", "⊤": r"\top ", "∂": r"\partial ",
    "∞": r"\infty ", "…": r"\dots ", "∗": "*", "⋯": r"\cdots ", "∀": r"\forall ", "ℓ": r"\ell ",
}  # fmt: skip
_LATEX_FENCES: Final = {"‖": r"\|", "{": r"\{", "}": r"\}"}
_LATEX_FUNCTIONS: Final = frozenset((
    "tanh", "exp", "sin", "cos", "log", "max", "min", "sup", "inf", "det", "lim",
))  # fmt: skip


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
            case Root(body):
                return rf"\sqrt{{{self(body)}}}"
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
        case Fenced(body) | Marked(body) | Root(body):
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
    return rf"\mathrm{{{name}}}".replace("_", r"\_")
