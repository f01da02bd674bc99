"""Who takes part in `speed.py`, in families that share a process.

In: a `Task`. Out: functions without arguments that run forward and backward once, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from by_hand import by_hand, floor, floor_in_c, limit_in_c, peak_in_c
from required import (
    AUTOGRAD,
    C_CODE,
    C_FLOOR,
    C_LIMIT,
    C_PEAK,
    C_POINTERS,
    FLOOR,
    FUSED,
    HAND,
    JAX,
    LAYER,
    LOOP,
    LOOP_COMPILED,
)
from rivals import with_autograd, with_jax, with_torch, with_torch_loop
from tasks import Arrays, Run, Task

from derive import catalogue
from numeric import compile_cell
from numeric.compiler.target import MissingError
from numeric.compiler.to_c.target import C

STYLES: Final = (FUSED, "textbook", "stable")
Runs = dict[str, Run | None]


def emitted(task: Task, style: str) -> Run:
    """The emitted module's forward and backward pass; nothing but NumPy runs here."""
    kernel = compile_cell(catalogue[task.cell], style)

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    return run


def in_numpy(task: Task, target: str) -> Runs:
    """The emitted NumPy code; for itself beside what a careful hand writes, and its products."""
    runs: Runs = {FUSED: emitted(task, FUSED)}
    if target in {"numpy", "all"}:
        runs |= {style: emitted(task, style) for style in STYLES}
        if task.cell == "lstm":
            runs[HAND] = by_hand(task)
        if task.cell in {"lstm", "rnn"}:
            runs[FLOOR] = floor(task)
    return runs


def in_c(task: Task, target: str) -> Runs:
    """The same in C: called as a module is, through pointers prepared once, its products alone.

    And as many multiply-adds as those have, as fast as the cores do them, without the functions of
    every unit and with them. All on as many threads as a call takes.
    """
    if target not in {"c", "all"}:
        return {}
    kernel = compile_cell(catalogue[task.cell], "fused", "c")
    try:
        C.ready()
    except MissingError:
        return dict.fromkeys((C_CODE, C_POINTERS, C_FLOOR, C_PEAK, C_LIMIT))

    def run() -> Arrays:
        _, tape = kernel.forward(task.params, {"x": task.x})
        return named(kernel.backward(task.params, tape, {"h": task.h_bars}))

    calls = kernel.module.forward.__self__  # type: ignore[attr-defined]
    again, found = calls.prepared(task.params, {"x": task.x}, {"h": task.h_bars})

    def prepared() -> Arrays:
        again()
        return named(found)

    return {
        C_CODE: run, C_POINTERS: prepared, C_FLOOR: floor_in_c(task, kernel.source),
        C_PEAK: peak_in_c(task), C_LIMIT: limit_in_c(task, kernel.source),
    }  # fmt: skip


def named(gradients: Mapping[str, Mapping[str, Any]]) -> Arrays:
    """The gradients of a module by group and name in one."""
    return {f"{group}.{k}": v for group, found in gradients.items() for k, v in found.items()}


def in_autograd(task: Task, target: str) -> Runs:
    """autograd, beside the NumPy code that it could replace."""
    return {AUTOGRAD: with_autograd(task)} if target in {"numpy", "all"} else {}


def in_a_loop(task: Task, target: str) -> Runs:
    """A user's own cell in PyTorch, beside C."""
    return {LOOP: with_torch_loop(task)} if target in {"c", "all"} else {}


FAMILIES: Final[dict[str, Callable[[Task, str], Runs]]] = {
    "numpy": in_numpy,
    "c": in_c,
    "autograd": in_autograd,
    "layer": lambda task, _: {LAYER: with_torch(task)},
    "jax": lambda task, _: {JAX: with_jax(task)},
    "loop": in_a_loop,
    "compiled loop": lambda task, _: {LOOP_COMPILED: with_torch_loop(task, compiled=True)},
}


def families(torch_compile: bool) -> list[str]:
    """Those that take part."""
    return [name for name in FAMILIES if torch_compile or name != "compiled loop"]


def contenders(task: Task, target: str = "numpy", torch_compile: bool = False) -> Runs:
    """Who runs, all in this process; None for what is not installed."""
    runs: Runs = {}
    for name in families(torch_compile):
        runs |= FAMILIES[name](task, target)
    return runs


@contextmanager
def contenders_here(
    task: Task, target: str = "numpy", torch_compile: bool = False
) -> Iterator[Runs]:
    """The same, as long as they are needed."""
    yield contenders(task, target, torch_compile)
