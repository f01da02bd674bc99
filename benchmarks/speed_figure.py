"""A figure of what `speed.py` measured: the others' time over ours, row by row.

    python benchmarks/speed.py --target c --all-sizes --json > speed.json
    python benchmarks/speed_figure.py speed.json docs/speed.svg

Points are medians of the ratios within a round, lines go from quartile to quartile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from required import FUSED, JAX, LAYER, LOOP
from speed_table import TITLES, Result

from reports.document.figures import STYLE
from reports.document.figures import drawn as both

SHADES: Final = {LAYER: "#000000", JAX: "#8A8A8A", LOOP: "#4A4A4A", FUSED: "#4A4A4A"}
MARKS: Final = {LAYER: "o", JAX: "s", LOOP: "^", FUSED: "x"}


def drawn(results: Sequence[Result]) -> str:
    """A figure: for each row the others' time over ours, quartiles as a line, as SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.3, 0.9 + 0.24 * len(results)))
        axes = figure.subplots()
        axes.axvline(1, color="#BBBBBB", linewidth=0.6)
        for name in (n for n in SHADES if any(n in r["contenders"] for r in results)):
            points = [(k, r["contenders"][name]) for k, r in enumerate(results)
                      if name in r["contenders"]]  # fmt: skip
            places = [-k for k, _ in points]
            spans = np.array([row["ratio_quartiles"] for _, row in points]).T
            axes.hlines(places, *spans, color=SHADES[name], linewidth=1.0)
            axes.plot([row["ratio"] for _, row in points], places, MARKS[name], markersize=4,
                      color=SHADES[name], label=TITLES[name])  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel(f"time over {results[0]['over']}, forward and backward")
        axes.set_yticks([-k for k in range(len(results))], labels=[*map(_label, results)])
        axes.tick_params(axis="y", labelsize=8)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        figure.subplots_adjust(left=0.42, right=0.97, bottom=0.45 / (0.9 + 0.24 * len(results)),
                               top=0.98)  # fmt: skip
        return both(figure).svg


def _label(result: Result) -> str:
    sizes = (str(result[name]) for name in ("T", "B", "m", "n"))
    kind = {"float32": "f4", "float64": "f8"}[result["dtype"]]
    return f"{result['cell'].replace('_', ' ')} {', '.join(sizes)} {kind}"


def main(words: list[str] | None = None) -> int:
    """Draw one file's figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("found", type=Path, metavar="speed.json")
    parser.add_argument("figure", type=Path, metavar="FILE.svg")
    options = parser.parse_args(words)
    found = json.loads(options.found.read_text(encoding="utf-8"))
    options.figure.write_text(drawn(list(found["cells"].values())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
