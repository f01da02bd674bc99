"""Verification as assertions, for tests: one line proves the gradients of a cell.

In: a cell, and a style or two functions. Out: nothing, or an `AssertionError` with the smallest
counterexample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.cell import Cell
from numeric.conduct import declared_by
from numeric.guard import Subject
from numeric.kernel import compile_cell
from numeric.verdict import PASS, Verdict
from numeric.verification import verify


def verify_cell(
    cell: Cell, *, style: str = "fused", profile: str = "dev", seed: int = 0
) -> Verdict:
    """The emitted code of the cell computes its states and gradients.

    Raises:
        AssertionError: if it does not, with the smallest counterexample found.
    """
    return _require(verify(compile_cell(cell, style), profile=profile, seed=seed))


def verify_gradients(
    cell: Cell,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *,
    profile: str = "dev",
    seed: int = 0,
) -> Verdict:
    """The two functions, of the module interface, compute the cell's states and gradients.

    Code with arrays laid out otherwise needs two small adapters; see the module interface.

    Raises:
        AssertionError: if they do not, with the smallest counterexample found.
    """
    subject = Subject(declared_by(cell), forward, backward)
    return _require(verify(subject, cell=cell, profile=profile, seed=seed))


def _require(verdict: Verdict) -> Verdict:
    if verdict.status != PASS:
        raise AssertionError(verdict.summary())
    return verdict
