"""One candidate, judged: its gradient proved, its growth bounded, its tasks trained in order.

In: `Candidate`, plain data. Out: its record, plain data too: what `Store` writes and reports read.
The first task is a filter: who does not learn it is tried on nothing else. Of the others each is
tried at the next lag as long as it is learnt, with the settings that learnt it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from sympy import preorder_traversal

from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from derive.language.expr import Elementwise, symbols_of
from derive.language.syntax import CellError
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError, run
from numeric.bounds.one_sequence.tracks import enclosed
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.meaning.domains import UndefinedError
from numeric.meaning.sizes import usual_sizes
from numeric.search.limits import within
from numeric.search.tasks.known import TASKS
from numeric.search.tasks.task import Task
from numeric.search.training import (
    Arrays,
    Settings,
    count_of,
    initial,
    network_of,
    sizes_for,
    train,
)
from numeric.verification.derivation.check import examine
from numeric.verification.exact import exact_check
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, Misbehaviour, subject_of

Record = dict[str, Any]
_LAG: Final = 20
_EXACT: Final = {"n": 3, "m": 2}


@dataclass(frozen=True)
class Budget:
    """What a candidate may cost: hidden units, updates of a task, seconds for everything."""

    size: int = 16
    updates: int = 120
    seconds: float = 60.0


@dataclass(frozen=True)
class Candidate:
    """A cell as text, where it came from, and what it is tried on: (task, lag) in order."""

    name: str
    digest: str
    equations: str
    inputs: tuple[str, ...]
    parent: str
    mutation: str
    tasks: tuple[tuple[str, int], ...]
    seed: int
    budget: Budget

    @property
    def cell(self) -> Cell:
        """The cell."""
        return Cell.parse(name=self.name, equations=self.equations, inputs=self.inputs)


def judge(candidate: Candidate) -> Record:
    """The record; what went wrong with a candidate is said in it and costs only itself."""
    started = time.process_time()
    record: Record = {
        "name": candidate.name, "digest": candidate.digest, "equations": candidate.equations,
        "parent": candidate.parent, "mutation": candidate.mutation, "tasks": [], "learnt": 0,
        "score": 0.0, "verdict": "", "problem": None,
    }  # fmt: skip
    try:
        with within(candidate.budget.seconds):
            cell = candidate.cell
            _prove(cell, candidate.seed, record)
            if record["verdict"] == "right":
                _train(cell, candidate, record)
    except (CellError, Misbehaviour, TimeoutError, ArithmeticError, MemoryError, ValueError,
            TypeError) as problem:  # fmt: skip
        record["problem"] = f"{type(problem).__name__}: {problem}".split("\n", 1)[0][:200]
    record["seconds"] = round(time.process_time() - started, 3)
    return record


def _prove(cell: Cell, seed: int, record: Record) -> None:
    """The derivation line by line, and the emitted code, exactly over the prime field."""
    wrong = examine(derivation_of(cell)).wrong
    if wrong:
        record["verdict"] = f"wrong: {wrong[0]}"
        return
    sizes = {name: _EXACT.get(name, 2) for name in usual_sizes(cell, 3, 2)}
    guard = Guard(subject_of(compile_cell(cell), CellProblem.functions))
    found = exact_check(CellProblem(cell), guard, sizes, steps=3, batch=2, seed=seed)
    record["verdict"] = "right" if found.right else "wrong: the emitted gradient"
    record["error_probability"] = found.error_probability


def growth(cell: Cell, params: Arrays, task: Task, seed: int) -> dict[str, float | None]:
    """log10 ‖∂s_t/∂s_k‖₂ at a lag of 20 along a sequence of the task, by a network's parameters.

    Certified is the upper bound of the product, measured its norm, stepwise the certified product
    of the norms of single steps. None where states overflow. Bounds for all
    inputs, which cost ten times as much, are what `bptt bounds` gives of a cell that was found.
    """
    x, _ = task.draw(1, np.random.default_rng([seed, 3]))
    own = {name.removeprefix("layer0."): value for name, value in params.items()
           if name.startswith("layer0.")}  # fmt: skip
    try:
        return _growth_along(cell, own, {cell.inputs[0].name: x[:, 0]})
    except (StateOverflowError, UndefinedError):
        return {"certified": None, "measured": None, "stepwise": None}


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def _growth_along(
    cell: Cell, parameters: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, float | None]:
    path = run(derivation_of(cell), parameters, inputs)
    found = enclosed(path, _LAG)
    return {
        "certified": _finite(found.upper), "measured": _finite(found.measured),
        "stepwise": _finite(found.stepwise),
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def gates_of(cell: Cell) -> frozenset[str]:
    """The vectors that are added inside a sigmoid: the biases of gates."""
    vectors = {symbol for symbol in cell.parameters if symbol.shape[1] == 1}
    found = set()
    for equation in cell.equations:
        for node in preorder_traversal(equation.value):
            if isinstance(node, Elementwise) and node.function.name == "sigmoid":
                found |= {s.name for s in symbols_of(node.argument) if s in vectors}
    return frozenset(found)


def _train(cell: Cell, candidate: Candidate, record: Record) -> None:
    """The tasks, in order; the growth at the start, and at the end of the first task's training."""
    budget, gates, failed = candidate.budget, gates_of(cell), set[str]()
    raced: dict[str, tuple[Settings, ...]] = {}
    for place, (name, lag) in enumerate(candidate.tasks):
        if name in failed:
            continue
        task, longer = TASKS[name](lag), TASKS[name](_LAG)
        if place == 0:
            module = compile_network(network_of(cell, task), predicts=False).module
            sizes = sizes_for(module, task, budget.size)
            first = initial(module, sizes, gates, 0.0, candidate.seed)
            record["parameters"] = count_of(module, sizes)
            record["growth"] = {"start": growth(cell, first, longer, candidate.seed)}
        found = train(cell, task, size=budget.size, seed=candidate.seed, updates=budget.updates,
                      gates=gates, settings=raced.get(name, ()))  # fmt: skip
        raced[name] = (found.settings,)
        if place == 0:
            record["growth"]["end"] = growth(cell, found.params, longer, candidate.seed)
        record["tasks"].append({
            "task": name, "lag": lag, "share": _finite(found.share), "learnt": found.learnt,
            "updates": found.updates, "settings": asdict(found.settings),
            "curve": [[count, _finite(share)] for count, share in found.curve],
        })  # fmt: skip
        record["learnt"] += int(found.learnt)
        record["score"] += max(0.0, 1.0 - found.share) if np.isfinite(found.share) else 0.0
        if not found.learnt and place == 0:
            return
        if not found.learnt:
            failed.add(name)
