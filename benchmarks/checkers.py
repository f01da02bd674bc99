"""Who accepts a wrong gradient? The same wrong gradients before five checkers, in one table.

The gradients of a small tanh network, wrong by ×2, ×(−1), ×0 or by one term dropped, are shown
to autograd's and JAX's `check_grads`, to PyTorch's `gradcheck` (normal and fast), all with
their default tolerances, and to this toolkit's comparison with fifty digits. The norm of the
gradient falls along the grid: because the loss is scaled, or because the weights contract.

    python benchmarks/checkers.py [--json]

A framework that is not installed is said to be missing. Exit status 1 if this toolkit accepts
a wrong gradient or rejects a right one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.verification.cases import Case
from numeric.verification.compare import differences
from numeric.verification.oracles import precise_answer
from numeric.verification.problems.of_cell import CellProblem, make_case
from numeric.verification.verify import TOLERANCES
from numeric.verification.watch import Guard, subject_of

CELL = catalogue["rnn"]
EXPONENTS = (0, -2, -4, -6, -8, -10, -30, -100, -300)
STEPS = 8
WRONG = {"×2": 2.0, "×−1": -1.0, "×0": 0.0}
DROPPED = "dropped"
RIGHT = "right"


@dataclass(frozen=True)
class Problem:
    """A loss of one array, its gradient, and wrong ones.

    `loss(namespace, point)` is written once for all frameworks.
    """

    how: str
    norm: float
    label: str
    point: np.ndarray
    loss: Callable[[Any, Any], Any]
    gradients: dict[str, np.ndarray]
    case: Case


def problems() -> Iterator[Problem]:
    """The grid: the loss scaled, then the weights contracting."""
    for exponent in EXPONENTS:
        yield scaled(10.0**exponent)
    for exponent in EXPONENTS[1:]:
        yield contracting(exponent)


def scaled(factor: float) -> Problem:
    """L times a factor, as a function of the recurrent weights."""
    case = make_case(CELL, {"n": 3, "m": 2}, steps=STEPS, batch=1, seed=1)
    case = replace(case, cotangents={"h": case.cotangents["h"] * factor})

    def loss(numpy: Any, W: Any) -> Any:
        h, total = case.initial["h"][0], 0.0
        for t in range(STEPS):
            net = case.inputs["x"][t, 0] @ case.params["U"].T + case.params["b"]
            h = numpy.tanh(W @ h + net)
            total = total + numpy.sum(h * case.cotangents["h"][t, 0])
        return total

    return problem("loss scaled", "params.W", case, case.params["W"], loss)


def contracting(exponent: int) -> Problem:
    """L at the last step, as a function of the initial state, through small weights."""
    case = make_case(CELL, {"n": 3, "m": 2}, steps=STEPS, batch=1, seed=1)
    last = np.zeros_like(case.cotangents["h"])
    last[-1] = case.cotangents["h"][-1]
    small = case.params["W"] * 10.0 ** (exponent / STEPS)
    case = replace(case, cotangents={"h": last}, params={**case.params, "W": small})

    def loss(numpy: Any, h: Any) -> Any:
        for t in range(STEPS):
            net = case.inputs["x"][t, 0] @ case.params["U"].T + case.params["b"]
            h = numpy.tanh(small @ h + net)
        return numpy.sum(h * last[-1, 0])

    return problem("weights contract", "initial.h", case, case.initial["h"][0], loss)


def problem(how: str, label: str, case: Case, point: np.ndarray, loss: Any) -> Problem:
    """The problem with its right gradient in fifty digits, and the wrong ones made of it."""
    right = gradient_of(case, label)
    wrong = {name: factor * right for name, factor in WRONG.items()}
    wrong[DROPPED] = without_one_term(case, label)
    largest = float(np.max(np.abs(right)))
    return Problem(how, largest * float(np.linalg.norm(right / largest)), label, point, loss,
                   {RIGHT: right, **wrong}, case)  # fmt: skip


def gradient_of(case: Case, label: str) -> np.ndarray:
    """The right gradient, to fifty digits."""
    group, name = label.split(".")
    found = precise_answer(CellProblem(CELL), case).gradients[group][name]
    return np.array(found[0] if group == "initial" else found)


def without_one_term(case: Case, label: str) -> np.ndarray:
    """The gradient without tanh′ at the first step, or without the carry of h."""
    W, U, b = (case.params[name] for name in "WUb")
    h = [case.initial["h"][0]]
    for t in range(STEPS):
        h.append(np.tanh(W @ h[-1] + U @ case.inputs["x"][t, 0] + b))
    total, h_bar = np.zeros_like(W), np.zeros_like(b)
    for t in reversed(range(STEPS)):
        carried = label == "initial.h"
        h_bar = case.cotangents["h"][t, 0] + (h_bar if carried else 0)
        a_bar = h_bar if carried and t == 0 else h_bar * (1 - h[t + 1] ** 2)
        total += np.outer(a_bar, h[t])
        h_bar = W.T @ a_bar
    return h_bar if label == "initial.h" else total


# ---- the checkers: each says whether it accepts the gradient ---------------------------------


def autograd_accepts(p: Problem, gradient: np.ndarray) -> bool:
    """Whether `autograd.test_util.check_grads` takes the gradient for the right one."""
    from autograd import numpy
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    @primitive
    def loss(x: Any) -> Any:
        return p.loss(numpy, x)

    defvjp(loss, lambda value, x: lambda g: g * gradient)
    return accepted(lambda: check_grads(loss, modes=["rev"], order=1)(p.point))


def jax_accepts(p: Problem, gradient: np.ndarray) -> bool:
    """Whether `jax.test_util.check_grads` takes the gradient for the right one."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    loss = jax.custom_vjp(lambda x: p.loss(jax.numpy, x))
    loss.defvjp(lambda x: (p.loss(jax.numpy, x), None), lambda _, g: (g * gradient,))
    return accepted(lambda: check_grads(loss, (p.point,), order=1, modes=["rev"]))


def torch_accepts(p: Problem, gradient: np.ndarray, fast: bool = False) -> bool:
    """Whether `torch.autograd.gradcheck` takes the gradient for the right one."""
    import torch

    arrays = SimpleNamespace(tanh=torch.tanh, sum=torch.sum)
    moved = replace_arrays(p.loss, torch.tensor)

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return moved(arrays, x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * torch.tensor(gradient)

    x = torch.tensor(p.point, requires_grad=True)
    return accepted(lambda: torch.autograd.gradcheck(Loss.apply, (x,), fast_mode=fast))


def replace_arrays(loss: Callable[[Any, Any], Any], make: Callable[[Any], Any]) -> Any:
    """The loss, the arrays it closes over in another framework's form."""

    def moved(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return make(value)
        if isinstance(value, dict):
            return {name: moved(item) for name, item in value.items()}
        return value

    cells = {}
    for name, cell in zip(loss.__code__.co_freevars, loss.__closure__ or (), strict=True):
        value = cell.cell_contents
        if isinstance(value, Case):
            groups = ("params", "inputs", "initial", "cotangents")
            value = SimpleNamespace(**{g: moved(dict(getattr(value, g))) for g in groups})
        cells[name] = moved(value)
    held = tuple(_cell(cells[name]) for name in loss.__code__.co_freevars)
    return type(loss)(loss.__code__, loss.__globals__, loss.__name__, None, held)


def _cell(value: Any) -> Any:
    return (lambda: value).__closure__[0]


def ours_accepts(p: Problem, gradient: np.ndarray) -> bool:
    """The comparison of every verdict: relative to the array, against fifty digits."""
    kernel = compile_cell(CELL, "stable")
    group, name = p.label.split(".")

    def backward(params: Any, tape: Any, cotangents: Any) -> Any:
        found = kernel.backward(params, tape, cotangents)
        own = found[group][name]
        found[group] = {**found[group], name: np.array(gradient).reshape(own.shape)}
        return found

    guard = Guard(subject_of(SimpleNamespace(
        PARAMETERS=kernel.module.PARAMETERS, INPUTS=kernel.module.INPUTS,
        STATES=kernel.module.STATES, forward=kernel.forward, backward=backward,
    )))  # fmt: skip
    case = p.case
    states, tape = guard.forward(case.params, case.inputs, case.initial, case.constants)
    got = states, guard.backward(case.params, tape, case.cotangents)
    found = differences(got, precise_answer(CellProblem(CELL), case))
    return all(d.right(TOLERANCES["float64"]) for d in found)


def accepted(check: Callable[[], Any]) -> bool:
    """Whether a checker neither raises nor says no."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return check() in {None, True}
        except (AssertionError, RuntimeError, ValueError):
            return False


OURS = "this toolkit"
CHECKERS: dict[str, tuple[str, Callable[[Problem, np.ndarray], bool]]] = {
    "autograd": ("autograd", autograd_accepts),
    "JAX": ("jax", jax_accepts),
    "PyTorch": ("torch", torch_accepts),
    "PyTorch fast": ("torch", lambda p, gradient: torch_accepts(p, gradient, fast=True)),
    OURS: ("numpy", ours_accepts),
}


def installed(name: str) -> bool:
    """Whether the package can be imported."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def measure(grid: list[Problem]) -> dict[str, list[list[str]] | None]:
    """For each checker and problem, the gradients that it accepts; None if it is missing."""
    return {
        name: [[kind for kind, g in p.gradients.items() if accepts(p, g)] for p in grid]
        if installed(package) else None
        for name, (package, accepts) in CHECKERS.items()
    }  # fmt: skip


def in_words(kinds: list[str]) -> str:
    """The wrong gradients accepted, and a right one that is not."""
    wrong = [kind for kind in kinds if kind != RIGHT]
    said = "all" if len(wrong) == len(WRONG) + 1 else " ".join(wrong) or "–"
    return said if RIGHT in kinds else f"{said} (right rejected)"


def table(grid: list[Problem], found: dict[str, list[list[str]] | None]) -> list[str]:
    """One row for each norm, one column for each checker."""
    rows = [["gradient vanishes as", "norm", *found]]
    for place, p in enumerate(grid):
        cells = ["missing" if f is None else in_words(f[place]) for f in found.values()]
        rows.append([p.how, f"{p.norm:.0e}", *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]


def main(words: list[str] | None = None) -> int:
    """Print who accepts what; 1 if this toolkit is wrong anywhere."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args(words)
    np.random.seed(0)  # noqa: NPY002 (autograd's checker draws from it)
    grid = list(problems())
    found = measure(grid)
    ours = found[OURS]
    assert ours is not None
    good = all(kinds == [RIGHT] for kinds in ours)
    blind = [
        name for name, rows in found.items()
        if rows is not None and any(kind != RIGHT for row in rows for kind in row)
    ]  # fmt: skip
    missing = [name for name, rows in found.items() if rows is None]
    if arguments.json:
        print(json.dumps({
            "rows": [{"how": p.how, "norm": p.norm} for p in grid], "accepted": found,
            "blind": blind, "missing": missing,
        }, allow_nan=False))  # fmt: skip
        return 0 if good else 1
    print("Wrong gradients that each checker accepts (– none; all: ×2, ×−1, ×0, a term dropped)")
    print(*table(grid, found), sep="\n")
    print(f"accept a wrong gradient: {', '.join(blind) or 'none'}")
    packages = sorted({package for package, _ in CHECKERS.values() if installed(package)})
    print(", ".join(f"{package} {version(package)}" for package in packages))
    if missing:
        print(f"not installed: {', '.join(missing)}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
