"""`bptt same`: whether two cells are one function under a map of parameters."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np

from derive.cell import Cell
from numeric.dialects.same import (
    DIFFERENT,
    SAME,
    OneWay,
    Sameness,
    counterexample,
    same,
    with_kinks,
)
from reports.arguments.which_cell import find_cell
from reports.terminal.console import Answer, columns, toolkit_version


def run(arguments: Namespace) -> Answer:
    """The map with its proof, or a point where the cells differ.

    Raises:
        CommandError: if there is no such cell.
        CellError: if a cell cannot be.
    """
    first, second = find_cell(arguments.cell), find_cell(arguments.other)
    verdict = same(first, second, arguments.seed)
    text = "" if arguments.json else "\n".join(_lines(verdict))
    return Answer(verdict.status, text=text, data=_data(verdict, arguments.seed))


def _data(verdict: Sameness, seed: int) -> dict[str, Any]:
    failing = verdict.failing
    source, target = _ends(verdict, failing)
    different = verdict.status == DIFFERENT
    ways = {"map": verdict.there, "inverse": verdict.back}
    return {
        "cells": [verdict.first.name, verdict.second.name],
        **{name: way.found.to_dict() if way and way.found else None for name, way in ways.items()},
        "proof": {name: _proof(way) for name, way in ways.items()},
        "counterexample": counterexample(source, target, failing) if different else None,
        "least_difference": failing.least if different else None,
        "no_map": [source.name, target.name] if different else None,
        "searched": failing.searched or verdict.there.searched,
        "assumptions": _assumptions(verdict),
        "reason": failing.reason or None,
        "seed": seed,
        "versions": {"bptt": toolkit_version(), "numpy": np.__version__},
    }


def _proof(way: OneWay | None) -> dict[str, Any] | None:
    if way is None or way.proof is None:
        return None
    proof = way.proof
    return {
        "exact": proof.exact,
        "error_probability": proof.error_probability,
        "agreement": proof.agreement,
    }


def _ends(verdict: Sameness, way: OneWay) -> tuple[Cell, Cell]:
    """The source and the target of a way."""
    pair = (verdict.first, verdict.second)
    return pair if way is verdict.there else pair[::-1]


def _assumptions(verdict: Sameness) -> list[str]:
    """What a proof does not say by itself."""
    kinked = sorted({*with_kinks(verdict.first), *with_kinks(verdict.second)})
    if verdict.status != SAME or not kinked:
        return []
    return [f"{', '.join(kinked)}: equal on the pieces, between kinks, that the points tried meet"]


def _lines(verdict: Sameness) -> list[str]:
    first, second = verdict.first.name, verdict.second.name
    if verdict.status == SAME:
        return [f"{first} and {second}: the same function", *_maps(verdict), *_assumptions(verdict)]
    failing = verdict.failing
    source, target = _ends(verdict, failing)
    if verdict.status != DIFFERENT:
        return [f"{first} and {second}: undecided; {failing.reason}",
                f"searched: {failing.searched}"]  # fmt: skip
    lines = [f"{first} and {second}: different", f"no map from {source.name} to {target.name}"]
    if failing.reason:
        return [*lines, f"  {failing.reason}", f"searched: {failing.searched}", *_maps(verdict)]
    lines += [
        f"searched: {failing.searched}",
        "each such map differs at a point that was tried, in one step, by at least "
        f"{failing.least:.2g} of the largest entry",
        *_point(source, target, failing),
    ]
    return [*lines, *_maps(verdict)]


def _point(source: Cell, target: Cell, way: OneWay) -> list[str]:
    """The counterexample for people."""
    held = counterexample(source, target, way)
    own, other = held["source"], held["target"]
    lines = [
        "",
        f"counterexample to the map that agrees the longest, {held['difference']:.2g} off:",
    ]
    used = [(f"{name} of {target.name}", f"= {text}")
            for name, text in held["closest_map"].items() if text != "0"]  # fmt: skip
    lines += columns(used, "  ") if used else []
    shown = {n: v for n, v in own["parameters"].items() if np.any(v)}
    shown |= own["inputs"] | own["initial"] | own["constants"]
    lines.append(f"  at {source.name}'s "
                 + ", ".join(f"{name} = {_short(value)}" for name, value in shown.items())
                 + ", all else 0")  # fmt: skip
    return lines + [
        f"  {name} of {end['cell']}: {_short(value)}"
        for end in (own, other) for name, value in end["states"].items()
    ]  # fmt: skip


def _short(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=4, separator=", ",
                           max_line_width=10_000).replace("\n", "")  # fmt: skip


def _maps(verdict: Sameness) -> list[str]:
    """Each map that was found, with its proof."""
    lines = []
    for way in (verdict.there, verdict.back):
        if way is None or way.found is None or way.proof is None:
            continue
        found = way.found
        rows = [(name, f"= {text}") for name, text in found.lines().items()]
        pairs = {**found.frame.states, **found.frame.inputs}.items()
        renamed = [f"{own} is {other}" for own, other in pairs if own != other]
        lines += ["", f"{found.target.name} of {found.source.name}:", *columns(rows, "  ")]
        lines += [f"  where {', '.join(renamed)}"] if renamed else []
        lines.append(
            "  equal over the prime field (other formulas are with probability at most "
            f"{way.proof.error_probability:.0e}); emitted code agrees to {way.proof.agreement:.0e}"
        )
    return lines
