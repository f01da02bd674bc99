"""States that are matrices: shapes, code, verdicts, networks and bounds, beside loops by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from c_code import needs_compiler
from profiles import by_day, night_alone
from sympy.matrices.expressions import DiagMatrix

from derive import Cell, CellError, Network, differentiate
from derive.calculus import rules
from derive.cell import declared
from numeric import compile_cell, compile_network, verify
from numeric.bounds.diagnosis import diagnose
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence import step_jacobians
from numeric.compiler.target import load
from numeric.verification.derivation.check import examine
from numeric.verification.problems.of_cell import CellProblem, call, make_case
from numeric.verification.watch import CELL_FUNCTIONS, Guard, subject_of

Array = Any
SIZES = {"n": 2, "k": 3, "m": 4}
DELTA = Cell.parse(
    name="delta", outputs=["y"],
    equations="""
q = W_q @ x
k = tanh(W_k @ x)
v = W_v @ x
beta = sigmoid(W_b @ x + b)
S = S_prev + outer(beta * (v - S_prev @ k), k)
y = S @ q
""",
)  # fmt: skip
GATED = Cell.parse(
    name="gated", outputs=["y"],
    equations="""
q = W_q @ x
alpha = sigmoid(W_a @ x)
S = S_prev @ diag(alpha) + outer(W_v @ x, W_k @ x)
y = sigmoid(W_o @ x) * (S @ q)
""",
)  # fmt: skip
TANH = Cell.parse(
    name="tanh_of_a_matrix", outputs=["y"], matrices=["W"],
    equations="""
f = sigmoid(W_f @ x + b)
Z = tanh(S_prev @ W + outer(W_v @ x, W_k @ x))
S = diag(f) @ S_prev + diag(1 - f) @ Z
y = S.T @ (W_q @ x)
""",
)  # fmt: skip
SQUARE = Cell.parse(
    name="square", outputs=["y"], scalars=["b"],
    equations="""
f = sigmoid(dot(w_f, x) + b)
S = f * S_prev + (1 - f) * tanh(S_prev @ S_prev + outer(W_v @ x, W_k @ x))
y = S @ (W_q @ x)
""",
)  # fmt: skip


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def delta(p: dict[str, Array], x: Array, S: Array) -> tuple[Array, Array]:
    k, v, q = np.tanh(p["W_k"] @ x), p["W_v"] @ x, p["W_q"] @ x
    beta = sigmoid(p["W_b"] @ x + p["b"])
    erased = S.copy()
    for i in range(len(v)):
        for j in range(len(k)):
            erased[i, j] += beta[i] * (v[i] - sum(S[i, a] * k[a] for a in range(len(k)))) * k[j]
    return erased, erased @ q


def gated(p: dict[str, Array], x: Array, S: Array) -> tuple[Array, Array]:
    alpha, v, k = sigmoid(p["W_a"] @ x), p["W_v"] @ x, p["W_k"] @ x
    S = S * alpha[None, :] + v[:, None] * k[None, :]
    return S, sigmoid(p["W_o"] @ x) * (S @ (p["W_q"] @ x))


def tanh_of_a_matrix(p: dict[str, Array], x: Array, S: Array) -> tuple[Array, Array]:
    f = sigmoid(p["W_f"] @ x + p["b"])
    Z = np.tanh(S @ p["W"] + np.outer(p["W_v"] @ x, p["W_k"] @ x))
    S = f[:, None] * S + (1 - f)[:, None] * Z
    return S, (p["W_q"] @ x) @ S


def square(p: dict[str, Array], x: Array, S: Array) -> tuple[Array, Array]:
    f = sigmoid(np.sum(p["w_f"] * x) + p["b"])
    S = f * S + (1 - f) * np.tanh(S @ S + np.outer(p["W_v"] @ x, p["W_k"] @ x))
    return S, S @ (p["W_q"] @ x)


BY_HAND: list[tuple[Cell, Callable[..., tuple[Array, Array]]]] = [
    (DELTA, delta), (GATED, gated), (TANH, tanh_of_a_matrix), (SQUARE, square),
]  # fmt: skip


def loss(step: Callable[..., tuple[Array, Array]], params: Any, inputs: Any, initial: Any,
         cotangents: Any) -> Array:  # fmt: skip
    total = 0.0
    for sample in range(inputs.shape[1]):
        S = initial[sample]
        for t in range(len(inputs)):
            S, y = step(params, inputs[t, sample], S)
            total = total + np.sum(cotangents["S"][t, sample] * S)
            total = total + np.sum(cotangents["y"][t, sample] * y)
    return total


@pytest.mark.parametrize("style", by_day(["fused", "textbook", "stable"], 2))
@pytest.mark.parametrize(("cell", "step"), BY_HAND, ids=lambda item: getattr(item, "name", ""))
def test_gradients_are_those_of_a_loop_by_hand(cell, step, style):
    case = make_case(cell, SIZES, steps=3, batch=2, seed=1)
    got = call(Guard(subject_of(compile_cell(cell, style), CELL_FUNCTIONS)), case)[1]
    arrays = {("params", n): a for n, a in case.params.items()}
    arrays |= {("inputs", "x"): case.inputs["x"], ("initial", "S"): case.initial["S"]}
    for (group, name), array in arrays.items():
        want = np.zeros(array.shape)
        for place in np.ndindex(array.shape):  # the complex step, which does not round
            moved = {key: value.astype(complex) for key, value in arrays.items()}
            moved[group, name][place] += 1e-30j
            params = {n: a for (g, n), a in moved.items() if g == "params"}
            value = loss(step, params, moved["inputs", "x"], moved["initial", "S"], case.cotangents)
            want[place] = np.imag(value) / 1e-30
        off = np.max(np.abs(got[group][name] - want))
        assert off <= 1e-13 * np.max(np.abs(want)), (group, name)


def test_shapes_follow_from_the_equations():
    assert declared(DELTA)["STATES"] == {"S": ("n", "k")}
    assert declared(DELTA)["OUTPUTS"] == {"y": ("n",)}
    assert declared(TANH)["PARAMETERS"]["W"] == ("k", "k")
    square = Cell.parse(name="square", equations="S = W @ S_prev @ S_prev.T + outer(x, x)",
                        sizes={"x": "n"})  # fmt: skip
    assert declared(square)["STATES"] == {"S": ("n", "n")}


@pytest.mark.parametrize(
    ("equations", "says"),
    [
        ("S = f * S_prev + outer(V @ x, k)", r"diag\(f\) @ S scales the rows"),
        ("S = S_prev + outer(V @ x)", r"outer takes two vectors"),
        ("S = S_prev + diag(outer(x, x)) @ S_prev", r"diag takes one vector"),
        ("S = S_prev + outer(V @ x, k)\nh = W @ concat(h_prev, S)", "concat takes vectors"),
        ("h = outer * h_prev + x", "is a function"),
    ],
)
def test_what_cannot_be_is_refused_in_words(equations, says):
    with pytest.raises(CellError, match=says):
        Cell.parse(name="trial", equations=equations)


@pytest.mark.parametrize("cell", by_day([DELTA, GATED, TANH], 3, 2), ids=lambda cell: cell.name)
def test_right_code_passes_every_check(cell):
    verdict = verify(compile_cell(cell, "fused"))
    assert verdict.status == "pass", verdict
    assert {"autograd", "high_precision", "complex_step", "exact"} <= {*verdict.checks}


ERASED = " - (q_S_bar[..., None, :] @ S_prev[t])[..., 0, :]"
MISTAKES = [
    (" + S_bar_carry\n", "\n", "initial.S", "missing"),
    (ERASED, "", "params.W_k", "missing"),
    ("u_S_bar = (S_bar @ k[t]", "u_S_bar = (S_bar @ k[t - 1]", "params.W_v", "k_{t−1}"),
    ("q_bar = (y_bar[..., None, :] @ S[t])", "q_bar = (y_bar[..., None, :] @ S_prev[t])",
     "params.W_q", "S_{t−1}"),
]  # fmt: skip


@pytest.mark.by_default("params.W_q")
@pytest.mark.parametrize(("right", "wrong", "gradient", "said"), by_day(MISTAKES, 2, 1))
def test_a_wrong_gradient_of_a_matrix_is_refused_and_named(right, wrong, gradient, said):
    source = compile_cell(DELTA, "textbook").source
    assert right in source
    verdict = verify(load(source.replace(right, wrong), "wrong"), cell=DELTA)
    assert verdict.gradients[gradient].status == "fail"
    assert said in (verdict.gradients[gradient].diagnosis or ""), verdict


def test_a_wrong_rule_for_a_row_gate_is_found_in_the_derivation(monkeypatch):
    assert not examine(differentiate(TANH)).wrong
    monkeypatch.setitem(
        rules.VJP_RULES, DiagMatrix,
        rules.Rule("wrong", lambda y_bar, y, node: (2 * rules.diagonal_part(y_bar),)),
    )  # fmt: skip
    assert examine(differentiate(TANH)).wrong


@night_alone
def test_a_network_of_them_is_right_where_samples_end():
    network = Network(DELTA, layers=2, bidirectional=True)
    assert verify(compile_network(network, "fused")).status == "pass"


def test_a_layer_hands_up_no_matrix():
    cell = Cell.parse(name="alone", equations="S = S_prev + outer(V @ x, K @ x)")
    with pytest.raises(CellError, match="a layer hands up a vector"):
        Network(cell)


@pytest.mark.parametrize("cell", by_day([DELTA, GATED, TANH], 2), ids=lambda cell: cell.name)
def test_bounds_hold_on_a_sequence_and_for_all_inputs(cell):
    drawn = draw(cell, SIZES, 1.0, 6, 0, 0.7)
    start = {"S": drawn["initial"]["S"]}
    found = diagnose(cell, drawn["parameters"], SIZES, inputs=drawn["inputs"], initial=start)
    assert found.log10_measured is not None
    measured = np.array(found.log10_measured)
    names = {*found.log10_upper} - found.apart
    assert {"trajectory", "product"} <= names
    for name in names:
        assert np.all(np.array(found.log10_upper[name]) >= measured - 1e-12), name
    for lower in found.log10_lower.values():
        assert np.all(np.array(lower) <= measured + 1e-12)


def test_the_measured_norm_is_that_of_the_loop_by_hand():
    drawn = draw(DELTA, SIZES, 1.0, 2, 0, 0.7)
    found = diagnose(DELTA, drawn["parameters"], SIZES, inputs=drawn["inputs"])
    whole = np.eye(6)
    S = np.zeros((2, 3))
    for x in drawn["inputs"]["x"]:
        columns = []
        for place in np.ndindex(2, 3):
            moved = S.astype(complex)
            moved[place] += 1e-30j
            columns.append(np.imag(delta(drawn["parameters"], x, moved)[0]).ravel() / 1e-30)
        whole = np.array(columns).T @ whole
        S = delta(drawn["parameters"], x, S)[0]
    assert found.log10_measured is not None
    assert 10 ** found.log10_measured[-1] == pytest.approx(np.linalg.norm(whole, 2), rel=1e-10)


def test_more_entries_than_a_jacobian_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr(step_jacobians, "MOST", 5)
    drawn = draw(DELTA, SIZES, 1.0, 2, 0, 0.7)
    with pytest.raises(ValueError, match="the states hold 6 numbers"):
        diagnose(DELTA, drawn["parameters"], SIZES, inputs=drawn["inputs"])


def test_gates_of_one_column_each_give_the_range_of_the_gates_as_rate():
    drawn = draw(GATED, SIZES, 1.0, 2, 0, 0.7)
    found = diagnose(GATED, drawn["parameters"], SIZES, input_box=(-1.0, 1.0))
    most = np.abs(drawn["parameters"]["W_a"]).sum(axis=1).max()
    assert found.rate == pytest.approx(sigmoid(most), rel=1e-9)


def test_problems_of_matrices_have_shapes_of_matrices():
    problem = CellProblem(DELTA)
    case = problem.case(SIZES, steps=2, batch=2)
    assert problem.output_shapes(case)["S"] == (2, 2, SIZES["n"], SIZES["k"])


def test_a_size_that_only_an_initial_state_shows_is_refused_in_words():
    text = "S = S_prev - outer(s_prev, S_prev.T @ sigmoid(s_prev))\ns = tanh(s_prev + x)"
    kernel = compile_cell(Cell.parse(name="unshown", equations=text, inputs=("x",)))
    with pytest.raises(ValueError, match=r"shows the size \w of the state S: .* a bias perhaps"):
        verify(kernel)


@pytest.mark.by_default("h = tanh(h_prev.T).T * x")
@needs_compiler
@pytest.mark.parametrize("equations", [
    "h = tanh(h_prev.T @ W + x.T @ U + b.T).T",
    "a = h_prev.T @ W\nh = tanh(a.T + x)",
    "h = tanh(h_prev.T).T * x",
    "h = tanh(h_prev.T + x.T + b.T).T",
])  # fmt: skip
def test_rows_that_change_with_time_are_verified(equations):
    matrices = [name for name in "WU" if name in equations]
    cell = Cell.parse(name="in_rows", equations=equations, matrices=matrices)
    for target in ("numpy", "c"):
        assert verify(compile_cell(cell, target=target)).status == "pass"
    drawn = draw(cell, SIZES, 1.0, 6, 0, 0.7)
    found = diagnose(cell, drawn["parameters"], SIZES, inputs=drawn["inputs"])
    assert found.log10_measured[-1] <= found.log10_upper["product"][-1]
