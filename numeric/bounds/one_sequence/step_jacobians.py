"""Step Jacobians along a trajectory, each enclosed: J_t at the stored float states.

In: a `Derivation`, arrays and one sequence. Out: for each step a matrix and a number such that
the exact ∂F/∂s at the stored s_{t−1} and x_t differs from the matrix by at most that number in
‖·‖₂. The parameters, inputs and stored states are taken as the real numbers their floats are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any, Final

import numpy as np
from sympy import Expr, MatrixExpr, Number, ZeroMatrix

from derive.calculus.fold import Algebra
from derive.calculus.jacobian import diagonal_columns
from derive.calculus.through_time import Derivation
from derive.language.expr import Partial, symbols_of
from derive.language.maps import LinearMap
from derive.saying import said
from numeric.bounds.one_sequence.step_matrix import Piece, StepMatrix
from numeric.compiler.kernel import compile_cell
from numeric.meaning.domains import UndefinedError, undefined
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number as enclosed
from numeric.meaning.sizes import as_columns, extent_of, sizes_of
from numeric.numbers.intervals import UNIT, Interval, around, gamma, interval
from numeric.numbers.matrices import Near, frobenius, multiply, raised

Array = Any
Arrays = Mapping[str, Array]
_CHUNK: Final = 1 << 21
MOST: Final = 1024  # entries of the whole state of a cell with matrices


class StateOverflowError(ValueError):
    """A state that is not finite from a step on: there is no trajectory to speak of."""

    def __init__(self, state: str, step: int) -> None:
        super().__init__(said(
            "the state {0} is not finite at step {1}: it overflows", state, step
        ))  # fmt: skip
        self.state, self.step = state, step


@dataclass(frozen=True)
class Run:
    """One sequence through a cell, in float64: what it was given and the states it stored.

    Shapes: states (T + 1, n) or (T + 1, n, k), the initial state first; outputs (T, q); inputs
    (T, m); constants as declared, (T, size) where a sequence.
    """

    derivation: Derivation
    parameters: Arrays
    inputs: Arrays
    states: Arrays
    constants: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)

    def handed_up(self, name: str) -> Array:
        """A state or an output at the steps 1, …, T."""
        return self.outputs[name] if name in self.outputs else self.states[name][1:]

    @property
    def steps(self) -> int:
        """T."""
        return len(next(iter(self.inputs.values())))

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes that the arrays have."""
        arrays = {**self.constants, **self.states, **self.inputs, **self.parameters}
        return sizes_of(self.derivation.cell, arrays)


def run(
    derivation: Derivation,
    parameters: Arrays,
    inputs: Arrays,
    initial: Arrays | None = None,
    constants: Arrays | None = None,
) -> Run:
    """The states of one sequence, by the emitted code.

    Shapes: inputs (T, m), initial (n,), zeros where absent.

    Raises:
        ValueError: for a wrong name or shape.
        StateOverflowError: for states that are not finite.
        UndefinedError: for values at which the cell is not defined.
    """
    cell = derivation.cell
    kernel = compile_cell(cell)
    given = [_float(group) for group in (parameters, inputs, initial or {}, constants or {})]
    weights, signal, start, fixed = given
    batched = {name: value[:, None] for name, value in signal.items()}
    first = {name: value[None] for name, value in start.items()}
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        states, _ = kernel.forward(weights, batched, first, fixed)
    zeros = {s.name: np.zeros(states[s.name].shape[1:]) for s in cell.states}
    if place := undefined(cell, weights, batched, zeros | first, fixed):
        raise UndefinedError(place)
    found = {}
    for symbol in cell.states:
        later = states[symbol.name][:, 0]
        if not np.all(np.isfinite(later)):
            whole = np.isfinite(later).reshape((len(later), -1)).all(axis=1)
            raise StateOverflowError(symbol.name, int(np.argmin(whole)) + 1)
        zero = np.zeros((1, *later.shape[1:]))
        found[symbol.name] = np.concatenate([first.get(symbol.name, zero), later])
    outputs = {symbol.name: states[symbol.name][:, 0] for symbol in cell.outputs}
    return Run(derivation, weights, signal, found, fixed, outputs)


def _float(arrays: Arrays) -> dict[str, Array]:
    return {name: np.asarray(value, dtype=np.float64) for name, value in arrays.items()}


class Matrix(Near):
    """A + E with ‖E‖₂ ≤ error: a block, or a factor of one."""

    @cached_property
    def size(self) -> float:
        """At least ‖A‖_F."""
        return frobenius(self.matrix)

    def full(self) -> Matrix:
        """Itself."""
        return self


@dataclass(frozen=True)
class Diagonal:
    """diag(d + e) with |e_i| ≤ error."""

    entries: Array
    error: float

    @property
    def largest(self) -> float:
        """Max |d_i|."""
        return float(np.abs(self.entries).max(initial=0.0))

    def full(self) -> Matrix:
        """As a matrix."""
        return Matrix(np.diag(self.entries), self.error)


def enclosed_values(
    run: Run, first: int, last: int, radii: Array | float = 0.0
) -> dict[str, Interval]:
    """Every symbol of a step at the steps first+1, …, last, side by side in columns.

    Where matrices change with time, of one step alone, each as it stands. `radii`: how far each
    entry of the states before a step may lie from what is stored, one number or one for each of
    the steps.
    """
    cell = run.derivation.cell
    span = slice(first, last)
    values = {name: interval(as_columns(value)) for name, value in run.parameters.items()}
    for name, value in run.constants.items():
        timed = name in cell.sequences
        rows = value[span].reshape(last - first, -1) if timed else value
        values[name] = interval(rows.T if timed else as_columns(value))
    values |= {name: interval(value[span].T) for name, value in run.inputs.items()}
    exact = not np.any(radii)
    for name, value in run.states.items():
        now = value[first] if value.ndim > 2 else value[span].T
        values[f"{name}_prev"] = interval(now) if exact else around(now, radii)
    sizes = run.sizes
    for equation in run.derivation.forward:
        values[equation.target.name] = enclose(equation.value, values, sizes)
    return values


class Jacobians:
    """J_T, J_{T−1}, …, J_1 of a run, made one at a time: nothing of size T n² is held."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.sizes = run.sizes
        cell, jacobian = run.derivation.cell, run.derivation.step_jacobian
        self.fixed = run.derivation.timeless
        self.timeless = {symbol.name for symbol in self.fixed}
        self.names = [state.name for state in cell.states]
        self.written: dict[MatrixExpr, MatrixExpr] = dict(jacobian.named)
        self.blocks = jacobian.blocks
        self.columns = diagonal_columns(jacobian)
        self.widths = [int(np.prod(run.states[name].shape[1:])) for name in self.names]
        self.alone = run.derivation.has_matrices  # a step at a time: matrices have no columns
        if self.alone and sum(self.widths) > MOST:
            raise ValueError(
                f"the states hold {sum(self.widths)} numbers, and along a sequence the Jacobian of "
                f"all of them is held, for at most {MOST}: choose a smaller --size"
            )
        self.constant: dict[MatrixExpr, Matrix] = {}
        self._timeless: dict[MatrixExpr, bool] = {}

    def is_timeless(self, block: MatrixExpr) -> bool:
        """Whether time does not change the block, so that it is made once."""
        if block not in self._timeless:
            moving = block.has(Partial) or not self.fixed.issuperset(symbols_of(block))
            self._timeless[block] = not moving
        return self._timeless[block]

    def backwards(self, steps: int | None = None) -> Iterator[Near]:
        """J_T, J_{T−1}, …: as many as asked for."""
        last, left = self.run.steps, self.run.steps if steps is None else steps
        while left > 0:
            first = max(0, last - min(self._chunk, left))
            made = self._between(first, last)
            for t in range(last - first - 1, -1, -1):
                yield made(t)
            left -= last - first
            last = first

    def forwards(self) -> Iterator[Near]:
        """J_1, J_2, …, J_T."""
        for first in range(0, self.run.steps, self._chunk):
            last = min(first + self._chunk, self.run.steps)
            yield from map(self._between(first, last), range(last - first))

    @property
    def _chunk(self) -> int:
        """How many steps have their values enclosed at once."""
        widest = max(max(self.sizes.values(), default=1), 1)
        return 1 if self.alone else max(1, min(512, _CHUNK // (widest * 8)))

    def _between(self, first: int, last: int) -> Callable[[int], Near]:
        """The step Jacobians of these steps, by their place among them."""
        values = enclosed_values(self.run, first, last)
        held = {column: _column(enclose(column, values, self.sizes), last - first)
                for column in self.columns}  # fmt: skip
        return lambda t: self.assemble(t, values, held)

    def assemble(
        self, t: int, values: Mapping[str, Interval], held: Mapping[MatrixExpr, tuple[Array, Array]]
    ) -> Near:
        """J of column t of the values."""
        step = _Assembly(self, t, values, held)
        starts = np.cumsum([0, *self.widths])
        whole = np.zeros((starts[-1], starts[-1]))
        error, pieces = 0.0, []
        for (of, by), value in self.blocks.items():
            a, b = self.names.index(of), self.names.index(by)
            rows, columns = slice(starts[a], starts[a + 1]), slice(starts[b], starts[b + 1])
            block = step.of(value)
            error = math.hypot(error, block.error)
            if isinstance(block, Diagonal):
                np.fill_diagonal(whole[rows, columns], block.entries)
            elif np.any(block.matrix):
                whole[rows, columns] = block.matrix
            else:
                continue
            pieces.append(Piece(rows, columns, isinstance(block, Diagonal)))
        return StepMatrix(whole, raised(error, 2 * len(self.blocks)), pieces=tuple(pieces))


def _column(value: Interval, width: int) -> tuple[Array, Array]:
    """Middle, and the largest radius at each step, of a column for each step."""
    middle, radius = value.middle, value.radius
    if middle.shape[1] != width:
        middle, radius = (np.repeat(part, width, axis=1) for part in (middle, radius))
    return np.ascontiguousarray(middle.T), radius.max(axis=0, initial=0.0)


@dataclass(frozen=True)
class _Assembly(Algebra["Matrix | Diagonal"]):
    """One step Jacobian: sums and products of diagonals and weights, with their errors."""

    home: Jacobians
    t: int
    values: Mapping[str, Interval]
    held: Mapping[MatrixExpr, tuple[Array, Array]]
    partials: dict[MatrixExpr, Matrix | Diagonal] = field(default_factory=dict)

    def is_whole(self, block: MatrixExpr) -> bool:
        return self.home.is_timeless(block)

    def zero(self, block: ZeroMatrix) -> Matrix:
        return Matrix(np.zeros([extent_of(extent, self.home.sizes) for extent in block.shape]))

    def identity(self, extent: Expr) -> Diagonal:
        return Diagonal(np.ones(extent_of(extent, self.home.sizes)), 0.0)

    def diagonal(self, column: MatrixExpr) -> Diagonal:
        middle, error = self.held[column]
        return Diagonal(middle[self.t], float(error[self.t]))

    def named(self, block: Partial) -> Matrix | Diagonal:
        if block not in self.partials:
            self.partials[block] = self.of(self.home.written[block])
        return self.partials[block]

    def matrix(self, block: MatrixExpr) -> Matrix:
        """A matrix of weights, or of columns of this step, from its enclosure."""
        home = self.home
        if block in home.constant:
            return home.constant[block]
        timeless = home.is_timeless(block)
        values = self.values
        if not timeless and not home.alone:
            values = {
                name: value[:, self.t : self.t + 1]
                if value.shape[1] != 1 and name not in home.timeless else value
                for name, value in values.items()
            }  # fmt: skip
        found = enclose(block, values, home.sizes)
        made = Matrix(found.middle, 0.0 if found.exact else frobenius(found.radius))
        if timeless:
            home.constant[block] = made
        return made

    def linear_map(self, block: LinearMap) -> Matrix:
        """The matrix of a map, from its enclosure."""
        found = enclose(block, self.values, self.home.sizes)
        return Matrix(found.middle, 0.0 if found.exact else frobenius(found.radius))

    def stack(self, parts: Sequence[Matrix | Diagonal]) -> Matrix:
        made = [part.full() for part in parts]
        error = raised(math.hypot(*(part.error for part in made)), 2 * len(made))
        return Matrix(np.concatenate([part.matrix for part in made]), error)

    def product(self, number: Number, factors: Sequence[Matrix | Diagonal]) -> Matrix | Diagonal:
        found = reduce(lambda right, left: _times(left, right), reversed(factors))
        if number == 1:
            return found
        if number == -1:
            return (Diagonal(-found.entries, found.error) if isinstance(found, Diagonal)
                    else Matrix(-found.matrix, found.error))  # fmt: skip
        value, rows = enclosed(number), len(found.full().matrix)
        return _times(Diagonal(np.full(rows, float(value.middle)), float(value.radius)), found)

    def sum(self, terms: Sequence[Matrix | Diagonal]) -> Matrix | Diagonal:
        flat = [term for term in terms if isinstance(term, Diagonal)]
        if len(flat) == len(terms):
            entries = sum(term.entries for term in flat)
            sizes = sum(term.largest for term in flat)
            error = sum(term.error for term in flat)
            return Diagonal(entries, raised(error + gamma(len(terms)) * sizes, len(terms)))
        dense = [term for term in terms if isinstance(term, Matrix)]
        total = dense[0].matrix.copy()
        error, size = dense[0].error, dense[0].size
        for term in dense[1:]:
            total += term.matrix
            error += term.error
            size += term.size
        for diagonal in flat:
            total.flat[:: len(total) + 1] += diagonal.entries
            error += diagonal.error
            size += frobenius(diagonal.entries)
        return Matrix(total, raised(error + gamma(len(terms) + 1) * size, len(terms)))


def _times(a: Matrix | Diagonal, b: Matrix | Diagonal) -> Matrix | Diagonal:
    """The product, its error rounded up."""
    if isinstance(a, Diagonal) and isinstance(b, Diagonal):
        error = a.largest * b.error + a.error * (b.largest + b.error) + UNIT * a.largest * b.largest
        return Diagonal(a.entries * b.entries, raised(error))
    if isinstance(a, Diagonal) and isinstance(b, Matrix):
        return _scaled(a.entries[:, None] * b.matrix, b, a)
    if isinstance(a, Matrix) and isinstance(b, Diagonal):
        return _scaled(a.matrix * b.entries, a, b)
    found = multiply(a.full(), b.full())
    return Matrix(np.ldexp(found.matrix, found.exponent),
                  raised(float(np.ldexp(found.error, found.exponent))))  # fmt: skip


def _scaled(made: Array, of: Matrix, by: Diagonal) -> Matrix:
    """diag(d) A or A diag(d) with its error."""
    total = by.largest * of.error + by.error * (of.size + of.error)
    return Matrix(made, raised(total + 2 * UNIT * by.largest * of.size))
