"""Pictures of graphs: the cell's step and the chain of steps, forward black, cotangents red.

In: a `Graph` and how its symbols are written. Out: `Picture`s. Graphviz says where everything
goes; here it is drawn with the fonts and lines of the other figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from derive.calculus.cell_graph import GIVEN, LATER, LOSS, STATE, STEP, Graph, Node
from reports.document.figures import STYLE, Picture, drawn
from reports.document.graph_layout import Placed, laid_out

Array = Any
Labels = Callable[[Node], str]
RED: Final = "#B3261E"
_GREY: Final = "#4A4A4A"
_WIDE: Final = 6.3
_TALL: Final = 7.5
_APART: Final = 0.045
"""Half the distance of the two arrows of an edge, in inches."""
_GAP: Final = 0.012
"""From the end of an arrow to its node, in inches."""
_BOX: Final = (0.74, 0.5)
_ROUND: Final = (0.5, 0.36)
_COMMAND: Final = re.compile(r"\\(?:tilde|hat|bar|mathrm|[Aa]lpha|beta|gamma|theta|eta|kappa)\b")
_SIGNS: Final = {"sigmoid": r"$\sigma$", "⊙": r"$\odot$", "+": "$+$"}


def cell_picture(graph: Graph, label: Labels) -> Picture:
    """One step: each result with the functions in it and the numbers of its equations."""
    sizes = {node.key: _size(node) for node in graph.nodes}
    edges = [(edge.start, edge.end, None) for edge in graph.edges]
    given = [node.key for node in graph.nodes if node.kind == GIVEN]
    ends = [node.key for node in graph.nodes if node.kind in {LATER, LOSS}]
    placed = laid_out(sizes, edges, [("source", given), ("sink", ends)])
    return _picture(graph, placed, sizes, label, [""] * len(edges))


def chain_picture(graph: Graph, label: Labels, on_edge: Sequence[str]) -> Picture:
    """The chain of steps; `on_edge` says for each edge what goes along it, or nothing."""
    sizes = {node.key: _size(node) for node in graph.nodes}
    room = 0.42, 0.2 + 2 * _APART  # an edge is drawn as two arrows, one nearer to what is beside it
    edges = [(edge.start, edge.end, room if words else None)
             for edge, words in zip(graph.edges, on_edge, strict=True)]  # fmt: skip
    kinds = {step: [n.key for n in graph.nodes if n.step == step and n.kind in {STEP, LOSS}]
             for step in {node.step for node in graph.nodes} - {0}}  # fmt: skip
    ranks = [("same", [*members, *(n.key for n in graph.nodes
                                   if n.step == step and n.kind == GIVEN)])
             for step, members in kinds.items()]  # fmt: skip
    placed = laid_out(sizes, edges, ranks, "nodesep=0.2;")
    return _picture(graph, placed, sizes, label, on_edge)


def _size(node: Node) -> tuple[float, float]:
    return _BOX if node.kind not in {GIVEN, LATER, LOSS} else _ROUND


def _picture(
    graph: Graph, placed: Placed, sizes: Mapping[str, tuple[float, float]], label: Labels,
    on_edge: Sequence[str],
) -> Picture:  # fmt: skip
    boxes = {node.key for node in graph.nodes if node.kind not in {GIVEN, LATER, LOSS}}
    width, height = placed.size
    factor = min(1.0, _WIDE / width, _TALL / height)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_WIDE, height * factor + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        room = (_WIDE / factor - width) / 2
        axes.set_xlim(-room, width + room)
        axes.set_ylim(-0.05 / factor, height + 0.05 / factor)
        axes.axis("off")
        for edge, points, place, words in zip(
            graph.edges, placed.curves, placed.labels, on_edge, strict=True
        ):
            curve = np.array(points)
            ends = [(*placed.centres[key], *sizes[key], key in boxes)
                    for key in (edge.start, edge.end)]  # fmt: skip
            forward, back = (cut_at_nodes(_beside(curve, way), *ends)
                             for way in (_APART if edge.back else 0.0, -_APART))  # fmt: skip
            _arrow(axes, forward, "black", factor)
            if edge.back:
                _arrow(axes, back[::-1], RED, factor)
            if words and place is not None:
                _text(axes, place, words, 9 * factor)
        for node in graph.nodes:
            _node(axes, node, placed.centres[node.key], sizes[node.key], label(node), factor)
        return drawn(figure)


def _node(
    axes: Any, node: Node, centre: tuple[float, float], size: tuple[float, float], label: str,
    factor: float,
) -> None:  # fmt: skip
    (x, y), (w, h) = centre, size
    if node.kind in {GIVEN, LOSS, LATER}:
        if node.kind != LATER:
            axes.add_patch(Ellipse((x, y), w, h, facecolor="none", edgecolor=_GREY, linewidth=0.7))
        _text(axes, (x, y), label, 10 * factor)
        return
    pad = 0.04
    wide = 1.3 if node.kind == STATE else 0.8
    axes.add_patch(FancyBboxPatch(
        (x - w / 2 + pad, y - h / 2 + pad), w - 2 * pad, h - 2 * pad,
        boxstyle=f"round,pad={pad}", facecolor="none", edgecolor="black", linewidth=wide,
    ))  # fmt: skip
    does = r"\,".join(_sign(sign).strip("$") for sign in node.does)
    low = y - 0.005 if node.forward else y
    _text(axes, (x, low + (0.11 if does else 0.0)), label, 11 * factor)
    if does:
        _text(axes, (x, low - 0.055), f"${does}$", 8 * factor, _GREY)
    numbers = _numbers(node.forward)
    left = x - w / 2 + pad
    if numbers:
        axes.text(left, y - h / 2 + 0.02, numbers, fontsize=6.5 * factor, ha="left", va="bottom")
    if node.adjoint is not None:
        axes.text(x + w / 2 - pad, y - h / 2 + 0.02, f"({node.adjoint})", fontsize=6.5 * factor,
                  ha="right", va="bottom", color=RED)  # fmt: skip


def _numbers(found: Sequence[int]) -> str:
    """The numbers of equations, a run of them by its ends."""
    if len(found) > 1 and [*found] == [*range(found[0], found[-1] + 1)]:
        return f"({found[0]}-{found[-1]})"
    return "".join(f"({number})" for number in found)


def _sign(name: str) -> str:
    return _SIGNS.get(name, rf"$\mathrm{{{name.replace('_', ' ')}}}$")


def _text(
    axes: Any, place: tuple[float, float], words: str, size: float, colour: str = "black"
) -> None:
    axes.text(*place, words, fontsize=size, ha="center", va="center", color=colour)


def _arrow(axes: Any, points: Array, colour: str, factor: float) -> None:
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1)
    axes.add_patch(FancyArrowPatch(
        path=Path(points, codes), arrowstyle="-|>,head_length=2.4,head_width=1.1", color=colour,
        linewidth=0.8, mutation_scale=1.9 * factor, shrinkA=0, shrinkB=0, capstyle="butt",
    ))  # fmt: skip


def _beside(points: Array, distance: float) -> Array:
    """The curve moved to its left by so much, point by point along the normals there."""
    around = np.gradient(points, axis=0)
    length = np.linalg.norm(around, axis=1, keepdims=True)
    normals = np.stack([-around[:, 1], around[:, 0]], axis=1) / np.where(length == 0, 1, length)
    return points + distance * normals


Shape = tuple[float, float, float, float, bool]
"""Centre, width and height of a node, and whether it is a box, no ellipse."""


def cut_at_nodes(points: Array, start: Shape, end: Shape) -> Array:
    """The curve without what lies inside the nodes that it joins, once moved beside itself."""
    made = points.copy()
    if (at := _leaves(made[:4], start)) > 0:
        made[:4] = _halves(made[:4], at)[1]
    if (at := _leaves(made[:-5:-1], end)) > 0:
        made[-4:] = _halves(made[:-5:-1], at)[1][::-1]
    return made


def _leaves(piece: Array, node: Shape) -> float:
    """Where a cubic curve that begins at a node is outside of it; 0 if nowhere."""
    x, y, w, h, box = node
    at = np.linspace(0.0, 1.0, 129)[:, None]
    (a, b, c, d), rest = piece, 1 - at
    along = rest**3 * a + 3 * rest**2 * at * b + 3 * rest * at**2 * c + at**3 * d
    off = np.abs(along - (x, y)) / (w / 2 + _GAP, h / 2 + _GAP)
    inside = off.max(axis=1) < 1 if box else (off**2).sum(axis=1) < 1
    return 0.0 if inside.all() else float(at[inside.argmin(), 0])


def _halves(piece: Array, at: float) -> tuple[Array, Array]:
    """The two parts of a cubic curve, by de Casteljau."""
    rows = [piece]
    while len(rows[-1]) > 1:
        rows.append((1 - at) * rows[-1][:-1] + at * rows[-1][1:])
    return np.array([row[0] for row in rows]), np.array([row[-1] for row in reversed(rows)])


def readable(latex: str, plain: str) -> str:
    """The formula for a label; the plain name where it is beyond the figures' mathematics."""
    simple = _COMMAND.sub("", latex).count("\\") == 0
    return f"${latex}$" if simple or _is_known(latex) else plain


@lru_cache(maxsize=1024)
def _is_known(latex: str) -> bool:
    """Whether the figures' mathematics has the formula."""
    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return False
    return True
