"""What the arrays of a program are called: as their symbols, where that is free.

In: the symbols of a derivation. Out: a name for each that is an identifier and that nothing else
in emitted code is called: the derivation's cotangents and carries end as no other array does, and
an author's name that ends so, or that is a word of the emitted code, gets an underscore more. In
the interface it stays what its author wrote.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Mapping
from typing import Final

from derive.language.expr import VECTOR_FUNCTIONS
from derive.language.functions import FUNCTIONS
from numeric.compiler.program import INITIAL, TEMPORARY, WHOLE

_OURS: Final = re.compile(rf"{TEMPORARY}.*|.*(?:{WHOLE}|{INITIAL}|_bars?|_carry|_inside|_)|.*__.*")
_WORDS: Final = frozenset({
    *dir(builtins), "np", "params", "inputs", "initial", "constants", "tape", "cotangents",
    "forward", "backward", "loss_and_gradient", "targets", "lengths", "sizes", "kinds", "like",
    "PARAMETERS", "INPUTS", "STATES", "CONSTANTS", "OUTPUTS", "EVALUATIONS", "_take", "_whole",
    "_shown", "jax", "jnp", "torch", "scan_step", "carry", "now", "last", "made",
})  # fmt: skip
_HELPER: Final = re.compile(
    rf"({'|'.join([*FUNCTIONS, *VECTOR_FUNCTIONS])})(_slope|_slope_from_output)?(_\d\w*)*"
)
_NETWORK: Final = re.compile(
    r"layer\d+_\w*|(readout|embedding|top|error)(_\w+)?|\w+_indices|outside(_each)?|targets|ends|loss"
    r"|ragged|lengths|logits|outputs|column|last|nearest|final_cotangents"
    r"|inside|scatter|from_end|cross_entropy\w*"
)


def array_names(symbols: Iterable[str]) -> Mapping[str, str]:
    """The array of each symbol that cannot be called like it."""
    symbols = dict.fromkeys(symbols)
    names: dict[str, str] = {}
    for symbol in symbols:
        if is_ours(symbol):
            name = "_" * symbol.startswith(TEMPORARY) + f"{symbol}_"
            while name in symbols or name in names.values():
                name += "_"
            names[symbol] = name
    return names


def is_ours(name: str) -> bool:
    """Whether emitted code may call something of its own so."""
    return bool(_OURS.fullmatch(name) or name in _WORDS or _HELPER.fullmatch(name))


def local(name: str) -> str:
    """What an array of a cell is called in a network where it belongs to no layer."""
    return f"{name}_given" if _NETWORK.fullmatch(name) else name
