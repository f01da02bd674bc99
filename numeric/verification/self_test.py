"""The self-test of an emitted file: its numbers from fifty digits and a running error analysis.

In: a cell or a network and the source of its code in some language. Out: the source with a test
that needs no Python to judge it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.network import Network
from numeric.compiler.argument_checks import each_sample
from numeric.compiler.final_states import FINAL_COTANGENTS
from numeric.compiler.kernel import Kernel, NetworkKernel, compile_cell, compile_network
from numeric.compiler.target import Target
from numeric.numbers.rounding import BOUNDED
from numeric.verification.compare import rounding_bounds
from numeric.verification.oracles import precise_answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import CELL_FUNCTIONS, NETWORK_FUNCTIONS, Guard, subject_of

Groups = Mapping[str, Any]
STEPS: Final = 3
BATCH: Final = 2
MARGIN: Final = 2.0  # the analysis is of first order


def self_tested(of: Cell | Network, target: Target, source: str, *, seed: int = 0) -> str:
    """The source with a main function that checks what the code makes of one case.

    Raises:
        ValueError: if files of that language have no self-test.
    """
    if target.self_test is None:
        raise ValueError(f"target {target.name}: its files have no self-test")
    problem: Problem
    module: Kernel | NetworkKernel
    if isinstance(of, Network):
        problem, module = NetworkProblem(of, final=of.final), compile_network(of, "textbook")
        plain = subject_of(module, NETWORK_FUNCTIONS)
        seed += seed % 4 == 0  # seeds in which samples have lengths of their own
    else:
        problem, module = CellProblem(of), compile_cell(of, "textbook")
        plain = subject_of(module, CELL_FUNCTIONS)
    case = problem.case(
        problem.ordinary_sizes(), steps=STEPS, batch=BATCH, seed=seed, dtype="float32"
    )
    double = replace(case.widened(), dtype="float64")
    answer = precise_answer(problem, case)
    bounds = [rounding_bounds(problem, Guard(plain), c, BOUNDED)[0] for c in (case, double)]
    given = {
        "params": case.params, "inputs": case.inputs, "cotangents": case.cotangents,
        "states": case.initial,
        "constants": {name: each_sample(array, module.module.CONSTANTS[name], case.batch)
                      for name, array in case.constants.items()},
    }  # fmt: skip
    if isinstance(of, Network):
        given["targets"] = {"targets": case.targets}
        given[FINAL_COTANGENTS] = given.pop("cotangents")
        given["lengths"] = {} if case.lengths is None else {"lengths": case.lengths}
    want = _listed(case.initial, answer.states, answer.gradients)
    explained = [_listed(case.initial, *bound) for bound in bounds]
    allowed: dict[str, dict[str, tuple[float, ...]]] = {}
    for group, arrays in want.items():
        allowed[group] = {}
        for name, array in arrays.items():
            size = float(np.max(np.abs(array), initial=0.0))
            allowed[group][name] = tuple(
                MARGIN * (float(np.max(found[group][name], initial=0.0)) + u * size)
                for found, u in zip(explained, (2.0**-24, 2.0**-53), strict=True)
            )
    sizes = {**case.sizes, "T": case.steps, "B": case.batch}
    return target.self_test(source, sizes, given, want, allowed)


def _listed(initial: Groups, outputs: Groups, gradients: Mapping[str, Groups]) -> dict[str, Groups]:
    """Outputs and gradients by the groups of a file's listing."""
    found: dict[str, dict[str, Any]] = {"loss": {}, "states": {}, "outputs": {}}
    for name, array in outputs.items():
        if np.ndim(array) == 0:  # a network's; a cell's output of that letter has steps
            found["loss"]["loss"] = array
        else:
            found["states" if name in initial else "outputs"][name] = array
    return {**found, **{f"gradients.{group}": arrays for group, arrays in gradients.items()}}
