"""Step Jacobians along a trajectory, each enclosed: J_t at the stored float states.

In: a `Derivation`, arrays and one sequence. Out: for each step a matrix and a number such that
the exact ∂F/∂s at the stored s_{t−1} and x_t differs from the matrix by at most that number in
‖·‖₂. The parameters, inputs and stored states are taken as the real numbers their floats are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sympy import Identity, MatAdd, MatMul, MatrixExpr, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import diagonal_columns
from derive.calculus.through_time import Derivation
from derive.cell import timeless_symbols
from derive.language.expr import Concat, Partial, split_coefficient, symbols_of
from numeric.compiler.kernel import compile_cell
from numeric.meaning.enclose import enclose
from numeric.meaning.enclose_functions import number
from numeric.meaning.interpret import as_columns
from numeric.meaning.sizes import extent_of, sizes_of
from numeric.numbers.intervals import UNIT, Interval, gamma, interval
from numeric.numbers.matrices import Near, frobenius, multiply, raised

Array = Any
Arrays = Mapping[str, Array]
_CHUNK: Final = 1 << 21


@dataclass(frozen=True)
class Run:
    """One sequence through a cell, in float64: what it was given and the states it stored.

    Shapes: states (T + 1, n), the initial state first; inputs (T, m); constants as declared,
    (T, size) where a sequence.
    """

    derivation: Derivation
    parameters: Arrays
    inputs: Arrays
    states: Arrays
    constants: Arrays = field(default_factory=dict)

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
        ValueError: for a wrong name or shape, or states that are not finite.
    """
    cell = derivation.cell
    kernel = compile_cell(cell)
    given = [_float(group) for group in (parameters, inputs, initial or {}, constants or {})]
    weights, signal, start, fixed = given
    batched = {name: value[:, None, :] for name, value in signal.items()}
    first = {name: value[None, :] for name, value in start.items()}
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        states, _ = kernel.forward(weights, batched, first, fixed)
    found = {}
    for symbol in cell.states:
        later = states[symbol.name][:, 0, :]
        if not np.all(np.isfinite(later)):
            step = int(np.argmin(np.isfinite(later).all(axis=1))) + 1
            raise ValueError(f"the state {symbol.name} is not finite at step {step}: it overflows")
        zero = np.zeros((1, later.shape[1]))
        found[symbol.name] = np.concatenate([first.get(symbol.name, zero), later])
    return Run(derivation, weights, signal, found, fixed)


def _float(arrays: Arrays) -> dict[str, Array]:
    return {name: np.asarray(value, dtype=np.float64) for name, value in arrays.items()}


@dataclass(frozen=True)
class Diagonal:
    """diag(d + e) with |e_i| ≤ error."""

    entries: Array
    error: float

    def full(self) -> Near:
        """As a matrix."""
        return Near(np.diag(self.entries), self.error)


def enclosed_values(run: Run, first: int, last: int) -> dict[str, Interval]:
    """Every symbol of a step at the steps first+1, …, last, side by side in columns."""
    cell = run.derivation.cell
    span = slice(first, last)
    values = {name: interval(as_columns(value)) for name, value in run.parameters.items()}
    for name, value in run.constants.items():
        timed = name in cell.sequences
        values[name] = interval(value[span].T if timed else as_columns(value))
    values |= {name: interval(value[span].T) for name, value in run.inputs.items()}
    values |= {f"{name}_prev": interval(value[span].T) for name, value in run.states.items()}
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
        self.fixed = timeless_symbols(cell, run.derivation.forward)
        self.timeless = {symbol.name for symbol in self.fixed}
        self.names = [state.name for state in cell.states]
        self.named = jacobian.named
        self.blocks = {pair: value for pair, value in jacobian.blocks.items()}
        self.columns = diagonal_columns(jacobian)
        self.widths = [run.states[name].shape[1] for name in self.names]
        self.constant: dict[MatrixExpr, Near] = {}
        self.norms: dict[MatrixExpr, float] = {}

    def backwards(self, steps: int | None = None) -> Iterator[Near]:
        """J_T, J_{T−1}, …: as many as asked for."""
        last, left = self.run.steps, self.run.steps if steps is None else steps
        widest = max(max(self.sizes.values(), default=1), 1)
        chunk = max(1, min(512, _CHUNK // (widest * 8)))
        while left > 0:
            first = max(0, last - min(chunk, left))
            values = enclosed_values(self.run, first, last)
            held = {column: _column(enclose(column, values, self.sizes), last - first)
                    for column in self.columns}  # fmt: skip
            for t in range(last - first - 1, -1, -1):
                yield self.assemble(t, values, held)
            left -= last - first
            last = first

    def assemble(
        self, t: int, values: Mapping[str, Interval], held: Mapping[MatrixExpr, tuple[Array, Array]]
    ) -> Near:
        """J of column t of the values."""
        step = _Assembly(self, t, values, held)
        for name, value in self.named:
            step.partials[name] = step.matrix(value)
        starts = np.cumsum([0, *self.widths])
        whole = np.zeros((starts[-1], starts[-1]))
        error = 0.0
        for (of, by), value in self.blocks.items():
            a, b = self.names.index(of), self.names.index(by)
            block = step.matrix(value)
            whole[starts[a] : starts[a + 1], starts[b] : starts[b + 1]] = block.matrix
            error = math.hypot(error, block.error)
        return Near(whole, raised(error, 2 * len(self.blocks)))


def _column(value: Interval, width: int) -> tuple[Array, Array]:
    """Middle, and the largest radius at each step, of a column for each step."""
    middle, radius = value.middle, value.radius
    if middle.shape[1] != width:
        middle, radius = (np.repeat(part, width, axis=1) for part in (middle, radius))
    return np.ascontiguousarray(middle.T), radius.max(axis=0, initial=0.0)


@dataclass
class _Assembly:
    """One step Jacobian: sums and products of diagonals and weights, with their errors."""

    home: Jacobians
    t: int
    values: Mapping[str, Interval]
    held: Mapping[MatrixExpr, tuple[Array, Array]]
    partials: dict[MatrixExpr, Near] = field(default_factory=dict)

    def matrix(self, node: MatrixExpr) -> Near:
        found = self.of(node)
        return found.full() if isinstance(found, Diagonal) else found

    def of(self, node: MatrixExpr) -> Near | Diagonal:
        home = self.home
        if node in self.partials:
            return self.partials[node]
        match node:
            case DiagMatrix(args=(column,)):
                middle, error = self.held[column]
                return Diagonal(middle[self.t], float(error[self.t]))
            case Identity():
                return Diagonal(np.ones(extent_of(node.shape[0], home.sizes)), 0.0)
            case ZeroMatrix():
                return Near(np.zeros([extent_of(e, home.sizes) for e in node.shape]))
            case MatAdd(args=terms):
                return self.sum([self.of(term) for term in terms])
            case MatMul() if not self.leaf(node):
                coefficient, rest = split_coefficient(node)
                factors = rest.args if isinstance(rest, MatMul) else (rest,)
                return self.product(coefficient, [(f, self.of(f)) for f in factors])
            case Concat(args=parts) if not self.leaf(node):
                made = [self.matrix(part) for part in parts]
                error = raised(math.hypot(*(part.error for part in made)), 2 * len(made))
                return Near(np.concatenate([part.matrix for part in made]), error)
        return self.outer(node)

    def leaf(self, node: MatrixExpr) -> bool:
        """Whether time does not change the node, so that it is made once."""
        return not node.has(Partial) and self.home.fixed.issuperset(symbols_of(node))

    def outer(self, node: MatrixExpr) -> Near:
        """A matrix of weights, or of columns of this step, from its enclosure."""
        home = self.home
        if node in home.constant:
            return home.constant[node]
        timeless = self.leaf(node)
        values = self.values
        if not timeless:
            values = {
                name: value[:, self.t : self.t + 1]
                if value.shape[1] != 1 and name not in home.timeless else value
                for name, value in values.items()
            }  # fmt: skip
        found = enclose(node, values, home.sizes)
        near = Near(found.middle, 0.0 if found.exact else frobenius(found.radius))
        if timeless:
            home.constant[node] = near
        return near

    def size(self, node: MatrixExpr, near: Near) -> float:
        """‖A‖_F, once for a weight."""
        if node not in self.home.constant:
            return frobenius(near.matrix)
        if node not in self.home.norms:
            self.home.norms[node] = frobenius(near.matrix)
        return self.home.norms[node]

    def product(self, coefficient: Any, factors: list[tuple[MatrixExpr, Any]]) -> Near | Diagonal:
        node, found = factors[-1]
        for before, factor in reversed(factors[:-1]):
            if isinstance(factor, Near) and isinstance(found, Diagonal):
                matrix = factor.matrix * found.entries
                size = self.size(before, factor)
                found = _scaled(matrix, size, factor.error, found)
            elif isinstance(factor, Diagonal) and isinstance(found, Diagonal):
                entries = factor.entries * found.entries
                a, b = (float(np.abs(d.entries).max(initial=0.0)) for d in (factor, found))
                error = a * found.error + factor.error * (b + found.error) + UNIT * a * b
                found = Diagonal(entries, raised(error))
            elif isinstance(factor, Diagonal):
                matrix = factor.entries[:, None] * found.matrix
                found = _scaled(matrix, self.size(node, found), found.error, factor)
            else:
                found = multiply(factor, found)
                if found.exponent:
                    found = Near(np.ldexp(found.matrix, found.exponent),
                                 float(np.ldexp(found.error, found.exponent)))  # fmt: skip
            node = Identity(1)
        made: Near | Diagonal = found
        if coefficient == 1:
            return made
        if coefficient == -1:
            return (Diagonal(-found.entries, found.error) if isinstance(found, Diagonal)
                    else Near(-found.matrix, found.error))  # fmt: skip
        value = number(coefficient)
        factor = Diagonal(np.full(_rows(found), float(value.middle)), float(value.radius))
        return self.product(1, [(Identity(1), factor), (node, found)])

    def sum(self, terms: list[Near | Diagonal]) -> Near | Diagonal:
        flat = [term for term in terms if isinstance(term, Diagonal)]
        if len(flat) == len(terms):
            entries = sum(term.entries for term in flat)
            sizes = sum(float(np.abs(term.entries).max(initial=0.0)) for term in flat)
            error = sum(term.error for term in flat)
            return Diagonal(entries, raised(error + gamma(len(terms)) * sizes, len(terms)))
        dense = [term for term in terms if isinstance(term, Near)]
        total = dense[0].matrix.copy()
        error, size = dense[0].error, frobenius(total)
        for term in dense[1:]:
            total += term.matrix
            error += term.error
            size += frobenius(term.matrix)
        for diagonal in flat:
            total.flat[:: len(total) + 1] += diagonal.entries
            error += diagonal.error
            size += frobenius(diagonal.entries)
        return Near(total, raised(error + gamma(len(terms) + 1) * size, len(terms)))


def _rows(found: Near | Diagonal) -> int:
    return len(found.entries if isinstance(found, Diagonal) else found.matrix)


def _scaled(matrix: Array, size: float, error: float, diagonal: Diagonal) -> Near:
    """The error of diag(d) A or A diag(d), ‖A‖_F ≤ size, A with that error."""
    largest = float(np.abs(diagonal.entries).max(initial=0.0))
    total = largest * error + diagonal.error * (size + error) + 2 * UNIT * largest * size
    return Near(matrix, raised(total))
