"""Slips in one part of a term, shown where no catalogue of wrong gradients has them."""

from __future__ import annotations

import pytest

from derive import Cell
from numeric import compile_cell, verify
from numeric.compiler.target import load


@pytest.mark.parametrize(
    ("equations", "right", "wrong"),
    [
        ("a = W @ x + U @ h_prev\nh = softmax(a) * x",
         "a_bar = q_h[t] * (q_h_bar - (q_h[t] * q_h_bar).sum(axis=-1, keepdims=True))",
         "a_bar = q_h[t] * (1 - q_h[t]) * q_h_bar"),
        pytest.param("k = softmax(K @ x)\nS = 0.5 * S_prev + outer(V @ x, k)",
         "a_k_bar = k[t] * (k_bar - (k[t] * k_bar).sum(axis=-1, keepdims=True))",
         "a_k_bar = k[t] * (1 - k[t]) * k_bar", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_a_softmax_s_slope_taken_entry_by_entry_is_named(
    equations: str, right: str, wrong: str
) -> None:
    cell = Cell.parse(name="own", equations=equations)
    source = compile_cell(cell, "textbook").source
    assert right in source
    verdict = verify(load(source.replace(right, wrong), "wrong"), cell=cell)
    assert verdict.status == "fail"
    gradient = next(g for name, g in verdict.gradients.items() if g.status == "fail")
    said = "with the slope of softmax taken entry by entry"
    assert said in (gradient.diagnosis or "")
