"""The ways from a state to a state through the equations of one step.

In: a `Derivation`. Out: `PathGraph`: for each pair of symbols that an equation joins the partial
derivative of that equation alone, and the paths s_{t−1} → … → s_t made of such edges. The chain
rule says that a block ∂a_t/∂b_{t−1} of the step Jacobian is the sum over the paths from b_{t−1}
to a_t of the products of their edges, so the paths split the step Jacobian into terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sympy import MatrixExpr, MatrixSymbol, ZeroMatrix

from derive.calculus.jacobian import change_of, partials
from derive.calculus.through_time import Derivation
from derive.cell import previous
from derive.language.expr import Elementwise, Slope, symbols_of

Edges = Mapping[MatrixSymbol, tuple[tuple[MatrixSymbol, MatrixExpr], ...]]
_MOST: Final = 128


@dataclass(frozen=True)
class Route:
    """One path from a state to a state, or all that begin with the same edge.

    `nodes` are the symbols on it, the earlier state first. `via` names for a reader the results
    on the way, pre-activations left out; `factors` what multiplies an edge that leads from the
    earlier state straight to a state, or all edges where there is nothing on the way.
    """

    by: str
    of: str
    nodes: tuple[MatrixSymbol, ...]
    via: tuple[str, ...]
    factors: tuple[str, ...]

    @property
    def label(self) -> str:
        """As h → f → c, or c → c × f where nothing is on the way."""
        ends = [*self.via, self.of]
        if self.factors:
            ends[0] += " × " + " ".join(self.factors)
        return " → ".join([self.by, *ends])


@dataclass(frozen=True)
class PathGraph:
    """`edges[v]` are (w, ∂v/∂w with all else fixed) in the order of v's equation."""

    derivation: Derivation
    edges: Edges
    routes: tuple[Route, ...]


def path_graph(derivation: Derivation, most: int = _MOST) -> PathGraph:
    """All edges, and all paths; paths that begin with the same edge as one, beyond `most`."""
    cell, edges = derivation.cell, _edges(derivation)
    starts = {previous(state): state.name for state in cell.states}
    ends = {state: state.name for state in cell.states}
    counts: dict[MatrixSymbol, int] = dict.fromkeys(starts, 1)
    for target, into in edges.items():
        counts[target] = sum(counts[source] for source, _ in into)
    whole = sum(counts.get(state, 0) for state in cell.states) <= most
    namer = _Namer(derivation, edges)
    routes = []
    for start, by in starts.items():
        for nodes in _walks(start, edges) if whole else _beginnings(start, edges):
            for end in nodes[-1:] if whole else _reached(nodes[-1], edges, ends):
                if end in ends:
                    routes.append(Route(by, ends[end], nodes, *namer(nodes)))
    return PathGraph(derivation, edges, tuple(routes))


def _edges(derivation: Derivation) -> Edges:
    cell = derivation.cell
    moving = {previous(state) for state in cell.states}
    found: dict[MatrixSymbol, tuple[tuple[MatrixSymbol, MatrixExpr], ...]] = {}
    for equation in derivation.forward:
        into = []
        for source in dict.fromkeys(symbols_of(equation.value)):
            if source in moving:
                maps = derivation.has_matrices
                slope = partials(cell, (equation,), source, maps=maps)[0].get(equation.target)
                if slope is not None and not isinstance(slope, ZeroMatrix):
                    into.append((source, slope))
        if into:
            moving.add(equation.target)
            found[equation.target] = tuple(into)
    return found


def _walks(start: MatrixSymbol, edges: Edges) -> Iterator[tuple[MatrixSymbol, ...]]:
    """Every path that begins at a symbol, to each symbol that it reaches."""
    after = _after(edges)
    pending: list[tuple[MatrixSymbol, ...]] = [(start,)]
    while pending:
        nodes = pending.pop()
        if len(nodes) > 1:
            yield nodes
        pending.extend((*nodes, target) for target in reversed(after.get(nodes[-1], ())))


def _beginnings(start: MatrixSymbol, edges: Edges) -> Iterator[tuple[MatrixSymbol, ...]]:
    """The first edges of those paths."""
    yield from ((start, target) for target in _after(edges).get(start, ()))


def _after(edges: Edges) -> dict[MatrixSymbol, list[MatrixSymbol]]:
    found: dict[MatrixSymbol, list[MatrixSymbol]] = {}
    for target, into in edges.items():
        for source, _ in into:
            found.setdefault(source, []).append(target)
    return found


def _reached(
    node: MatrixSymbol, edges: Edges, ends: Mapping[MatrixSymbol, str]
) -> list[MatrixSymbol]:
    reached = {node}
    for target, into in edges.items():
        if any(source in reached for source, _ in into):
            reached.add(target)
    return [end for end in ends if end in reached]


class _Namer:
    """What a path goes through, in the cell's own names."""

    def __init__(self, derivation: Derivation, edges: Edges) -> None:
        self.slopes = {(target, source): slope for target, into in edges.items()
                       for source, slope in into}  # fmt: skip
        held = {e.target: e.value for e in derivation.forward}
        applied = {value.argument for value in held.values() if isinstance(value, Elementwise)}
        self.hidden = applied - {*derivation.cell.states}
        self.cell = derivation.cell

    def __call__(self, nodes: tuple[MatrixSymbol, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The results on the way, and the factors of an edge that has no name for itself."""
        states = {*self.cell.states}
        inner = nodes[1:-1] if nodes[-1] in states else nodes[1:]
        via = tuple(node.name for node in inner if node not in self.hidden)
        edges = list(pairwise(nodes))
        bare = edges[:1] if nodes[1] in states else edges if not via else []
        factors: dict[str, None] = {}
        for source, target in bare:
            slope = self.slopes[target, source]
            within = {s for part in slope.atoms(Slope) for s in symbols_of(part.argument)}
            factors |= {
                s.name: None for s in symbols_of(slope)
                if s not in within and s != change_of(source)
            }  # fmt: skip
        return via, tuple(factors)
