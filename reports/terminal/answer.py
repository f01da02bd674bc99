"""The answer about weights as text for a terminal of 80 columns, printed first.

In: a `Stack` and an `Answer`. Out: lines. The sentences are those of reports; where there is no
trajectory, the verdict for all inputs stands alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from derive.calculus.paths import Route
from derive.cell import Cell
from derive.saying import singular
from derive.typeset.columns import columns_of
from numeric.bounds.answer import Answer
from numeric.bounds.batches import Batch
from numeric.bounds.diagnosis import EXPLODES, UNDECIDED, VANISHES
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError
from numeric.bounds.stack import Stack
from numeric.numbers.printed import decimal
from reports.document.model import Words
from reports.document.words import Speaker, without_gaps
from reports.sections.answer_lines import Line, batch_line, lines

WIDTH: Final = 80
VERDICTS: Final = {
    VANISHES: "verdict.vanishes", EXPLODES: "verdict.explodes", UNDECIDED: "verdict.undecided",
}  # fmt: skip
_SLOT: Final = re.compile(r"\{(\d+)\}")
_CLOSING: Final = "，。：；）、"
_SIGN: Final = "[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"
_PIECE: Final = re.compile(rf"{_SIGN}|(?:(?!{_SIGN})\S)+\s*|\s+")


class Text:
    """A terminal's letters: names as the cell file has them."""

    def __init__(self, say: Speaker, cell: Cell) -> None:
        self.say, self.parts = say, cell.parts

    def power(self, value: float, way: str) -> str:
        """10 to the value, rounded."""
        if not math.isfinite(value):
            return "∞" if value > 0 else "0"
        return f"10^{decimal(value, 2, way):f}"

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

    def part(self, name: str) -> str:
        """A symbol with what the cell calls it, where it says so."""
        called = self.parts.get(name, "")
        named = self.say.words("answer.part").format(name, self.say.phrase(called))
        return named if called else name

    def bias(self, name: str, target: str, own: bool) -> str:
        """A bias, and the symbol that it is the bias of, if it is its own, or is added for."""
        said = self.say.words("answer.bias" if own else "answer.bias_within")
        return said.format(name, self.part(target))

    def path(self, route: Route) -> str:
        """A path through one step."""
        return route.label


def first(
    stack: Stack, found: Answer | None, batch: Batch | None, inputs: str, say: Speaker,
    overflow: StateOverflowError | None = None,
) -> list[str]:  # fmt: skip
    """What is printed before all tables: the verdict, and what is said of the trajectory."""
    one, layer = stack.found[stack.decisive], stack.layers[stack.decisive]
    name = f"{one.cell.name} {layer.prefix}".rstrip(". ")
    letters = Text(say, one.cell)
    made = [say.words("verify.named").format(name, say.words(VERDICTS[one.verdict]))]
    if batch is not None:
        line = batch_line(inputs, batch.log10_measured, batch.shown, str(one.lags[-1]), letters)
        made += wrapped(sentence(line, say), "  ")
    if overflow is not None:
        line = "answer.overflow", (overflow.state, str(overflow.step))
        made += wrapped(sentence(line, say), "  ")
    if found is None:
        return [*made, *wrapped(say.phrase(one.because), "  "), ""]
    opening, *rest = lines(found, letters)
    made += wrapped(sentence(opening, say), "  ")
    for line in rest:
        made += wrapped(sentence(line, say), "  - ")
    return [*made, ""]


def sentence(line: Line, say: Speaker) -> str:
    """The sentence of a key with its slots, marks of emphasis and code left out."""
    key, slots = line
    template = singular(say.words(key), slots).replace("*", "").replace("`", "")
    made = _SLOT.sub(lambda place: _word(slots[int(place[1])], say), template).strip()
    return made if say.words("words.between") else without_gaps(made)


def _word(slot: Any, say: Speaker) -> str:
    if isinstance(slot, list):
        return say.words("words.comma").join(slot)
    return slot.text if isinstance(slot, Words) else str(slot)


def wrapped(text: str, lead: str) -> list[str]:
    """The text in lines of 80 columns, the first begun by the lead, the others as far in."""
    return _folded(text, lead, " " * len(lead))


def fitted(rows: Sequence[str]) -> Iterator[str]:
    """Lines with an indent of their own, those that are too long wrapped two further in."""
    for line in rows:
        if columns_of(line) <= WIDTH:
            yield line
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        yield from _folded(line.strip(), indent, indent + "  ")


def _folded(text: str, first: str, rest: str) -> list[str]:
    """The text in lines: broken at spaces, and anywhere between Chinese signs."""
    made, line = [], first
    for piece in _PIECE.findall(text):
        if columns_of(line + piece.rstrip()) > WIDTH and line.strip() and piece[0] not in _CLOSING:
            made.append(line.rstrip())
            line = rest
        line += piece
    return [*made, line.rstrip()]
