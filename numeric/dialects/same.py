"""Whether two cells are one function: a map of parameters each way, or a point that says no.

In: two cells. Out: `Sameness`. "same" rests on proofs of both maps; "different" on a finished
search of a class of maps, each of which a point tried tells from an identity; what is neither is
"inconclusive".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from sympy import MatrixSymbol

from derive.cell import Cell, timeless_symbols
from derive.language.maps import has_moving_matrix
from derive.saying import said
from numeric.dialects.blocks import MOST, frames, results_of
from numeric.dialects.one_step import Comparison, has_values_at_zero
from numeric.dialects.parameter_map import ParameterMap, cut
from numeric.dialects.proof import Proof, prove
from numeric.dialects.search import Difference, ExhaustedError, Search, factors_of
from numeric.meaning.sizes import extent_of, shape_of

SAME: Final = "same"
DIFFERENT: Final = "different"
UNDECIDED: Final = "inconclusive"
_CORRESPONDENCE: Final = said("maps that rename states, inputs, constants and sizes one to one")
_COUNTED: Final = {"states": said("states"), "outputs": said("outputs"), "inputs": said("inputs"),
                   "constants": said("constants")}  # fmt: skip
_TRIED: Final = 8  # maps that no point tells apart and no proof holds of


@dataclass(frozen=True)
class OneWay:
    """What is known of maps from one cell to another.

    `searched`: the class, and what was not finished of it. `least`: each map of the class differs
    by so much at a point that was tried; None where that is not known.
    """

    found: ParameterMap | None
    proof: Proof | None
    searched: str
    finished: bool
    least: float | None = None
    closest: Difference | None = None
    reason: str = ""


@dataclass(frozen=True)
class Sameness:
    """The verdict on two cells, and what is known of either way."""

    first: Cell
    second: Cell
    there: OneWay
    back: OneWay | None

    @property
    def status(self) -> str:
        """SAME with a map each way, DIFFERENT if one way there is none, else UNDECIDED."""
        ways = [self.there, *([self.back] if self.back else [])]
        if any(way.finished and way.found is None for way in ways):
            return DIFFERENT
        return SAME if self.back and all(way.found for way in ways) else UNDECIDED

    @property
    def failing(self) -> OneWay:
        """The way in which there is no map, or none is known."""
        ways = [self.there, *([self.back] if self.back else [])]
        without = [way for way in ways if way.found is None] or ways[-1:]
        return next((way for way in without if way.finished), without[0])


def same(first: Cell, second: Cell, seed: int = 0) -> Sameness:
    """Whether the cells compute one function of inputs and states under a map of parameters."""
    there = one_way(first, second, seed)
    if there.found is None:
        back = one_way(second, first, seed)
        return Sameness(first, second, there, back)
    inverse = there.found.inverse()
    if inverse is not None:
        proof = prove(inverse, seed)
        if proof.holds:
            return Sameness(first, second, there, OneWay(inverse, proof, there.searched, True))
    return Sameness(first, second, there, one_way(second, first, seed))


def one_way(source: Cell, target: Cell, seed: int = 0) -> OneWay:
    """A map from the source to the target with its proof, or the end of the search for one."""
    if reason := _too_many(source) or _too_many(target):
        return OneWay(None, None, "", False, reason=reason)
    if reason := _unlike(source, target):
        return OneWay(None, None, _CORRESPONDENCE, True, reason=reason)
    narrow = Search(source, target, seed=seed)
    found, several = _proved(narrow, seed), narrow.few()
    if found.found is None and found.finished and several:
        found = _proved(Search(source, target, several=True, seed=seed), seed)
    if found.found is None and found.finished and (factors := factors_of(source, target)):
        scaled = _proved(Search(source, target, seed=seed, factors=factors), seed)
        if scaled.found is not None or (scaled.finished and not several):
            found = scaled
    for cell in (source, target):
        if found.found is None and found.finished and not has_values_at_zero(cell):
            reason = said(
                "{0} divides by zero where its parameters are zero, and there the search begins",
                cell.name,
            )  # fmt: skip
            return OneWay(None, None, found.searched, False, reason=reason)
    return found


def _too_many(cell: Cell) -> str:
    """What of a cell is not searched, or not in every order; empty where there is nothing."""
    still = timeless_symbols(cell, cell.equations)
    if has_moving_matrix((equation.value for equation in cell.equations), still):
        return said("{0} has matrices that change with time, which are not searched", cell.name)
    if any(symbol.shape[1] != 1 for symbol in (*cell.returned, *cell.inputs)):
        return said("{0} has states that are matrices, which are not searched", cell.name)
    for what in _COUNTED:
        if (count := len(getattr(cell, what))) > MOST:
            return _not_tried(cell, count, _COUNTED[what])
    if (count := len(cell.returned)) > MOST:
        return _not_tried(cell, count, said("states and outputs"))
    return ""


def _not_tried(cell: Cell, count: int, what: str) -> str:
    return said("{0} has {1} {2}: more than {3} are not tried in every order", cell.name, count,
                what, MOST)  # fmt: skip


def _unlike(source: Cell, target: Cell) -> str:
    """Why no names and sizes correspond at all; empty where some do."""
    for what in ("states", "outputs", "inputs", "constants"):
        own, other = (len(getattr(cell, what)) for cell in (source, target))
        if own != other:
            return said("{0} has {1} {2}, {3} {4}", source.name, own, _COUNTED[what], target.name,
                        other)  # fmt: skip
    if next(frames(source, target), None) is None:
        return said("the sizes of {0} and {1} do not correspond", source.name, target.name)
    return ""


def _proved(search: Search, seed: int) -> OneWay:
    """The first map of the search whose proof holds."""
    refuted = 0
    try:
        for found in islice(search.maps(), _TRIED):
            proof = prove(found, seed)
            if proof.holds:
                return OneWay(found, proof, search.said(), True)
            refuted += 1
    except ExhaustedError as problem:
        return OneWay(None, None, search.said(), False, reason=problem.args[0])
    if refuted:
        reason = said("{0} maps agree at the points tried, and their proof fails", refuted)
        return OneWay(None, None, search.said(), False, reason=reason)
    return OneWay(None, None, search.said(), True, search.least, search.closest)


def counterexample(source: Cell, target: Cell, way: OneWay) -> dict[str, Any]:
    """The point of the closest map, as plain data: one sample, the one that differs most."""
    if way.closest is None:
        return {"reason": way.reason}
    met = way.closest
    comparison = Comparison(source, target, met.frame, met.point)
    want = comparison.wanted([met.kept])[0]
    got = comparison.given([met.moves], [met.offsets])[0]
    sample = int(np.argmax(np.max(np.abs(got - want), axis=0)))
    closest = ParameterMap(source, target, met.frame, met.moves, met.offsets)
    sizes = met.point.sizes
    parameters = {name: np.zeros_like(value) for name, value in met.point.parameters.items()}
    for block in met.kept:
        whole = met.point.parameters[block.parameter]
        cut(parameters[block.parameter], block, sizes)[...] = cut(whole, block, sizes)
    own = {s.name: np.reshape(parameters[s.name], shape_of(s, sizes)) for s in source.parameters}
    back = {other: name for name, other in met.frame.states.items()}
    order = [back[s.name] for s in results_of(source)]
    rows = {s.name: extent_of(s.shape[0], comparison.target_sizes) for s in results_of(target)}
    ends = dict(zip(rows, np.cumsum([*rows.values()]), strict=True))

    def states(results: Any) -> dict[str, Any]:
        return {n: results[ends[n] - rows[n] : ends[n], sample].tolist() for n in ends}

    def given(group: tuple[MatrixSymbol, ...], names: Mapping[str, str]) -> dict[str, Any]:
        values = ((s.name, met.point.given[names.get(s.name, s.name)]) for s in group)
        return {n: (v[:, sample] if v.shape[1] == want.shape[1] else v).tolist() for n, v in values}

    theirs, frame = states(want), met.frame
    return {
        "difference": met.amount,
        "closest_map": closest.lines(),
        "source": {
            "cell": source.name, "sizes": dict(sizes),
            "parameters": {name: value.tolist() for name, value in own.items()},
            "inputs": given(source.inputs, {}), "initial": given(source.states, {}),
            "constants": given(source.constants, {}),
            "states": {frame.states[name]: theirs[name] for name in order},
        },
        "target": {
            "cell": target.name, "sizes": comparison.target_sizes,
            "parameters": {n: v.tolist() for n, v in closest.apply(own, sizes).items()},
            "inputs": given(target.inputs, frame.inputs),
            "initial": given(target.states, frame.states),
            "constants": given(target.constants, frame.constants),
            "states": states(got),
        },
    }  # fmt: skip
