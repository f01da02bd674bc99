"""PyTorch as a target: its emitter and how its files become modules."""

from __future__ import annotations

from typing import Final

from numeric.compiler.target import Target
from numeric.compiler.to_numpy.expressions import SPELLED
from numeric.compiler.to_numpy.formula import spelled
from numeric.compiler.to_torch.calls import load, ready
from numeric.compiler.to_torch.module import emit, emit_network

TORCH: Final = Target("torch", ".py", emit, emit_network, load, spelled, SPELLED, ready=ready,
                      carries="c")  # fmt: skip
