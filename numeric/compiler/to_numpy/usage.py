"""What an emitted module says of its use: the shapes it takes, five lines of code, its licence.

In: a header. Out: lines of the docstrings.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from numeric.compiler.target import Header

LICENCE: Final = "SPDX-License-Identifier: MIT"
_WIDTH: Final = 96
_HARD: Final = "\u00a0"  # a space at which no line ends
_LEADS: Final[Mapping[str, tuple[str, ...]]] = {
    "params": (), "inputs": ("T", "B"), "initial": ("B",), "constants": (),
    "cotangents": ("T", "B"), "states": ("T", "B"),
}  # fmt: skip
_DECLARED: Final = {
    "params": "PARAMETERS", "inputs": "INPUTS", "initial": "STATES", "constants": "CONSTANTS",
    "cotangents": "STATES", "states": "STATES",
}  # fmt: skip


def shapes(header: Header, *groups: str) -> Iterator[str]:
    """A line or more for each group of arrays: their names and shapes."""
    for group in groups:
        held = dict(header.declared[_DECLARED[group]])
        if group in {"states", "cotangents"}:
            held |= header.declared.get("OUTPUTS", {})
        named = [f"{name}{_HARD}{_shape((*_LEADS[group], *sizes))}" for name, sizes in held.items()]
        if named:
            lines = textwrap.wrap(
                f"{group}: {', '.join(named)}", _WIDTH, subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            yield from (line.replace(_HARD, " ") for line in lines)


def _shape(sizes: tuple[str, ...]) -> str:
    """The shape as Python writes it, in one piece on its line."""
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({f',{_HARD}'.join(sizes)})"


def use_of_cell(header: Header) -> tuple[str, ...]:
    """Five lines that step down the gradient of half a square."""
    state = [*header.declared["STATES"]][-1]
    parameter = next(iter(header.declared["PARAMETERS"]), None)
    constants = ", constants=constants" if header.declared["CONSTANTS"] else ""
    kept = f'params["{parameter}"] -= 0.01 * gradients["params"]["{parameter}"]'
    return (
        f"states, tape = forward(params, inputs{constants})",
        f'h_bars = {{"{state}": states["{state}"] - wanted}}  # dL/d{state} at each step',
        "gradients = backward(params, tape, h_bars)",
        kept if parameter else 'gradients["inputs"]',
        f'gradients["initial"]["{state}"]  # dL/d{state} before the first step',
    )


def use_of_network(header: Header) -> tuple[str, ...]:
    """Lines that step down the gradient of the loss, and then predict."""
    constants = own = ", constants=constants" if header.declared["CONSTANTS"] else ""
    if header.prediction is not None and (masks := header.unused(header.prediction)):
        kept = [key for key in header.declared["CONSTANTS"] if key not in masks]
        given = ", ".join(f'"{key}": constants["{key}"]' for key in kept)
        own = f", constants={{{given}}}" if kept else ""
    predicted = (f"outputs = predict(params, inputs{own})",) if header.prediction else ()
    return (
        "for step in range(100):",
        f"    loss, gradients = loss_and_gradient(params, inputs, targets{constants})",
        "    for name, slope in gradients[\"params\"].items():",
        "        params[name] -= 0.01 * slope",
        "    print(step, loss)",
        *predicted,
    )  # fmt: skip


def docstring(header: Header, use: tuple[str, ...]) -> list[str]:
    """The lines below those of the header: shapes, use, licence."""
    return [
        "", "Arrays are of one dtype, float32 or float64; T steps, B samples:", "",
        *(f"    {line}" for line in shapes(header, "params", "inputs", "initial", "constants")),
        "", "To use it:", "", *(f"    {line}" for line in use), "", LICENCE,
    ]  # fmt: skip
