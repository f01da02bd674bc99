"""What other notations write, and what stands for it here: those of papers, LaTeX and Python.

In: a line and the column of what is not understood, or the name of an unknown function. Out: what
to write instead, nothing where no habit is known.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_TIME: Final = "no time is written: x is this step's value, h_prev the one a step earlier"
_POWER: Final = "write power(a, 2) for a power, exp(a) for that of e"

_SIGNS: Final = tuple((re.compile(sign), said) for sign, said in (
    (r"ᵀ|⊤|\^\s*\{?\s*\\?(T\b|top\b|⊤)|\.(t|mT|transpose)\b", "write .T for a transpose"),
    (r"[\^²³⁴]|(?<=\*)\*", _POWER),
    (r"\.(?:\w+\.)*(?P<name>[A-Za-z_]\w*)\s*\(", "a function has its name alone: write {call}"),
    (r"σ\s*\(", "write sigmoid(a)"),
    (r"[⊙∘∗⋆]", "write * for a product entry by entry"),
    (r"[×·⋅•]", "write * for a product entry by entry, @ for one with a matrix"),
    (r"[−–—]", "write - for minus"),
    (r"÷", "write / for a quotient entry by entry"),
    (r"⊗", "write outer(a, b)"),
    (r"√", "write sqrt(a)"),
    (r"∑", "write sum(a)"),
    (r"[|∣]", "write abs(a) entry by entry, norm(a) of a vector"),
    (r"‖|∥", "write norm(a) of a vector, concat(a, b) for two vectors as one"),
    (r":=|[←≔]", "write = to assign"),
    (r"[<>≤≥]", "values are not compared: maximum(a, b), minimum(a, b) and step(a, slope=triangle) "
                "are what there is"),
    (r";", "an equation has a line of its own, and [a, b] stacks vectors"),
    (r"[\[{]\s*t\b|[ₜ₋₊]", _TIME),
    (r"\\", "write the name of a function or symbol alone, as in tanh(a)"),
    (r"=(?=[^()\[\]=]*\))", "arguments have no names; that of step alone is slope=NAME"),
))  # fmt: skip

_CALLS: Final = {
    written: said
    for names, said in (
        ("swish", "silu(a)"),
        ("expit logistic sigma sigm", "sigmoid(a)"),
        ("max fmax", "maximum(a, b)"),
        ("min fmin", "minimum(a, b)"),
        ("clip clamp", "minimum(maximum(a, -1), 1)"),
        ("matmul mm mv bmm", "W @ a"),
        ("linear dense", "W @ a + c"),
        ("mul multiply hadamard", "a * b"),
        ("cat concatenate stack hstack vstack", "concat(a, b)"),
        ("atan", "arctan(a)"),
        ("tan", "sin(a) / cos(a)"),
        ("pow square", "power(a, 2)"),
        ("rsqrt", "power(a, -0.5)"),
        ("reciprocal", "1 / a"),
        ("log1p", "log(1 + a)"),
        ("expm1", "exp(a) - 1"),
        ("logsigmoid log_sigmoid", "-softplus(-a)"),
        ("mish", "a * tanh(softplus(a))"),
        ("normalize normalise", "l2norm(a)"),
        ("heaviside spike", "step(a, slope=triangle)"),
    )
    for written in names.split()
}


def instead(line: str, column: int) -> str:
    """What to write for what stands at the column, from 1; empty where nothing is known."""
    at = column - 1
    for sign, said in _SIGNS:
        if found := sign.match(line, at):
            name = found.groupdict().get("name", "")
            return said.format(call=call_instead(name) or f"{name}(a)")
    letter = line[at : at + 1]
    name = unicodedata.name(letter, "") if letter else ""
    if greek := re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", name):
        word = greek[2].lower()
        return f"write {word if greek[1] == 'SMALL' else word.capitalize()}"
    if name.startswith("COMBINING"):
        return "write a mark over a letter as a word, as in h_tilde"
    return ""


def call_instead(name: str) -> str:
    """How a function that has no row here is written; empty where nothing is known."""
    return _CALLS.get(name.lower(), "")
