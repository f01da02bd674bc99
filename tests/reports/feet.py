"""Pages that are full to any line, and the last lines of the pages of a PDF."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from unicodedata import normalize

from samples import document

from derive.typeset.boxes import Fraction, Sum, Symbol
from reports.document.model import (
    Bullets,
    Document,
    EquationRow,
    Equations,
    Listing,
    Paragraph,
    Section,
    Table,
    Theorem,
    Words,
)

LEADING = ("HEAD", "LEAD", "CAP", "Proof.", "long", "step")
"""The ends of lines that lead to what stands below them, or are in the midst of a paragraph."""


def crowded() -> Document:
    """Headings, words that lead to equations, captions and proofs at many places of a page."""

    def words(text: str) -> tuple[Words, ...]:
        return (Words(text),)

    line = EquationRow(Symbol("a"), Symbol("b"))
    tall = EquationRow(Fraction(Symbol("a"), Symbol("c")), Symbol("b"))
    other = EquationRow(Symbol("d"), Symbol("b"))
    terms = tuple(("+", Fraction(Symbol("longer"), Symbol("c"))) for _ in range(30))
    wide = EquationRow(Symbol("a"), Sum(terms))
    head, rows = (words("a"), words("b")), ((words("row"), words("1")),) * 25
    caption = words("long " * 30 + "CAP")
    small = Table(25, words("CAP"), head, ((words("short"), words("1")),) * 9, "lr")
    steps = (words("step " * 60 + "END"),) * 2
    sections = []
    for place in range(24):
        lines = (Paragraph(words("text")),) * (place % 11)
        sections += [
            Section(f"a{place}", "HEAD", (
                Paragraph(words("LEAD")), Equations((line,) * 4), Equations((line, line)),
                *lines, small, Paragraph(words("long " * 50 + "LEAD")), Equations((tall,)),
            )),
            Section(f"b{place}", "HEAD", (Table(place + 1, caption, head, rows, "lr"),)),
            Section(f"c{place}", "HEAD", (
                Paragraph(words("long " * 70 + "LEAD")), Equations((tall,)), *lines,
                Paragraph(words("LEAD")), Equations((wide, line)),
                *(Paragraph(words("text")), Equations((other,) * 3)) * (1 + place % 4),
                *(Paragraph(words("LEAD")), Listing("code\n" * 6)) * (1 + place % 3),
                Theorem("t", place + 1, (Paragraph(words("LEAD")), Bullets(steps)), steps),
            )),
        ]  # fmt: skip
    groups = ((Equations((other,) * (3 + k % 6)), Equations((line,) * (3 + k % 2)))
              for k in range(90))  # fmt: skip
    sections.append(Section("d", "HEAD", tuple(group for both in groups for group in both)))
    return replace(document("rnn"), sections=tuple(sections))


def printed(pdf: Path) -> str:
    """The text of a PDF as it is laid out, letters of formulas as any others."""
    made = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], text=True,
                          capture_output=True, check=True).stdout  # fmt: skip
    return normalize("NFKC", made)


def row_counts(pdf: Path, word: str) -> list[int]:
    """How many rows of a table that begin with a word stand together on a page, and again."""
    made: list[int] = []
    for page in printed(pdf).split("\f"):
        lines = [text.strip().startswith(word) for text in page.split("\n") if text.strip()]
        made += [len([*group]) for begins, group in groupby(lines) if begins]
    return made


def feet(pdf: Path, numbered: bool) -> list[str]:
    """The last line of each page, above its number where it has one."""
    pages = [page.split("\n") for page in printed(pdf).split("\f")[:-1]]
    return [[text.strip() for text in page if text.strip()][-1 - numbered] for page in pages]
