"""Names, sizes and numbers as C text.

In: names of a program, sizes and numbers of SymPy. Out: identifiers that C accepts and that
clash with nothing else in the file, and literals that read back as the nearest number.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from decimal import Context, Decimal
from functools import reduce
from typing import Final

from sympy import Expr, Number

KEYWORDS: Final = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while _Bool _Complex _Generic asm typeof NULL INFINITY NAN EOF
    SIZE_MAX PTRDIFF_MAX class delete new private protected public template this throw try
    namespace operator virtual using bool true false wchar_t nullptr linux unix
    BUFSIZ CHAR_BIT HUGE_VAL HUGE_VALF HUGE_VALL L_tmpnam L_ctermid P_tmpdir PIPE_BUF MAX_CANON
    MAX_INPUT MATH_ERRNO MATH_ERREXCEPT math_errhandling stdin stdout stderr
    """.split()  # noqa: SIM905
)
_MACROS: Final = re.compile(  # of the standard headers, limits.h among them
    r"[A-Z]\w*_(MAX|MIN)|U?INT\w*_C|FP_[A-Z0-9]+|SEEK_[A-Z]+"
    r"|M_(E|LOG2E|LOG10E|LN2|LN10|PI|PI_2|PI_4|1_PI|2_PI|2_SQRTPI|SQRT2|SQRT1_2)"
)
_NUMBERED: Final = re.compile(r"(packed|beside)_\d+")  # arrays of the file's own

OURS: Final = (
    "_at",
    "_row",
    "_rows",
    "_sums",
    "_copy",
    "_zeros",
    "_line",
    "_total",
    "_DOUBLE",
    "_PLAIN",
    "_MAIN",
)  # ends of the file's own names and macros


def identifiers(names: Iterable[str], taken: Container[str]) -> dict[str, str]:
    """An identifier for each name: itself where C and the file have no other use for it."""
    made: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        dotted = name.replace(".", "_")
        plain = "".join(c if re.match(r"\w", c, re.ASCII) else f"u{ord(c):x}" for c in dotted)
        while (
            plain in used or plain in KEYWORDS or plain in taken or plain.endswith(OURS)
            or _MACROS.fullmatch(plain) or _NUMBERED.fullmatch(plain)
        ):  # fmt: skip
            plain += "_"
        made[name] = plain
        used.add(plain)
    return made


def number_text(number: Number) -> str:
    """A rational as C text: R(3.0), R(0.1), (R(1.0) / R(3.0))."""
    p, q = int(number.p), int(number.q)
    if p < 0:
        return f"(-{number_text(-number)})"
    rest = q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"({number_text(number * q)} / {number_text(number * 0 + q)})"
    text = format(Context(prec=400).divide(Decimal(p), Decimal(q)), "f")
    return f"R({text}{'' if '.' in text else '.0'})"


def sum_text(terms: Iterable[str]) -> str:
    """A sum of C terms; equal ones as a multiple; 0 without any."""
    counts: dict[str, int] = {}
    for term in terms:
        counts[term] = counts.get(term, 0) + 1
    return " + ".join(t if n == 1 else f"{n} * {t}" for t, n in counts.items()) or "0"


class Sizes:
    """Sizes as C text, under the names that the file gives them."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def text(self, extent: Expr) -> str:
        """A size."""
        parts = []
        for term in extent.as_ordered_terms()[::-1] if extent.is_Add else [extent]:
            number, rest = term.as_coeff_Mul()
            symbols = [
                f"({self.text(s)})" if s.is_Add else self.names[str(s)]
                for s in rest.as_ordered_factors() if s.free_symbols
            ]  # fmt: skip
            factors = ([str(number)] if number != 1 or not symbols else []) + symbols
            parts.append(" * ".join(factors))
        return " + ".join(parts)

    def factor(self, extent: Expr) -> str:
        """A size that may be multiplied."""
        text = self.text(extent)
        return f"({text})" if "+" in text else text

    def count(self, extent: Expr) -> str:
        """A product of sizes whose overflow is seen."""
        factors = extent.as_ordered_factors() if extent.is_Mul else [extent]
        return reduce(lambda a, b: f"many({a}, {b})", map(self.text, factors))

    def padded(self, extent: Expr) -> str:
        """A size rounded up to whole vectors."""
        return "LANES" if extent == 1 else f"whole({self.text(extent)})"


def wrapped(line: str, width: int = 100) -> list[str]:
    """A line of C in lines of at most so many columns, where it can be broken between words."""
    made = []
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    while len(line) > width and not line.lstrip().startswith(("/*", "*", "#")):
        place = max(line.rfind(mark, 0, width) for mark in (", ", " ? ", " : ", " + ", " * "))
        if place <= len(indent):
            break
        cut = place + (2 if line[place] == "," else 1)
        made.append(line[:cut].rstrip())
        line = indent + line[cut:].lstrip()
    return [*made, line]
