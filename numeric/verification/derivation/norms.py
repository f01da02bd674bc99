"""Norm domination in numbers: N_ab ≥ ‖∂a_t/∂b_{t−1}‖ as theorems state it, at drawn values.

In: a derivation. Out: which entries are too small. Jacobian and entries are evaluated to fifty
digits, the Jacobian from the author's equations. With every size 1 an entry whose terms have one
sign is met exactly, so that a smaller one is seen; larger sizes see norms of matrices, in
float64, whose relative error is far below `SLACK`. A slope that is read as 1 − tanh² keeps of
fifty digits what saturation leaves, and h/h a Jacobian of nearly 0: beside the largest entry, or 1
where all are 0, `LOST` is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import numpy as np
from sympy import Abs, Add, Basic, Expr, Max, Mul, Pow, Symbol

from derive.calculus.through_time import Derivation
from derive.language.norms import MaxAbs, Norm, Supremum
from derive.theorems.domination import domination_matrix
from derive.theorems.theorems import domination
from numeric.meaning.over_time import Line
from numeric.numbers.fifty_digits import independent
from numeric.numbers.moving import DIGITS
from numeric.verification.derivation.trajectory import Trajectory, where_defined

Array = Any
_Table = tuple[str, dict[tuple[str, str], Basic], Iterable[tuple[Basic, Basic]]]
SLACK: Final = 1e-9
LOST: Final = 1e-35
_DRAWS: Final = ((1,),) * 6 + ((2, 3),)
_DEVIATION: Final = 0.7


@dataclass
class _Reader:
    """The numbers of a theorem at one step: a supremum is its value there."""

    path: Trajectory
    named: dict[Basic, Basic] = field(default_factory=dict)
    line: Line = field(init=False)
    measured: dict[Basic, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = self.path
        values = path.step(path.derivation.forward, path.before(1))
        timed = path.timed | {(name, 1): value for name, value in values.items()}
        self.line = Line(values, path.sizes, DIGITS.arithmetic, timed, {"t": 1})

    def __call__(self, expr: Basic) -> float:
        """The number.

        Raises:
            TypeError: for an expression that is none here.
        """
        match expr:
            case _ if expr in self.named:
                return self(self.named[expr])
            case Supremum(args=(body,)):
                return self(body)
            case MaxAbs() | Norm():
                if expr not in self.measured:
                    self.measured[expr] = self._measure(expr)
                return self.measured[expr]
            case Abs(args=(body,)):
                return abs(self(body))
            case Max(args=bodies):
                return max(map(self, bodies))
            case Add(args=terms):
                return math.fsum(map(self, terms))
            case Mul(args=factors):
                return math.prod(map(self, factors))
            case Pow(args=(base, exponent)):
                return float(self(base) ** self(exponent))
            case Symbol():
                raise TypeError(f"{expr} is not said to be a number")
        return float(cast("Expr", expr))

    def _measure(self, expr: MaxAbs | Norm) -> float:
        value = _plain(self.line(expr.args[0]))
        if isinstance(expr, MaxAbs):
            return float(np.max(np.abs(value)))
        return _spectral(value)


def undominated(derivation: Derivation, seed: int) -> tuple[int, tuple[str, ...]]:
    """How many entries were compared, and which a norm exceeds.

    At some sizes a cell may have no value at all, as layer_norm of one number.

    Raises:
        CellError: if no numbers were found of which the equations have a value.
    """
    tables = list(_tables(derivation))
    wrong: dict[str, None] = {}
    compared = 0
    for number, extents in enumerate(_DRAWS):
        run = partial(_exceeding, derivation, tables, extents)
        with suppress(ArithmeticError):
            wrong |= run(seed + number)
            compared += 1
    if not compared:
        wrong |= where_defined(derivation.cell, run, seed)
    return sum(len(entries) for _, entries, _ in tables), tuple(wrong)


def _exceeding(
    derivation: Derivation, tables: Iterable[_Table], extents: tuple[int, ...], seed: int
) -> dict[str, None]:
    path = Trajectory(derivation, DIGITS, seed, _DEVIATION, extents, steps=1)
    norms, read = _norms(path), _Reader(path)
    wrong: dict[str, None] = {}
    for called, entries, named in tables:
        read.named = dict(named)
        bounds = {pair: read(entry) for pair, entry in entries.items()}
        nothing = LOST * (max(bounds.values()) or 1.0)  # states and weights are near 1
        for (of, by), bound in bounds.items():
            if norms[of, by] > max(bound * (1 + SLACK), nothing):
                wrong[f"N_{of},{by} of {called}: a norm exceeds it"] = None
    return wrong


def _tables(derivation: Derivation) -> Iterator[_Table]:
    """The matrices N: along a trajectory, over all admissible steps, and in published form."""
    relations = domination(derivation)
    entries = {(r.left.args[0].name, r.left.args[1].name): r.right for r in relations}
    states = {state.name for state in derivation.cell.states}
    yield (
        "the domination along a trajectory",
        {pair: entry for pair, entry in entries.items() if states.issuperset(pair)},
        [(r.left, r.right) for r in relations],
    )
    for split in (False, True):
        found = domination_matrix(derivation, split=split)
        names = [state.name for state in derivation.cell.states]
        pairs = {(a, b): found.entries[i][j] for i, a in enumerate(names)
                 for j, b in enumerate(names)}  # fmt: skip
        called = "the published condition" if split else "the domination over all steps"
        yield called, pairs, [(r.left, r.right) for r in found.quantities]


def _norms(path: Trajectory) -> Mapping[tuple[str, str], float]:
    """‖∂a_1/∂b_0‖₂ for every pair of states, in all directions at once from the equations."""
    cell, found = path.derivation.cell, {}
    begun = independent({("", s.name): _plain(path.timed[s.name, 0]) for s in cell.states})
    moved = {name: value for (_, name), value in begun.items()}
    ends = path.step(cell.equations, path.before(1, moved))
    count = sum(np.size(value) for value in moved.values())
    for of in cell.states:
        rows = np.array([entry.along(count) for entry in ends[of.name].ravel()])
        first = 0
        for by, value in moved.items():
            found[of.name, by] = _spectral(rows[:, first : first + np.size(value)])
            first += np.size(value)
    return found


def _plain(array: Array) -> Array:
    entries = [float(entry.value) for entry in np.ravel(array)]
    return np.array(entries).reshape(np.shape(array))


def _spectral(matrix: Array) -> float:
    """‖M‖₂; not a number where an entry is none, which no comparison takes for too large."""
    return float(np.linalg.norm(matrix, 2)) if np.all(np.isfinite(matrix)) else math.nan
