"""How fast the emitted code is: beside frameworks, hand-written NumPy and the products alone.

Forward and backward pass together, all contenders interleaved in one run in rotating order,
so that a slow moment of the machine meets them alike; short calls are repeated. Ratios are taken
within each round, and their median is printed with the quartiles. Every contender's gradients are
first compared with the emitted ones. PyTorch and JAX take part where they are installed.

    python benchmarks/speed.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py --require    # steadier on a busy machine
    python benchmarks/speed.py --size 256 --json > speed.json
    python benchmarks/speed.py --target c --all-sizes --dtype both --apart --markdown
    python benchmarks/speed.py --target c --cells peephole_lstm,mgu,mut1

With `--apart` each family of contenders runs in a process of its own: else threads of one library
that wait busily for more work take the cores of another. On a machine that others use as well,
`--clock processor` with one thread each compares the seconds of the processor instead of those of
the clock.

Exit status: 0; 1 if a gradient disagrees, or with --require if a ratio is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from math import inf, isfinite, isnan
from typing import Any, Final

import numpy as np
from apart import Apart, contenders_apart
from contenders import contenders_here
from required import C_CODE, FUSED, Row, required
from speed_table import TOLERANCES, machine, markdown, table
from tasks import CLOCKS, SIZES, STEPS, Run, Task, copied, seconds_of

LONGEST: Final = 200.0  # of all rounds, in the unit of `work`
TURN: Final = 0.005  # seconds of one contender in a round, at least
TURN_APART: Final = 0.2  # the same in processes: their threads are moved now and then
MOST_REPEATS: Final = 1000


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


def measure(runs: Mapping[str, Run], rounds: int, clock: str = "wall") -> dict[str, list[float]]:
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
            seconds[name].append(seconds_of(runs[name], times[name], clock))
    return seconds


def repeats(run: Run, clock: str) -> int:
    """How many calls make a turn; a longer one where all cores have to be found first."""
    turn = TURN_APART if isinstance(run, Apart) else TURN
    return max(1, min(MOST_REPEATS, int(turn / max(seconds_of(run, 1, clock), 1e-9))))


def ratios(over: list[float], under: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the ratios, taken pair by pair."""
    pairs = [a / b for a, b in zip(over, under, strict=True)]
    if len(pairs) == 1:
        return pairs[0], pairs[0], pairs[0]
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return low, middle, high


def compare(
    task: Task, rounds: int, found: Mapping[str, Run | None], clock: str = "wall"
) -> dict[str, Any]:
    """Errors, times and ratios of all contenders on one task; ratios over our code."""
    runs = {name: run for name, run in found.items() if run is not None}
    gradients = {name: copied(run()) for name, run in runs.items()}
    want = gradients[FUSED]
    assert want is not None
    seconds = measure(runs, rounds, clock)
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
    parser.add_argument("--apart", action="store_true", help="contenders in processes of their own")
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
                asked = (task, options.target, options.torch_compile)
                meet = contenders_apart if options.apart else contenders_here
                with meet(*asked) as found:
                    cells[label] = compare(task, rounds, found, options.clock)
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
