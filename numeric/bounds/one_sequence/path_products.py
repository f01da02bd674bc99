"""Products of a step's partial derivatives with vectors, edge by edge: no Jacobian is assembled.

In: a `Run` and its `PathGraph`. Out: J v, Jᵀ v and (∂a/∂w)ᵀ v at many steps at once, in float64.
Columns: a value of one step is a column, the steps lie side by side, (n, steps).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Identity, MatAdd, MatMul, MatrixExpr, MatrixSymbol, Transpose, ZeroMatrix
from sympy.matrices.expressions import DiagMatrix

from derive.cell import previous, timeless_symbols
from derive.language.expr import Concat, split_coefficient, symbols_of
from numeric.bounds.one_sequence.paths import PathGraph
from numeric.bounds.one_sequence.step_jacobians import Run
from numeric.meaning.interpret import as_columns, evaluate
from numeric.meaning.sizes import extent_of

Array = Any
Columns = Mapping[str, Array]


class Steps:
    """The steps first+1, …, last of a run side by side, and products of their edges."""

    def __init__(self, run: Run, graph: PathGraph, first: int, last: int) -> None:
        cell, span = run.derivation.cell, slice(first, last)
        self.graph, self.sizes = graph, run.sizes
        self.cell, self.width = cell, last - first
        self.fixed = timeless_symbols(cell, run.derivation.forward)
        self.slopes = {(target, source): slope for target, into in graph.edges.items()
                       for source, slope in into}  # fmt: skip
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

    def forward(self, vector: Array, spans: Mapping[str, slice], at: slice) -> Array:
        """J times a vector, edge by edge."""
        tangents = {previous(s): vector[spans[s.name]] for s in self.cell.states}
        for target, into in self.graph.edges.items():
            tangents[target] = sum(
                self.apply(slope, tangents[source], at) for source, slope in into
            )
        found = np.zeros_like(vector)
        for state in self.cell.states:
            if state in tangents:
                found[spans[state.name]] = tangents[state]
        return found

    def backward(self, vector: Array, spans: Mapping[str, slice], at: slice) -> Array:
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

    def _sweep(self, seeds: dict[MatrixSymbol, Array], at: slice) -> dict[MatrixSymbol, Array]:
        total = dict(seeds)
        for target in reversed(self.graph.edges):
            if target not in total:
                continue
            for source, slope in self.graph.edges[target]:
                part = self.apply(slope, total[target], at, transposed=True)
                total[source] = total[source] + part if source in total else part
        return total

    def apply(
        self, node: MatrixExpr, vector: Array, at: slice, *, transposed: bool = False
    ) -> Array:
        """A (or Aᵀ) times a vector at each step, A being of the step in that column.

        Raises:
            TypeError: for a matrix that changes with time.
        """
        match node:
            case Identity():
                return vector
            case ZeroMatrix():
                return np.zeros((extent_of(node.shape[1 if transposed else 0], self.sizes),
                                 vector.shape[1]))  # fmt: skip
            case DiagMatrix(args=(column,)):
                return self.column(column, at) * vector
            case MatAdd(args=terms):
                return sum(self.apply(term, vector, at, transposed=transposed) for term in terms)
            case MatMul():
                number, rest = split_coefficient(node)
                factors = rest.args if isinstance(rest, MatMul) else (rest,)
                for factor in factors if transposed else reversed(factors):
                    vector = self.apply(factor, vector, at, transposed=transposed)
                return vector if number == 1 else float(number) * vector
            case Concat(args=parts):
                return self._stacked(parts, vector, at, transposed)
            case Transpose(args=(inner,)) if inner.shape[1] == 1:
                return self.apply(inner, vector, at, transposed=not transposed)
        value = self.column(node, at)
        if node.shape[1] == 1:
            return (np.sum(value * vector, axis=0, keepdims=True) if transposed
                    else value * vector)  # fmt: skip
        if not self.fixed.issuperset(symbols_of(node)):
            raise TypeError(f"no product with the matrix {node}, which changes with time")
        return (value.T if transposed else value) @ vector

    def _stacked(
        self, parts: tuple[MatrixExpr, ...], vector: Array, at: slice, transposed: bool
    ) -> Array:
        if not transposed:
            return np.concatenate([self.apply(part, vector, at) for part in parts])
        ends = np.cumsum([0, *(extent_of(part.shape[0], self.sizes) for part in parts)])
        return sum(self.apply(part, vector[ends[i] : ends[i + 1]], at, transposed=True)
                   for i, part in enumerate(parts))  # fmt: skip

    def column(self, node: MatrixExpr, at: slice) -> Array:
        """The value, a column for each step; a matrix of weights as it is."""
        if node not in self.held:
            with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
                self.held[node] = evaluate(node, self.values, self.sizes)
        value = self.held[node]
        moving = node.shape[1] == 1 and value.shape[1] == self.width and self.width > 1
        return value[:, at] if moving else value
