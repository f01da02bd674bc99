"""The computation graph of one step, and the chain of steps: nodes and edges, nothing drawn.

In: a `Derivation`. Out: `Graph`: what is given, what each equation computes from what, and the
numbers of the equations that compute it and its cotangent. A name for a part that one result
alone uses is part of that result's node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sympy import MatAdd, MatrixExpr, MatrixSymbol, preorder_traversal
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.through_time import Derivation
from derive.cell import previous
from derive.language.expr import Elementwise, VectorFunction, symbols_of
from derive.language.syntax import BAR, PREVIOUS

GIVEN, RESULT, STATE, LOSS, LATER, STEP = "given", "result", "state", "loss", "later", "step"
AT_LOSS: Final = " loss"  # a key that no author's symbol has


@dataclass(frozen=True)
class Node:
    """A node: `forward` and `adjoint` are numbers of equations, `does` functions and signs."""

    key: str
    kind: str
    symbol: MatrixSymbol | None = None
    forward: tuple[int, ...] = ()
    adjoint: int | None = None
    does: tuple[str, ...] = ()
    step: int = 0


@dataclass(frozen=True)
class Edge:
    """From a node to one that uses it; a cotangent comes back along it if `back`."""

    start: str
    end: str
    back: bool = True
    symbol: MatrixSymbol | None = None
    step: int = 0


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they are computed, and edges."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def cell_graph(derivation: Derivation) -> Graph:
    """One step of the cell: from what arrives to the loss and the next step."""
    cell = derivation.cell
    values = {e.target: e.value for e in derivation.forward}
    fixed, users = derivation.timeless, _users(values)
    inside = {
        part: next(iter(users[part])) for part in values
        if part not in {e.target for e in cell.equations} and len(users[part]) == 1
    }  # fmt: skip

    def home(symbol: MatrixSymbol) -> MatrixSymbol:
        while symbol in inside:
            symbol = inside[symbol]
        return symbol

    forward: dict[MatrixSymbol, list[int]] = {}
    does: dict[MatrixSymbol, list[str]] = {}
    edges: dict[tuple[str, str], None] = {}
    numbers = _numbers(derivation)
    given: dict[MatrixSymbol, None] = dict.fromkeys(cell.inputs)
    for target, value in values.items():
        if target in fixed:
            continue
        node = home(target)
        forward.setdefault(node, []).append(numbers[0][target.name])
        does.setdefault(node, []).extend(_signs(value))
        for source in symbols_of(value):
            if source in fixed or home(source) == node:
                continue
            if source not in values:
                given.setdefault(source)
            edges.setdefault((home(source).name, node.name))
    states = set(cell.states)
    order = [*(previous(s) for s in cell.states if previous(s) in given),
             *(s for s in given if not s.name.endswith(PREVIOUS))]  # fmt: skip
    nodes = [Node(s.name, GIVEN, s) for s in order]
    nodes += [
        Node(s.name, STATE if s in states else RESULT, s, tuple(forward[s]),
             numbers[1].get(s.name), tuple(dict.fromkeys(does[s])))
        for s in values if s in forward
    ]  # fmt: skip
    learned = {s.name for s in (*cell.inputs, *values, *map(previous, cell.states))}
    found = [Edge(a, b, a in learned) for a, b in edges]
    nodes += [Node("", LATER), Node(AT_LOSS, LOSS)]
    for state in cell.states:
        found += [Edge(state.name, "", symbol=state), Edge(state.name, AT_LOSS)]
    found += [Edge(output.name, AT_LOSS) for output in cell.outputs]
    return Graph(tuple(nodes), tuple(found))


def chain_graph(derivation: Derivation, steps: int = 3) -> Graph:
    """So many steps, one after the other, each with its inputs and its loss."""
    cell = derivation.cell
    nodes = [Node(f"{s.name} 0", GIVEN, s) for s in cell.states]
    edges: list[Edge] = []
    for k in range(1, steps + 1):
        here = f" step {k}"
        nodes.append(Node(here, STEP, step=k))
        for symbol in cell.inputs:
            nodes.append(Node(f"{symbol.name} {k}", GIVEN, symbol, step=k))
            edges.append(Edge(f"{symbol.name} {k}", here))
        nodes.append(Node(f"{AT_LOSS} {k}", LOSS, step=k))
        edges.append(Edge(here, f"{AT_LOSS} {k}", step=k))
        for state in cell.states:
            start = f" step {k - 1}" if k > 1 else f"{state.name} 0"
            edges.append(Edge(start, here, symbol=state if k > 1 else None, step=k - 1))
    return Graph(tuple(nodes), tuple(edges))


def _users(values: dict[MatrixSymbol, MatrixExpr]) -> dict[MatrixSymbol, dict[MatrixSymbol, None]]:
    found: dict[MatrixSymbol, dict[MatrixSymbol, None]] = {symbol: {} for symbol in values}
    for target, value in values.items():
        for symbol in symbols_of(value):
            if symbol in found:
                found[symbol].setdefault(target)
    return found


def _numbers(derivation: Derivation) -> tuple[dict[str, int], dict[str, int]]:
    """The numbers of the forward equations, and of those of cotangents, by symbol."""
    forward = {_name(s.equation.target): s.number for s in derivation.part("forward")}
    adjoint = {_name(s.equation.target).removesuffix(BAR): s.number
               for s in derivation.part("adjoint")
               if _name(s.equation.target).endswith(BAR)}  # fmt: skip
    return forward, adjoint


def _name(target: MatrixExpr) -> str:
    return str(next(iter(symbols_of(target))).name)


def _signs(value: MatrixExpr) -> Iterator[str]:
    """The functions and elementwise products of an equation; a sum where there is nothing else."""
    found = [
        node.function.name if isinstance(node, Elementwise) else
        node.name if isinstance(node, VectorFunction) else "⊙"
        for node in preorder_traversal(value)
        if isinstance(node, (Elementwise, VectorFunction, HadamardProduct))
    ]  # fmt: skip
    yield from found
    if isinstance(value, MatAdd) and found:
        yield "+"
