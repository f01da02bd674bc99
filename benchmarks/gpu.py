"""The emitted JAX functions beside JAX's own gradient, on an accelerator where there is one.

Forward and backward pass of Σ h, both compiled, in turn, each waited for; the median of the
rounds in milliseconds, and how far the gradients differ. `--any` measures on the CPU instead,
there the processor's time.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --any --cells lstm --sizes 100,32,64,128

Exit status: 0; 1 if a gradient disagrees; 2 where JAX or an accelerator is missing.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from derive import Cell, catalogue
from numeric import compile_cell
from numeric.compiler.target import load

CELLS: Final = ("lstm", "peephole_lstm", "gru", "mgu", "rnn")
SIZES: Final = ("100,32,64,128", "200,64,256,256", "200,128,512,1024")
CLOSE: Final = 1e-4  # of an array's largest entry, in float32
ROUNDS: Final = 41
_PRODUCT: Final = re.compile(r"(\w+) @ (\w+|\([^()]*\))")


def own_gradient(cell: Cell, module: Any, jax: Any) -> Callable[[Any, Any], Any]:
    """Σ of the last state over all steps, by a scan over the author's equations in rows."""
    code = compile(_PRODUCT.sub(r"(\2) @ \1.T", cell.text), cell.name, "exec")
    names, (given, *_) = [*module.STATES], [*module.INPUTS]
    functions = {"sigmoid": jax.nn.sigmoid, "tanh": jax.numpy.tanh}

    def total(params: Any, x: Any) -> Any:
        def step(states: Any, row: Any) -> Any:
            before = {f"{name}_prev": value for name, value in zip(names, states, strict=True)}
            scope = {**functions, **params, **before, given: row}
            exec(code, scope)
            states = tuple(scope[name] for name in names)
            return states, states[-1]

        size = next(value.shape[0] for value in params.values() if value.ndim == 1)
        first = tuple(jax.numpy.zeros((x.shape[1], size), x.dtype) for _ in names)
        return jax.lax.scan(step, first, x)[1].sum()

    return total


def compare(cell: Cell, sizes: tuple[int, ...], jax: Any) -> tuple[float, float, float]:
    """Milliseconds of JAX's gradient and of ours, and how far they differ."""
    module: Any = load(compile_cell(cell, "fused", "jax").source, cell.name)
    steps, batch, inputs, states = sizes
    extents = {"m": inputs, "n": states}
    rng = np.random.default_rng(0)
    params = {
        name: jax.numpy.asarray(
            rng.uniform(-1, 1, [extents[d] for d in dims]) / states**0.5, np.float32
        )
        for name, dims in module.PARAMETERS.items()
    }
    x = jax.numpy.asarray(rng.normal(size=(steps, batch, inputs)), np.float32)
    last = [*module.STATES][-1]
    runs = [
        jax.jit(jax.grad(total, (0, 1)))
        for total in (
            own_gradient(cell, module, jax),
            lambda params, x: module.states(params, {"x": x})[last].sum(),
        )
    ]
    want, got = (jax.tree_util.tree_leaves(run(params, x)) for run in runs)
    apart = max(
        float(jax.numpy.abs(a - b).max() / jax.numpy.abs(b).max())
        for a, b in zip(got, want, strict=True)
    )
    clock = time.process_time if jax.devices()[0].platform == "cpu" else time.perf_counter
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for held, run in zip(times, runs, strict=True):
            start = clock()
            jax.block_until_ready(run(params, x))
            held.append(1e3 * (clock() - start))
    theirs, ours = map(statistics.median, times)
    return theirs, ours, apart


def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="T,B,m,n")
    parser.add_argument("--any", action="store_true", help="on the CPU as well")
    asked = parser.parse_args()
    if find_spec("jax") is None:
        print("JAX is not installed (pip install jax); nothing is measured")
        return 2
    jax = import_module("jax")
    device = jax.devices()[0]
    if device.platform == "cpu" and not asked.any:
        print("JAX finds no accelerator here, only the CPU; nothing is measured (--any does it)")
        return 2
    print(f"jax {jax.__version__} on {device.device_kind}")
    print(f"{'cell':<16} {'T, B, m, n':<20} {'JAX ms':>9} {'ours ms':>9} {'ratio':>6}  apart")
    wrong = False
    for name in asked.cells:
        for text in asked.sizes:
            theirs, ours, apart = compare(catalogue[name], tuple(map(int, text.split(","))), jax)
            wrong = wrong or not apart <= CLOSE
            print(f"{name:<16} {text.replace(',', ', '):<20} {theirs:9.2f} {ours:9.2f} "
                  f"{theirs / ours:6.2f}  {apart:.0e}")  # fmt: skip
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
