"""A cell's ONNX model, checked before anybody gets it.

In: a cell. Out: `Exported`: the model's bytes in float32, and what was checked. The same model in
float64 is run on random sequences, and its states are those of the author's equations; in float32
it is run once, and its form is checked by the package onnx. Of models with an RNN, GRU or LSTM node
runtimes have float32 alone: these states are compared in both, each by who computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from derive.cell import Cell, declared
from numeric.compiler.argument_checks import each_sample
from numeric.compiler.recurrent_node import RecurrentNode
from numeric.compiler.target import MissingError
from numeric.compiler.to_onnx.model import model_of
from numeric.compiler.to_onnx.node import node_model
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import size_names
from numeric.numbers.primitives import NOT_IN_NUMPY
from numeric.verification.cases import Case
from numeric.verification.problems.of_cell import CellProblem

try:
    import onnx
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    class Erf(OpRun):  # type: ignore[misc]
        """The error function of doubles in double precision: onnx's own has single (1.23)."""

        op_domain = ""

        def _run(self, x: Any) -> tuple[Any]:
            return (NOT_IN_NUMPY["erf"](x),)

except ImportError:
    onnx = ReferenceEvaluator = None
try:
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as LacksNodeError
except ImportError:
    onnxruntime, LacksNodeError = None, ImportError

Array = Any
Run = Callable[[Mapping[str, Array]], dict[str, Array]]
CLOSE: Final[Mapping[str, float]] = {"float64": 1e-9, "float32": 1e-5}  # of the largest entry
GROWN: Final = 1e3
SHAPES: Final = ((4, 2, 3), (1, 1, 1), (7, 3, 2))  # steps, batch, the smallest size


class WrongModelError(ValueError):
    """The model computes something else than the cell's equations, so far off.

    No number stands for arrays of another shape, or of no numbers.
    """

    off = np.nan


@dataclass(frozen=True)
class Ran:
    """What ran the model, in which numbers, and the largest relative difference."""

    engine: str
    numbers: str
    difference: float


@dataclass(frozen=True)
class Exported:
    """The model's bytes, and how its states were compared with those of the equations.

    `otherwise`: a runtime that is too far from them, where the reference evaluator is not.
    """

    model: bytes
    runs: tuple[Ran, ...]
    otherwise: Ran | None = None


def export(
    cell: Cell, about: str = "", seed: int = 0, node: RecurrentNode | None = None
) -> Exported:
    """The cell's model in float32: its steps written out, or with that node.

    Raises:
        ValueError: for an operation or a function that has no nodes.
        MissingError: if the package onnx is not installed, or nothing that runs such a node.
        WrongModelError: if it computes something else.
    """
    made = partial(model_of, cell) if node is None else partial(node_model, cell, node)
    wide, narrow = made(np.float64, about), made(np.float32, about)
    onnx.checker.check_model(narrow, full_check=True)
    fixed = {node.hidden: node.units} if node else {}
    cases = [_case(cell, shape, seed + turn, fixed) for turn, shape in enumerate(SHAPES)]
    if node is not None:
        return Exported(narrow.SerializeToString(), _node_runs(cell, node, wide, narrow, cases))
    ran, otherwise = _written_out_runs(cell, wide, cases)
    fed = {n: np.asarray(v, np.float32) for n, v in inputs_of(cell, cases[0]).items()}
    run, engine = opened(narrow)
    for name, value in run(fed).items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise WrongModelError(f"{cell.name}: {name} of {engine} is no float32 array of numbers")
    return Exported(narrow.SerializeToString(), (ran,), otherwise)


def _written_out_runs(cell: Cell, wide: Any, cases: list[Case]) -> tuple[Ran, Ran | None]:
    """Who computes the model of written-out steps, and who computes it otherwise.

    onnxruntime's Sigmoid is right to the last place of 1, not of itself: of gates nearly shut a
    right model looks wrong there (findings/onnxruntime_gates_close_early.sh). Then the reference
    evaluator decides.

    Raises:
        WrongModelError: if the model computes something else.
    """
    run, engine = opened(wide)
    try:
        return Ran(engine, "float64", difference(cell, run, cases)), None
    except WrongModelError as problem:
        reference, name = _evaluated(wide)
        if name == engine or np.isnan(problem.off):
            raise
        ran = Ran(name, "float64", difference(cell, reference, cases))
        return ran, Ran(engine, "float64", problem.off)


def _node_runs(
    cell: Cell, node: RecurrentNode, wide: Any, narrow: Any, cases: list[Case]
) -> tuple[Ran, ...]:
    """The model in float64 by the reference evaluator, in float32 by onnxruntime.

    The reference knows no activations but a node's own; onnxruntime has no such node of doubles.

    Raises:
        MissingError: if neither runs it.
        WrongModelError: if it computes something else.
    """
    runs = []
    if "activations" not in node.attributes:
        run, engine = _evaluated(wide)
        runs.append(Ran(engine, "float64", difference(cell, run, cases, node.last)))
    if onnxruntime is not None:
        engine = f"onnxruntime {onnxruntime.__version__}"
        off = difference(cell, _session(narrow), cases, node.last, "float32")
        runs.append(Ran(engine, "float32", off))
    if not runs:
        raise MissingError(
            "onnxruntime is not installed, and nothing else here runs a node with activations of "
            "its own; run pip install 'bptt-toolkit[onnx]'; nothing is written unverified"
        )
    return tuple(runs)


def opened(model: Any) -> tuple[Run, str]:
    """The model as a function of its inputs by name, and what runs it.

    The reference evaluator of onnx, where onnxruntime is not there or lacks a node: of functions in
    float64 it has few (version 1.32).
    """
    if onnxruntime is not None:
        with suppress(LacksNodeError):
            return _session(model), f"onnxruntime {onnxruntime.__version__}"
    return _evaluated(model)


def _evaluated(model: Any) -> tuple[Run, str]:
    """The model by the reference evaluator, and what that is called."""
    evaluator = ReferenceEvaluator(model, new_ops=[Erf])
    names = evaluator.output_names

    def run(given: Mapping[str, Array]) -> dict[str, Array]:
        return dict(zip(names, evaluator.run(None, dict(given)), strict=True))

    return run, f"the reference evaluator of onnx {onnx.__version__}"


def _session(model: Any) -> Run:
    made = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = [one.name for one in made.get_outputs()]
    wanted = [one.name for one in made.get_inputs()]
    return lambda given: dict(
        zip(outputs, made.run(None, {n: given[n] for n in wanted}), strict=True)
    )


@np.errstate(all="ignore")  # of values that are none
def difference(
    cell: Cell, run: Run, cases: list[Case], last: str | None = None, numbers: str = "float64"
) -> float:
    """How far the model's states are from those of the equations, relative to each array.

    `last` is the output that holds a state after the last step alone, `c_last`. Where the equations
    have no number, as one unit has none that is divided by its own norm, nothing is compared.

    Raises:
        WrongModelError: if that is more than rounding, or if there is no number anywhere.
    """
    worst, compared = 0.0, 0
    for case in cases:
        want = run_cell(cell, case.params, case.inputs, case.initial, case.constants)
        given = inputs_of(cell, case)
        got = run({name: np.asarray(value, numbers) for name, value in given.items()})
        for name, steps in want.items():
            alone = last == f"{name}_last"
            rows, name = (steps[-1], str(last)) if alone else (np.stack(steps), name)
            known = np.isfinite(rows)
            compared += np.sum(known)
            scale = np.max(np.abs(rows), initial=0.0, where=known)
            fits = got[name].shape == rows.shape
            off = np.max(np.abs(got[name] - rows), initial=0.0, where=known) if fits else np.inf
            off = off / scale if scale else float(off > 0)
            if not off <= CLOSE[numbers]:
                wrong = WrongModelError(
                    f"{cell.name}: the model's {name} differs from the equations' by {off:.1e}; "
                    "nothing is written"
                )
                wrong.off = float(off) if fits else np.nan
                raise wrong
            worst = max(worst, float(off))
    if not compared:
        raise WrongModelError(
            f"{cell.name}: the equations have no number at any call tried; nothing is written"
        )
    return worst


def inputs_of(cell: Cell, case: Case) -> dict[str, Array]:
    """What the model is given, by name."""
    batch = np.shape(next(iter(case.inputs.values())))[1]
    given = {**case.params, **case.inputs}
    given |= {f"{name}_initial": value for name, value in case.initial.items()}
    for name, value in (case.constants or {}).items():
        dims = declared(cell)["CONSTANTS"][name]
        array = each_sample(np.asarray(value), dims, batch)
        given[name] = array[..., None] if dims == ("T",) else array  # a number is a row of one
    return {name: np.ascontiguousarray(v).reshape(np.shape(v)) for name, v in given.items()}


def _case(cell: Cell, shape: tuple[int, int, int], seed: int, fixed: Mapping[str, int]) -> Case:
    """A case of so many steps; of fewer where states grow on the way, and rounding with them."""
    steps, batch, least = shape
    sizes = {name: least + place * (least > 1) for place, name in enumerate(size_names(cell))}
    sizes |= fixed
    while True:
        case = CellProblem(cell).case(sizes, steps=steps, batch=batch, seed=seed)
        if steps == 1 or _largest(cell, case) <= GROWN:
            return case
        steps -= 1


@np.errstate(all="ignore")
def _largest(cell: Cell, case: Case) -> float:
    """The largest entry of any state; infinite where one is no number."""
    states = run_cell(cell, case.params, case.inputs, case.initial, case.constants)
    most = max(float(np.max(np.abs(steps), initial=0.0)) for steps in states.values())
    return most if np.isfinite(most) else np.inf
