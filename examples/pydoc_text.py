"""The text of the examples, Python's own manual, and what they count in it.

In: `pydoc_data.topics`. Out: a part to train on, a part held out, integers for characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HELD_OUT_PART = 0.1
PARAGRAPH = "\n\n"


def read_text() -> str:
    """All topics in alphabetical order of their names."""
    return PARAGRAPH.join(topics[name].strip("\n") for name in sorted(topics)) + "\n"


def split(text: str) -> tuple[str, str]:
    """The first nine tenths to train on, and what is new in the last tenth.

    The manual repeats itself: a paragraph of the last part that the first part also holds would
    reward memory, so it is left out.
    """
    cut = text.index(PARAGRAPH, round((1 - HELD_OUT_PART) * len(text))) + len(PARAGRAPH)
    seen = {paragraph.strip() for paragraph in text[:cut].split(PARAGRAPH)}
    fresh = [p for p in text[cut:].split(PARAGRAPH) if p.strip() not in seen]
    return text[:cut], PARAGRAPH.join(fresh)


def numbered(characters: Iterable[str]) -> dict[str, int]:
    """Each different character → its place in the sorted alphabet."""
    return {character: place for place, character in enumerate(sorted(set(characters)))}


def encoded(text: str, alphabet: Mapping[str, int]) -> Array:
    """The text as integers. Shapes: (length,)."""
    return np.array([alphabet[character] for character in text], dtype=np.intp)
