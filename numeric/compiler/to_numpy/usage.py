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
    "params": (), "inputs": ("T", "B"), "initial": ("B",), "final": ("B",), "constants": (),
    "cotangents": ("T", "B"), "states": ("T", "B"),
}  # fmt: skip
_DECLARED: Final = {
    "params": "PARAMETERS", "inputs": "INPUTS", "initial": "STATES", "constants": "CONSTANTS",
    "cotangents": "STATES", "states": "STATES", "final": "STATES",
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
    given = "loss, gradients, final" if header.final else "loss, gradients"
    predicted = (f"outputs = predict(params, inputs{own})",) if header.prediction else ()
    return (
        "for step in range(100):",
        f"    {given} = loss_and_gradient(params, inputs, targets{constants})",
        "    for name, slope in gradients[\"params\"].items():",
        "        params[name] -= 0.01 * slope",
        "    print(step, loss)",
        *predicted,
        *(_over_segments(header, constants) if header.final else ()),
    )  # fmt: skip


def _over_segments(header: Header, constants: str) -> tuple[str, ...]:
    """How to go through a long sequence in segments, and the gradient over two of them."""
    if any(".reverse." in name for name in header.declared["STATES"]):
        return (
            "",
            "# A reverse layer begins where the sequence ends: cut into segments this is another",
            "# network, and final must not be carried over as initial. A loss of the final states",
            "# gives its derivatives by them as final_cotangents.",
        )
    return (
        "",
        "# a long sequence in segments: each starts from the states in which the last one ended",
        "final = None",
        "for inputs, targets in segments:",
        "    loss, gradients, final = loss_and_gradient(",
        f"        params, inputs, targets, initial=final{constants}",
        "    )",
        "",
        "# the gradient over two segments: what the second one says of its initial states goes to",
        "# the first as final_cotangents; the sum of both gradients of params is the whole one",
        f"_, _, final = loss_and_gradient(params, inputs_1, targets_1{constants})",
        "_, second, _ = loss_and_gradient(",
        f"    params, inputs_2, targets_2, initial=final{constants}",
        ")",
        "_, first, _ = loss_and_gradient(",
        f'    params, inputs_1, targets_1{constants}, final_cotangents=second["initial"]',
        ")",
    )


def docstring(header: Header, use: tuple[str, ...]) -> list[str]:
    """The lines below those of the header: shapes, use, licence."""
    return [
        "", "Arrays are of one dtype, float32 or float64; T steps, B samples:", "",
        *(f"    {line}" for line in shapes(header, "params", "inputs", "initial", "constants")),
        *(f"    {line}" for line in (shapes(header, "final") if header.final else ())),
        "", "To use it:", "", *(f"    {line}" for line in use), "", LICENCE,
    ]  # fmt: skip
