"""How high equations stand on a page, in em: what stays together there, and what may be parted.

In: rows of equations and the width of their right sides. Out: heights, by estimate.
"""

from __future__ import annotations

from typing import Final

from derive.typeset.boxes import Box, Fenced, Grid, Large, Marked, Row, Script, Sum, lines, tall
from reports.document.model import EquationRow

WHOLE: Final = 12.0
"""Equations that are no higher stay on one page."""


def depth(box: Box) -> float:
    """How far a row reaches below its line."""
    match box:
        case Row(items) | Grid((items,)):
            return max(map(depth, items), default=0.55)
        case Sum(terms):
            return max(depth(term) for _, term in terms)
        case Grid(rows):
            return sum(max(map(depth, line)) + 0.15 for line in rows)
        case Script(base) | Marked(base) | Fenced(base):
            return depth(base)
        case Large():
            return 1.6
    return 1.15 if tall(box) else 0.55


def row_height(row: EquationRow, room: float) -> float:
    """How high a row is whose right side has so much room in its line."""
    parts = lines(row.right, room)
    return 2 * max(map(depth, (row.left, *parts))) + 0.6 + 2.4 * (len(parts) - 1)
