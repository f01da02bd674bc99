"""One concrete call of a cell's module: sizes, parameters, inputs, initial states, cotangents.

In: a cell, sizes, a seed, a dtype and a regime. Out: `Case`. The seed feeds the generator, so
that shrinking makes the sizes smaller and keeps the values generic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from sympy import Abs, MatrixSymbol, Max, Min, Piecewise, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import shape_of, size_names

Arrays = Mapping[str, Any]
_SIZES: Final = (3, 2, 4)
WIDE: Final = (35, 18, 34)
LONG: Final = 70
GROUPS: Final = ("params", "inputs", "initial")


@dataclass(frozen=True)
class Regime:
    """How large things are: a matrix is N(0, gain²/columns), the rest normal of the scale given.

    `longest` is the number of steps after which rounding grows past what a check can tell from
    a mistake.
    """

    gain: float
    bias: float
    signal: float
    state: float
    longest: int


REGIMES: Final[Mapping[str, Regime]] = MappingProxyType({
    "ordinary": Regime(gain=1.0, bias=0.5, signal=1.0, state=0.7, longest=6),
    "small": Regime(gain=0.1, bias=0.05, signal=0.1, state=0.1, longest=6),
    "contracting": Regime(gain=0.3, bias=0.3, signal=0.7, state=0.5, longest=12),
    "expanding": Regime(gain=2.0, bias=0.3, signal=0.7, state=0.5, longest=6),
    "saturated": Regime(gain=3.0, bias=9.0, signal=2.0, state=1.0, longest=4),
    "at rest": Regime(gain=1.0, bias=0.5, signal=1.0, state=0.0, longest=6),
    "in silence": Regime(gain=1.0, bias=0.5, signal=0.0, state=0.7, longest=6),
})  # fmt: skip
AT_ZERO: Final = ("at rest", "in silence")  # initial states, or inputs, are zero: a function with
# a kink has no gradient there
DRAWN: Final = tuple(name for name in REGIMES if name not in AT_ZERO)


@dataclass(frozen=True)
class Case:
    """What `forward` and `backward` are called with; all arrays of one dtype."""

    steps: int
    batch: int
    sizes: Mapping[str, int]
    seed: int
    regime: str
    dtype: str
    params: Arrays = field(repr=False)
    inputs: Arrays = field(repr=False)
    initial: Arrays = field(repr=False)
    constants: Arrays = field(repr=False)
    cotangents: Arrays = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse an unknown regime.

        Raises:
            ValueError: if the regime is none of the table.
        """
        if self.regime not in REGIMES:
            raise ValueError(f"regime {self.regime!r}: expected one of {', '.join(REGIMES)}")

    def groups(self) -> Iterator[tuple[str, str, Any]]:
        """Every array that has a gradient: group, name, value."""
        for group in GROUPS:
            for name, value in getattr(self, group).items():
                yield group, name, value

    def mapped(self, change: Any) -> Case:
        """The case with every array changed by the function."""
        kinds = (*GROUPS, "constants", "cotangents")
        changed: dict[str, Any] = {
            kind: {name: change(array) for name, array in getattr(self, kind).items()}
            for kind in kinds
        }
        return replace(self, **changed)

    def widened(self) -> Case:
        """The same numbers in float64, without any rounding."""
        return self.mapped(lambda array: np.asarray(array, dtype=np.float64))

    def describe(self) -> dict[str, Any]:
        """What it takes to make the case again."""
        sizes = {name: int(size) for name, size in self.sizes.items()}
        return {
            "T": self.steps, "B": self.batch, **sizes,
            "seed": self.seed, "regime": self.regime, "dtype": self.dtype,
        }  # fmt: skip


def make_case(
    cell: Cell,
    sizes: Mapping[str, int],
    *,
    steps: int,
    batch: int,
    seed: int = 0,
    regime: str = "ordinary",
    dtype: str = "float64",
) -> Case:
    """The case of these sizes; nonzero initial states, biases, and cotangents of every state.

    Constants are random, but for one seed in three the cell's defaults where it has any.
    """
    rng = np.random.default_rng(seed)
    scale = REGIMES[regime]

    def normal(shape: tuple[int, ...], deviation: float) -> Any:
        return np.asarray(rng.normal(size=shape) * deviation).astype(dtype)

    def parameter(symbol: MatrixSymbol) -> Any:
        shape = shape_of(symbol, sizes)
        if len(shape) == 2:
            return normal(shape, scale.gain / max(1, shape[1]) ** 0.5)
        return normal(shape, scale.bias)

    def sequence(symbol: MatrixSymbol, batched: bool, deviation: float) -> Any:
        width = shape_of(symbol, sizes)
        return normal((steps, batch, *width) if batched else (steps, *width), deviation)

    given: Arrays = {}
    if cell.defaults and seed % 3 == 0:
        with suppress(ValueError):  # values in the file that are of other sizes
            given = default_constants(cell, {**sizes, "T": steps}, rng)

    def constant(symbol: MatrixSymbol) -> Any:
        if symbol.name in given:
            return np.asarray(given[symbol.name]).astype(dtype)
        if symbol.name in cell.sequences:
            return sequence(symbol, bool(seed % 2), 1.0)
        return normal(shape_of(symbol, sizes), 1.0)

    return Case(
        steps, batch, dict(sizes), seed, regime, dtype,
        params={s.name: parameter(s) for s in cell.parameters},
        inputs={s.name: sequence(s, True, scale.signal) for s in cell.inputs},
        initial={s.name: normal((batch, *shape_of(s, sizes)), scale.state) for s in cell.states},
        constants={s.name: constant(s) for s in cell.constants},
        cotangents={s.name: sequence(s, True, 1.0) for s in cell.states},
    )  # fmt: skip


def ordinary_sizes(cell: Cell, largest: int = 4) -> dict[str, int]:
    """Sizes that tell a matrix from its transpose: neighbours differ."""
    return {
        name: min(largest, _SIZES[place % len(_SIZES)])
        for place, name in enumerate(size_names(cell))
    }


def ordinary_cases(
    cell: Cell, regimes: Iterable[str], *, seed: int = 0, largest: int = 4
) -> Iterator[Case]:
    """Cases that no mistake of the usual kind survives: several steps, samples and units."""
    sizes = ordinary_sizes(cell, largest)
    for number, regime in enumerate(regimes):
        for dtype in ("float64", "float32"):
            for less in (0, 1):
                yield make_case(
                    cell, sizes, steps=REGIMES[regime].longest - less, batch=2 + less,
                    seed=seed + 2 * number + less, regime=regime, dtype=dtype,
                )  # fmt: skip


def unusual_cases(cell: Cell, *, seed: int = 0) -> Iterator[Case]:
    """Wide ones, long ones, and zeros: code may be right as long as everything is usual."""
    usual = ordinary_sizes(cell)
    wide = {name: WIDE[place % len(WIDE)] for place, name in enumerate(usual)}
    for dtype in ("float64", "float32"):
        for sizes, steps, batch in ((wide, 2, 35), (usual, LONG, 2)):
            yield make_case(
                cell, sizes, steps=steps, batch=batch, seed=seed, regime="contracting", dtype=dtype
            )
    for regime in regimes_at_zero(cell):
        yield make_case(cell, usual, steps=4, batch=2, seed=seed, regime=regime)


def regimes_at_zero(cell: Cell) -> tuple[str, ...]:
    """The regimes of zeros, if all functions of the cell are smooth."""
    kinks = any(
        node.function.formula.has(Max, Min, Piecewise, Abs)
        for equation in cell.equations
        for node in preorder_traversal(equation.value) if isinstance(node, Elementwise)
    )  # fmt: skip
    return () if kinks else AT_ZERO


def smaller_cases(cell: Cell, case: Case) -> Iterator[Case]:
    """The same seed and regime with one size smaller: first by half, then by one."""
    extents_now = {"T": case.steps, "B": case.batch, **case.sizes}
    for by_half in (True, False):
        for name, size in extents_now.items():
            less = size // 2 if by_half else size - 1
            if less >= 1:
                extents = {**extents_now, name: less}
                steps, batch = extents.pop("T"), extents.pop("B")
                yield make_case(
                    cell, extents, steps=steps, batch=batch, seed=case.seed,
                    regime=case.regime, dtype=case.dtype,
                )  # fmt: skip
