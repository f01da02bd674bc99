"""Verification as assertions, for tests: one line proves the gradients of a cell.

In: a cell, and a style or two functions. Out: the verdict, or an `AssertionError` with the
smallest counterexample. As pytest fixtures: `bptt/pytest_plugin.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from derive.cell import Cell, cell_of, declared
from numeric.compiler.kernel import compile_cell
from numeric.verification.batch_first import batch_first as turned
from numeric.verification.verdict import PARTIAL, PASS, Verdict
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
    cell: Cell | str | Path,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *,
    profile: str = "dev",
    seed: int = 0,
    batch_first: bool = False,
    partial: bool = False,
) -> Verdict:
    """The two functions, of the module interface, compute the cell's states and gradients.

    `cell` may be a name of the catalogue or the path of a cell file. With `batch_first` their
    sequences are (B, T, m). With `partial`, what they do not return need not be judged: the
    verdict may be "partial", and its `unjudged` says why.

    Raises:
        AssertionError: if they do not, with the smallest counterexample found.
    """
    __tracebackhide__ = True
    cell = cell_of(cell)
    subject = Subject(declared(cell), {"forward": forward, "backward": backward})
    if batch_first:
        subject = turned(subject)
    verdict = verify(subject, cell=cell, profile=profile, seed=seed)
    return verdict if partial and verdict.status == PARTIAL else _require(verdict)


def _require(verdict: Verdict) -> Verdict:
    __tracebackhide__ = True
    if verdict.status != PASS:
        raise AssertionError(verdict.summary())
    return verdict
