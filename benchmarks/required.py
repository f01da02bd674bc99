"""What `speed.py` asks of the emitted code: ratios of times, by cell, sizes and dtype.

In: a row of the table and the ratio of any two contenders. Out: `Requirement`s, met or missed.
Ratios are within one run on one machine, medians over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Final

FUSED, HAND, FLOOR, AUTOGRAD = "fused", "hand-written", "products alone", "autograd"
C_CODE, C_POINTERS, C_FLOOR = "C", "C, prepared", "C, products alone"
C_PEAK = "the cores' peak"  # the products' multiplications as fast as the cores do any
C_LIMIT = "the peak, then functions"  # the same, then what the file computes of every unit
LAYER, JAX = "PyTorch", "JAX"
LOOP, LOOP_COMPILED = "PyTorch, a loop", "PyTorch, a loop, compiled"
LEAST_GAIN_ON_AUTOGRAD: Final = 3.0
MOST_TIME_OF_HAND_WRITTEN: Final = 1.3

Sizes = tuple[int, int, int, int]
Ratio = Callable[[str, str], float]


@dataclass(frozen=True)
class Requirement:
    """A ratio that must be kept, and what was measured."""

    text: str
    value: float
    met: bool


@dataclass(frozen=True)
class Row:
    """What was measured: a cell at its sizes T, B, m, n, in one dtype."""

    cell: str
    sizes: Sizes
    dtype: str


# how many times as fast as the other the LSTM in C has to be: (ours, the other, float, double)
_SMALL: Final = (50, 1, 16, 16)
_MIDDLE: Final = (100, 32, 64, 128)
LEAST: Final[dict[Sizes, tuple[tuple[str, str, float | None, float | None], ...]]] = {
    _SMALL: (
        (C_POINTERS, LAYER, 20, 20), (C_CODE, LAYER, 5, 20),
        (C_POINTERS, JAX, 10, None), (C_CODE, JAX, 4, None),
        (C_POINTERS, FUSED, 60, None), (C_CODE, FUSED, 15, None),
    ),
    (100, 8, 32, 64): ((C_CODE, LAYER, 2.2, 3.5), (C_CODE, JAX, 4, None)),
    _MIDDLE: ((C_CODE, LAYER, 1.3, 3), (C_CODE, JAX, 3, None)),
    (200, 64, 256, 256): ((C_CODE, LAYER, 1.5, 2), (C_CODE, JAX, 1.8, None)),
    (100, 64, 512, 512): ((C_CODE, LAYER, 1.3, 1.5), (C_CODE, JAX, 1.6, None)),
}  # fmt: skip
OTHERS: Final = ("gru_reset_after", "rnn")  # beside their own layers
SHARE: Final = 0.8  # of what the LSTM has to reach
NO_LAYER: Final = ("peephole_lstm", "mgu", "mut1")  # no framework has these
LEAST_GAIN_ON_LOOP, MOST_TIME_OF_C_FLOOR = 10.0, 1.6


def required(row: Row, ratio: Ratio, ran: Container[str]) -> list[Requirement]:
    """What is asked of this row, of those that ran."""
    return [*_numpy(row, ratio, ran), *_c(row, ratio, ran)]


def _least(ours: str, other: str, least: float, ratio: Ratio) -> Requirement:
    value = ratio(other, ours)
    text = f"{ours} is {value:.2f} times as fast as {other} (required: at least {least:g})"
    return Requirement(text, value, value >= least)


def _most(ours: str, other: str, most: float, ratio: Ratio, called: str) -> Requirement:
    value = ratio(ours, other)
    text = f"{ours} takes {value:.2f} times as long as {called} (required: at most {most:g})"
    return Requirement(text, value, value <= most)


def _at_most(found: Requirement, other: str, ratio: Ratio, ran: Container[str]) -> Requirement:
    """What is missed, with what nothing can exceed that does these products on these cores.

    And with the functions done after them: code that overlaps the two may exceed that.
    """
    if found.met or C_PEAK not in ran:
        return found
    limit = f"; {C_PEAK} would be {ratio(other, C_PEAK):.2f}"
    if C_LIMIT in ran:
        limit += f", {C_LIMIT} {ratio(other, C_LIMIT):.2f}"
    return Requirement(found.text + limit, found.value, found.met)


def _numpy(row: Row, ratio: Ratio, ran: Container[str]) -> Iterator[Requirement]:
    if row.cell == "lstm" and AUTOGRAD in ran and HAND in ran:
        yield _least(FUSED, AUTOGRAD, LEAST_GAIN_ON_AUTOGRAD, ratio)
        yield _most(FUSED, HAND, MOST_TIME_OF_HAND_WRITTEN, ratio, "hand-written NumPy")


def _c(row: Row, ratio: Ratio, ran: Container[str]) -> Iterator[Requirement]:
    if C_CODE not in ran:
        return
    for ours, other, single, double in LEAST.get(row.sizes, ()):
        least = single if row.dtype == "float32" else double
        if least is None or other not in ran:
            continue
        if row.cell == "lstm":
            yield _at_most(_least(ours, other, least, ratio), other, ratio, ran)
        elif row.cell in OTHERS and other == LAYER:
            yield _at_most(_least(ours, other, SHARE * least, ratio), other, ratio, ran)
    steps, batch, _, size = row.sizes
    if row.cell in NO_LAYER and (steps, batch, size) == (_MIDDLE[0], _MIDDLE[1], _MIDDLE[3]):
        if LOOP in ran:
            found = _least(C_CODE, LOOP, LEAST_GAIN_ON_LOOP, ratio)
            yield _at_most(found, LOOP, ratio, ran)
        yield _most(C_CODE, C_FLOOR, MOST_TIME_OF_C_FLOOR, ratio, C_FLOOR)
