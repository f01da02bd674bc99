"""The methods of bounding → what they are called, the same in tables, figures and the terminal.

In: a method's name in the JSON of `bptt bounds`. Out: words of a language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from numeric.bounds.all_inputs.box_pieces import NAME as PIECES
from numeric.bounds.all_inputs.fractional_norm import NAME as FRACTIONAL
from numeric.bounds.all_inputs.gain_scan import CLOSED
from numeric.bounds.diagnosis import A_PRIORI, FINITE

METHODS: Final = {
    CLOSED: "methods.closed", "states, 2-norm": "methods.states_euclidean",
    "states, ∞-norm": "methods.states_largest", "modules, 2-norm": "methods.modules",
    "units": "methods.units", "row-stack": "methods.row_stack",
    "row-stack, scaled": "methods.row_stack_scaled", "gates split": "methods.gates",
    FRACTIONAL: "methods.fractional", PIECES: "methods.box_pieces",
}  # fmt: skip
"""Those for all inputs."""
ALONG: Final = {
    "trajectory": "methods.trajectory", "product": "methods.product",
    "direction": "methods.direction", "carousel": "methods.carousel",
    "sigma_min": "methods.sigma_min",
}  # fmt: skip
"""Those along one sequence, beside windows."""
SMALLEST: Final = {A_PRIORI: "methods.all_inputs", FINITE: "methods.first_steps"}
"""The smallest of those for all inputs, and of those with the sets that the first steps lie in."""
WINDOW: Final = "methods.windows"
SCALED: Final = "methods.scaled"

MEANINGS: Final = {
    "methods.closed": "meanings.closed", "methods.states_euclidean": "meanings.states_euclidean",
    "methods.states_largest": "meanings.states_largest", "methods.modules": "meanings.modules",
    "methods.units": "meanings.units", "methods.row_stack": "meanings.row_stack",
    "methods.row_stack_scaled": "meanings.row_stack_scaled", "methods.gates": "meanings.gates",
    "methods.fractional": "meanings.fractional", "methods.box_pieces": "meanings.box_pieces",
    "methods.windows": "meanings.windows",
    "methods.scaled": "meanings.scaled", "methods.trajectory": "meanings.trajectory",
    "methods.product": "meanings.product", "methods.direction": "meanings.direction",
    "methods.carousel": "meanings.carousel", "methods.sigma_min": "meanings.sigma_min",
}  # fmt: skip
"""What a method does, by its name."""


def method_key(name: str) -> tuple[str, ...]:
    """The keys of what a method is made of: its name, or windows and their scaling."""
    if window_length(name):
        return (WINDOW, SCALED) if name.endswith("scaled") else (WINDOW,)
    key = METHODS.get(name) or ALONG.get(name)
    return (key,) if key else ()


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
    key = METHODS.get(name) or ALONG.get(name) or SMALLEST.get(name)
    return words(key) if key else name
