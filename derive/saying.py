"""Sentences that a computation says in passing: English text that can be said otherwise as well.

In: a template with slots {0}, {1}, … and what fills them. Out: `Said`: the text, which keeps its
template and slots, so that another language fills them into a template of its own. What has
sections and theorems is said by keys instead (`derive.theorems.sentences`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

_COUNTED: Final = re.compile(
    r"\{(\d+)\}( more)? (?:step|method|sequence|layer|sweep|evaluation)s\b"
)


class Said(str):
    """The text of a template whose slots are filled."""

    template: str
    slots: tuple[object, ...]

    __slots__ = ("slots", "template")

    def __new__(cls, template: str, slots: tuple[object, ...]) -> Self:
        """The text, with what it was made of."""
        made = super().__new__(cls, singular(template, slots).format(*slots))
        made.template, made.slots = template, slots
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and sent between processes."""
        return Said, (self.template, self.slots)


def singular(template: str, slots: Sequence[object]) -> str:
    """The template with `{0} step` for `{0} steps` where its slot is 1."""
    return _COUNTED.sub(
        lambda found: found[0][:-1] if str(slots[int(found[1])]) == "1" else found[0], template
    )


def said(template: str, *slots: object) -> Said:
    """The template with its slots filled; a slot may be such a text itself."""
    return Said(template, slots)


def in_words(text: str, templates: Mapping[str, str]) -> str:
    """The text by another language's templates, its slots likewise; as it is where none is known.

    A text without slots is its own template.
    """
    if not isinstance(text, Said):
        return templates.get(text, text)
    slots = [in_words(slot, templates) if isinstance(slot, str) else slot for slot in text.slots]
    return singular(templates.get(text.template, text.template), slots).format(*slots)
