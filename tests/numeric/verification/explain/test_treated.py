"""What looks like single precision is told from another formula that is as near."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from derive import catalogue
from derive.cell import declared
from numeric.verification.explain.audit import Audit
from numeric.verification.explain.treated import in_single_precision
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
