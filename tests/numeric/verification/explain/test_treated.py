"""What looks like single precision is told from another formula that is as near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from corpus import right

from derive import catalogue
from derive.cell import declared
from numeric.compiler.target import load
from numeric.verification.explain.audit import Audit
from numeric.verification.explain.treated import clipped, in_single_precision
from numeric.verification.fit import audited
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.watch import Guard, Subject

RNN = catalogue["rnn"]


def with_product(product: Callable[[Any, Any], Any]) -> Audit:
    """The plain RNN with another way to take U x."""

    def forward(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
        x = inputs["x"]
        h = np.zeros((len(x) + 1, x.shape[1], len(params["b"])), x.dtype)
        h[0] = (initial or {}).get("h", 0)
        for t in range(len(x)):
            h[t + 1] = np.tanh(h[t] @ params["W"].T + product(x[t], params["U"].T) + params["b"])
        return {"h": h[1:].copy()}, None

    def backward(params: Any, tape: Any, cotangents: Any) -> Any:
        return {
            "params": {name: np.zeros_like(value) for name, value in params.items()},
            "inputs": {"x": np.zeros((*cotangents["h"].shape[:2], params["U"].shape[1]))},
            "initial": {"h": np.zeros_like(cotangents["h"][0])},
        }

    return audit_of(forward, backward)


def audit_of(forward: Callable[..., Any], backward: Callable[..., Any]) -> Audit:
    problem = CellProblem(RNN)
    subject = Subject(declared(RNN), {"forward": forward, "backward": backward})
    return Audit(problem, audited(problem, Guard(subject, forgiving=True, lacks=frozenset())), 0)


def in_single(x: Any, U: Any) -> Any:
    return (x.astype(np.float32) @ U.astype(np.float32)).astype(x.dtype)


def with_more(x: Any, U: Any) -> Any:
    return x @ U * (1 + 1e-6)


@pytest.mark.parametrize(("product", "single"), [(in_single, True), (with_more, False)])
def test_another_formula_is_not_taken_for_rounding(
    product: Callable[[Any, Any], Any], single: bool
) -> None:
    said = in_single_precision(with_product(product))
    assert ("float32" in said) is single


@pytest.mark.parametrize(
    ("norm", "kept"),
    [("np.sqrt(sum(np.sum(g * g) for g in (dW, dU, db)))", True),
     ("abs(sum(np.sum(g) for g in (dW, dU, db)))", False)],
)  # fmt: skip
def test_a_limit_that_one_call_alone_shows_is_none(norm: str, kept: bool) -> None:
    """The square of the sum for the sum of squares cuts each call at a norm of its own."""
    shorter = f"    k = min(1, 5 / max({norm}, 1e-30))\n    dW, dU, db = k * dW, k * dU, k * db\n"
    end = '    return {\n        "params": {'
    module = load(right("rnn").replace(end, shorter + end), "edited")
    told = clipped(audit_of(module.forward, module.backward))
    assert bool(told) is kept
    assert all("the norm of these gradients together is at most 5;" in one for one in told.values())
