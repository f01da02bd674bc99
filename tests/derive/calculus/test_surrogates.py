"""Declared slopes: who has them, what is said of them, and that the declared rule is held to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from derive import catalogue, differentiate
from derive.calculus.surrogates import declared_slopes, surrogate_note
from derive.cell import Cell
from derive.language.syntax import CellError
from numeric import compile_cell, verify
from numeric.verification.compare import agreement, as_result
from numeric.verification.derivation.check import examine
from numeric.verification.oracles import autograd_answer, precise_answer
from numeric.verification.problems.of_cell import CellProblem, make_case, ordinary_sizes

FIRES = "u = 0.9 * u_prev + W @ x - s_prev\ns = step(u - 1, slope={})"


def firing(slope: str) -> Cell:
    return Cell.parse(name="firing", equations=FIRES.format(slope))


def test_only_steps_have_declared_slopes() -> None:
    found = {name: declared_slopes(cell) for name, cell in catalogue.items()}
    assert {name for name, slopes in found.items() if slopes} == {"lif", "alif"}
    assert [row.name for row in found["alif"]] == ["step_triangle"]
    assert "declared slope (triangle)" in surrogate_note(catalogue["alif"])
    assert surrogate_note(catalogue["lstm"]) == ""


def test_the_surrogate_is_the_derivative_with_the_step_held_where_it_is() -> None:
    """By differences of the equations with step(a°) + s(a) − s(a°) in the place of step(a)."""
    cell = firing("fast_sigmoid(2)")
    case = make_case(cell, ordinary_sizes(cell), steps=5, batch=1, seed=4)
    kernel = compile_cell(cell)
    states, tape = kernel.forward(case.params, case.inputs, case.initial)
    got = kernel.backward(case.params, tape, case.cotangents)["params"]["W"]
    held = states["u"] - 1

    def loss(W: np.ndarray) -> float:
        u, s, total = case.initial["u"], case.initial["s"], 0.0
        for t in range(case.steps):
            u = 0.9 * u + case.inputs["x"][t] @ W.T - s
            a, fixed = u - 1, held[t]
            s = (fixed > 0) + a / (1 + 2 * np.abs(a)) - fixed / (1 + 2 * np.abs(fixed))
            total += np.sum(case.cotangents["u"][t] * u) + np.sum(case.cotangents["s"][t] * s)
        return float(total)

    W, small = case.params["W"], 1e-6
    for place in np.ndindex(W.shape):
        moved = np.zeros_like(W)
        moved[place] = small
        slope = (loss(W + moved) - loss(W - moved)) / (2 * small)
        assert slope == pytest.approx(got[place], rel=1e-6, abs=1e-8)


@pytest.mark.by_default("fused")
@pytest.mark.parametrize("style", ["textbook", "fused"])
def test_another_slope_than_the_declared_one_is_refused(style: str) -> None:
    other = compile_cell(firing("triangle(0.6)"), style)
    module = SimpleNamespace(**{name: getattr(other.module, name) for name in (
        "forward", "backward", "PARAMETERS", "INPUTS", "STATES", "CONSTANTS")})  # fmt: skip
    found = verify(module, cell=firing("triangle(0.5)"))
    assert found.status == "fail"
    assert found.gradients["params.W"].status == "fail"
    assert {found.checks[name].status for name in ("autograd", "exact")} == {"fail"}


def test_code_without_the_declared_slope_is_refused() -> None:
    """A gradient that stops at the step, as an automatic tool's would."""
    kernel = compile_cell(firing("triangle"))
    cut = compile_cell(firing("triangle(0.0000001)"))
    module = SimpleNamespace(
        **{name: getattr(kernel.module, name) for name in (
            "forward", "PARAMETERS", "INPUTS", "STATES", "CONSTANTS")},
        backward=cut.module.backward,
    )  # fmt: skip
    assert verify(module, cell=firing("triangle")).status == "fail"


@pytest.mark.parametrize(
    ("written", "said"),
    [("step(u)", "the slope of step is declared, as in step(a, slope=triangle)"),
     ("step(u, triangle)", "the slope of step is declared"),
     ("step(u, slope=triangel)", "unknown slope of step 'triangel': the nearest is triangle"),
     ("step_triangle(u)", "write step(a, slope=triangle)"),
     ("step(u, slope=2)", "expected the name of a slope"),
     ("step(u, slope=triangle(0.3, 2))", "takes one argument and up to 1 numbers, came 3"),
     ("step(u, slope=triangle(u))", "takes positive numbers")],
)  # fmt: skip
def test_what_is_no_declaration_is_told(written: str, said: str) -> None:
    with pytest.raises(CellError) as raised:
        Cell.parse(name="odd", equations=f"u = u_prev + x\ns = {written}\nh = s + h_prev")
    assert said in str(raised.value)


@pytest.mark.parametrize("kinked", ["abs", "relu", "hard_tanh", "leaky_relu", "elu", "relu6"])
def test_a_kink_that_a_step_stands_on_has_the_stated_slope(kinked: str) -> None:
    """What a step gives is exactly 0, where others are almost never."""
    text = f"s = step(h_prev - 0.3, slope=straight_through)\nh = {kinked}(s) + W @ x"
    cell = Cell.parse(name="standing", equations=text)
    assert examine(differentiate(cell)).wrong == ()
    case = make_case(cell, ordinary_sizes(cell), steps=4, batch=2, seed=4)
    _, tape = (kernel := compile_cell(cell)).forward(case.params, case.inputs, case.initial)
    got = kernel.backward(case.params, tape, case.cotangents)
    want = autograd_answer(CellProblem(cell), case).gradients
    np.testing.assert_allclose(got["params"]["W"], want["params"]["W"], rtol=1e-12, atol=1e-14)


def test_a_skew_matrix_has_a_diagonal_of_zeros_in_every_oracle() -> None:
    """Fifty digits of a float are not all of its digits: w − 1·w once left what was cut off."""
    text = "u = (V - V.T) @ step(h_prev - 0.3, slope=straight_through)\nh = abs(u) + W @ x"
    problem = CellProblem(Cell.parse(name="skew", equations=text))
    case = make_case(problem.cell, {"n": 2, "m": 2}, steps=3, batch=2, seed=44435,
                     regime="contracting")  # fmt: skip
    floats, digits = (of(problem, case) for of in (autograd_answer, precise_answer))
    assert agreement(as_result(floats), digits)[0] < 1e-12
