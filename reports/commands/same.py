"""`bptt same`: whether two cells are one function under a map of parameters."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np

from derive.calculus.surrogates import declared_slopes
from derive.cell import Cell
from derive.language.functions import slope_name
from derive.typeset.layout import Layout
from numeric.dialects.proof import with_kinks
from numeric.dialects.same import (
    DIFFERENT,
    SAME,
    OneWay,
    Sameness,
    counterexample,
    same,
)
from reports.arguments.which_cell import find_cell
from reports.document.words import Speaker, spoken
from reports.terminal.console import Answer, columns, toolkit_version

Say = Callable[[str], str]


def run(arguments: Namespace) -> Answer:
    """The map with its proof, or a point where the cells differ.

    Raises:
        CommandError: if there is no such cell.
        CellError: if a cell cannot be.
    """
    first, second = find_cell(arguments.cell), find_cell(arguments.other)
    verdict = same(first, second, arguments.seed)
    say = Speaker(Layout(), language=arguments.language)
    text = "" if arguments.json else "\n".join(_lines(verdict, say))
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
        "searched": failing.searched or verdict.there.searched or None,
        "assumptions": _assumptions(verdict, spoken("en").texts.__getitem__),
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


def _assumptions(verdict: Sameness, words: Say) -> list[str]:
    """What a proof does not say by itself."""
    if verdict.status != SAME:
        return []
    both = (verdict.first, verdict.second)
    kinked = sorted({name for cell in both for name in with_kinks(cell)})
    steps = sorted({slope_name(row) for cell in both for row in declared_slopes(cell)})
    held = {"same.kinks": kinked, "same.slopes": steps}
    return [words(key).format(", ".join(names)) for key, names in held.items() if names]


def _lines(verdict: Sameness, say: Speaker) -> list[str]:
    words, names = say.words, (verdict.first.name, verdict.second.name)
    if verdict.status == SAME:
        found = [*_maps(verdict, words), *_assumptions(verdict, words)]
        return [words("same.same").format(*names), *found]
    failing = verdict.failing
    source, target = _ends(verdict, failing)
    searched = words("same.not_searched")
    if failing.searched:
        searched = words("same.searched").format(say.phrase(failing.searched))
    why = say.phrase(failing.reason)
    if verdict.status != DIFFERENT:
        return [words("same.undecided").format(*names, why), searched]
    lines = [
        words("same.different").format(*names), words("same.none").format(source.name, target.name)
    ]  # fmt: skip
    if failing.reason:
        return [*lines, f"  {why}", searched, *_maps(verdict, words)]
    least = words("same.least").format(f"{failing.least:.2g}")
    point = _point(source, target, failing, words)
    return [*lines, searched, least, *point, *_maps(verdict, words)]


def _point(source: Cell, target: Cell, way: OneWay, words: Say) -> list[str]:
    """The counterexample for people."""
    held = counterexample(source, target, way)
    own, other = held["source"], held["target"]
    lines = ["", words("same.point").format(f"{held['difference']:.2g}")]
    used = [(words("same.symbol").format(name, target.name), f"= {text}")
            for name, text in held["closest_map"].items() if text != "0"]  # fmt: skip
    lines += columns(used, "  ") if used else []
    shown = {n: v for n, v in own["parameters"].items() if np.any(v)}
    shown |= own["inputs"] | own["initial"] | own["constants"]
    where = ", ".join(f"{name} = {_short(value)}" for name, value in shown.items())
    lines.append("  " + words("same.at").format(source.name, where))
    return lines + [
        "  " + words("same.state").format(name, end["cell"], _short(value))
        for end in (own, other) for name, value in end["states"].items()
    ]  # fmt: skip


def _short(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=4, separator=", ",
                           max_line_width=10_000).replace("\n", "")  # fmt: skip


def _maps(verdict: Sameness, words: Say) -> list[str]:
    """Each map that was found, with its proof."""
    lines = []
    for way in (verdict.there, verdict.back):
        if way is None or way.found is None or way.proof is None:
            continue
        found = way.found
        rows = [(name, f"= {text}") for name, text in found.lines().items()]
        pairs = {**found.frame.states, **found.frame.inputs}.items()
        renamed = [words("same.is_other").format(*pair) for pair in pairs if pair[0] != pair[1]]
        named = words("same.parameters").format(found.target.name, found.source.name)
        lines += ["", named, *columns(rows, "  ")]
        lines += ["  " + words("same.renamed").format(", ".join(renamed))] if renamed else []
        chance, off = f"{way.proof.error_probability:.0e}", f"{way.proof.agreement:.0e}"
        lines.append("  " + words("same.proof").format(chance, off))
    return lines
