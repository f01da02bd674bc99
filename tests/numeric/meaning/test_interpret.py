"""The expression language in numbers: every node and function against NumPy and SymPy."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from sympy import (
    Identity,
    Integer,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Rational,
    Symbol,
    ZeroMatrix,
    lambdify,
)
from sympy.matrices.expressions import DiagMatrix

from derive import Cell, catalogue
from derive.language.expr import (
    At,
    Broadcast,
    Columns,
    Concat,
    Elementwise,
    Quotient,
    Rows,
    Slope,
    Softmax,
    add,
    hadamard,
    product,
    scale,
    size,
    transpose,
)
from derive.language.functions import FUNCTIONS, X
from derive.language.maps import LinearMap, Vec
from derive.language.pairs import AtLeast, Below, Maximum, Minimum
from derive.language.reductions import Extent
from numeric.meaning.formulas import formula_of, scalar
from numeric.meaning.interpret import NODES, evaluate
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import sizes_of
from numeric.numbers.arithmetic import FLOATS
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward
from numeric.numbers.prime_field import FIELD
from numeric.numbers.primitives import NOT_IN_NUMPY
from numeric.verification.oracles import AUTOGRAD
from numeric.verification.problems.of_cell import make_case

n, m = size("n"), size("m")
SIZES = {"n": 3, "m": 2, "B": 4}
A, W, U = MatrixSymbol("A", n, m), MatrixSymbol("W", n, n), MatrixSymbol("U", n, m)
v, h, x, s = (MatrixSymbol(*a) for a in (("v", n, 1), ("h", n, 1), ("x", m, 1), ("s", 1, 1)))
rng = np.random.default_rng(0)
VALUES = {
    "A": rng.normal(size=(3, 2)), "U": rng.normal(size=(3, 2)), "W": rng.normal(size=(3, 3)),
    "v": rng.normal(size=(3, 1)), "h": rng.normal(size=(3, 4)), "x": rng.normal(size=(2, 4)),
    "s": rng.normal(size=(1, 1)),
}  # fmt: skip
N = VALUES

CASES = {
    "sum": (add(h, v, h), N["h"] + N["v"] + N["h"]),
    "product": (scale(-2, product(W, A, x)), -2 * N["W"] @ N["A"] @ N["x"]),
    "number": (scale(3, h), 3 * N["h"]),
    "hadamard": (hadamard(h, v), N["h"] * N["v"]),
    "quotient": (Quotient(h, v), N["h"] / N["v"]),
    "vec": (Vec(A), N["A"].reshape((-1, 1))),
    "linear map": (LinearMap(product(W, h), h), N["W"]),
    "extent": (Extent(n), np.array([[3.0]])),
    "larger": (Maximum(h, v), np.maximum(N["h"], N["v"])),
    "smaller": (Minimum(v, h), np.minimum(N["h"], N["v"])),
    "at least": (AtLeast(h, v), N["h"] >= N["v"]),
    "at least itself": (AtLeast(h, h), np.ones((3, 4))),
    "below": (Below(h, v), N["h"] < N["v"]),
    "transpose": (product(transpose(W), h), N["W"].T @ N["h"]),
    "ones": (add(h, scale(2, OneMatrix(n, 1))), N["h"] + 2),
    "zeros": (ZeroMatrix(n, m), np.zeros((3, 2))),
    "identity": (Identity(n), np.eye(3)),
    "diagonal": (product(W, DiagMatrix(v)), N["W"] * N["v"].T),
    "broadcast": (hadamard(Broadcast(s, n, 1), h), N["s"] * N["h"]),
    "concat": (Concat(h, v, x), np.concatenate([N["h"], N["v"].repeat(4, axis=1), N["x"]])),
    "rows": (Rows(Concat(h, x), n, m), N["x"]),
    "columns": (Columns(W, 1, m), N["W"][:, 1:3]),
    "softmax": (Softmax(h), np.exp(N["h"]) / np.exp(N["h"]).sum(axis=0)),
    "elementwise": (Elementwise("tanh", h), np.tanh(N["h"])),
    "slope": (Slope("tanh", h), 1 - np.tanh(N["h"]) ** 2),
    "constant slope": (Slope("identity", h), np.ones((3, 4))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_node_means_what_numpy_means(name: str) -> None:
    expression, want = CASES[name]
    got = evaluate(expression, VALUES, SIZES)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=0)


def test_every_node_of_the_table_is_tried() -> None:
    tried = {type(node) for expression, _ in CASES.values() for node in _nodes(expression)}
    assert {*NODES} <= tried


def _nodes(expression):
    yield expression
    for argument in expression.args:
        yield from _nodes(argument)


def test_an_unknown_node_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no number for the node At"):
        evaluate(At(h, Symbol("t")), VALUES, SIZES)


def test_a_diagonal_that_differs_by_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="differs from sample to sample"):
        evaluate(DiagMatrix(h), VALUES, SIZES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_and_its_slope_are_those_of_the_table(name: str) -> None:
    row = FUNCTIONS[name]
    points = np.array([[-7.3, -1.2, -0.4, 0.0, 0.3, 1.7, 6.1]])
    if row.needs:
        points = np.abs(points) + 0.1
    argument = MatrixSymbol("p", 1, 7)
    for node, formula in ((Elementwise, row.formula), (Slope, row.slope)):
        got = evaluate(node(name, argument), {"p": points}, {})
        bound = row.bind(formula, ())
        want = [[float(bound.subs(X, p)) for p in points[0]]]
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-15)


def test_numbers_given_to_a_function_are_used() -> None:
    got = evaluate(Elementwise("leaky_relu", h, 0.25), VALUES, SIZES)
    np.testing.assert_array_equal(got, np.where(N["h"] > 0, N["h"], 0.25 * N["h"]))


def test_the_lstm_steps_as_written_by_hand() -> None:
    cell = catalogue["lstm"]
    case = make_case(cell, {"n": 3, "m": 2}, steps=4, batch=2, seed=5)
    found = run_cell(cell, case.params, case.inputs, case.initial)
    p, c, h = case.params, case.initial["c"], case.initial["h"]
    for t, x in enumerate(case.inputs["x"]):
        net = {g: h @ p[f"W_{g}h"].T + x @ p[f"W_{g}x"].T + p[f"b_{g}"] for g in "fico"}
        gate = {g: 1 / (1 + np.exp(-net[g])) for g in "fio"}
        c = gate["f"] * c + gate["i"] * np.tanh(net["c"])
        h = gate["o"] * np.tanh(c)
        np.testing.assert_allclose(found["c"][t], c, rtol=1e-13)
        np.testing.assert_allclose(found["h"][t], h, rtol=1e-13)


def test_constants_scalars_and_sequences_reach_their_step() -> None:
    cell = Cell.parse(
        name="k", equations="h = m * h_prev + g * tanh(k * x)", constants=("m[t]", "k"),
        scalars=("g",),
    )  # fmt: skip
    case = make_case(cell, {"n": 3}, steps=3, batch=2, seed=1)
    assert case.constants["m"].shape == (3, 2, 3)
    found = run_cell(cell, case.params, case.inputs, case.initial, case.constants)
    h = case.initial["h"]
    for t in range(3):
        inner = np.tanh(case.constants["k"] * case.inputs["x"][t])
        h = case.constants["m"][t] * h + case.params["g"] * inner
        np.testing.assert_allclose(found["h"][t], h, rtol=1e-14)
    shared = {**case.constants, "m": case.constants["m"][:, 0]}
    run_cell(cell, case.params, case.inputs, case.initial, shared)


@pytest.mark.parametrize("batch", [2, 3])
def test_a_state_that_no_sample_changes_has_a_row_for_each_of_them(batch: int) -> None:
    cell = Cell.parse(
        name="still", sizes={"s": "n", "S": "n"}, matrices=("S",),
        equations="S = S_prev + outer(s_prev, K @ x)\ns = softmax(b)",
    )  # fmt: skip
    case = make_case(cell, {"n": 2, "k": 3, "m": 1}, steps=2, batch=batch)  # n may be as many
    found = run_cell(cell, case.params, case.inputs, case.initial)
    want = np.exp(case.params["b"]) / np.exp(case.params["b"]).sum()
    for value in found["s"]:
        np.testing.assert_allclose(value, np.tile(want, (batch, 1)), rtol=1e-14)


def test_sizes_follow_from_the_arrays() -> None:
    cell = catalogue["lstm"]
    case = make_case(cell, {"n": 3, "m": 2}, steps=4, batch=5)
    assert sizes_of(cell, {**case.params, **case.inputs, **case.initial}) == {"n": 3, "m": 2}


def test_formulas_agree_with_sympy_s_own_numbers() -> None:
    points = np.linspace(-3, 3, 50)
    for row in FUNCTIONS.values():
        at = np.abs(points) if row.needs else points
        want = lambdify(X, row.bind(row.formula, ()), [NOT_IN_NUMPY, "numpy"])(at)
        got = evaluate(Elementwise(row.name, MatrixSymbol("p", 50, 1)), {"p": at[:, None]}, {})
        np.testing.assert_allclose(got[:, 0], want, rtol=1e-13, atol=1e-15)


def test_a_sign_is_no_factor_and_numbers_beside_it_are_kept() -> None:
    """A formula may be written with several numbers."""
    for formula, value in ((-X, -3.0), (Mul(-1, 2, X, evaluate=False), -6.0),
                           (Mul(-1, -1, X, evaluate=False), 3.0)):  # fmt: skip
        assert formula_of(formula, FLOATS)(3.0) == value


@pytest.mark.parametrize("arithmetic", [FLOATS, MULTIPRECISION, FIELD], ids=["f8", "50", "field"])
def test_a_piece_is_asked_only_where_it_holds(arithmetic):
    """At 1 the other piece of softsign, x / (1 − x), divides by zero."""
    one, row = arithmetic.full(1, 1, Integer(1)), FUNCTIONS["softsign"]
    with np.errstate(all="raise"):
        found = [scalar(formula, sign * one, arithmetic)[0, 0]
                 for formula in (row.formula, row.slope) for sign in (1, -1)]  # fmt: skip
    wanted = [arithmetic.number(Rational(p, q)) for p, q in ((1, 2), (-1, 2), (1, 4), (1, 4))]
    assert found == wanted


@pytest.mark.parametrize("x", [-700.0, -115.0, -33.5, -1.0, 0.0, 3.0])
def test_softplus_forgets_no_small_exponential(x: float) -> None:
    """log(1 + e^x) of a very negative x is e^x, by every oracle: in floats and to fifty digits."""
    softplus = FUNCTIONS["softplus"].formula
    want = float(mpmath.log1p(mpmath.exp(x)))
    for arithmetic in (FLOATS, AUTOGRAD):
        assert float(formula_of(softplus, arithmetic)(np.array(x))) == pytest.approx(
            want, rel=1e-13
        )
    found = formula_of(softplus, MULTIPRECISION)(np.array([Forward.lift(x)]))[0].value
    with mpmath.workdps(60):
        exact = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
        assert abs(mpmath.mpf(str(found)) / exact - 1) < mpmath.mpf(10) ** -48
