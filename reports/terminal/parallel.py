"""What `bptt parallel` prints for people: a table of the iterates, and what they come to.

In: `Sweeps` and the structure of the step Jacobian. Out: text.
"""

from __future__ import annotations

from typing import Final

from numeric.bounds.parallel_in_time.newton import Sweeps
from numeric.numbers.printed import scientific_up
from reports.terminal.console import columns

_SHAPES: Final = {
    "diagonal": "diagonal: a scan over the steps multiplies n numbers",
    "block": "block by unit: a scan over the steps multiplies n small blocks",
    "dense": "dense: a scan over the steps multiplies n × n matrices",
}


def sweeps_text(name: str, found: Sweeps, shape: str, tolerance: float) -> str:
    """Each iterate's residual, certified and measured error; then the counts."""
    rows = [("iterate", "residual", "certified", "measured", "cotangents", "")]
    for k, one in enumerate(found.iterates):
        rows.append((
            str(k), f"{one.residual:.1e}", _bound(one.certified), _plain(one.measured),
            _bound(one.adjoint), one.reason,
        ))  # fmt: skip
    at = found.certified_at
    certified = "no iterate is certified" if at is None else (
        f"iterate {at} is the first that is certified")  # fmt: skip
    steps = len(found.iterates) - 1
    ended = f"a step below {tolerance:g} after {steps}" if found.converged else (
        f"no step below {tolerance:g} in {steps}")  # fmt: skip
    ahead = (f"predicted before the first: {found.predicted}, to within {_bound(found.within)}"
             if found.predicted is not None else
             f"no count predicted: {found.unpredicted}")  # fmt: skip
    if found.foreseen is not None and found.predicted is None:
        after, whole = found.foreseen
        within = _bound(found.iterates[after].within)
        ahead += f"; known at iterate {after}: {whole} in all, to within {within}"
    return "\n".join([
        f"{name}: Newton's iterates of the whole trajectory", "", *columns(rows, "  "), "",
        f"{certified}; {ended}", ahead, f"The step Jacobian is {_SHAPES[shape]}.", "",
        "certified, measured: max over t of ‖s_t − exact s_t‖₂, at most; from the sequential run",
        "cotangents: carried back through the iterate's Jacobians, their error as a share of",
        "the largest exact one, at most",
    ])  # fmt: skip


def _bound(value: float | None) -> str:
    return "–" if value is None else scientific_up(value)


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"
