"""Templates with slots → inline text: the one way in which a report's sentences get formulas.

In: a sentence with slots {0}, {1}, … and derived expressions. Out: `Inlines` of the document.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from sympy import Basic

from derive.saying import in_words, singular
from derive.theorems.claims import Line, Relation
from derive.theorems.sentences import Sentences, sentences
from derive.typeset.boxes import Operator, Row, row
from derive.typeset.layout import Layout
from reports.document.model import Inline, Inlines, Math, Reference, Words

FOLDER: Final = Path(__file__).parents[1] / "languages"
PHRASES: Final = FOLDER / "phrases"
Slot = object
_CHINESE: Final = "[\u2018-\u201d\u3001-\u303f\u3400-\u9fff\uff00-\uffef]"
_APART: Final = re.compile(f"(?<={_CHINESE}) (?={_CHINESE})")
NUMBERS: Final = (
    "", "numbers.one", "numbers.two", "numbers.three", "numbers.four", "numbers.five",
    "numbers.six", "numbers.seven", "numbers.eight", "numbers.nine", "numbers.ten",
)  # fmt: skip
_ORIGIN: Final = re.compile(r"(−?)(rows of )?(.*?)(?:; the file has no (.*) here)?")
_PART: Final = re.compile(r"\{(\d+)\}|\*([^*]+)\*|`([^`]+)`")


@cache
def spoken(language: str) -> Sentences:
    """What a language says: the theorems' sentences, and those of the reports about them."""
    return Sentences({**sentences(language).texts, **sentences(language, FOLDER).texts})


@cache
def phrases(language: str) -> Mapping[str, str]:
    """What a language says for what a computation says in passing, by its English template."""
    path = PHRASES / f"{language}.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {template: text for table in tables.values() for template, text in table.items()}


def _unnumbered(name: str) -> int:
    raise ValueError(f"theorem {name!r}: expected a document that numbers it, came none")


class Speaker:
    """Says sentences in one cell's notation; `number` gives a theorem's number by its name."""

    def __init__(
        self, layout: Layout, number: Callable[[str], int] = _unnumbered, language: str = "en"
    ) -> None:
        self.layout, self.number, self.language = layout, number, language

    def __call__(self, template: str, *slots: Slot) -> Inlines:
        """The sentence; *…* is emphasis, `…` code, a whole number a link to an equation."""
        made = tuple(self._parts(singular(template, slots), slots))
        return made if self.words("words.between") else closed_up(made)

    def line(self, *lines: Line) -> Inlines:
        """A sentence of a theorem, or several, one after the other."""
        notation = self.layout.notation
        plain = Layout(replace(notation, timed=frozenset(), letters={}))
        say = Speaker(plain, self.number, self.language)
        return self.together([
            say.sentence(line.key, *(
                say.listed([say("{0}", part) for part in slot]) if isinstance(slot, tuple) else slot
                for slot in line.slots))
            for line in lines
        ])  # fmt: skip

    def sentence(self, key: str, *slots: Slot) -> Inlines:
        """A sentence of the language by its key, with its slots filled."""
        return self(spoken(self.language).template(key, self.number), *slots)

    def words(self, key: str) -> str:
        """A title, or other words without slots, by their key."""
        return spoken(self.language).texts[key]

    def counted(self, number: int) -> str:
        """A number in words, or in digits where it is long."""
        return self.words(NUMBERS[number]) if number < len(NUMBERS) else str(number)

    def phrase(self, text: str) -> str:
        """What a computation says in passing: the name of a rule, of a cell, a verdict."""
        return in_words(text, phrases(self.language))

    def closed(self, text: str) -> str:
        """The text with a full stop, that of the script in which it ends."""
        ended = text.rstrip(".。")
        return ended + ("。" if re.search(_CHINESE, re.split("[：；;]", ended)[-1]) else ".")

    def reference(self, theorem: str) -> str:
        """What a theorem is called by its number."""
        return self.words("words.reference").format(self.number(theorem))

    def heads(self, *keys: str) -> tuple[Inlines, ...]:
        """The heads of a table's columns."""
        return tuple(map(self.sentence, keys))

    def listed(self, parts: Sequence[Inlines], last: str = "words.and") -> Inlines:
        """The parts as an enumeration: a, b and c; with "words.also" of what is said of them."""
        same = {last: last for last in ("words.semicolon", "words.pause")}
        other = {**same, "words.also": "words.pause"}.get(last, "words.comma")
        return listed(parts, self.words(last), self.words(other))

    def together(self, parts: Sequence[Inlines]) -> Inlines:
        """Sentences, one after the other."""
        return listed(parts, self.words("words.between"), self.words("words.between"))

    def formula(self, slot: Slot) -> Math:
        """An expression or a relation as a formula in the line."""
        if isinstance(slot, Relation):
            left, right = self.layout.of(slot.left), self.layout.of(slot.right)
            return Math(Row((left, Operator(slot.sign), right)))
        if isinstance(slot, Basic):
            return Math(self.layout.of(slot))
        return Math(row(slot))  # type: ignore[arg-type]

    def _parts(self, template: str, slots: Sequence[Slot]) -> Iterator[Inline]:
        end = 0
        for found in _PART.finditer(template):
            if found.start() > end:
                yield Words(template[end : found.start()])
            end = found.end()
            place, emphasis, code = found.groups()
            if emphasis or code:
                yield Words(emphasis or code, "emphasis" if emphasis else "code")
            else:
                yield from self._slot(slots[int(place)])
        if end < len(template):
            yield Words(template[end:])

    def _slot(self, slot: Slot) -> Iterator[Inline]:
        if isinstance(slot, (Words, Math, Reference)):
            yield slot
        elif isinstance(slot, tuple):
            for part in slot:
                yield from self._slot(part)
        elif isinstance(slot, int):
            yield Reference(f"eq-{slot}", str(slot))
        elif isinstance(slot, str):
            yield Words(slot)
        else:
            yield self.formula(slot)


def origin(source: str, some_rows: str, none_here: str) -> tuple[str, tuple[str, ...]]:
    """What of a file of weights a parameter is: a template, and the file's names in its slots."""
    found = _ORIGIN.fullmatch(source)
    sign, rows, names, absent = found.groups() if found else ("", None, source, None)
    template = sign + (some_rows if rows else "{0}")
    if absent is None:
        return template, (names,)
    return template + none_here.replace("{0}", "{1}"), (names, absent)


def without_gaps(text: str) -> str:
    """The text without spaces between two Chinese signs."""
    return _APART.sub("", text)


def closed_up(parts: Inlines) -> Inlines:
    """The parts without spaces between two Chinese signs, which are written without."""
    made: list[Inline] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, Words) and isinstance(last, Words) and last.style == part.style:
            made[-1] = Words(last.text + part.text, part.style)
        else:
            made.append(part)
    return tuple(
        Words(without_gaps(part.text), part.style)
        if isinstance(part, Words) and part.style != "code" else part
        for part in made
    )  # fmt: skip


def listed(parts: Sequence[Inlines], last: str = " and ", other: str = ", ") -> Inlines:
    """The parts as an enumeration: a, b and c."""
    found: list[Inline] = []
    for place, part in enumerate(parts):
        if place:
            found.append(Words(last if place == len(parts) - 1 else other))
        found.extend(part)
    return tuple(found)
