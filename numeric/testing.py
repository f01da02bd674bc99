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
from numeric.verification.frameworks.framework import FRAMEWORKS, missing
from numeric.verification.frameworks.judged import asked, verify_code
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verdict import PARTIAL, PASS, Verdict
from numeric.verification.verify import verify
from numeric.verification.watch import Misbehaviour, Subject


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


def verify_framework(
    cell: Cell | str | Path,
    code: Any,
    *,
    framework: str,
    profile: str = "dev",
    seed: int = 0,
    batch_first: bool = False,
    partial: bool = False,
) -> Verdict:
    """A function, autograd.Function or class of modules computes the cell's states and gradients.

    `code` is it, or "FILE.py:NAME", which is then run in a process of its own; `framework` is
    "torch" or "jax". What its arguments and parameters are called says what they stand for. The
    rest is as with `verify_gradients`.

    Raises:
        AssertionError: if it does not, with the smallest counterexample found.
        ImportError: if the framework is not there.
        ValueError: if there is no such framework, or it does not say what its arguments stand for.
    """
    __tracebackhide__ = True
    if framework not in FRAMEWORKS:
        raise ValueError(f"framework: expected one of {', '.join(FRAMEWORKS)}, came {framework!r}")
    if (lacks := missing(framework)) is not None:
        raise ImportError(lacks)
    cell = cell_of(cell)
    question = asked(cell, framework, batch_first=batch_first)
    more: dict[str, Any] = {"profile": profile, "seed": seed}
    try:
        if isinstance(code, str):
            path, _, name = code.rpartition(":")
            with Sandbox(path, asked=question.message(), name=name) as sandbox:
                verdict = verify_code(sandbox.subject, cell, **more)
        else:
            made = question.code(code, getattr(code, "__name__", "the code"))
            verdict = verify_code(made.subject, cell, **more)
    except Misbehaviour as problem:
        raise ValueError(f"code: {problem}") from None
    return verdict if partial and verdict.status == PARTIAL else _require(verdict)


def _require(verdict: Verdict) -> Verdict:
    __tracebackhide__ = True
    if verdict.status != PASS:
        raise AssertionError(verdict.summary())
    return verdict
