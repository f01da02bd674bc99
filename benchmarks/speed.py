"""How fast the emitted code is: beside autograd, hand-written NumPy and the matrix products.

Forward and backward pass together, all contenders interleaved in one run in rotating order,
so that a slow moment of the machine meets them alike; ratios are taken within each round, and
their median is printed with the quartiles. Every contender's gradients are first compared with
the emitted ones. PyTorch and JAX take part where they are installed.

    python benchmarks/speed.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py --require    # steadier on a busy machine
    python benchmarks/speed.py --size 256 --json > speed.json
    python benchmarks/speed.py --target c --all-sizes    # C beside PyTorch's and JAX's layers

Exit status: 0; 1 if a gradient disagrees, or with --require if a ratio is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any, Final

import numpy as np
from rivals import Arrays, Run, Task, by_hand, floor, with_autograd, with_jax, with_torch

from derive import catalogue
from numeric import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.to_c.target import C

FUSED, HAND, FLOOR, AUTOGRAD = "fused", "hand-written", "products alone", "autograd"
STYLES: Final = (FUSED, "textbook", "stable")
TOLERANCES: Final = {"float32": 1e-5, "float64": 1e-12}
LEAST_GAIN_ON_AUTOGRAD: Final = 3.0
MOST_TIME_OF_HAND_WRITTEN: Final = 1.3
C_CODE, C_POINTERS = "C", "C, prepared"
SIZES: Final = (
    (50, 1, 16, 16), (100, 8, 32, 64), (100, 32, 64, 128), (200, 64, 256, 256), (100, 64, 512, 512),
)  # fmt: skip
LONGEST: Final = 200.0  # of all rounds, in the unit of `work`
THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Requirement:
    """A ratio that the fused style must keep, and what was measured."""

    text: str
    value: float
    met: bool


def emitted(task: Task, style: str) -> Run:
    """The emitted module's forward and backward pass; nothing but NumPy runs here."""
    kernel = compile_cell(catalogue[task.cell], style)

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    return run


def compiled(task: Task) -> dict[str, Run | None]:
    """The same in C: called as a module is, and through pointers that were prepared once."""
    kernel = compile_cell(catalogue[task.cell], "fused", "c")
    try:
        C.ready()
    except MissingError:
        return {C_CODE: None, C_POINTERS: None}

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    calls = kernel.module.forward.__self__  # type: ignore[attr-defined]
    again, gradients = calls.prepared(task.params, {"x": task.x}, {"h": task.h_bars})

    def prepared() -> Arrays:
        again()
        return named(gradients)

    return {C_CODE: run, C_POINTERS: prepared}


def named(gradients: Mapping[str, Mapping[str, Any]]) -> Arrays:
    """The gradients of a module by group and name in one."""
    return {f"{group}.{k}": v for group, found in gradients.items() for k, v in found.items()}


def contenders(task: Task, target: str = "numpy") -> dict[str, Run | None]:
    """Who runs; None for what is not installed."""
    if target == "c":
        rivals = {"PyTorch": with_torch(task), "JAX": with_jax(task)}
        return {FUSED: emitted(task, FUSED), **compiled(task), **rivals}
    runs: dict[str, Run | None] = {style: emitted(task, style) for style in STYLES}
    runs[AUTOGRAD] = with_autograd(task)
    if task.cell == "lstm":
        runs[HAND] = by_hand(task)
    return runs | {FLOOR: floor(task), "PyTorch": with_torch(task), "JAX": with_jax(task)}


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


def measure(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """The seconds of each contender in each round; each round begins with another one."""
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratios(over: list[float], under: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the ratios, taken pair by pair."""
    pairs = [a / b for a, b in zip(over, under, strict=True)]
    if len(pairs) == 1:
        return pairs[0], pairs[0], pairs[0]
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return low, middle, high


def requirements(seconds: Mapping[str, list[float]]) -> list[Requirement]:
    """What issue 2 asks of the fused LSTM."""
    gain = ratios(seconds[AUTOGRAD], seconds[FUSED])[1]
    cost = ratios(seconds[FUSED], seconds[HAND])[1]
    return [
        Requirement(
            f"fused is {gain:.2f} times as fast as autograd "
            f"(required: at least {LEAST_GAIN_ON_AUTOGRAD:g})",
            gain,
            gain >= LEAST_GAIN_ON_AUTOGRAD,
        ),
        Requirement(
            f"fused takes {cost:.2f} times as long as hand-written NumPy "
            f"(required: at most {MOST_TIME_OF_HAND_WRITTEN:g})",
            cost,
            cost <= MOST_TIME_OF_HAND_WRITTEN,
        ),
    ]


def compare(task: Task, rounds: int, target: str = "numpy") -> dict[str, Any]:
    """Errors, times and ratios of all contenders on one task; ratios over our code."""
    found = contenders(task, target)
    runs = {name: run for name, run in found.items() if run is not None}
    gradients = {name: run() for name, run in runs.items()}
    want = gradients[FUSED]
    assert want is not None
    seconds = measure(runs, rounds)
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
    required = requirements(seconds) if task.cell == "lstm" and target == "numpy" else []
    return {
        "T": task.steps, "B": task.batch, "m": task.inputs, "n": task.size, "dtype": task.dtype,
        "rounds": rounds, "over": ours,
        "contenders": rows,
        "not_installed": [name for name, run in found.items() if run is None],
        "gradients_agree": all(row.get("agrees", True) for row in rows.values()),
        "requirements": [vars(r) for r in required],
    }  # fmt: skip


# ---- the machine, the table, the command ----------------------------------------------------


def processor() -> str:
    """The processor's name, as exactly as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, load, threads, versions."""
    affinity = getattr(os, "sched_getaffinity", None)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {"Python": platform.python_version(), "BLAS": f"{blas['name']} {blas['version']}"}
    for package in ("numpy", "autograd", "torch", "jax"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": {name: os.environ.get(name, "not set") for name in THREADS},
        "versions": versions,
    }


def table(cell: str, result: Mapping[str, Any]) -> str:
    """The result of one cell, for people."""
    sizes = ", ".join(f"{name} = {result[name]}" for name in ("T", "B", "m", "n"))
    lines = [
        f"{cell}: forward and backward, {sizes}, {result['dtype']}, {result['rounds']} rounds",
        f"  {'':<15}{'ms':>9}{'fastest':>9}   time over {result['over']} (quartiles)   error",
    ]
    for name, row in result["contenders"].items():
        low, high = row["ratio_quartiles"]
        error = row.get("scaled_error", "")
        error = f"{error:.0e}" if isinstance(error, float) else "infinite" * (error is None)
        lines.append(
            f"  {name:<15}{row['milliseconds']:9.2f}{row['fastest']:9.2f}   "
            f"{row['ratio']:9.2f} ({low:.2f} to {high:.2f}){error:>19}"
        )
    lines += [f"  {name:<15} not installed" for name in result["not_installed"]]
    agree = "agree" if result["gradients_agree"] else "DISAGREE"
    lines.append(
        f"  gradients {agree} (to {TOLERANCES[result['dtype']]:g} of each array's largest)"
    )
    lines += [f"  {'met' if r['met'] else 'MISSED'}: {r['text']}" for r in result["requirements"]]
    return "\n".join(lines)


def work(sizes: tuple[int, ...]) -> float:
    """Multiplications of one forward and backward pass of the LSTM, in units of 1e9."""
    steps, batch, inputs, size = sizes
    return 12e-9 * steps * batch * size * (size + inputs)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="time emitted code beside others")
    parser.add_argument("--steps", type=int, default=100, metavar="T")
    parser.add_argument("--batch", type=int, default=32, metavar="B")
    parser.add_argument("--inputs", type=int, default=64, metavar="m")
    parser.add_argument("--size", type=int, default=128, metavar="n")
    parser.add_argument("--target", choices=("numpy", "c"), default="numpy", help="whose code")
    parser.add_argument(
        "--all-sizes", action="store_true", help="the sizes of the README's table instead of one"
    )
    parser.add_argument("--dtype", choices=sorted(TOLERANCES), default="float32")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--require", action="store_true", help="exit 1 if a ratio is missed")
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    options = parser.parse_args(arguments)
    if min(options.steps, options.batch, options.inputs, options.size, options.rounds) < 1:
        parser.error("sizes and rounds: expected 1 or more")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure the LSTM and the RNN, and print."""
    options = parse_arguments(arguments)
    about = machine()
    if not options.json:
        threads = ", ".join(f"{name} {value}" for name, value in about["threads"].items())
        versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
        load = "unknown" if about["load"] is None else f"{about['load']:.1f}"
        print(f"{about['processor']}, {about['cores']} cores, load {load}\n{versions}\n{threads}")
        if about["load"] is not None and about["load"] > 0.5:
            print(
                "note: other work runs on this machine; BLAS threads that wait for it spoil times"
            )
    cells: dict[str, Any] = {}
    one = (options.steps, options.batch, options.inputs, options.size)
    for sizes in SIZES if options.all_sizes else (one,):
        for cell in ("lstm", "rnn"):
            label = " ".join(map(str, (cell, *sizes))) if options.all_sizes else cell
            task = Task(cell, *sizes, dtype=options.dtype, seed=options.seed)
            rounds = max(3, min(options.rounds, int(LONGEST / work(sizes))))
            cells[label] = compare(task, rounds, options.target)
            if not options.json:
                print("\n" + table(cell, cells[label]), flush=True)
    wrong = not all(result["gradients_agree"] for result in cells.values())
    missed = not all(r["met"] for result in cells.values() for r in result["requirements"])
    failed = wrong or (options.require and missed)
    if options.json:
        status = "fail" if failed else "pass"
        found = {"schema": "bptt.speed/1", "status": status, "machine": about, "cells": cells}
        print(json.dumps(found, indent=2, allow_nan=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
