"""How fast code of cells is whose state is a matrix: beside a careful hand, autograd and PyTorch.

Forward and backward pass together, gradients of everything from ∂L/∂y_t at each step, as in
`speed.py`: contenders in turn within a round, ratios within a round, gradients compared first.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/matrix_states.py
    OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2 python benchmarks/matrix_states.py --json

C and PyTorch take as many threads as $OMP_NUM_THREADS says. Exit status: 0; 1 if a gradient
disagrees, or with --require if a ratio is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from typing import Any, Final

import autograd
import autograd.numpy as anp
import numpy as np
from contenders import named
from matrix_tasks import BY_HAND, STEPS, Arrays, Functions, MatrixTask, Run
from required import AUTOGRAD, C_CODE, C_POINTERS, FUSED, HAND, LOOP
from speed import measure, ratios, said, scaled_error
from speed_table import machine
from tasks import CLOCKS, copied

from numeric import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.to_c.target import C

TOLERANCES: Final = {"float32": 1e-4, "float64": 1e-11}
# ours, the other, how many times as fast it has to be at least
REQUIRED: Final = ((FUSED, HAND, 1 / 1.5), (FUSED, AUTOGRAD, 5.0), (C_CODE, LOOP, 3.0))


def emitted(task: MatrixTask, target: str) -> Run:
    """The emitted module's two passes."""
    kernel = compile_cell(task.cell, FUSED, target)

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {task.output: task.y_bars}))

    return run


def prepared(task: MatrixTask) -> Run:
    """The C code through pointers that are made ready once."""
    calls = compile_cell(task.cell, FUSED, "c").module.forward.__self__
    again, found = calls.prepared(task.params, {"x": task.x}, {task.output: task.y_bars})

    def run() -> Arrays:
        again()
        return named(found)

    return run


def with_autograd(task: MatrixTask) -> Run:
    """`autograd.grad` of the unrolled equations."""
    step = STEPS[task.cell]
    functions = Functions(
        anp.exp, lambda a: 1 / (1 + anp.exp(-a)), anp.sqrt, lambda a: anp.maximum(a, 1)
    )

    def loss(params: Any, xs: Any, state: Any) -> Any:
        total = 0.0
        for x, y_bar in zip(xs, task.y_bars, strict=True):
            state, y = step(functions, params, x, state)
            total = total + anp.sum(y * y_bar)
        return total

    gradient = autograd.grad(loss, (0, 1, 2))

    def run() -> Arrays:
        params, xs, initial = gradient(task.params, list(task.x), task.initial())
        return named({"params": params, "inputs": {"x": np.stack(xs)}, "initial": initial})

    return run


def with_torch_loop(task: MatrixTask) -> Run | None:
    """A loop in Python over the same step, under PyTorch's autograd."""
    if find_spec("torch") is None:
        return None
    torch, step = import_module("torch"), STEPS[task.cell]
    functions = Functions(torch.exp, torch.sigmoid, torch.sqrt, lambda a: torch.clamp(a, min=1))
    params = {k: torch.from_numpy(v).requires_grad_() for k, v in task.params.items()}
    y_bars = torch.from_numpy(task.y_bars)

    def run() -> Arrays:
        for value in params.values():
            value.grad = None
        x = torch.from_numpy(task.x).requires_grad_()
        initial = {k: torch.from_numpy(v).requires_grad_() for k, v in task.initial().items()}
        state, outputs = dict(initial), []
        for x_t in x.unbind():
            state, y = step(functions, params, x_t, state)
            outputs.append(y)
        torch.stack(outputs).backward(y_bars)
        found = {"params": params, "inputs": {"x": x}, "initial": initial}
        return named({g: {k: v.grad.numpy() for k, v in of.items()} for g, of in found.items()})

    return run


def contenders(task: MatrixTask) -> dict[str, Run]:
    """Who runs: all that is installed."""
    runs: dict[str, Run | None] = {
        FUSED: emitted(task, "numpy"), HAND: BY_HAND[task.cell](task),
        AUTOGRAD: with_autograd(task), LOOP: with_torch_loop(task),
    }  # fmt: skip
    try:
        C.ready()
        runs |= {C_CODE: emitted(task, "c"), C_POINTERS: prepared(task)}
    except MissingError:
        pass
    return {name: run for name, run in runs.items() if run is not None}


def compare(task: MatrixTask, rounds: int, clock: str) -> dict[str, Any]:
    """Milliseconds, errors beside the code by hand, and the ratios asked for."""
    runs = contenders(task)
    gradients = {name: copied(run()) or {} for name, run in runs.items()}
    errors = {name: scaled_error(got, gradients[HAND]) for name, got in gradients.items()}
    seconds = measure(runs, rounds, clock)
    asked = []
    for ours, other, least in REQUIRED:
        if ours in seconds and other in seconds:
            low, middle, high = ratios(seconds[other], seconds[ours])
            asked.append({
                "ours": ours, "other": other, "times_as_fast": middle, "quartiles": [low, high],
                "required": least, "met": middle >= least,
            })  # fmt: skip
    return {
        "cell": task.cell, "T": task.steps, "B": task.batch, "m": task.inputs, "n": task.size,
        "dtype": task.dtype, "rounds": rounds, "clock": clock,
        "milliseconds": {name: 1e3 * statistics.median(s) for name, s in seconds.items()},
        "scaled_errors": {name: e if isfinite(e) else None for name, e in errors.items()},
        "gradients_agree": all(e <= TOLERANCES[task.dtype] for e in errors.values()),
        "ratios": asked,
    }  # fmt: skip


def shown(found: Mapping[str, Any]) -> str:
    """What was measured, for people."""
    sizes = ", ".join(f"{name} = {found[name]}" for name in "TBmn")
    lines = [f"{found['cell']}, {sizes}, {found['dtype']}, {found['rounds']} rounds"]
    for name, value in found["milliseconds"].items():
        error = found["scaled_errors"][name]
        lines.append(f"  {name:18}{value:10.2f} ms   error {'none' if error is None else error}")
    lines += [
        f"  {r['ours']} is {r['times_as_fast']:.2f} times as fast as {r['other']} "
        f"({r['quartiles'][0]:.2f} to {r['quartiles'][1]:.2f}; required: {r['required']:.2f})"
        for r in found["ratios"]
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure each cell, and print."""
    parser = argparse.ArgumentParser(description="time code of cells whose state is a matrix")
    for name, value in (("steps", 100), ("batch", 32), ("inputs", 64), ("size", 64)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--cells", default=",".join(STEPS), help="names, with commas between them")
    parser.add_argument("--dtype", choices=sorted(TOLERANCES), default="float32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--require", action="store_true", help="exit 1 if a ratio is missed")
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    options = parser.parse_args(arguments)
    about, cells = machine(), {}
    if not options.json:
        print(said(about))
    for cell in options.cells.split(","):
        task = MatrixTask(
            cell, options.steps, options.batch, options.inputs, options.size, options.dtype
        )
        cells[cell] = compare(task, options.rounds, options.clock)
        if not options.json:
            print("\n" + shown(cells[cell]), flush=True)
    failed = not all(found["gradients_agree"] for found in cells.values()) or (
        options.require and not all(r["met"] for found in cells.values() for r in found["ratios"])
    )
    if options.json:
        found = {"schema": "bptt.matrix_states/1", "status": "fail" if failed else "pass",
                 "machine": about, "cells": cells}  # fmt: skip
        print(json.dumps(found, indent=2, allow_nan=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
