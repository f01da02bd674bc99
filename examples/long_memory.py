"""Which cells learn to remember for how long, and what their gradients do meanwhile.

The adding problem (`adding_problem.py`) at growing lags, trained with emitted gradient code and
NumPy alone. For each cell and lag: whether it was learnt, and ‖∂s_T/∂s_k‖₂ of the whole state on
one test sequence, from the last step T back over the lag, before and after the training: measured,
and certified by the bounds of `numeric`. What fails is shown like what succeeds.

    python examples/long_memory.py
    python examples/long_memory.py --cells lstm gru --lags 50 500 --steps 1000
    python examples/long_memory.py --cells my_cell.toml --lags 20 -o figures

"Learnt" is a mean squared error below 1/60 on 1,000 sequences never seen, a tenth of what
predicting the mean has. Every cell gets the same number of updates at each of the same rates
(0.03, 0.01, 0.003), from the same kind of draw: matrices N(0, 1/columns), vectors 0, forget
biases 1. One seed says what happened once, not what a cell can do.

Writes long_memory.svg and long_memory.png. Exit status: 0 when the experiment was run, whatever
was learnt; 2 if a cell cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from math import isfinite
from multiprocessing import get_context
from pathlib import Path

# As in char_rnn.py: many small products, which two BLAS threads only slow down.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from adding_problem import LEARNT, MEAN, RATES, Learner, Outcome, adding_cell
from memory_figure import draw
from recurrent import Arrays

from derive import CellError
from numeric.bounds.diagnosis import Diagnosis, diagnose

CELLS = ("rnn", "lstm", "gru", "clockwork_rnn")
LAGS = (10, 30, 100, 300)
SIZE, UPDATES = 32, 2000
QUICK = {"lags": [10, 20], "steps": 60}
WINDOW = 10  # the longest window of steps whose product is formed for the bound that is shown


@dataclass(frozen=True)
class Norms:
    """log10 ‖∂s_T/∂s_k‖₂ at the lags T − k = 1, 2, …, and certified bounds of it.

    `windows` is the tightest bound from products of at most `WINDOW` Jacobians; `above` and
    `below` come from the whole product with a bound of its rounding errors. `any_inputs` speaks
    of every input sequence in [0, 1] at the longest lag, or is None.
    """

    measured: tuple[float, ...]
    windows: tuple[float, ...]
    above: tuple[float, ...]
    below: tuple[float, ...]
    any_inputs: float | None

    @classmethod
    def of(cls, found: Diagnosis) -> Norms:
        """What a diagnosis along a sequence holds of it."""
        upper, lower = found.log10_upper, found.log10_lower
        short = [
            values for name, values in upper.items()
            if name.startswith("window_") and int(name.split("_")[1]) <= WINDOW
        ]  # fmt: skip
        a_priori = [values[-1] for name, values in upper.items() if name.startswith("a_priori")]
        a_priori = [value for value in a_priori if isfinite(value)]
        return cls(
            found.log10_measured or (),
            tuple(map(min, zip(*short, strict=True))),
            tuple(map(min, zip(*upper.values(), strict=True))),
            tuple(map(max, zip(*lower.values(), strict=True))),
            min(a_priori, default=None),
        )


@dataclass(frozen=True)
class Result:
    """One cell at one lag: what it learnt, and its gradients before and after."""

    cell: str
    lag: int
    outcome: Outcome
    start: Norms
    end: Norms


def norms(learner: Learner, params: Arrays) -> Norms:
    """The norms along the first test sequence, of the layer's parameters."""
    cell = learner.cell
    x, _ = learner.test_sequences()
    own = {
        name: params[f"layer0.{name}"].astype(np.float64)
        for name in (symbol.name for symbol in cell.parameters)
    }
    return Norms.of(
        diagnose(
            cell, own, learner.sizes(), inputs={cell.inputs[0].name: x[:, 0].astype(np.float64)},
            constants=learner.constants("float64"), input_box=(0.0, 1.0), lag=learner.lag,
        )
    )  # fmt: skip


def experiment(name: str, lag: int, size: int, seed: int, updates: int) -> Result:
    """Train one cell at one lag and look at its gradients."""
    learner = Learner(adding_cell(name), lag, size, seed)
    outcome = learner.learn(updates)
    start, end = norms(learner, learner.initial_params()), norms(learner, outcome.params)
    return Result(learner.cell.name, lag, outcome, start, end)


def experiments(options: argparse.Namespace) -> Iterator[Result]:
    """All of them, the longest first, in processes of their own unless there is to be one."""
    asked = [
        (name, lag, options.size, options.seed, options.steps)
        for lag in sorted(options.lags, reverse=True)
        for name in options.cells
    ]
    if options.jobs == 1:
        yield from (experiment(*one) for one in asked)
        return
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(experiment, *one) for one in asked]):
            yield future.result()


# ---- what is said ---------------------------------------------------------------------------


def table(results: list[Result]) -> str:
    """A line for each cell and lag; norms are decimal logarithms at the whole lag."""
    window = f"window≤{WINDOW}"
    rows = [
        ("", "", "", "", "", "", "start", "", "", "end", "", ""),
        ("cell", "lag", "error", "learnt", "updates", "rate",
         *("measured", window, "any input") * 2),
    ]  # fmt: skip
    for one in results:
        updates = one.outcome.updates
        rows.append((
            one.cell, str(one.lag), f"{one.outcome.error:.4f}",
            "yes" if one.outcome.learnt else "no", "-" if updates is None else str(updates),
            f"{one.outcome.rate:g}", *figures(one.start), *figures(one.end),
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def figures(found: Norms) -> tuple[str, str, str]:
    """The norm at the longest lag, measured and certified."""
    never = "none" if found.any_inputs is None else f"{found.any_inputs:+.1f}"
    return f"{found.measured[-1]:+.1f}", f"{found.windows[-1]:+.1f}", never


def summary(results: list[Result]) -> Iterator[str]:
    """For each cell what it learnt, where it failed, and what its gradient was there."""
    for cell in dict.fromkeys(one.cell for one in results):
        own = [one for one in results if one.cell == cell]
        learnt = [str(one.lag) for one in own if one.outcome.learnt]
        yield f"{cell}: learnt lag {', '.join(learnt)}" if learnt else f"{cell}: learnt no lag"
        for one in own:
            if one.outcome.learnt:
                continue
            yield (
                f"  failed at lag {one.lag}: the error is {one.outcome.error / MEAN:.0%} of what "
                f"predicting the mean has; norm 10^{one.start.measured[-1]:.1f} at the start, "
                f"10^{one.end.measured[-1]:.1f} at the end"
            )
    gap = max(
        above - below
        for one in results
        for found in (one.start, one.end)
        for above, below in zip(found.above, found.below, strict=True)
        if isfinite(above)
    )
    yield (
        f"certified bounds from the whole product, at most {gap:.1e} decades apart, enclose "
        "each norm"
    )


# ---- the command ----------------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="the adding problem with emitted gradient code")
    parser.add_argument("--cells", nargs="+", default=list(CELLS), help="names, or .toml files")
    parser.add_argument("--lags", nargs="+", type=int, default=list(LAGS))
    parser.add_argument("--steps", type=int, default=UPDATES, help="updates at each rate")
    parser.add_argument("--size", type=int, default=SIZE, help="units of the cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("-o", "--output", type=Path, default=Path("out"), metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="short, to see that it runs")
    options = parser.parse_args(arguments)
    if options.quick:
        parser.set_defaults(**QUICK)
        options = parser.parse_args(arguments)
    if min(*options.lags, options.steps, options.size, options.jobs, options.seed + 1) < 1:
        parser.error(
            "expected --lags, --steps, --size and --jobs of 1 or more, --seed of 0 or more"
        )
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run every experiment, with progress on stderr; print the table, write the figure."""
    options = parse_arguments(arguments)
    try:
        names = {name: adding_cell(name).name for name in options.cells}
        options.output.mkdir(parents=True, exist_ok=True)
    except (CellError, OSError) as problem:
        print(f"long_memory: {problem}", file=sys.stderr)
        return 2
    print(
        f"adding problem, one layer of {options.size} units, {options.steps} updates at each of "
        f"the rates {', '.join(f'{rate:g}' for rate in RATES)}, seed {options.seed}\n"
        f"error: mean squared, {MEAN:.4f} for predicting the mean; learnt: below {LEARNT:.4f}\n"
        "updates: until the held-out error was half of that; -: never\n"
        "start, end: log10 of the norm of ds_T/ds_k at the lag T - k on one test sequence, and "
        "certified upper bounds:\n"
        f"  by products of at most {WINDOW} steps there, and for every input in [0, 1]\n"
    )
    began, results = time.perf_counter(), list[Result]()
    total = len(options.cells) * len(options.lags)
    for one in experiments(options):
        results.append(one)
        print(
            f"{time.perf_counter() - began:5.0f} s  {len(results):3d} of {total}  {one.cell} at "
            f"lag {one.lag}: {'learnt' if one.outcome.learnt else 'not learnt'}, "
            f"error {one.outcome.error:.4f}",
            file=sys.stderr,
            flush=True,
        )
    order = list(names.values())
    results.sort(key=lambda one: (order.index(one.cell), one.lag))
    print(table(results), *summary(results), sep="\n")
    for path in draw(results, options.output, LEARNT, MEAN):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
