"""Where the nodes and edges of a graph go on a page: asked of Graphviz.

In: nodes with their sizes, edges. Out: `Placed`: centres and curves in inches. Graphviz is found
as the command `dot`, else inside the package pygraphviz, whose wheel brings it along.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

HINT: Final = "apt-get install graphviz, or pip install 'bptt-toolkit[pictures]'"
_TIMEOUT: Final = 60
_PACKAGE: Final = "pygraphviz"
_BY_PACKAGE: Final = """
import sys, pygraphviz
made = pygraphviz.AGraph(sys.stdin.read()).draw(format="plain", prog="dot")
sys.stdout.write(made.decode() if isinstance(made, bytes) else made)
"""
Point = tuple[float, float]
Size = tuple[float, float]


class NoLayoutError(Exception):
    """Graphviz is not there, or it failed; one line, with what to do."""


@dataclass(frozen=True)
class Placed:
    """The page's size, the nodes' centres, and each edge's cubic Bézier points and label place."""

    size: Size
    centres: Mapping[str, Point]
    curves: tuple[tuple[Point, ...], ...]
    labels: tuple[Point | None, ...]


def find_graphviz() -> str | None:
    """What lays graphs out here: the path of dot, or the package that has Graphviz in it."""
    if (path := shutil.which("dot")) is not None:
        return path
    return _PACKAGE if find_spec(_PACKAGE) else None


def laid_out(
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str, Size | None]],
    ranks: Sequence[tuple[str, Sequence[str]]] = (),
    settings: str = "",
) -> Placed:
    """The layout of a graph from left to right; an edge has the size of its label.

    `ranks` holds "source", "sink" or "same" with the nodes so placed.

    Raises:
        NoLayoutError: if Graphviz is missing or fails.
    """
    names = {key: f"n{place}" for place, key in enumerate(sizes)}
    lines = [f"digraph g {{ rankdir=LR; nodesep=0.22; ranksep=0.6; {settings}",
             "edge [dir=none]; node [shape=box, fixedsize=true, label=\"\"];"]  # fmt: skip
    lines += [f"{names[key]} [width={w:.3f}, height={h:.3f}];" for key, (w, h) in sizes.items()]
    for kind, members in ranks:
        lines.append(f"{{ rank={kind}; {' '.join(names[key] for key in members)} }}")
    for place, (start, end, label) in enumerate(edges):
        room = ""
        if label is not None:
            room = (f', label=<<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="{72 * label[0]:.0f}" '
                    f'HEIGHT="{72 * label[1]:.0f}"><TR><TD></TD></TR></TABLE>>')  # fmt: skip
        lines.append(f"{names[start]} -> {names[end]} [id=e{place}{room}];")
    return _read(_run("\n".join([*lines, "}"])), names, edges)


def _run(text: str) -> str:
    found = find_graphviz()
    if found is None:
        raise NoLayoutError(f"no Graphviz found; try: {HINT}")
    try:
        command = [sys.executable, "-c", _BY_PACKAGE] if found == _PACKAGE else [found, "-Tplain"]
        done = subprocess.run(command, input=text, capture_output=True, text=True,
                              timeout=_TIMEOUT, check=True)  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        raise NoLayoutError(f"{found}: the layout failed: {type(problem).__name__}") from None
    return done.stdout


def _read(
    plain: str, names: Mapping[str, str], edges: Sequence[tuple[str, str, Size | None]]
) -> Placed:  # fmt: skip
    """The lines of Graphviz's plain format: sizes, nodes, and edges in the order of their ends."""
    keys = {name: key for key, name in names.items()}
    size, centres = (0.0, 0.0), {}
    found: dict[tuple[str, str], list[tuple[tuple[Point, ...], Point | None]]] = {}
    for line in plain.replace("\\\n", "").split("\n"):
        kind, *words = line.split(" ") if line else [""]
        if kind == "graph":
            size = float(words[1]), float(words[2])
        elif kind == "node":
            centres[keys[words[0]]] = float(words[1]), float(words[2])
        elif kind == "edge":
            count = int(words[2])
            flat = [float(word) for word in words[3 : 3 + 2 * count]]
            label = None
            rest = words[3 + 2 * count :]
            if len(rest) > 4:  # the label's text, its place, style and colour
                label = float(rest[-4]), float(rest[-3])
            points = tuple(zip(flat[::2], flat[1::2], strict=True))
            found.setdefault((keys[words[0]], keys[words[1]]), []).append((points, label))
    curves, labels = [], []
    for start, end, _ in edges:
        points, label = found[start, end].pop(0)
        curves.append(points)
        labels.append(label)
    return Placed(size, centres, tuple(curves), tuple(labels))
