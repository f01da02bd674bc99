"""How fast a cell trains in PyTorch: its emitted module beside a loop over the equations.

Forward and backward pass of Σ h over a sequence, both in one process and in turn, on PyTorch's
threads, by the clock: nothing else should run. The loop evaluates the cell's own
equations, a step after the other, on tensors whose samples are columns. Gradients are compared
first.

    python benchmarks/in_torch.py
    python benchmarks/in_torch.py --cells lstm gru --sizes 50,1,16,16 100,32,64,128

Exit status: 0; 1 if a gradient disagrees; 2 where PyTorch or a C compiler is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from derive import Cell, catalogue
from numeric import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.targets import TORCH
from numeric.compiler.to_torch.module import class_name

CELLS: Final = ("peephole_lstm", "mgu", "mut1")
SIZES: Final = ("100,1,16,16", "100,8,32,64", "100,32,64,128")
CLOSE: Final = 1e-4  # of an array's largest entry, in float32
ROUNDS: Final = 7


def imported(cell: Cell, folder: Path) -> ModuleType:
    """The emitted file, imported as a user's own."""
    path = folder / f"emitted_{cell.name}.py"
    path.write_text(compile_cell(cell, "fused", "torch").source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loop_of(cell: Cell, module: Any, params: dict[str, Any]) -> Callable[[Any], Any]:
    """The states of every step, from a loop over the equations; columns are samples."""
    code = compile(cell.text, cell.name, "exec")
    columns = {name: value if value.ndim == 2 else value[:, None] for name, value in params.items()}
    torch, own, (given, *_) = module.torch, [*module.STATES], [*module.INPUTS]
    names = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}

    def run(x: Any) -> Any:
        size = next(v.shape[0] for n, v in params.items() if v.ndim == 1)
        states = {f"{state}_prev": torch.zeros(size, x.shape[1]) for state in own}
        found = []
        for step in x:
            scope = {**names, **columns, **states, given: step.T}
            exec(code, scope)
            states = {f"{state}_prev": scope[state] for state in own}
            found.append(scope[own[-1]])
        return torch.stack(found)

    return run


def measured(runs: list[Callable[[], None]]) -> list[float]:
    """The median time of each, in milliseconds, in turn."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for held, run in zip(times, runs, strict=True):
            start = time.perf_counter()
            run()
            held.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(held) for held in times]


def compare(cell: Cell, sizes: tuple[int, ...], folder: Path) -> tuple[float, float, float]:
    """Milliseconds of the loop and of the emitted module, and how far their gradients differ."""
    module = imported(cell, folder)
    torch = module.torch
    steps, batch, inputs, states = sizes
    kind = getattr(module, class_name(cell.name))
    named = {"n": states, "m": inputs}
    wanted = kind.__init__.__code__.co_varnames[1 : kind.__init__.__code__.co_argcount]
    layer = kind(*(named[name] for name in wanted))
    params = dict(layer.named_parameters())
    wide = layer.sizes[next(iter(module.INPUTS.values()))[0]]
    x = torch.randn(steps, batch, wide, requires_grad=True)
    last = [*module.STATES][-1]
    loop = loop_of(cell, module, params)

    def through(states_of: Callable[[Any], Any]) -> Callable[[], None]:
        def run() -> None:
            layer.zero_grad()
            x.grad = None
            states_of(x).sum().backward()

        return run

    runs = [through(loop), through(lambda x: layer(x)[last])]
    found = []
    for run in runs:
        run()
        found.append([x.grad, *(p.grad.clone() for p in params.values())])
    apart = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(*found, strict=True))
    slow, fast = measured(runs)
    return slow, fast, apart


def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="T,B,m,n")
    asked = parser.parse_args()
    try:
        TORCH.ready()
    except MissingError as problem:
        print(f"{problem}; nothing is measured")
        return 2
    wrong = False
    print(f"{'cell':<16} {'T, B, m, n':<18} {'loop ms':>9} {'ours ms':>9} {'ratio':>6}  apart")
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.cells:
            for text in asked.sizes:
                sizes = tuple(map(int, text.split(",")))
                slow, fast, apart = compare(catalogue[name], sizes, Path(folder))
                wrong = wrong or not apart <= CLOSE
                print(f"{name:<16} {text.replace(',', ', '):<18} {slow:9.1f} {fast:9.1f} "
                      f"{slow / fast:6.1f}  {apart:.0e}")  # fmt: skip
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
