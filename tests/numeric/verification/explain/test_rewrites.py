"""Slips in one part of a term, shown where no catalogue of wrong gradients has them."""

from __future__ import annotations

import pytest

from derive import Cell
from numeric import compile_cell, verify
from numeric.compiler.target import load
from numeric.verification.explain.anatomy import anatomy_of
from numeric.verification.problems.of_cell import CellProblem


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


def test_what_no_step_changes_is_taken_of_no_other_step() -> None:
    """A gate made of a parameter alone has one value, and its cotangent is one sum."""
    equations = "z = sigmoid(w)\nh = (1 - z) * h_prev + z * tanh(W @ x + U @ h_prev)"
    cell = Cell.parse(name="own", equations=equations)
    problem = CellProblem(cell)
    anatomy, sizes = anatomy_of(problem), problem.ordinary_sizes()
    tape = anatomy.tape(problem.case(sizes, steps=4, batch=3, seed=0))
    for mistake in anatomy.mistakes:
        made = anatomy.made_by(tape, mistake)
        assert made["params.w"].shape == (sizes["n"],), mistake.what
        assert made["initial.h"].shape == (3, sizes["n"]), mistake.what
    source = compile_cell(cell, "textbook").source
    right = "z_bar * (z * (1 - z))"
    assert right in source
    verdict = verify(load(source.replace(right, "z_bar * (z * (1 - z) ** 3)"), "wrong"), cell=cell)
    assert verdict.status == "fail"
    assert "dw equals no gradient that is tried" in (verdict.gradients["params.w"].diagnosis or "")
