"""The answer about weights as text for a terminal of 80 columns, printed first.

In: a `Stack` and an `Answer`. Out: lines. The sentences are those of reports; where there is no
trajectory, the verdict for all inputs stands alone.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from derive.calculus.paths import Route
from numeric.bounds.answer import Answer
from numeric.bounds.batches import Batch
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError
from numeric.bounds.stack import Stack
from numeric.numbers.printed import decimal
from reports.document.model import Words
from reports.document.words import spoken
from reports.sections.answer import Line, batch_line, lines

WIDTH: Final = 80
_SLOT: Final = re.compile(r"\{(\d+)\}")


class Text:
    """A terminal's letters: names as the cell file has them."""

    def power(self, value: float, way: str) -> str:
        """10 to the value, rounded."""
        return f"10^{decimal(value, 2, way):f}" if math.isfinite(value) else "0"

    def decimal(self, value: float, digits: int, way: str) -> str:
        """The value with so many decimal places."""
        return f"{decimal(value, digits, way):f}"

    def figures(self, value: float) -> str:
        """The value with three figures."""
        return f"{value:.3g}"

    def symbol(self, name: str) -> str:
        """A symbol of the cell."""
        return name

    def unit(self, name: str, index: int) -> str:
        """An entry of a state."""
        return f"{name}[{index}]"

    def path(self, route: Route) -> str:
        """A path through one step."""
        return route.label


def first(
    stack: Stack, found: Answer | None, batch: Batch | None, inputs: str,
    overflow: StateOverflowError | None = None, language: str = "en",
) -> list[str]:  # fmt: skip
    """What is printed before all tables: the verdict, and what is said of the trajectory."""
    one, layer = stack.found[stack.decisive], stack.layers[stack.decisive]
    name = f"{one.cell.name} {layer.prefix}".rstrip(". ")
    made = [f"{name}: {one.verdict}"]
    if batch is not None:
        line = batch_line(inputs, batch.log10_measured, batch.shown, str(one.lags[-1]), Text())
        made += wrapped(sentence(line, language), "  ")
    if overflow is not None:
        line = "answer.overflow", (overflow.state, str(overflow.step))
        made += wrapped(sentence(line, language), "  ")
    if found is None:
        return [*made, *wrapped(one.because, "  "), ""]
    opening, *rest = lines(found, Text())
    made += wrapped(sentence(opening, language), "  ")
    for line in rest:
        made += wrapped(sentence(line, language), "  - ")
    return [*made, ""]


def sentence(line: Line, language: str = "en") -> str:
    """The sentence of a key with its slots, marks of emphasis and code left out."""
    key, slots = line
    template = spoken(language).texts[key].replace("*", "").replace("`", "")
    return _SLOT.sub(lambda place: _word(slots[int(place[1])]), template).strip()


def _word(slot: Any) -> str:
    if isinstance(slot, list):
        return ", ".join(slot)
    return slot.text if isinstance(slot, Words) else str(slot)


def wrapped(text: str, lead: str) -> list[str]:
    """The text in lines of 80 columns, the first begun by the lead, the others as far in."""
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def fitted(rows: Sequence[str]) -> Iterator[str]:
    """Lines with an indent of their own, those that are too long wrapped two further in."""
    for row in rows:
        if len(row) <= WIDTH:
            yield row
            continue
        indent = " " * (len(row) - len(row.lstrip()))
        yield from textwrap.wrap(row.strip(), WIDTH, initial_indent=indent,
                                 subsequent_indent=indent + "  ", break_long_words=False,
                                 break_on_hyphens=False)  # fmt: skip
