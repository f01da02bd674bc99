"""The catalogue by families: the files that its cells stand in. Needs no SymPy.

In: the catalogue's files. Out: names of families and of their cells, in the order of the index.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from derive.cells import FOLDER, read_tables

FAMILIES: Final = {
    "rnn": "index.rnn", "lstm": "index.lstm", "greff": "index.greff", "gru": "index.gru",
    "minimal": "index.minimal", "highway": "index.highway",
    "multiplicative": "index.multiplicative", "mutants": "index.mutants",
    "dynamics": "index.dynamics", "scans": "index.scans",
    "matrix_memory": "index.matrix_memory", "state_space": "index.state_space",
    "spiking": "index.spiking",
}  # fmt: skip


@cache
def family_of() -> dict[str, str]:
    """The family of each cell of the catalogue: the name of the file it stands in."""
    files = {path.stem: path for path in FOLDER.glob("*.toml")}
    order = [*(stem for stem in FAMILIES if stem in files), *sorted({*files} - {*FAMILIES})]
    return {name: stem for stem in order for name in read_tables(files[stem])}


def family_title(stem: str, words: Callable[[str], str]) -> str:
    """What a family is called; a new one by the name of its file."""
    return words(FAMILIES[stem]) if stem in FAMILIES else stem.replace("_", " ").capitalize()
