"""LaTeX and MathML as the line of text that a reader sees: for the reader.

In: what is printed, or the LaTeX of one side of an equation, or its MathML. Out: text in which
fractions are in parentheses, scripts are `_{…}` and `^{…}`, and accents are marks behind their
letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape, unescape
from typing import Final
from xml.etree import ElementTree

from tests.derive.typeset.printed_names import BAR, CARRY, DOT

_ACCENTS: Final = {"bar": BAR, "tilde": "\u0303", "hat": "\u0302", "dot": DOT}
_OVER: Final = {"¯": BAR, "˜": "\u0303", "ˆ": "\u0302", "˙": DOT, "←": CARRY}
_SIGNS: Final = {
    "odot": " ⊙ ", "times": "×", "cdot": "·", "ge": " ≥ ", "mapsto": " ↦ ", "partial": "∂",
    "top": "ᵀ", "sum": "∑", "prod": "∏", "imath": "i", "jmath": "j", "lVert": "‖", "rVert": "‖",
    "|": "‖", "displaystyle": "", "prime": "′",
    ",": " ", "Bigl": "", "Bigr": "", "Biggl": "", "Biggr": "", "bigl": "", "bigr": "",
}  # fmt: skip
_GREEK: Final = {
    unicodedata.name(chr(code)).split()[-1].lower().replace("lamda", "lambda"): chr(code)
    for code in (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA))
} | {
    unicodedata.name(chr(code)).split()[-1].capitalize().replace("Lamda", "Lambda"): chr(code)
    for code in (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA))
}  # fmt: skip
_TOKEN: Final = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|\d+(?:\.\d+)?(?:e-?\d+)?|\s+|.")


class Latex:
    """One side of an equation, token by token."""

    def __init__(self, source: str) -> None:
        self.tokens = [t for t in _TOKEN.findall(source) if not t.isspace()]
        self.place = 0

    def until(self, *ends: str) -> str:
        """The text up to one of the tokens, which is taken too; without ends, all of it."""
        made: list[str] = []
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token in ends:
                self.place += 1
                return "".join(made)
            made.append(self.one(made[-1] if made else ""))
        assert not ends, f"{ends} is missing in {self.tokens}"
        return "".join(made)

    def group(self) -> str:
        """What a command is given: {…}, or one token."""
        if self.tokens[self.place] == "{":
            self.place += 1
            return self.until("}")
        return self.one("")

    def one(self, before: str) -> str:
        """The next token, with what belongs to it."""
        token = self.tokens[self.place]
        self.place += 1
        if token == "{":
            return self.until("}")
        if token in "_^":
            inner = self.group().replace(" ", "")
            return inner if inner == "ᵀ" else f"{token}{{{inner}}}"
        if token == "'":
            return "′"
        if token == "-":
            return " − "
        if token.isalpha():
            return _apart(before, token)
        if not token.startswith("\\"):
            return token
        return self.command(token[1:], before)

    def command(self, name: str, before: str) -> str:
        """A command with its arguments."""
        if name in _ACCENTS:
            return _apart(before, self.group() + _ACCENTS[name])
        if name == "overset":
            assert self.group() == "leftarrow"
            return _apart(before, self.group() + CARRY)
        if name == "frac":
            return _fraction(self.group(), self.group())
        if name == "sqrt":
            return _apart(before, f"sqrt({self.group()})")
        if name in {"mathrm", "operatorname"}:
            return _apart(before, self.group().replace(" ", ""))
        if name == "smash":
            assert self.until("]") == "[t"
            return self.group()
        if name == "begin":
            assert self.group().replace(" ", "") == "bmatrix"
            return self.grid()
        if name in {"scriptscriptstyle", "leftarrow"}:
            return "" if name.startswith("s") else name
        if name in _GREEK:
            return _apart(before, _GREEK[name])
        return _SIGNS[name] if name in _SIGNS else _apart(before, name)

    def grid(self) -> str:
        """The entries of a matrix up to its end."""
        made = "["
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token == r"\end":
                self.place += 1
                self.group()
                return made + "]"
            if token == "&":
                made, self.place = made + ", ", self.place + 1
            elif token == r"\\":
                made, self.place = made + "; ", self.place + 1
                if self.tokens[self.place] == "[":
                    self.until("]")
            else:
                made += self.one(made)
        raise AssertionError("a matrix without an end")


def _apart(before: str, text: str) -> str:
    """Two symbols side by side are two."""
    return f" {text}" if before and (before[-1].isalnum() or before[-1] in "}ᵀ′") else text


def _fraction(top: str, bottom: str) -> str:
    if top.startswith("∂"):
        return f"({top.replace(' ', '')}/{bottom.replace(' ', '')})"
    return f"(({top})/({bottom}))"


def from_latex(source: str) -> str:
    """The text of one side of an equation."""
    return Latex(source).until().strip()


def latex_lines(source: str) -> Iterator[tuple[str, str, str]]:
    """(number, left side, right side) of what `bptt show --format latex` prints."""
    for line in source.splitlines():
        if found := re.fullmatch(r"(.*?) &= (.*) \\tag\{(\d+)\}(?: \\\\)?", line):
            yield found[3], from_latex(found[1]).strip("()"), from_latex(found[2])


def lines(text: str) -> Iterator[tuple[str, str, str, str]]:
    """(section, number, left side, right side) of every numbered line, without its note."""
    section = ""
    for line in text.splitlines():
        if re.match(r"\S", line):
            section = line.strip()
        elif found := re.match(r"\s+\((\d+)\)\s+(.*?) = (.*?)(?: {4}\[.*)?$", line):
            yield section, found[1], unicodedata.normalize("NFD", found[2].strip()), found[3]


# ---- MathML ----------------------------------------------------------------------------------


def _children(node: ElementTree.Element) -> str:
    made: list[str] = []
    for child in node:
        made.append(_element(child, made[-1] if made else ""))
    return "".join(made)


def _element(node: ElementTree.Element, before: str) -> str:
    """An element as text; apart from the letter before it."""
    parts = list(node)
    match node.tag:
        case "mi" | "mn":
            text = "ᵀ" if node.text == "⊤" else (node.text or "").replace(" ", "")
            return text if text in "ᵀ∂" or node.tag == "mn" else _apart(before, text)
        case "mo":
            sign = node.text or ""
            return f" {sign} " if sign in "−+⊙≥↦=<" else sign
        case "mspace":  # less than a thin space is room for the eye, no gap between factors
            return " " if float(node.get("width", "1em").removesuffix("em")) >= 0.15 else ""
        case "mfrac":
            return _fraction(_element(parts[0], ""), _element(parts[1], ""))
        case "msqrt":
            return _apart(before, f"sqrt({_children(node)})")
        case "mover":
            return _apart(before, _element(parts[0], "") + _OVER[_element(parts[1], "")])
        case "msub" | "munder":
            return _element(parts[0], before) + _script("_", parts[1])
        case "msup":
            return _element(parts[0], before) + _script("^", parts[1])
        case "msubsup" | "munderover":
            below, above = _script("_", parts[1]), _script("^", parts[2])
            return _element(parts[0], before) + below + above
        case "mtable":
            return "; ".join(", ".join(_children(cell) for cell in line) for line in node)
    assert node.tag in {"mrow", "math"}, node.tag
    return _apart(before, text) if (text := _children(node)) and text[0].isalpha() else text


def _script(sign: str, node: ElementTree.Element) -> str:
    inner = _element(node, "").replace(" ", "")
    return inner if inner == "ᵀ" and sign == "^" else f"{sign}{{{inner}}}"


def mathml_lines(source: str) -> Iterator[tuple[str, str, str]]:
    """(number, left side, right side) of the rows of a table of equations."""
    table = ElementTree.fromstring(source)[0]
    for line in table:
        left, right, number = (next(iter(cell)) for cell in line)
        sides = _element(left, ""), _element(right, "").removeprefix(" = ")
        yield (number.text or "").strip("()"), sides[0].strip("() "), sides[1]


def report_lines(page: str) -> Iterator[tuple[str, str, str]]:
    """(number, left side, right side) of every equation of a report; without one, of no number."""
    for line in re.findall(r"<tr[^>]*>(<td class=\"left\">.*?)</tr>", page, flags=re.DOTALL):
        left, right, *rest = re.findall(r"<td.*?</td>", line, flags=re.DOTALL)
        sides = ["".join(_formulas(cell)) for cell in (left, right)]
        number = re.search(r">\((\d+)\)<", rest[-1]) if rest else None
        yield (number[1] if number else ""), sides[0].strip("() "), sides[1].removeprefix(" = ")


def _formulas(source: str) -> Iterator[str]:
    for formula in re.findall(r"<math.*?</math>", source, flags=re.DOTALL):
        yield _element(ElementTree.fromstring(formula), "")


_PART: Final = re.compile(
    r'<tr[^>]*><td class="left">(.*?)</tr>|<(p|li|h2)\b[^>]*>(.*?)</\2>', flags=re.DOTALL
)


def report_parts(page: str) -> Iterator[tuple[str, ...]]:
    """The parts of a piece of a report in order: (text,) with formulas in ⟦ ⟧, or two sides."""
    for part in _PART.finditer(page):
        if part[1] is not None:
            left, right = ("".join(_formulas(cell)) for cell in part[1].split("</td>")[:2])
            yield left, right.strip()
        else:
            told = re.sub(r"(<math.*?</math>(<wbr>)?)+", _told, part[3], flags=re.DOTALL)
            told = re.sub(r"<[^>]*>", "", told).replace("⟧⟦", "")  # a formula in two pieces
            yield (" ".join(unescape(told).split()),)


def _told(found: re.Match[str]) -> str:
    return f"⟦{escape(''.join(_formulas(found[0])))}⟧"
