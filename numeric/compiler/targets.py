"""The targets and their styles, a row each: the one place that says what there is to choose from.

In: the name of a style and of a target. Out: the `Style`. A new style or language is a row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from numeric.compiler.contracting import contract
from numeric.compiler.forwarding import forward
from numeric.compiler.passes import FUSED, READABLE, defer, share
from numeric.compiler.stacking import stack
from numeric.compiler.target import Style, Target, load
from numeric.compiler.to_c import functions as c_functions
from numeric.compiler.to_c.target import C
from numeric.compiler.to_jax import calls as jax_calls
from numeric.compiler.to_jax import module as jax_module
from numeric.compiler.to_numpy.expressions import SPELLED
from numeric.compiler.to_numpy.formula import spelled
from numeric.compiler.to_numpy.functions import EXACT, FAST, PLAIN
from numeric.compiler.to_numpy.module import emit, emit_network
from numeric.compiler.to_torch import calls as torch_calls
from numeric.compiler.to_torch import module as torch_module

NUMPY: Final = Target("numpy", ".py", emit, emit_network, load, spelled, SPELLED, at_once=True)
JAX: Final = Target(
    "jax", ".py", jax_module.emit, jax_module.emit_network, jax_calls.load, spelled, SPELLED,
    ready=jax_calls.ready, at_once=True,
)  # fmt: skip
TORCH: Final = Target(
    "torch", ".py", torch_module.emit, torch_module.emit_network, torch_calls.load, spelled,
    SPELLED, ready=torch_calls.ready, carries="c",
)  # fmt: skip

_ROWS: Final = (
    Style("textbook", NUMPY, READABLE, "output", PLAIN),
    Style("fused", NUMPY, FUSED, "output", FAST, in_place=True),
    Style("stable", NUMPY, READABLE, "input", EXACT),
    Style("fused", C, (share, contract, share, forward, stack, defer), "output", c_functions.FAST),
    Style("fused", JAX, (share, contract, share, forward, defer), "output", FAST),
    Style("stable", JAX, (share, contract, share, forward, defer), "input", EXACT),
    Style("fused", TORCH, FUSED, "output", FAST, in_place=True),
    Style("stable", TORCH, READABLE, "input", EXACT),
    Style("stable", C, (share, contract, share, forward, stack, defer), "input", c_functions.EXACT),
)
TARGETS: Final[Mapping[str, Mapping[str, Style]]] = {
    target: {row.name: row for row in _ROWS if row.target.name == target}
    for target in dict.fromkeys(row.target.name for row in _ROWS)
}
STYLES: Final = TARGETS[NUMPY.name]


def find_style(name: str, target: str = NUMPY.name) -> Style:
    """The style of a target by name.

    Raises:
        ValueError: naming what there is, if the target or the style is unknown.
    """
    if target not in TARGETS:
        raise ValueError(f"target: expected one of {', '.join(TARGETS)}, came {target!r}")
    if name not in TARGETS[target]:
        raise ValueError(f"style: expected one of {', '.join(TARGETS[target])}, came {name!r}")
    return TARGETS[target][name]
