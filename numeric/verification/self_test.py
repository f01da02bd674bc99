"""The self-test of an emitted file: its numbers from fifty digits and a running error analysis.

In: a cell and the source of its code in some language. Out: the source with a test that needs no
Python to judge it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import Target
from numeric.numbers.rounding import BOUNDED
from numeric.verification.cases import Case
from numeric.verification.compare import rounding_bounds
from numeric.verification.oracles import precise_answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import CELL_FUNCTIONS, Guard, subject_of

STEPS: Final = 3
BATCH: Final = 2
MARGIN: Final = 2.0  # the analysis is of first order


def self_tested(cell: Cell, target: Target, source: str, *, seed: int = 0) -> str:
    """The source with a main function that checks states and gradients of one case.

    Raises:
        ValueError: if files of that language have no self-test.
    """
    if target.self_test is None:
        raise ValueError(f"target {target.name}: its files have no self-test")
    problem = CellProblem(cell)
    case = problem.case(
        problem.ordinary_sizes(), steps=STEPS, batch=BATCH, seed=seed, dtype="float32"
    )
    double = replace(case.widened(), dtype="float64")
    answer = precise_answer(problem, case)
    plain = Guard(subject_of(compile_cell(cell, "textbook"), CELL_FUNCTIONS))
    bounds = [rounding_bounds(problem, plain, c, BOUNDED)[0] for c in (case, double)]
    given = {
        "params": case.params, "inputs": case.inputs, "cotangents": case.cotangents,
        "constants": {name: _each_sample(array, case) if name in cell.sequences else array
                      for name, array in case.constants.items()},
    }  # fmt: skip
    want = {
        "states": {
            name: np.concatenate([start[None], answer.states[name]])
            for name, start in case.initial.items()
        },
        "outputs": {n: a for n, a in answer.states.items() if n not in case.initial},
        **{f"gradients.{group}": arrays for group, arrays in answer.gradients.items()},
    }
    allowed: dict[str, dict[str, tuple[float, ...]]] = {}
    for group, arrays in want.items():
        kind = group.removeprefix("gradients.")
        allowed[group] = {}
        for name, array in arrays.items():
            returned = kind in {"states", "outputs"}
            found = [(b[0] if returned else b[1][kind])[name] for b in bounds]
            size = float(np.max(np.abs(array), initial=0.0))
            units = (2.0**-24, 2.0**-53)
            allowed[group][name] = tuple(
                MARGIN * (float(np.max(f, initial=0.0)) + u * size)
                for f, u in zip(found, units, strict=True)
            )
    sizes = {**case.sizes, "T": case.steps, "B": case.batch}
    return target.self_test(source, sizes, given, want, allowed)


def _each_sample(array: Any, case: Case) -> Any:
    """A sequence of constants with rows for each sample."""
    return array if np.ndim(array) == 3 else np.repeat(array[:, None], case.batch, axis=1)
