"""The step Jacobian in blocks, from the named forward equations.

In: the forward equations of a cell. Out: J_ab = ∂a_t/∂b_{t−1} for every pair of states, each a
sum of diag(·) M. A block that is a sum and is needed again gets a name (`Partial`) instead of
being written out twice, so that no line grows with the depth of the cell. Where a matrix changes
with time a block is the map of a small change of b_{t−1} (`LinearMap`), never an array of all
its entries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sympy import (
    Identity,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    ZeroMatrix,
)
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.rules import JACOBIAN_RULES
from derive.calculus.tangents import as_matrix, tangent
from derive.cell import Cell, Equation, timeless_symbols
from derive.language.expr import (
    Concat,
    Partial,
    entries,
    operands,
    replace,
    symbols_of,
)
from derive.language.maps import LinearMap, has_moving_matrix
from derive.language.syntax import DOT


@dataclass(frozen=True)
class StepJacobian:
    """J_t = ∂s_t/∂s_{t−1} in blocks by state; `named` are the partial results they refer to.

    Every `Partial` in a block or in a named result is the left side of an earlier named result
    or of another block.
    """

    states: tuple[MatrixSymbol, ...]
    blocks: dict[tuple[str, str], MatrixExpr]
    named: tuple[tuple[Partial, MatrixExpr], ...]

    def expanded(self, of: str, by: str) -> MatrixExpr:
        """A block with every name written out: rational in the step's intermediates."""
        written: dict[MatrixExpr, MatrixExpr] = {}
        for name, value in self.named:
            written[name] = replace(value, written)
        return replace(self.blocks[of, by], written)

    def reached(self, by: str) -> frozenset[str]:
        """The states that paths from a state before lead to, over one step or several."""
        found: set[str] = set()
        ahead = [by]
        while ahead:
            last = ahead.pop()
            new = {of for (of, source), block in self.blocks.items()
                   if source == last and not isinstance(block, ZeroMatrix)} - found  # fmt: skip
            found |= new
            ahead += sorted(new)
        return frozenset(found)


def change_of(symbol: MatrixSymbol) -> MatrixSymbol:
    """A small change of a symbol, of its shape."""
    return MatrixSymbol(symbol.name + DOT, *symbol.shape)


@dataclass
class _Changes:
    """How each symbol changes with the variable, forward through the equations."""

    variable: MatrixSymbol
    changes: dict[MatrixSymbol, MatrixExpr] = field(default_factory=dict)

    def of(self, node: MatrixExpr, y: MatrixExpr) -> MatrixExpr:
        """The change of a node whose value is called y."""
        if isinstance(node, MatrixSymbol):
            return self.changes.get(node, ZeroMatrix(*node.shape))
        if not any(symbol in self.changes for symbol in symbols_of(node)):
            return ZeroMatrix(*node.shape)
        dots = tuple(self.of(operand, operand) for operand in operands(node))
        return tangent(y, node, dots)

    def run(self, forward: tuple[Equation, ...]) -> dict[MatrixSymbol, MatrixExpr]:
        """∂v/∂variable of every symbol v that changes, as a matrix or as a map."""
        change = change_of(self.variable)
        self.changes[self.variable] = change
        for equation in forward:
            if equation.target != self.variable:
                found = self.of(equation.value, equation.target)
                if not isinstance(found, ZeroMatrix):
                    self.changes[equation.target] = found
        return {symbol: jacobian_of(body, change) for symbol, body in self.changes.items()}


def jacobian_of(body: MatrixExpr, change: MatrixSymbol) -> MatrixExpr:
    """The map change ↦ body; between columns, and of factors that are no changing matrix, a matrix.

    A matrix of more than one column that time changes stays within a map: there it is applied.
    """
    if body.shape[1] == change.shape[1] == 1:
        found = as_matrix(body, change)
        if found is not None and not any(1 not in s.shape for s in symbols_of(found)):
            return found
    return LinearMap(body, change)


def has_matrices(cell: Cell, forward: tuple[Equation, ...]) -> bool:
    """Whether a matrix of a step changes with time."""
    fixed = timeless_symbols(cell, forward)
    return has_moving_matrix((side for e in forward for side in (e.target, e.value)), fixed)


@dataclass
class _Forward:
    """∂·/∂variable of each symbol in turn, forward through the equations."""

    variable: MatrixSymbol
    uses: Counter[MatrixSymbol]
    states: tuple[MatrixSymbol, ...]
    partials: dict[MatrixSymbol, MatrixExpr] = field(default_factory=dict)
    named: list[tuple[Partial, MatrixExpr]] = field(default_factory=list)

    def of(self, node: MatrixExpr, y: MatrixExpr) -> MatrixExpr:
        """The Jacobian of a node whose value is called y."""
        if node == self.variable:
            return Identity(node.shape[0])
        if isinstance(node, MatrixSymbol):
            return self.partials.get(node, self.zero(node))
        if self.variable not in (reach := set(symbols_of(node))) and not any(
            symbol in self.partials for symbol in reach
        ):
            return self.zero(node)
        parts = tuple(self.of(operand, operand) for operand in operands(node))
        return JACOBIAN_RULES[type(node)](y, node, parts)

    def zero(self, node: MatrixExpr) -> MatrixExpr:
        return ZeroMatrix(node.shape[0], self.variable.shape[0])

    def run(self, forward: tuple[Equation, ...]) -> None:
        for equation in forward:
            target = equation.target
            if target == self.variable:
                self.partials[target] = Identity(target.shape[0])
                continue
            value = self.of(equation.value, target)
            if isinstance(value, ZeroMatrix):
                continue
            repeated = self.uses[target] > 1 or target in self.states
            if isinstance(value, MatAdd) and repeated and self.uses[target]:
                name = Partial(target, self.variable)
                self.named.append((name, value))
                value = name
            self.partials[target] = value


def partials(
    cell: Cell, forward: tuple[Equation, ...], by: MatrixSymbol, *, maps: bool = False
) -> tuple[dict[MatrixSymbol, MatrixExpr], tuple[tuple[Partial, MatrixExpr], ...]]:
    """∂v/∂by of every symbol v that depends on `by`, and the named results they refer to.

    With `maps`, of a cell with matrices that change with time, as maps where they are none.
    """
    if maps:
        return _Changes(by).run(forward), ()
    uses: Counter[MatrixSymbol] = Counter()
    for equation in forward:
        uses.update(symbols_of(equation.value))
    sweep = _Forward(by, uses, cell.states)
    sweep.run(forward)
    return sweep.partials, tuple(sweep.named)


def derivative(
    node: MatrixExpr, by: MatrixSymbol, known: Mapping[MatrixSymbol, MatrixExpr]
) -> MatrixExpr:
    """∂node/∂by, given ∂v/∂by of every symbol v that depends on `by`."""
    return _Forward(by, Counter(), (), dict(known)).of(node, node)


def step_jacobian(cell: Cell, forward: tuple[Equation, ...]) -> StepJacobian:
    """J_t in blocks, row state by column state."""
    blocks: dict[tuple[str, str], MatrixExpr] = {}
    named: list[tuple[Partial, MatrixExpr]] = []
    for state, by in zip(cell.states, cell.previous_states, strict=True):
        found, names = partials(cell, forward, by, maps=has_matrices(cell, forward))
        named.extend(names)
        for of in cell.states:
            zero = ZeroMatrix(entries(of), entries(state))
            blocks[of.name, state.name] = found.get(of, zero)
    return StepJacobian(cell.states, blocks, tuple(named))


def diagonal_columns(jacobian: StepJacobian) -> tuple[MatrixExpr, ...]:
    """Each d of a diag(d) in the blocks and the named results, once."""
    return columns_in(*(value for _, value in jacobian.named), *jacobian.blocks.values())


def columns_in(*expressions: MatrixExpr) -> tuple[MatrixExpr, ...]:
    """Each d of a diag(d) in the expressions, once."""
    found: dict[MatrixExpr, None] = {}
    for value in expressions:
        _columns_of(value, found)
    return tuple(found)


def _columns_of(node: MatrixExpr, found: dict[MatrixExpr, None]) -> None:
    if isinstance(node, DiagMatrix):
        found[node.args[0]] = None
    elif isinstance(node, (MatAdd, MatMul, Concat)):
        for part in node.args:
            if isinstance(part, MatrixExpr):
                _columns_of(part, found)
