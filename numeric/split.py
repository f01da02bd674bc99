"""Rows of the Jacobian with a gate taken at all its values in turn: Theorem D for any cell.

In: ranges of a cell. Out: `Method`s with a rate in a weighted ∞-norm. Each row i of |J| v depends
on the pre-activation a_i of a gate through diagonals alone; so its range is cut into pieces, the
row is bounded on each, and the largest is taken. For the GRU this is the row bound
(1 − z) + z (1 − z) A_i + z K_i over z, instead of each factor at its own worst z.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from sympy import Identity, MatAdd, MatMul, MatrixExpr, MatrixSymbol, ZeroMatrix, preorder_traversal
from sympy.matrices.expressions import DiagMatrix

from derive.expr import Elementwise, Slope, split_coefficient, symbols_of
from numeric.boxes import Box, Ranges
from numeric.domination import Domination, Parts
from numeric.enclose import enclose, number
from numeric.interpret import extent_of
from numeric.intervals import Interval, gamma
from numeric.verified import raised

Array = Any
PIECES: Final = 24
_LARGEST: Final = 600


class Method:
    """Placeholder replaced below."""
