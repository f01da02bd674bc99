"""The cell in pictures: its computation graph, and the chain unrolled over three steps.

In: a `Derivation`. Out: the section that a report opens with, and its pictures; nothing where the
graph cannot be laid out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from derive.calculus.cell_graph import LATER, LOSS, STEP, Edge, Node, cell_graph, chain_graph
from derive.language.syntax import PREVIOUS
from derive.typeset.boxes import Box, row, sub
from derive.typeset.latex import Latex
from reports.document.figures import Picture
from reports.document.graph_figures import cell_picture, chain_picture, readable
from reports.document.graph_layout import NoLayoutError
from reports.document.model import Figure, Section
from reports.sections.facts import Facts

GRAPH: Final = "graph"
CHAIN: Final = "chain"
_STEPS: Final = 3
_MOST: Final = 60
"""A cell with more results than this has no picture: nobody could read it."""


def pictures(facts: Facts, name: str) -> tuple[Section, Mapping[str, Picture]] | None:
    """The section with both pictures; `name` begins the names of the figures."""
    derivation, say = facts.derivation, facts.say
    graph, chain = cell_graph(derivation), chain_graph(derivation, _STEPS)
    if len(graph.nodes) > _MOST:
        return None
    try:
        made = {
            f"{name}-{GRAPH}": cell_picture(graph, lambda node: _label(facts, node)),
            f"{name}-{CHAIN}": chain_picture(chain, lambda node: _unrolled(facts, node),
                                             [_handed(facts, edge) for edge in chain.edges]),
        }  # fmt: skip
    except NoLayoutError:
        return None
    first, second = made
    product = row(*(sub(facts.jacobian, str(step)) for step in range(_STEPS, 0, -1)))
    return Section("picture", say.words("picture.title"), (
        Figure(1, first, say.sentence("picture.graph"), say.words("picture.graph_described")),
        Figure(2, second,
               say.sentence("picture.chain", product, sub(facts.jacobian, "t"), row("t")),
               say.words("picture.chain_described")),
    )), made  # fmt: skip


def _label(facts: Facts, node: Node) -> str:
    """A node's symbol at step t."""
    if node.kind == LATER:
        return "$t+1$"
    if node.kind == LOSS or node.symbol is None:
        return _loss(facts, "t")
    return _written(facts.layout.of(node.symbol), node.symbol.name)


def _unrolled(facts: Facts, node: Node) -> str:
    """A node of the chain: a state, an input or a loss with the number of its step."""
    if node.kind == STEP:
        return _written(row("t", "=", str(node.step)), str(node.step))
    if node.kind == LOSS or node.symbol is None:
        return _loss(facts, str(node.step))
    symbol = facts.symbol(node.symbol.name)
    return _written(sub(symbol, str(node.step)), node.symbol.name)


def _loss(facts: Facts, step: str) -> str:
    return f"${Latex()(sub(facts.loss, step)).strip()}$"


def _handed(facts: Facts, edge: Edge) -> str:
    """What a step hands to the next one."""
    if edge.symbol is None:
        return ""
    return _written(sub(facts.symbol(edge.symbol.name), str(edge.step)), edge.symbol.name)


def _written(box: Box, name: str) -> str:
    return readable(Latex()(box).strip(), name.removesuffix(PREVIOUS))
