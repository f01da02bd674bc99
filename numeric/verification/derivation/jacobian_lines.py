"""Step Jacobian, named partials, chain, determinant, paths and pair sums against the equations.

In: `Findings` whose trajectory holds the adjoint lines' values. Out: the same, with these lines
compared: a block times a drawn direction is how the equations move in that direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import pairwise
from operator import add, mul
from typing import Any

import numpy as np
from sympy import Expr, MatrixExpr, MatrixSymbol, Mul, ZeroMatrix

from derive.calculus.adjoint import from_loss
from derive.calculus.jacobian import partials
from derive.calculus.paths import path_graph
from derive.calculus.through_time import Step
from derive.language.expr import replace
from derive.language.norms import Determinant, EntryProduct
from derive.language.syntax import LOSS
from derive.theorems.lower_bounds import determinant
from numeric.meaning.over_time import Line, Moment
from numeric.verification.derivation.findings import Findings
from numeric.verification.derivation.trajectory import STEPS, Values

Array = Any


class JacobianLines:
    """What is written of ∂s_t/∂s_k, in numbers where it is asked for, and compared."""

    def __init__(self, found: Findings) -> None:
        self.found, self.path, self.moving = found, found.path, found.moving
        self.cell, self.derivation = found.cell, found.derivation
        self.names = [state.name for state in self.cell.states]
        self.whole = self.derivation.chain.target.args[0].args[0].name
        self.written: dict[tuple[str, str], Step] = {}
        for step in self.derivation.part("jacobian"):
            of, by = step.equation.target.args
            self.written[of.args[0].name, by.args[0].name] = step
        self.held: dict[tuple[Moment, Moment], Array] = {}
        self.locals: dict[str, tuple[MatrixSymbol, dict[str, MatrixExpr]]] = {}
        self.ways: dict[tuple[str, int], tuple[Array, Values]] = {}

    def compare(self) -> None:
        """All parts, each after what it is built on."""
        self.blocks()
        self.chain()
        self.pairs()
        self.volume()
        self.paths()

    def partial(self, of: Moment, by: Moment) -> Array:
        """∂u/∂v as the derivation writes it."""
        if (of, by) not in self.held:
            self.held[of, by] = self._partial(*of, *by)
        return self.held[of, by]

    def _partial(self, of: str, t: int, by: str, k: int) -> Array:
        if t == k and of != by:
            return self.local(by, t)
        if t == k + 1 and (of, by) in self.written:
            return self.path.line(self.partial, t=t)(self.written[of, by].equation.value)
        return self.path.line(self.partial, t=t, k=k)(self.derivation.chain.value)

    # ---- one step -------------------------------------------------------------------------------

    def tangents(self, by: str, t: int) -> tuple[Array, Values]:
        """A direction of a state before step t, and how everything in that step moves in it.

        The author's symbols by the author's equations; names for parts by their own lines.
        """
        if (by, t) not in self.ways:
            path = self.path
            way = path.direction(self.cell.states[self.names.index(by)])
            begin = path.before(t, {by: path.timed[by, t - 1] + way})
            ends = {
                **path.step(self.found.each_step, begin),
                **path.step(self.cell.equations, begin),
            }
            moved = {name: self.moving.speed(value) for name, value in ends.items()}
            self.ways[by, t] = self.moving.speed(way), moved
        return self.ways[by, t]

    def blocks(self) -> None:
        """Every block and named partial; and the blocks as bounds use them, names written out."""
        equal, last = self.moving.equal, self.path.at(STEPS)
        for (of, by), step in self.written.items():
            for t in range(1, STEPS + 1):
                way, moved = self.tangents(by, t)
                moved_by = self.partial((of, t), (by, t - 1)) @ _column(way)
                right = equal(moved_by, _column(moved[of]))
                self.found.hold(right, step, "not the derivative of one step's equations")
            if (of, by) in self.derivation.step_jacobian.blocks:
                block = self.path.value(self.derivation.step_jacobian.expanded(of, by), last)
                right = equal(block @ _column(way), _column(moved[of]))
                self.found.hold(right, step, "what bounds make of it is not that derivative")

    # ---- from step to step ----------------------------------------------------------------------

    def chain(self) -> None:
        """∂s_t/∂s_k for all k < t, against the equations run from s_k."""
        path, states = self.path, self.cell.states
        *definitions, last = self.derivation.part("chain")
        for step in definitions:
            symbol = step.equation.target.args[0]
            for t in range(int(symbol.shape[1] != 1), STEPS + 1):
                path.timed[symbol.name, t] = path.line(self.partial, t=t)(step.equation.value)
        for k in range(STEPS):
            ways = {s.name: path.direction(s) for s in states}
            moved = {s.name: path.timed[s.name, k] + ways[s.name] for s in states}
            begun = self.moving.speed(self._stack(ways))
            for t in range(k + 1, STEPS + 1):
                ends = path.step(self.cell.equations, path.before(t, moved))
                moved = {name: ends[name] for name in self.names}
                product = path.line(self.partial, t=t, k=k)(last.equation.value)
                self.held.setdefault(((self.whole, t), (self.whole, k)), product)
                right = self.moving.equal(product @ begun, self.moving.speed(self._stack(moved)))
                self.found.hold(right, last, "not the derivative of several steps' equations")

    def _stack(self, parts: Mapping[str, Array]) -> Array:
        return np.concatenate([_column(parts[name]) for name in self.names])

    def pairs(self) -> None:
        """The sums over pairs of times, against the gradients that the slope of L has confirmed."""
        path = self.path
        for t in range(1, STEPS + 1):
            losses = {s.name: path.timed[from_loss(s).name, t] for s in self.cell.states}
            path.timed.setdefault((self.whole + LOSS, t), self._stack(losses))
        for step in self.derivation.part("pairs"):
            found = path.line(self.partial)(step.equation.value)
            right = self.moving.equal(found, path.fixed[step.equation.target.name])
            self.found.hold(right, step, "not the gradient that the sum over one time gives")

    def local(self, by: str, t: int) -> Array:
        """∂s_t/∂v of a symbol v of the same step, as the report writes it; compared once."""
        symbol, written = self._local(by)
        values = self.path.at(t)
        blocks = {name: self.path.value(value, values) for name, value in written.items()}
        way = self.path.direction(symbol)
        moved = self.path.step(self.found.each_step, self.path.before(t), {by: way})
        for name, block in blocks.items():
            right = self.moving.equal(
                block @ self.moving.speed(way), self.moving.speed(moved[name])
            )
            self.found.hold(right, f"∂{name}_k/∂{by}_k in the sums over pairs of times",
                            "not the derivative of one step's equations")  # fmt: skip
        return np.concatenate([blocks[name] for name in self.names])

    def _local(self, by: str) -> tuple[MatrixSymbol, dict[str, MatrixExpr]]:
        """The symbol of that name, and ∂s/∂v of every state with all names written out."""
        if by not in self.locals:
            symbol = next(e.target for e in self.found.each_step if e.target.name == by)
            reached, named = partials(self.cell, self.derivation.forward, symbol)
            written: dict[MatrixExpr, MatrixExpr] = {}
            for name, value in named:
                written[name] = replace(value, written)
            self.locals[by] = symbol, {
                s.name: replace(reached[s], written)
                if s in reached else ZeroMatrix(s.shape[0], symbol.shape[0])
                for s in self.cell.states
            }  # fmt: skip
        return self.locals[by]

    # ---- what theorems and bounds are built on --------------------------------------------------

    def volume(self) -> None:
        """The determinant in closed form, against that of the blocks."""
        closed = determinant(self.derivation)
        if closed is None:
            return
        blocks = [[self.partial((a, STEPS), (b, STEPS - 1)) for b in self.names]
                  for a in self.names]  # fmt: skip
        whole = np.concatenate([np.concatenate(row, axis=1) for row in blocks])
        found = _scalar(closed, self.path.line(t=STEPS))
        right = self.moving.equal(found, _determinant(whole))
        self.found.hold(right, "the determinant of the step Jacobian", "not that of its blocks")

    def paths(self) -> None:
        """Each edge is the derivative of its equation alone; the paths add up to the blocks."""
        graph, values = path_graph(self.derivation), self.path.at(STEPS)
        equations = {e.target: e for e in self.derivation.forward}
        slopes: dict[MatrixSymbol, list[tuple[MatrixSymbol, Array]]] = {}
        for target, into in graph.edges.items():
            slopes[target] = [(source, self.path.value(slope, values)) for source, slope in into]
            for source, slope in slopes[target]:
                way = self.path.direction(source)
                moved = values | {source.name: values[source.name] + way}
                want = self.moving.speed(self.path.value(equations[target].value, moved))
                moved_by = slope @ _column(self.moving.speed(way))
                right = self.moving.equal(moved_by, _column(want))
                self.found.hold(right, f"the edge {source} → {target} of the paths of a step",
                                "not the derivative of its equation")  # fmt: skip
        totals: dict[tuple[str, str], Array] = {}
        for route in graph.routes:
            arrived = _column(self.tangents(route.by, STEPS)[0])
            for source, target in pairwise(route.nodes):
                arrived = dict(slopes[target])[source] @ arrived
            onward = self._onward({route.nodes[-1]: arrived}, slopes)
            pair = route.by, route.of
            reached = onward.get(next(s for s in self.cell.states if s.name == route.of))
            if reached is not None:
                totals[pair] = totals[pair] + reached if pair in totals else reached
        for by in self.names:
            _, moved = self.tangents(by, STEPS)
            for of in self.names:
                want = _column(moved[of])
                right = self.moving.equal(totals.get((by, of), 0 * want), want)
                self.found.hold(right, f"the paths of a step from {by} to {of}",
                                "they do not add up to the step Jacobian")  # fmt: skip

    def _onward(
        self, moving: dict[MatrixSymbol, Array],
        slopes: Mapping[MatrixSymbol, list[tuple[MatrixSymbol, Array]]],
    ) -> dict[MatrixSymbol, Array]:  # fmt: skip
        """What one symbol's motion becomes along all edges after it."""
        for target, into in slopes.items():
            parts = [slope @ moving[source] for source, slope in into if source in moving]
            if parts and target not in moving:
                moving[target] = reduce(add, parts)
        return moving


def _column(array: Array) -> Array:
    """The entries of a matrix as one column, row after row."""
    return array.reshape((-1, 1))


def _scalar(expr: Expr, line: Line) -> Any:
    """A product of entries and of determinants of matrices.

    Raises:
        TypeError: for anything else.
    """
    match expr:
        case Mul(args=parts):
            return reduce(mul, (_scalar(part, line) for part in parts))
        case EntryProduct(args=(column,)):
            return reduce(mul, line(column).ravel())
        case Determinant(args=(matrix,)):
            return _determinant(line(matrix))
    raise TypeError(f"no number for {expr}")


def _determinant(matrix: Array) -> Any:
    """By the first row: the matrices are small, and no entry need be other than zero."""
    if len(matrix) == 1:
        return matrix[0, 0]
    minors = (np.delete(matrix[1:], j, axis=1) for j in range(len(matrix)))
    terms = [a * _determinant(minor) for a, minor in zip(matrix[0], minors, strict=True)]
    return reduce(add, [term if j % 2 == 0 else -term for j, term in enumerate(terms)])
