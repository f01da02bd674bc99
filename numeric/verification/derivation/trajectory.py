"""One short sequence of one sample on numbers that move, run by the author's equations.

In: a `Derivation` and a kind of numbers. Out: `Trajectory`, whose values the lines of the
derivation are read at, and which runs equations in any direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final, TypeVar

import numpy as np
from sympy import MatrixExpr

from derive.calculus.through_time import Derivation
from derive.cell import Cell, Equation, previous
from derive.language.syntax import CellError
from numeric.meaning.over_time import Line, Moment
from numeric.meaning.sizes import extent_of, size_names
from numeric.numbers.moving import Moving, NothingShownError

Array = Any
Values = dict[str, Array]
STEPS: Final = 3
_SMALL: Final = (2, 3)  # neighbours differ, so that a matrix is not its transpose
_SEEDS: Final = range(0, 200_000, 1009)  # of numbers that the equations may have no value of
NOT_SHOWN: Final = (
    "a gradient is rounding alone, or below 1e-42, at every drawn call where it is not 0: nothing "
    "could be compared"
)
Found = TypeVar("Found")


@dataclass
class Trajectory:
    """What stays, by name; every symbol of every step by name and time, columns everywhere.

    States have values from time 0, everything else from 1 to T.
    """

    derivation: Derivation
    moving: Moving
    seed: int
    deviation: float
    extents: tuple[int, ...] = _SMALL
    steps: int = STEPS
    fixed: Values = field(default_factory=dict)
    timed: dict[Moment, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw what is given, and run the author's equations."""
        cell = self.derivation.cell
        self.rng = np.random.default_rng(self.seed)
        extents = cycle(self.extents)
        self.sizes = dict(zip(size_names(cell), extents, strict=False))
        sequences = [c for c in cell.constants if c.name in cell.sequences]
        for symbol in (*cell.parameters, *(c for c in cell.constants if c not in sequences)):
            self.fixed[symbol.name] = self.drawn(symbol)
        for symbol in (*cell.inputs, *sequences):
            for t in range(1, self.steps + 1):
                self.timed[symbol.name, t] = self.drawn(symbol)
        for state in cell.states:
            self.timed[state.name, 0] = self.drawn(state)
        for t in range(1, self.steps + 1):
            now = self.step(cell.equations, self.before(t))
            self.timed |= {(e.target.name, t): now[e.target.name] for e in cell.equations}

    def drawn(self, symbol: MatrixExpr) -> Array:
        """Numbers for the symbol, without a tangent."""
        return self.moving.draw(self.rng, self._shape(symbol), self.deviation)

    def direction(self, symbol: MatrixExpr) -> Array:
        """Zero, moving in a drawn direction."""
        return self.moving.direction(self.rng, self._shape(symbol))

    def _shape(self, symbol: MatrixExpr) -> tuple[int, ...]:
        return tuple(extent_of(extent, self.sizes) for extent in symbol.shape)

    def before(self, t: int, states: Mapping[str, Array] | None = None) -> Values:
        """What step t starts from; from these states where they are given."""
        cell = self.derivation.cell
        names = [*(x.name for x in cell.inputs), *cell.sequences]
        held = {s.name: self.timed[s.name, t - 1] for s in cell.states} | dict(states or {})
        return {
            **self.fixed,
            **{name: self.timed[name, t] for name in names},
            **{previous(s).name: held[s.name] for s in cell.states},
        }

    def at(self, t: int) -> Values:
        """Every value that step t knows, by name alone."""
        return {
            **self.before(t),
            **{name: v for (name, time), v in self.timed.items() if time == t},
        }

    def step(
        self, equations: Iterable[Equation], values: Values, push: Mapping[str, Array] | None = None
    ) -> Values:
        """The equations in order; `push` is added to a target once it has been computed."""
        values, push = dict(values), push or {}
        line = Line(values, self.sizes, self.moving.arithmetic)
        for equation in equations:
            name, value = equation.target.name, line(equation.value)
            values[name] = value + push[name] if name in push else value
        return values

    def value(self, node: MatrixExpr, values: Values) -> Array:
        """An expression without times."""
        return Line(values, self.sizes, self.moving.arithmetic)(node)

    def line(self, partial: Any = None, **clock: int) -> Line:
        """A reader of lines at one time."""
        return Line(
            self.fixed, self.sizes, self.moving.arithmetic, self.timed, {"T": self.steps, **clock},
            partial,
        )  # fmt: skip


def where_defined(cell: Cell, run: Callable[[int], Found], seed: int) -> Found:
    """What `run` gives at the first seed at whose numbers equations have values, and lines show.

    Raises:
        CellError: if there is none among many.
    """
    came: ArithmeticError | None = None
    for more in _SEEDS:
        try:
            return run(seed + more)
        except ArithmeticError as problem:
            came = problem
    undefined = (f"no value at any of {len(_SEEDS)} drawn calls: the equations divide by 0, or ask "
                 "log or sqrt of a number that is not positive")  # fmt: skip
    said = NOT_SHOWN if isinstance(came, NothingShownError) else undefined
    raise CellError(said, cell=cell.name)
