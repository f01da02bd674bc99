"""One candidate, judged: its gradient proved, its growth bounded, its tasks trained in order.

In: `Candidate`, plain data. Out: its record, plain data too: what `Store` writes and reports read.
A task that is not learnt ends the trial: the simplest must be learnt before the next is tried.
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
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.bounds.one_sequence.tracks import follow
from numeric.compiler.kernel import compile_cell
from numeric.meaning.sizes import usual_sizes
from numeric.search.limits import within
from numeric.search.tasks.known import TASKS
from numeric.search.training import count_of, sizes_for, train
from numeric.verification.derivation.check import examine
from numeric.verification.exact import exact_check
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, Misbehaviour, subject_of

Record = dict[str, Any]
_LAG: Final = 20
_SIZE: Final = 8
_WINDOWS: Final = (1, 5, 20)
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
                record["growth"] = {"start": growth(cell)}
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


def growth(cell: Cell) -> dict[str, float | None]:
    """log10 ‖∂s_t/∂s_k‖₂ at a lag of 20 with drawn weights: certified at most, and measured.

    Certified is the smallest bound along the drawn sequence; bounds for all inputs, which cost
    twenty times as much, are what `bptt bounds` gives of a cell that was found.
    """
    sizes = usual_sizes(cell, _SIZE, 2)
    made = draw(cell, sizes, 1.0, _LAG, 1, 1.0)
    return _growth_along(cell, made["parameters"], made["inputs"])


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def _growth_along(
    cell: Cell, parameters: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, float | None]:
    path = run(derivation_of(cell), parameters, inputs)
    track = follow(path, lags=min(_LAG, path.steps), windows=_WINDOWS, dominate=False)
    certified = min(values[-1] for values in track.log10_upper.values())
    return {"certified": _finite(certified), "measured": _finite(track.log10_measured[-1])}


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
    budget, gates, module = candidate.budget, gates_of(cell), compile_cell(cell).module
    for name, lag in candidate.tasks:
        task = TASKS[name](lag)
        found = train(cell, task, size=budget.size, seed=candidate.seed, updates=budget.updates,
                      gates=gates)  # fmt: skip
        record.setdefault("parameters", count_of(module, sizes_for(module, task, budget.size)))
        record["tasks"].append({
            "task": name, "lag": lag, "share": _finite(found.share), "learnt": found.learnt,
            "updates": found.updates, "settings": asdict(found.settings),
            "curve": [[count, _finite(share)] for count, share in found.curve],
        })  # fmt: skip
        record["learnt"] += int(found.learnt)
        record["score"] += max(0.0, 1.0 - found.share) if np.isfinite(found.share) else 0.0
        if not found.learnt:
            return
