"""Products of a step's partial derivatives with vectors, edge by edge: no Jacobian is assembled.

In: a `Run` and its `PathGraph`. Out: J v, Jᵀ v and (∂a/∂w)ᵀ v at many steps at once, in float64.
Columns: a value of one step is a column, the steps lie side by side, (n, steps).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr, MatrixExpr, MatrixSymbol, Number, Transpose, ZeroMatrix

from derive.calculus.fold import Algebra
from derive.calculus.paths import PathGraph
from derive.cell import previous
from derive.language.expr import symbols_of
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.meaning.interpret import evaluate
from numeric.meaning.sizes import as_columns, extent_of

Array = Any
Columns = Mapping[str, Array]
At = slice | Array


@dataclass(frozen=True)
class Linear:
    """A map with so many rows: `times(v, at, transposed)` is A v, or Aᵀ v, at the steps `at`."""

    rows: int
    times: Callable[[Array, At, bool], Array]


@dataclass(frozen=True)
class _Products(Algebra[Linear]):
    """Each block as a map, the block being of one step in that step's column."""

    steps: Steps

    def zero(self, block: ZeroMatrix) -> Linear:
        rows, columns = (self._count(extent) for extent in block.shape)
        return Linear(rows, lambda v, at, transposed: np.zeros(
            (columns if transposed else rows, v.shape[1])))  # fmt: skip

    def identity(self, extent: Expr) -> Linear:
        return Linear(self._count(extent), lambda v, at, transposed: v)

    def diagonal(self, column: MatrixExpr) -> Linear:
        return Linear(self._count(column.shape[0]),
                      lambda v, at, transposed: self.steps.column(column, at) * v)  # fmt: skip

    def sum(self, terms: Sequence[Linear]) -> Linear:
        return Linear(terms[0].rows,
                      lambda v, *how: sum(term.times(v, *how) for term in terms))  # fmt: skip

    def product(self, number: Number, factors: Sequence[Linear]) -> Linear:
        def times(v: Array, at: At, transposed: bool) -> Array:
            for factor in factors if transposed else reversed(factors):
                v = factor.times(v, at, transposed)
            return v if number == 1 else float(number) * v

        return Linear(factors[0].rows, times)

    def stack(self, parts: Sequence[Linear]) -> Linear:
        ends = np.cumsum([0, *(part.rows for part in parts)])

        def times(v: Array, at: At, transposed: bool) -> Array:
            if not transposed:
                return np.concatenate([part.times(v, at, False) for part in parts])
            return sum(part.times(v[ends[i] : ends[i + 1]], at, True)
                       for i, part in enumerate(parts))  # fmt: skip

        return Linear(ends[-1], times)

    def matrix(self, block: MatrixExpr) -> Linear:
        """A column, a row, or a matrix of weights.

        Raises:
            NoValueError: for a matrix that changes with time.
        """
        held, rows = self.steps, self._count(block.shape[0])
        if isinstance(block, Transpose) and block.arg.shape[1] == 1:
            column = self.matrix(block.arg).times
            return Linear(rows, lambda v, at, transposed: column(v, at, not transposed))
        if block.shape[1] == 1:
            return Linear(rows, lambda v, at, transposed: np.sum(
                held.column(block, at) * v, axis=0, keepdims=True) if transposed
                else held.column(block, at) * v)  # fmt: skip
        if not held.run.derivation.timeless.issuperset(symbols_of(block)):
            return super().matrix(block)

        def times(v: Array, at: At, transposed: bool) -> Array:
            value = held.column(block, at)
            return (value.T if transposed else value) @ v

        return Linear(rows, times)

    def _count(self, extent: Expr) -> int:
        return extent_of(extent, self.steps.sizes)


class Steps:
    """The steps first+1, …, last of a run side by side, and products of their edges."""

    def __init__(self, run: Run, graph: PathGraph, first: int, last: int) -> None:
        cell, span = run.derivation.cell, slice(first, last)
        self.run, self.sizes = run, run.sizes
        self.cell, self.width = cell, last - first
        maps = _Products(self)
        self.edges = {
            target: {source: maps.of(slope) for source, slope in into}
            for target, into in graph.edges.items()
        }
        values = {name: as_columns(value) for name, value in run.parameters.items()}
        for name, value in run.constants.items():
            values[name] = value[span].T if name in cell.sequences else as_columns(value)
        values |= {name: value[span].T for name, value in run.inputs.items()}
        values |= {f"{name}_prev": value[span].T for name, value in run.states.items()}
        with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
            for equation in run.derivation.forward:
                values[equation.target.name] = evaluate(equation.value, values, self.sizes)
        self.values: Columns = values
        self.held: dict[MatrixExpr, Array] = {}

    def forward(self, vector: Array, spans: Mapping[str, slice], at: At) -> Array:
        """J times a vector, edge by edge."""
        tangents = {previous(s): vector[spans[s.name]] for s in self.cell.states}
        for target, into in self.edges.items():
            tangents[target] = sum(edge.times(tangents[w], at, False) for w, edge in into.items())
        found = np.zeros_like(vector)
        for state in self.cell.states:
            if state in tangents:
                found[spans[state.name]] = tangents[state]
        return found

    def backward(self, vector: Array, spans: Mapping[str, slice], at: At) -> Array:
        """Jᵀ times a vector, edge by edge."""
        found = np.zeros_like(vector)
        total = self._sweep({s: vector[spans[s.name]] for s in self.cell.states}, at)
        for state in self.cell.states:
            if (before := total.get(previous(state))) is not None:
                found[spans[state.name]] = before
        return found

    def adjoints(self, of: str, seed: Array) -> dict[MatrixSymbol, Array]:
        """(∂of/∂w)ᵀ seed for every symbol w of the step that it depends on.

        Of paths that end at a state on their way to another, the state itself is the end.
        """
        (state,) = (s for s in self.cell.states if s.name == of)
        return self._sweep({state: seed}, slice(None))

    def _sweep(self, seeds: dict[MatrixSymbol, Array], at: At) -> dict[MatrixSymbol, Array]:
        total = dict(seeds)
        for target in reversed(self.edges):
            if target not in total:
                continue
            for source, edge in self.edges[target].items():
                part = edge.times(total[target], at, True)
                total[source] = total[source] + part if source in total else part
        return total

    def column(self, node: MatrixExpr, at: At) -> Array:
        """The value, a column for each step; a matrix of weights as it is."""
        if node not in self.held:
            with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
                self.held[node] = evaluate(node, self.values, self.sizes)
        value = self.held[node]
        moving = node.shape[1] == 1 and value.shape[1] == self.width and self.width > 1
        return value[:, at] if moving else value
