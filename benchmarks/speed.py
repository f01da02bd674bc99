"""How fast the emitted code is: beside frameworks, hand-written NumPy and the products alone.

Forward and backward pass together, all contenders interleaved in one run in rotating order,
so that a slow moment of the machine meets them alike; short calls are repeated. Ratios are taken
within each round, and their median is printed with the quartiles. Every contender's gradients are
first compared with the emitted ones. PyTorch and JAX take part where they are installed.

    python benchmarks/speed.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py --require    # steadier on a busy machine
    python benchmarks/speed.py --size 256 --json > speed.json
    python benchmarks/speed.py --target c --all-sizes --dtype both --markdown
    python benchmarks/speed.py --target c --cells peephole_lstm,mgu,mut1

On a machine that others use as well, `--clock processor` with one thread each compares the
seconds of the processor instead of those of the clock.

Exit status: 0; 1 if a gradient disagrees, or with --require if a ratio is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from math import inf, isfinite, isnan
from typing import Any, Final

import numpy as np
from by_hand import by_hand, floor, floor_in_c, peak_in_c
from required import (
    AUTOGRAD,
    C_CODE,
    C_FLOOR,
    C_PEAK,
    C_POINTERS,
    FLOOR,
    FUSED,
    HAND,
    JAX,
    LAYER,
    LOOP,
    LOOP_COMPILED,
    Row,
    required,
)
from rivals import with_autograd, with_jax, with_torch, with_torch_loop
from speed_table import TOLERANCES, machine, markdown, table
from tasks import SIZES, STEPS, Arrays, Run, Task

from derive import catalogue
from numeric import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.to_c.target import C

STYLES: Final = (FUSED, "textbook", "stable")
LONGEST: Final = 200.0  # of all rounds, in the unit of `work`
TURN: Final = 0.005  # seconds of one contender in a round, at least
MOST_REPEATS: Final = 200
CLOCKS: Final[dict[str, Callable[[], float]]] = {
    "wall": time.perf_counter, "processor": time.process_time
}  # fmt: skip


def emitted(task: Task, style: str) -> Run:
    """The emitted module's forward and backward pass; nothing but NumPy runs here."""
    kernel = compile_cell(catalogue[task.cell], style)

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    return run


def compiled(task: Task) -> dict[str, Run | None]:
    """The same in C: called as a module is, through pointers prepared once, its products alone.

    And as many multiply-adds as those have, as fast as the core does them.
    """
    kernel = compile_cell(catalogue[task.cell], "fused", "c")
    try:
        C.ready()
    except MissingError:
        return dict.fromkeys((C_CODE, C_POINTERS, C_FLOOR, C_PEAK))

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    calls = kernel.module.forward.__self__  # type: ignore[attr-defined]
    again, gradients = calls.prepared(task.params, {"x": task.x}, {"h": task.h_bars})

    def prepared() -> Arrays:
        again()
        return named(gradients)

    return {
        C_CODE: run, C_POINTERS: prepared, C_FLOOR: floor_in_c(task, kernel.source),
        C_PEAK: peak_in_c(task),
    }  # fmt: skip


def named(gradients: Mapping[str, Mapping[str, Any]]) -> Arrays:
    """The gradients of a module by group and name in one."""
    return {f"{group}.{k}": v for group, found in gradients.items() for k, v in found.items()}


def contenders(
    task: Task, target: str = "numpy", torch_compile: bool = False
) -> dict[str, Run | None]:
    """Who runs; None for what is not installed."""
    runs: dict[str, Run | None] = {FUSED: emitted(task, FUSED)}
    if target in {"numpy", "all"}:
        runs |= {style: emitted(task, style) for style in STYLES}
        runs[AUTOGRAD] = with_autograd(task)
        if task.cell == "lstm":
            runs[HAND] = by_hand(task)
        if task.cell in {"lstm", "rnn"}:
            runs[FLOOR] = floor(task)
    if target in {"c", "all"}:
        runs |= compiled(task)
    runs |= {LAYER: with_torch(task), JAX: with_jax(task)}
    if target in {"c", "all"}:
        runs[LOOP] = with_torch_loop(task)
    if torch_compile:
        runs[LOOP_COMPILED] = with_torch_loop(task, compiled=True)
    return runs


def scaled_error(got: Mapping[str, Any], want: Mapping[str, Any]) -> float:
    """The largest max|got − want| / max|want| of an array.

    Infinite where an array is missing, is not finite, or should be exactly zero and is not.
    """
    if got.keys() != want.keys():
        return inf
    errors = []
    for name in want:
        size, off = (float(np.abs(a).max()) for a in (want[name], got[name] - want[name]))
        errors.append(off / size if size else (inf if off else 0.0))
    return max(inf if isnan(error) else error for error in errors)


def measure(
    runs: Mapping[str, Run], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """The seconds of each contender in each round; each round begins with another one.

    A short call is made again and again until a turn is long, as one is in use: the clock, and
    what others left in the caches, would else count more than the work.
    """
    names = list(runs)
    times = {name: repeats(run, clock) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            run, count = runs[name], times[name]
            began = clock()
            for _ in range(count):
                run()
            seconds[name].append((clock() - began) / count)
    return seconds


def repeats(run: Run, clock: Callable[[], float]) -> int:
    """How many calls make a turn."""
    began = clock()
    run()
    return max(1, min(MOST_REPEATS, int(TURN / max(clock() - began, 1e-9))))


def ratios(over: list[float], under: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the ratios, taken pair by pair."""
    pairs = [a / b for a, b in zip(over, under, strict=True)]
    if len(pairs) == 1:
        return pairs[0], pairs[0], pairs[0]
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return low, middle, high


def compare(
    task: Task, rounds: int, target: str = "numpy", clock: str = "wall",
    torch_compile: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Errors, times and ratios of all contenders on one task; ratios over our code."""
    found = contenders(task, target, torch_compile)
    runs = {name: run for name, run in found.items() if run is not None}
    gradients = {name: copied(run()) for name, run in runs.items()}
    want = gradients[FUSED]
    assert want is not None
    seconds = measure(runs, rounds, CLOCKS[clock])
    ours = C_CODE if C_CODE in seconds else FUSED
    rows: dict[str, dict[str, Any]] = {}
    for name, times in seconds.items():
        got = gradients[name]
        low, middle, high = ratios(times, seconds[ours])
        rows[name] = {
            "milliseconds": 1e3 * statistics.median(times),
            "fastest": 1e3 * min(times),
            "ratio": middle,
            "ratio_quartiles": [low, high],
        }
        if got is not None:
            error = scaled_error(got, want)
            rows[name]["scaled_error"] = error if isfinite(error) else None
            rows[name]["agrees"] = error <= TOLERANCES[task.dtype]
    row = Row(task.cell, (task.steps, task.batch, task.inputs, task.size), task.dtype)
    return {
        "cell": task.cell, "T": task.steps, "B": task.batch, "m": task.inputs, "n": task.size,
        "dtype": task.dtype, "rounds": rounds, "over": ours, "clock": clock,
        "contenders": rows,
        "not_installed": [name for name, run in found.items() if run is None],
        "gradients_agree": all(row.get("agrees", True) for row in rows.values()),
        "requirements": [
            vars(r) for r in required(row, lambda a, b: ratios(seconds[a], seconds[b])[1], seconds)
        ],
    }  # fmt: skip


def copied(gradients: Arrays | None) -> Arrays | None:
    """Gradients of one's own: a contender may use its arrays again."""
    return gradients and {name: np.array(value) for name, value in gradients.items()}


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="time emitted code beside others")
    parser.add_argument("--steps", type=int, default=100, metavar="T")
    parser.add_argument("--batch", type=int, default=32, metavar="B")
    parser.add_argument("--inputs", type=int, default=64, metavar="m")
    parser.add_argument("--size", type=int, default=128, metavar="n")
    parser.add_argument("--cells", default="lstm,rnn", help="names, with commas between them")
    parser.add_argument(
        "--target", choices=("numpy", "c", "all"), default="numpy", help="whose code"
    )
    parser.add_argument(
        "--all-sizes", action="store_true", help="the sizes of the README's table instead of one"
    )
    parser.add_argument("--dtype", choices=(*sorted(TOLERANCES), "both"), default="float32")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--require", action="store_true", help="exit 1 if a ratio is missed")
    parser.add_argument("--markdown", action="store_true", help="one table of all, at the end")
    parser.add_argument(
        "--torch-compile", action="store_true", help="the loop also with a compiled cell; slow"
    )
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    options = parser.parse_args(arguments)
    if min(options.steps, options.batch, options.inputs, options.size, options.rounds) < 1:
        parser.error("sizes and rounds: expected 1 or more")
    options.cells = options.cells.split(",")
    if unknown := [name for name in options.cells if name not in STEPS]:
        parser.error(f"cells: expected some of {', '.join(STEPS)}, came {', '.join(unknown)}")
    return options


def said(about: Mapping[str, Any]) -> str:
    """The machine, for people."""
    threads = ", ".join(f"{name} {value}" for name, value in about["threads"].items())
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    load = "unknown" if about["load"] is None else f"{about['load']:.1f}"
    lines = [f"{about['processor']}, {about['cores']} cores, load {load}", versions, threads]
    if about["load"] is not None and about["load"] > 0.5:
        lines.append(
            "note: other work runs on this machine; BLAS threads that wait for it spoil times"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure each cell at each size, and print."""
    options = parse_arguments(arguments)
    about = machine()
    if not options.json:
        print(said(about))
    cells: dict[str, Any] = {}
    one = (options.steps, options.batch, options.inputs, options.size)
    dtypes = sorted(TOLERANCES) if options.dtype == "both" else (options.dtype,)
    for sizes in SIZES if options.all_sizes else (one,):
        for cell in options.cells:
            for dtype in dtypes:
                words = [cell, *(sizes if options.all_sizes else ())]
                words += [dtype] if options.dtype == "both" else []
                label = " ".join(map(str, words))
                task = Task(cell, *sizes, dtype=dtype, seed=options.seed)
                rounds = max(3, min(options.rounds, int(LONGEST / task.work)))
                cells[label] = compare(
                    task, rounds, options.target, options.clock, options.torch_compile
                )
                if not options.json:
                    print("\n" + table(cell, cells[label]), flush=True)
    wrong = not all(result["gradients_agree"] for result in cells.values())
    missed = not all(r["met"] for result in cells.values() for r in result["requirements"])
    failed = wrong or (options.require and missed)
    if options.markdown and not options.json:
        print("\n" + markdown(list(cells.values())))
    if options.json:
        status = "fail" if failed else "pass"
        found = {"schema": "bptt.speed/1", "status": status, "machine": about, "cells": cells}
        print(json.dumps(found, indent=2, allow_nan=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
