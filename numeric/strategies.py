"""Hypothesis strategies of sizes, parameters, sequences with lengths, calls and whole cells."""

from numeric.verification.strategies import (
    case,
    cells,
    degenerate_case,
    network_case,
    parameters,
    sequences,
    sizes,
)

__all__ = [
    "case", "cells", "degenerate_case", "network_case", "parameters", "sequences", "sizes",
]  # fmt: skip
