"""A map of parameters between two cells, as a value that is applied, inverted and printed.

In: moves of blocks, and offsets. Out: `ParameterMap`. Each block of the target is a sum of blocks
of the source, times −1 or another number, some of them transposed, and of a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.dialects.blocks import Block, Frame, Span, blocks_of
from numeric.meaning.sizes import extent_of, shape_of

Array = Any
_SIGNS: Final = {1: "+", -1: "−"}


@dataclass(frozen=True)
class Move:
    """A block of the source that, times a number, is a term of a block of the target."""

    source: Block
    target: Block
    factor: Fraction = Fraction(1)
    transposed: bool = False

    @property
    def text(self) -> str:
        """The term without its sign."""
        times = "" if abs(self.factor) == 1 else f"{abs(self.factor)} · "
        return times + self.source.text + (".T" if self.transposed else "")


@dataclass(frozen=True)
class ParameterMap:
    """θ of the source ↦ θ of the target, under which both are meant to be one function.

    `frame` says which states, inputs, constants and sizes correspond. `offsets` are numbers added
    to vectors of the target.
    """

    source: Cell = field(repr=False)
    target: Cell = field(repr=False)
    frame: Frame
    moves: tuple[Move, ...]
    offsets: Mapping[Block, Fraction] = field(default_factory=dict, hash=False)

    def apply(
        self, parameters: Mapping[str, Array], sizes: Mapping[str, int],
        number: Callable[[Fraction], Any] = float,
    ) -> dict[str, Array]:  # fmt: skip
        """The target's parameters of the source's; `sizes` are the source's.

        The entries may be of any kind that adds; `number` makes one of an offset.
        """
        own = self.target_sizes(sizes)
        least = np.float64 if number is float else np.object_  # of cells without parameters
        kind = np.result_type(least, *(np.asarray(value).dtype for value in parameters.values()))
        matrices = {}
        for symbol in self.target.parameters:
            extents = tuple(extent_of(extent, own) for extent in symbol.shape)
            matrices[symbol.name] = np.zeros(extents, kind)
        for block, offset in self.offsets.items():
            cut(matrices[block.parameter], block, own)[...] += number(offset)
        shapes = {symbol.name: symbol.shape for symbol in self.source.parameters}
        for move in self.moves:
            name = move.source.parameter
            extents = tuple(extent_of(extent, sizes) for extent in shapes[name])
            term = cut(np.reshape(parameters[name], extents), move.source, sizes)
            term = term.T if move.transposed else term
            place = cut(matrices[move.target.parameter], move.target, own)
            if abs(move.factor) != 1:
                term = term * number(abs(move.factor))
            place[...] = place + term if move.factor > 0 else place - term
        return {s.name: matrices[s.name].reshape(shape_of(s, own)) for s in self.target.parameters}

    def target_sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The target's sizes of the source's."""
        return {own: sizes[other] for own, other in self.frame.sizes.items()}

    def inverse(self) -> ParameterMap | None:
        """The map back, where each block is one block times a number; None elsewhere."""
        met = [move.target for move in self.moves]
        if len({*met}) != len(met) or {*met} != {*blocks_of(self.target)}:
            return None
        came = [move.source for move in self.moves]
        if len({*came}) != len(came) or {*came} != {*blocks_of(self.source)}:
            return None
        names = [
            {other: own for own, other in group.items()}
            for group in (self.frame.states, self.frame.inputs, self.frame.constants)
        ]
        sizes = {other: own for own, other in self.frame.sizes.items()}
        back = Frame(names[0], names[1], names[2], sizes)
        moves = tuple(Move(m.target, m.source, 1 / m.factor, m.transposed) for m in self.moves)
        known = [move for move in self.moves if move.target in self.offsets]
        offsets = {move.source: -self.offsets[move.target] / move.factor for move in known}
        return ParameterMap(self.target, self.source, back, moves, offsets)

    def lines(self) -> dict[str, str]:
        """Each block of the target as the sum that it is."""
        found = {}
        for block in blocks_of(self.target):
            terms = [(1 if m.factor > 0 else -1, m.text) for m in self.moves if m.target == block]
            if number := self.offsets.get(block):
                terms.append((1 if number > 0 else -1, str(abs(number))))
            said = " ".join(f"{_SIGNS[sign]} {text}" for sign, text in terms) or "0"
            lead = {"+ ": "", "− ": "−"}.get(said[:2], said[:2])
            found[block.text] = lead + said[2:]
        return found

    def to_dict(self) -> dict[str, Any]:
        """The map as plain data."""
        return {
            "parameters": self.lines(),
            "states": dict(self.frame.states),
            "inputs": dict(self.frame.inputs),
            "constants": dict(self.frame.constants),
            "sizes": dict(self.frame.sizes),
        }


def cut(matrix: Array, block: Block, sizes: Mapping[str, int]) -> Array:
    """The block of the matrix, a view."""

    def span(bounds: Span) -> slice:
        start, extent = (extent_of(bound, sizes) for bound in bounds)
        return slice(start, start + extent)

    return matrix[..., span(block.rows), span(block.columns)]
