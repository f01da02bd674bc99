"""Where a cell is not defined, the place is named: by the equations, by verify and by bounds."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell
from derive.calculus.through_time import derivation_of
from numeric import compile_cell, verify
from numeric.bounds.one_sequence.step_jacobians import run
from numeric.meaning.domains import UndefinedError, undefined

NOWHERE = Cell.parse(name="nowhere", equations="h = tanh(W @ h_prev + log(-exp(U @ x)))")
LOG = Cell.parse(name="logarithm", equations="a = x * h_prev\nh = 0.5 * h_prev + log(a + 1)",
                 sizes={"x": "n"})  # fmt: skip
ROOT = Cell.parse(name="root", equations="h = sqrt(h_prev) + x", sizes={"x": "n"})
PLAIN = Cell.parse(name="plain", equations="h = tanh(h_prev + x)", sizes={"x": "n"})
ONE = {"h": np.ones((1, 1))}


def inputs(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.array(values).reshape(-1, 1, 1)}


def test_the_function_the_equation_the_number_and_the_step_are_named() -> None:
    said = undefined(LOG, {}, inputs(1.0, -3.0), ONE)
    assert said.startswith("in the equation of h, log(a + 1) is asked at -2.58 at step 2")
    assert said.endswith("log needs a positive number")


def test_a_root_needs_a_slope_as_well() -> None:
    assert "√" in undefined(ROOT, {}, inputs(1.0), {"h": np.zeros((1, 1))}) or "sqrt" in (
        undefined(ROOT, {}, inputs(1.0), {"h": np.zeros((1, 1))})
    )
    assert not undefined(ROOT, {}, inputs(1.0), ONE)


def test_a_division_by_zero_is_named_and_verify_holds_it_against_nobody() -> None:
    shared = Cell.parse(name="shared", equations="h = h_prev / relu(x) + x", sizes={"x": "n"})
    said = undefined(shared, {}, inputs(1.0, -3.0), ONE)
    assert said == "in the equation of h, h_{t−1}/relu(x) divides by 0 at step 2"
    assert not undefined(shared, {}, inputs(1.0, 3.0), ONE)
    verdict = verify(compile_cell(shared))
    assert verdict.status == "inconclusive"
    assert "divides by 0 at step 1" in str(verdict.checks["autograd"].reason)
    assert not [name for name, found in verdict.gradients.items() if found.status == "fail"]


def test_a_root_that_is_divided_by_is_asked_itself() -> None:
    unit = Cell.parse(name="unit", equations="h = h_prev + l2norm(x)", sizes={"x": "n"})
    assert "sqrt needs a positive number" in undefined(unit, {}, inputs(0.0), ONE)


def test_a_cell_that_every_number_suits_is_not_even_run() -> None:
    assert not undefined(PLAIN, {}, {}, {})


def test_what_overflows_before_is_not_called_a_root_of_nothing() -> None:
    equations = "s = s_prev * s_prev - r_prev\nr = s_prev * s_prev + sqrt(abs(s_prev) + 1) + x"
    grows = Cell.parse(name="grows", equations=equations, sizes={"x": "n"})
    far = {"s": np.full((1, 1), 1e160), "r": np.full((1, 1), 1e160)}
    assert not undefined(grows, {}, inputs(*[1.0] * 5), far)


@pytest.mark.long
def test_verify_does_not_judge_what_is_nowhere_defined() -> None:
    verdict = verify(compile_cell(NOWHERE))
    assert verdict.status == "inconclusive"
    for check in ("autograd", "high_precision", "complex_step"):
        assert "log needs a positive number" in str(verdict.checks[check].reason)


def test_bounds_name_the_place() -> None:
    derivation = derivation_of(LOG)
    with pytest.raises(UndefinedError, match="log needs a positive number"):
        run(derivation, {}, {"x": np.array([[-3.0]])}, {"h": np.ones(1)})
    assert run(derivation, {}, {"x": np.array([[1.0]])}, {"h": np.ones(1)}).steps == 1
