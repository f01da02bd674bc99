"""The methods of bounding → what they are called, the same in tables, figures and the terminal.

In: a method's name in the JSON of `bptt bounds`. Out: words of a language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from numeric.bounds.all_inputs.fractional_norm import NAME as FRACTIONAL
from numeric.bounds.all_inputs.gain_scan import CLOSED

METHODS: Final = {
    CLOSED: "methods.closed", "states, 2-norm": "methods.states_euclidean",
    "states, ∞-norm": "methods.states_largest", "modules, 2-norm": "methods.modules",
    "units": "methods.units", "row-stack": "methods.row_stack",
    "row-stack, scaled": "methods.row_stack_scaled", "gates split": "methods.gates",
    FRACTIONAL: "methods.fractional",
}  # fmt: skip
"""Those for all inputs."""
_ALONG: Final = {
    "trajectory": "methods.trajectory", "product": "methods.product",
    "direction": "methods.direction", "carousel": "methods.carousel",
    "sigma_min": "methods.sigma_min",
}  # fmt: skip


def window_length(name: str) -> int:
    """The length of a window's method, 0 for others."""
    parts = name.split("_")
    return int(parts[1]) if parts[0] == "window" else 0


def method_name(name: str, words: Callable[[str], str]) -> str:
    """What a method is called, for all inputs or along a sequence."""
    length = window_length(name)
    if length:
        said = words("methods.single") if length == 1 else words("methods.windows").format(length)
        return words("methods.scaled").format(said) if name.endswith("scaled") else said
    key = METHODS.get(name) or _ALONG.get(name)
    return words(key) if key else name
