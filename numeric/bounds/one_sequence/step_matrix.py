"""A step Jacobian that knows which of its blocks are zero or diagonal.

In: a matrix with an error, and where its blocks stand. Out: products with it and its Gram matrix,
at the cost of the dense blocks alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numeric.numbers.matrices import Gram, Near

Array = Any


@dataclass(frozen=True)
class Piece:
    """Where a block stands that is not zero, and whether it is diagonal."""

    rows: slice
    columns: slice
    diagonal: bool


@dataclass(frozen=True)
class StepMatrix(Near):
    """A step Jacobian that knows its blocks: what is zero or diagonal costs no product."""

    pieces: tuple[Piece, ...] = ()

    def after(self, left: Array) -> Array:
        """fl(left · A) by blocks."""
        found = np.zeros((len(left), self.matrix.shape[1]))
        for piece in self.pieces:
            block, own = self.matrix[piece.rows, piece.columns], left[:, piece.rows]
            found[:, piece.columns] += own * np.diagonal(block) if piece.diagonal else own @ block
        return found

    def gram(self) -> Gram:
        """fl(AᵀA), the widest state whose column holds diagonal blocks alone put first."""
        dense = {piece.columns.start for piece in self.pieces if not piece.diagonal}
        flat = [piece.columns for piece in self.pieces if piece.columns.start not in dense]
        if not flat:
            return super().gram()
        first = max(flat, key=lambda columns: columns.stop - columns.start)
        rest = [*range(first.start), *range(first.stop, self.matrix.shape[1])]
        others = self.matrix[:, rest]
        g, B = np.zeros(first.stop - first.start), np.zeros((first.stop - first.start, len(rest)))
        for piece in self.pieces:
            if piece.columns == first:
                entries = np.diagonal(self.matrix[piece.rows, first])
                g += entries * entries
                B += entries[:, None] * others[piece.rows]
        return Gram(g, B, others.T @ others, np.array([*range(first.start, first.stop), *rest]))
