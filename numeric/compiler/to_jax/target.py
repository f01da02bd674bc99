"""JAX as a target: its emitter and how its files become modules."""

from __future__ import annotations

from typing import Final

from numeric.compiler.target import Target
from numeric.compiler.to_jax.calls import load, ready
from numeric.compiler.to_jax.module import emit, emit_network
from numeric.compiler.to_numpy.expressions import SPELLED
from numeric.compiler.to_numpy.formula import spelled

JAX: Final = Target(
    "jax", ".py", emit, emit_network, load, spelled, SPELLED, ready=ready, at_once=True
)
