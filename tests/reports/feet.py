"""Pages that are full to any line, and the last lines of the pages of a PDF."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from unicodedata import normalize

import numpy as np
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
    few = Equations((EquationRow(Symbol("w"), Symbol("b")),) * 6)
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
                *lines, small, Paragraph(words("LEAD")), few,
                Paragraph(words("long " * 50 + "LEAD")), Equations((tall,)),
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


def headed_by_a_rule(pdf: Path) -> list[int]:
    """The pages that begin with a rule and no other soon below it: the end of a table cut off."""
    made = subprocess.run(["pdftoppm", "-r", "90", "-gray", str(pdf)], capture_output=True,
                          check=True).stdout  # fmt: skip
    found, at, page = [], 0, 0
    while at < len(made):
        head = re.compile(rb"P5\n(\d+) (\d+)\n255\n").match(made, at)
        wide, high = int(head[1]), int(head[2])
        dark = np.frombuffer(made, np.uint8, wide * high, head.end()).reshape(high, wide) < 200
        at, page = head.end() + wide * high, page + 1
        inked = np.flatnonzero(dark.any(axis=1))
        rules = np.flatnonzero(dark.sum(axis=1) > 25)
        solid = [row for row in rules if np.ptp(np.flatnonzero(dark[row])) < dark[row].sum() + 3]
        first = [row for row in solid if row <= inked[0] + 1]
        if first and not [row for row in solid if inked[0] + 5 < row < inked[0] + 50]:
            found.append(page)
    return found


def feet(pdf: Path, numbered: bool) -> list[str]:
    """The last line of each page, above its number where it has one."""
    pages = [page.split("\n") for page in printed(pdf).split("\f")[:-1]]
    return [[text.strip() for text in page if text.strip()][-1 - numbered] for page in pages]


def places(pdf: Path, word: str) -> list[tuple[int, float]]:
    """Where each word like this stands: its page, from 0, and its height from above, in points."""
    made = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], text=True,
                          capture_output=True, check=True).stdout  # fmt: skip
    return [(number, float(found[1])) for number, page in enumerate(made.split("<page ")[1:])
            for found in re.finditer(rf'yMin="([\d.]+)"[^>]*>{word}<', page)]  # fmt: skip
