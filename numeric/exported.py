"""A cell's ONNX model, checked before anybody gets it.

In: a cell. Out: `Exported`: the model's bytes in float32, and what was checked. The same model in
float64 is run on random sequences, and its states are those of the author's equations; in float32
it is run once, and its form is checked by the package onnx.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from derive.cell import Cell, declared
from numeric.compiler.argument_checks import each_sample
from numeric.compiler.to_onnx.model import model_of
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import size_names
from numeric.verification.cases import Case
from numeric.verification.problems.of_cell import CellProblem

try:
    import onnx
    from onnx.reference import ReferenceEvaluator
except ImportError:
    onnx = ReferenceEvaluator = None
try:
    import onnxruntime
except ImportError:
    onnxruntime = None

Array = Any
Run = Callable[[Mapping[str, Array]], dict[str, Array]]
CLOSE: Final = 1e-9  # of an array's largest entry, in float64
SHAPES: Final = ((4, 2, 3), (1, 1, 1), (7, 3, 2))  # steps, batch, the smallest size


class WrongModelError(ValueError):
    """The model computes something else than the cell's equations."""


@dataclass(frozen=True)
class Exported:
    """The model's bytes, what ran it, and the largest relative difference in float64."""

    model: bytes
    engine: str
    difference: float


def export(cell: Cell, about: str = "", seed: int = 0) -> Exported:
    """The cell's model in float32.

    Raises:
        ValueError: for an operation or a function that has no nodes.
        MissingError: if the package onnx is not installed.
        WrongModelError: if it computes something else.
    """
    wide, narrow = model_of(cell, np.float64, about), model_of(cell, np.float32, about)
    onnx.checker.check_model(narrow, full_check=True)
    cases = [_case(cell, shape, seed + turn) for turn, shape in enumerate(SHAPES)]
    found = difference(cell, wide, cases)
    fed = {n: np.asarray(v, np.float32) for n, v in inputs_of(cell, cases[0]).items()}
    for name, value in session(narrow)(fed).items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise WrongModelError(f"{cell.name}: {name} is no float32 array of numbers")
    return Exported(narrow.SerializeToString(), engine(), found)


def engine() -> str:
    """What runs models here."""
    if onnxruntime is not None:
        return f"onnxruntime {onnxruntime.__version__}"
    return f"the reference evaluator of onnx {onnx.__version__}"


def session(model: Any) -> Run:
    """The model as a function of its inputs by name."""
    if onnxruntime is None:
        evaluator = ReferenceEvaluator(model)
        names = evaluator.output_names
        return lambda given: dict(zip(names, evaluator.run(None, dict(given)), strict=True))
    opened = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = [one.name for one in opened.get_outputs()]
    wanted = [one.name for one in opened.get_inputs()]
    return lambda given: dict(
        zip(outputs, opened.run(None, {n: given[n] for n in wanted}), strict=True)
    )


def difference(cell: Cell, model: Any, cases: list[Case]) -> float:
    """How far the model's states are from those of the equations, relative to each array.

    Raises:
        WrongModelError: if that is more than rounding.
    """
    run, worst = session(model), 0.0
    for case in cases:
        want = run_cell(cell, case.params, case.inputs, case.initial, case.constants)
        got = run(inputs_of(cell, case))
        for name, steps in want.items():
            rows = np.stack(steps)
            scale = np.max(np.abs(rows), initial=0.0)
            off = np.max(np.abs(got[name] - rows), initial=0.0)
            off = off / scale if scale else float(off > 0)
            if got[name].shape != rows.shape or not off <= CLOSE:
                raise WrongModelError(
                    f"{cell.name}: the model's {name} differs from the equations' by {off:.1e}; "
                    "nothing is written"
                )
            worst = max(worst, float(off))
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


def _case(cell: Cell, shape: tuple[int, int, int], seed: int) -> Case:
    steps, batch, least = shape
    sizes = {name: least + place * (least > 1) for place, name in enumerate(size_names(cell))}
    return CellProblem(cell).case(sizes, steps=steps, batch=batch, seed=seed)
