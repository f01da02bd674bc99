"""Autograd over several cases of a cell at once, in one trace.

In: a cell's problem, and cases. Out: nothing; the oracle knows their answers. A trace costs by its
operations, hardly by their entries: cases of the same sizes, steps and samples share one. Every
array has an axis of cases in front, that of parameters too, so that no case meets another; what is
computed of each is what a trace of its own computes, in another order of sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from derive.cell import Cell, previous, timeless_symbols
from derive.language.maps import has_moving_matrix
from numeric.meaning.interpret import Step, compiled
from numeric.meaning.sizes import as_columns
from numeric.verification.cases import Case
from numeric.verification.oracles import AUTOGRAD, Answer, gradients_of, hand_over
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.problem import Problem

Array = Any
_FEW: Final = 8  # samples: of more the entries cost, too


def answer_together(problem: Problem, cases: Iterable[Case]) -> None:
    """Answer what is equally large in one trace, where the problem is a cell's as it stands."""
    if type(problem) is not CellProblem or not can_share(problem.cell):
        return
    alike: dict[Any, list[Case]] = {}
    for case in cases:
        if case.steps and 0 < case.batch <= _FEW:
            key = case.steps, case.batch, *sorted(case.sizes.items())
            alike.setdefault(key, []).append(case.widened())
    several = [same for same in alike.values() if len(same) > 1]
    hand_over(problem, [
        pair for same in several for pair in zip(same, answers(problem.cell, same), strict=True)
    ])  # fmt: skip


def can_share(cell: Cell) -> bool:
    """Whether samples lie side by side, and nothing but inputs comes at each step."""
    still = timeless_symbols(cell, cell.equations)
    apart = has_moving_matrix((equation.value for equation in cell.equations), still)
    return not (apart or cell.sequences)


def answers(cell: Cell, cases: Sequence[Case]) -> list[Answer]:
    """The answer of each case, of numbers in float64."""
    (steps, batch), sizes = (cases[0].steps, cases[0].batch), cases[0].sizes
    equations = [(e.target.name, compiled(e.value, AUTOGRAD)) for e in cell.equations]
    fixed = {s.name: _matrices(cases, "constants", s.name) for s in cell.constants}
    given = {
        **{("params", s.name): _matrices(cases, "params", s.name) for s in cell.parameters},
        **{("inputs", s.name): _side_by_side(cases, "inputs", s.name) for s in cell.inputs},
        **{("initial", s.name): _side_by_side(cases, "initial", s.name) for s in cell.states},
    }
    bars = {s.name: _side_by_side(cases, "cotangents", s.name) for s in cell.returned}
    kept: dict[str, list[Array]] = {}
    ones = np.ones((1, batch))

    def ends(variables: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
        held = dict(zip(given, variables, strict=True))
        parameters = {name: value for (group, name), value in held.items() if group == "params"}
        state = {name: value for (group, name), value in held.items() if group == "initial"}
        kept.update((name, []) for name in bars)
        for t in range(steps):
            values = {**fixed, **parameters}
            values |= {s.name: held["inputs", s.name][t] for s in cell.inputs}
            values |= {previous(s).name: state[s.name] for s in cell.states}
            step = Step(values, sizes)
            for name, equation in equations:
                values[name] = equation(step)
            for name, bar in bars.items():
                value = values[name]
                if value.shape != bar.shape[1:]:  # the same for all samples
                    value = value * ones
                state[name] = value
                kept[name].append(value)
        for name, bar in bars.items():
            yield from zip(kept[name], bar, strict=True)

    with np.errstate(all="ignore"):
        found = dict(zip(given, gradients_of(ends, [*given.values()]), strict=True))
    return [_of_case(case, place, kept, found) for place, case in enumerate(cases)]


def _of_case(
    case: Case, place: int, outputs: dict[str, list[Array]], found: dict[tuple[str, str], Array]
) -> Answer:
    """The answer of one case among several."""
    gradients: dict[str, dict[str, Array]] = {"params": {}, "inputs": {}, "initial": {}}
    for (group, name), value in found.items():
        own = value[..., place, :, :]
        own = own if group == "params" else own.swapaxes(-1, -2)
        gradients[group][name] = own.reshape(np.shape(getattr(case, group)[name]))
    states = {name: np.stack([AUTOGRAD.constant(value)[place].T for value in values])
              for name, values in outputs.items()}  # fmt: skip
    return Answer(states, gradients)


def _matrices(cases: Sequence[Case], group: str, name: str) -> Array:
    """What is the same at all steps, of each case.

    Shapes: (K, rows, columns).
    """
    return np.stack([as_columns(getattr(case, group)[name]) for case in cases])


def _side_by_side(cases: Sequence[Case], group: str, name: str) -> Array:
    """The samples of each case side by side.

    Shapes: (K, n, B), or over time (T, K, n, B).
    """
    arrays = [getattr(case, group)[name] for case in cases]
    return np.stack(arrays, axis=np.ndim(arrays[0]) - 2).swapaxes(-1, -2)
