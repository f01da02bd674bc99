"""Names → boxes: W_fh, c_tilde, alpha, and the LaTeX that an author gives a symbol.

In: a symbol's name, or a few signs of LaTeX as plain data. Out: presentation boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from derive.typeset import boxes
from derive.typeset.boxes import (
    ACCENTS,
    GREEK,
    PRIME,
    Box,
    Number,
    Script,
    Symbol,
    row,
    sub,
    sup,
)

MAX_LATEX: Final = 100
# Letters of a time before t, the loss, the last time, bounds on norms, a step among several, an
# entry of a column, the largest slope, spectral radii, singular values: the usual ones first.
_OWN: Final = {
    "earlier": ("k", "tau", "s", "r"), "loss": ("L", "E", "C"), "length": ("T", "H", "P"),
    "norms": ("N", "D", "Z"), "factor": ("j", "l", "u"), "index": ("i", "p", "e"),
    "largest": ("gamma", "Gamma", "upsilon"), "radius": ("rho", "spr"),
    "singular": ("sigma", "sv"),
}  # fmt: skip
_TOKEN: Final = re.compile(r"\\[A-Za-z]+|[A-Za-z]|[0-9]+|[{}_^'*,+-]|\s+")
_WRITTEN: Final = frozenset(ACCENTS) - {"bar", "carry"}  # those two say what a cotangent is
LAMDA: Final = "lamda"  # how λ is spelt in a name, since lambda is a keyword of Python
_FUNCTIONS: Final = frozenset(("tanh", "exp", "sin", "cos", "log", "max", "min"))


@cache
def spelled(name: str, whole: frozenset[str] = frozenset()) -> Box:
    """The box of a name: W_fh, c_tilde, alpha, a_c_tilde, W2; subscripts that are `whole` names."""
    parts: list[Box] = []
    if "" in name.split("_"):
        return Symbol(name)  # underscores that join nothing are shown
    for place, token in enumerate(name.split("_")):
        if token in _WRITTEN and parts:
            over = 0 if parts[-1] == Symbol("prev") else -1  # a hat is of the letter, not of "prev"
            parts[over] = boxes.accent(token, parts[over])
        else:
            parts.append(word(token) if place == 0 or token in whole else subscript(token))
    return parts[0] if len(parts) == 1 else join(parts[0], parts[1:])


def join(base: Box, below: list[Box]) -> Box:
    """The base with one subscript after the other."""
    for part in below:
        base = sub(base, part)
    return base


def word(token: str) -> Box:
    """A letter or a word; digits at its end become a subscript."""
    letters = token.rstrip("0123456789")
    if not letters:
        return Number(token)
    symbol = Symbol("lambda" if letters == LAMDA else letters)
    return symbol if letters == token else sub(symbol, Number(token[len(letters) :]))


def subscript(token: str) -> Box:
    """A part of a name after the first: one or two letters slant, one by one (xi is x, i)."""
    if not token.isalpha() or len(token) > 2:
        return word(token)
    return row(*map(Symbol, token))


@cache
def parse_latex(text: str) -> Box:
    r"""The box of a symbol's LaTeX: letters, accents, Greek, \mathrm, scripts.

    Raises:
        ValueError: for anything else.
    """
    if len(text) > MAX_LATEX:
        raise ValueError(f"{len(text)} characters of LaTeX for one symbol; at most {MAX_LATEX}")
    tokens = [token for token in _TOKEN.findall(text) if not token.isspace()]
    if "".join(tokens) != re.sub(r"\s+", "", text):
        raise ValueError(f"the LaTeX {text!r} has a character that no symbol has")
    found, rest = _latex_row(tokens, text)
    if rest:
        raise ValueError(f"the LaTeX {text!r} has a brace too many")
    return found


def _latex_row(tokens: list[str], text: str) -> tuple[Box, list[str]]:
    items: list[Box] = []
    while tokens and tokens[0] != "}":
        if tokens[0] in "_^'" and items:
            if tokens[0] == "'":
                items[-1], tokens = sup(items[-1], PRIME), tokens[1:]
                continue
            script = sub if tokens[0] == "_" else sup
            inner, tokens = _latex_atom(tokens[1:], text)
            items[-1] = script(items[-1], inner)
        else:
            item, tokens = _latex_atom(tokens, text)
            items.append(item)
    if not items:
        raise ValueError(f"the LaTeX {text!r} is empty where a symbol is expected")
    return row(*items), tokens


def _latex_atom(tokens: list[str], text: str) -> tuple[Box, list[str]]:
    if not tokens or tokens[0] in "}_^'":
        raise ValueError(f"the LaTeX {text!r} ends where a symbol is expected")
    head, *rest = tokens
    if head == "{":
        inner, rest = _latex_row(rest, text)
        if not rest:
            raise ValueError(f"the LaTeX {text!r} lacks a closing brace")
        return inner, rest[1:]
    if not head.startswith("\\"):
        return boxes.box(head.replace("-", "−").replace("*", "∗")), rest
    name = head[1:]
    if name in GREEK or name in _FUNCTIONS:
        return Symbol(name), rest
    if name in ACCENTS and name != "carry":
        inner, rest = _latex_atom(rest, text)
        return boxes.accent(name, inner), rest
    if name in {"mathrm", "operatorname", "text"} and rest[:1] == ["{"] and "}" in rest:
        end = rest.index("}")
        return Symbol("".join(rest[1:end])), rest[end + 1 :]
    raise ValueError(
        f"the LaTeX {text!r} uses {head}; known are letters, accents, \\mathrm and \\operatorname"
    )


def heads(names: Iterable[str], latex: Mapping[str, str]) -> set[str]:
    """The letters that the names are read by: without scripts and accents, as an author has them.

    A symbol with LaTeX of its own is read by that; its name does not reach the page. A small letter
    with a number, as k₁, is another letter than k.
    """
    found = set()
    for name in names:
        box = parse_latex(latex[name]) if latex.get(name) else spelled(name)
        while not isinstance(box, Symbol):
            match box:
                case Script(base=Symbol(letter), sub=Number()) if letter.islower():
                    break
                case Script(base=inner) | boxes.Accent(base=inner) | boxes.Row(items=(inner, *_)):
                    box = inner
                case _:
                    break
        if isinstance(box, Symbol):
            found.add(box.name)
    return found


def own(names: Iterable[str], latex: Mapping[str, str]) -> dict[str, Any]:
    """Our letters beside these names: each the first that none of them is read by.

    And `whole`, the names that are letters themselves: below another they are no m and u.
    """
    taken = heads(names, latex)
    found: dict[str, Any] = {
        what: next((letter for letter in letters if letter not in taken), letters[0])
        for what, letters in _OWN.items()
    }
    return found | {"whole": frozenset(names) & {*GREEK}}
