"""Verification as assertions, for tests: one line proves the gradients of a cell.

In: a cell, and a style or two functions. Out: the verdict, or an `AssertionError` with the
smallest counterexample. As pytest fixtures: `bptt/pytest_plugin.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.cell import Cell, cell_of, declared
from numeric.compiler.kernel import compile_cell
from numeric.verification.verdict import PASS, Verdict
from numeric.verification.verify import verify
from numeric.verification.watch import Subject


def verify_cell(
    cell: Cell | str, *, style: str = "fused", profile: str = "dev", seed: int = 0
) -> Verdict:
    """The emitted code of the cell computes its states and gradients.

    `cell` may be a name of the catalogue.

    Raises:
        AssertionError: if it does not, with the smallest counterexample found.
    """
    __tracebackhide__ = True
    return _require(verify(compile_cell(cell, style), profile=profile, seed=seed))


def verify_gradients(
    cell: Cell | str,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *,
    profile: str = "dev",
    seed: int = 0,
) -> Verdict:
    """The two functions, of the module interface, compute the cell's states and gradients.

    `cell` may be a name of the catalogue. Code of another signature or layout needs two small
    adapters around it, such as one that turns (B, T, m) into (T, B, m) and back.

    Raises:
        AssertionError: if they do not, with the smallest counterexample found.
    """
    __tracebackhide__ = True
    cell = cell_of(cell)
    subject = Subject(declared(cell), {"forward": forward, "backward": backward})
    return _require(verify(subject, cell=cell, profile=profile, seed=seed))


def _require(verdict: Verdict) -> Verdict:
    __tracebackhide__ = True
    if verdict.status != PASS:
        raise AssertionError(verdict.summary())
    return verdict
