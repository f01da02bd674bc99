"""Hypothesis strategies: a cell's calls in all sizes, regimes and dtypes, and whole cells.

In: a cell, or nothing. Out: strategies of `Case` and of `Cell`. Values come from a drawn seed,
never entry by entry: shrinking makes the sizes smaller and keeps the values generic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from derive.cell import Cell, cell_of
from derive.network import Network
from numeric.meaning.sizes import size_names
from numeric.verification.cases import DRAWN, REGIMES, Case
from numeric.verification.problems.extents import Limits
from numeric.verification.problems.of_cell import CellProblem, make_case
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.random_cells import cell_text

SEEDS: Final = st.integers(0, 2**32 - 1)
DTYPES: Final = ("float64", "float32")
RELATIVE: Final = tuple(name for name in DRAWN if name != "saturated")


@st.composite
def sizes(draw: st.DrawFn, cell: Cell | str, largest: int = 4, smallest: int = 1) -> dict[str, int]:
    """A number for every size name of the cell."""
    return {name: draw(st.integers(smallest, largest)) for name in size_names(cell_of(cell))}


@st.composite
def parameters(
    draw: st.DrawFn,
    cell: Cell | str,
    *,
    regimes: tuple[str, ...] = DRAWN,
    dtypes: tuple[str, ...] = DTYPES,
    largest: int = 4,
) -> dict[str, Any]:
    """The cell's parameters by name, of drawn sizes, as large as a drawn regime has them."""
    return dict(draw(case(cell, regimes=regimes, dtypes=dtypes, largest=largest, longest=1)).params)


@st.composite
def sequences(
    draw: st.DrawFn,
    width: int | None = None,
    *,
    dtypes: tuple[str, ...] = DTYPES,
    longest: int = 6,
    widest: int = 3,
    shortest: int = 0,
) -> tuple[Any, Any]:
    """A batch of sequences with the length of each.

    Shapes: x (T, B, m), lengths (B,) from `shortest` to T; m is `width`, or drawn from 1 to 4.
    """
    steps = draw(st.integers(max(1, shortest), longest))
    batch = draw(st.integers(1, widest))
    width = draw(st.integers(1, 4)) if width is None else width
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(SEEDS))
    x = rng.normal(size=(steps, batch, width)).astype(dtype)
    return x, rng.integers(shortest, steps + 1, batch)


@st.composite
def calls(
    draw: st.DrawFn, problem: Problem, *, limits: Limits,
    regimes: tuple[str, ...] = DRAWN, dtypes: tuple[str, ...] = DTYPES,
) -> Case:  # fmt: skip
    """A call of the problem: T, B and every size from the least up, in a drawn regime and dtype."""
    regime = draw(st.sampled_from(regimes))
    steps = draw(st.integers(1, limits.longest or REGIMES[regime].longest))
    found = {
        name: draw(st.integers(least := problem.least(name), max(least, limits.largest)))
        for name in problem.ordinary_sizes()
    }
    return problem.case(
        found, steps=steps, batch=draw(st.integers(1, limits.widest)), seed=draw(SEEDS),
        regime=regime, dtype=draw(st.sampled_from(dtypes)),
    )  # fmt: skip


def case(
    cell: Cell | str, *, regimes: tuple[str, ...] = DRAWN, dtypes: tuple[str, ...] = DTYPES,
    largest: int = 4, longest: int | None = None,
) -> st.SearchStrategy[Case]:  # fmt: skip
    """A call of the cell: T, B and every size from 1 up, in a drawn regime and dtype."""
    limits = Limits(largest, longest)
    return calls(CellProblem(cell_of(cell)), limits=limits, regimes=regimes, dtypes=dtypes)


def network_case(
    network: Network, *, regimes: tuple[str, ...] = DRAWN, dtypes: tuple[str, ...] = DTYPES,
    largest: int = 3, longest: int = 4, widest: int = 3,
) -> st.SearchStrategy[Case]:  # fmt: skip
    """A call of the network: T, B and every size from 1 up, lengths from 0 where that may be.

    A softmax has two outputs at least: of one its gradient is nothing but rounding.
    """
    limits = Limits(largest, longest, widest)
    return calls(NetworkProblem(network), limits=limits, regimes=regimes, dtypes=dtypes)


@st.composite
def degenerate_case(draw: st.DrawFn, cell: Cell | str) -> Case:
    """A call with T = 0, B = 0 or inputs of size 0, one of them at least."""
    cell = cell_of(cell)
    found = draw(sizes(cell, 3))
    widths = {str(extent) for symbol in cell.inputs for extent in symbol.shape[:1]}
    widths -= {str(extent) for symbol in cell.states for extent in symbol.shape[:1]}
    empty = draw(st.sampled_from(["T", "B", *sorted(widths & {*found})]))
    if empty in found:
        found[empty] = 0
    steps = 0 if empty == "T" else draw(st.integers(1, 3))
    batch = 0 if empty == "B" else draw(st.integers(1, 2))
    return make_case(cell, found, steps=steps, batch=batch, seed=draw(SEEDS))


@dataclass(frozen=True)
class _Drawn:
    draw: st.DrawFn

    def whole(self, most: int) -> int:
        """A number from 0 to `most`."""
        return self.draw(st.integers(0, most))

    def part(self, make: Callable[[], str]) -> str:
        """What the function makes; Hypothesis may shrink it to a part of itself."""
        return self.draw(st.builds(make))


@st.composite
def cells(draw: st.DrawFn, deepest: int = 3) -> Cell:
    """A random valid cell: one to four states, one of them perhaps a matrix, all functions."""
    text = cell_text(_Drawn(draw), draw(st.integers(1, deepest)))
    return Cell.parse(
        name="random", equations=text.equations, inputs=text.inputs, scalars=text.scalars,
        sizes=text.sizes, outputs=text.outputs, matrices=text.matrices,
    )  # fmt: skip
