"""A language's file → the theorems' sentences, each a template with slots for formulas.

In: the name of a language, that of a file of `languages/`. Out: `Sentences`: keys such as
"clockwork.decay" → text, references resolved by the numbers that a document gives its theorems.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "languages"
REFERENCE: Final = re.compile(r"\{ref:(\w+)\}")


@dataclass(frozen=True)
class Sentences:
    """What one language says, by key."""

    texts: Mapping[str, str]

    def template(self, key: str, number: Callable[[str], int]) -> str:
        """The sentence with its slots, other theorems by their numbers."""
        reference = self.texts["words.reference"]
        return REFERENCE.sub(lambda name: reference.format(number(name[1])), self.texts[key])


def languages(folder: Path = FOLDER) -> tuple[str, ...]:
    """The languages that the folder has a file of."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


@cache
def sentences(language: str = "en", folder: Path = FOLDER) -> Sentences:
    """The sentences of a language, from its file in the folder.

    Raises:
        ValueError: if there is no file of it.
    """
    known = languages(folder)
    if language not in known:
        raise ValueError(f"language: expected one of {', '.join(known)}, came {language!r}")
    tables = tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
    return Sentences({
        f"{theorem}.{name}": text.replace("\n", " ")
        for theorem, table in tables.items() for name, text in table.items()
    })  # fmt: skip
