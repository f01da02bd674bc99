"""The field, its functions, and the exact check: what it proves and what it rejects."""

from __future__ import annotations

import time
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derive import Cell, Network, catalogue
from derive.language.functions import FUNCTIONS
from derive.language.syntax import call_text
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.target import load
from numeric.numbers.degree import error_probability, variables
from numeric.numbers.prime_field import Dual, DualArray, random_duals, residue, simplest_rational
from numeric.numbers.random_functions import PRIME, inverse, random_functions
from numeric.verification.exact import exact_check
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.watch import Guard, Raised, Subject, subject_of

SHADOWS = st.floats(-9, 9, allow_subnormal=False)  # of the least subnormal the half is 0
elements = st.builds(Dual, st.integers(0, PRIME - 1), st.integers(0, PRIME - 1), SHADOWS)


def same(left: Dual, right: Dual) -> bool:
    return left.value == right.value and left.tangent == right.tangent


@given(elements, elements, elements)
def test_the_elements_are_a_commutative_ring(a: Dual, b: Dual, c: Dual) -> None:
    assert same(a * (b + c), a * b + a * c)
    assert same((a * b) * c, a * (b * c))
    assert same(a - b, -(b - a))
    assert same(a**3, a * a * a)


@given(elements, elements)
def test_a_quotient_undoes_a_product(a: Dual, b: Dual) -> None:
    if b.value:
        assert same(a * b / b, a)
        assert same(1 / (1 / b), b)


@given(elements)
def test_the_random_functions_keep_the_identities_of_gradient_code(a: Dual) -> None:
    with random_functions(3):
        e = a.exp()
        assert same((-a).exp(), 1 / e)
        assert same(e.log(), a)
        assert same((a + a).exp(), a.cosh() ** 2 + 2 * a.cosh() * a.sinh() + a.sinh() ** 2)
        assert same(a.tanh(), a.sinh() / a.cosh())
        assert same(a.cosh() ** 2 - a.sinh() ** 2, a * 0 + 1)
        assert same(a.sin() ** 2 + a.cos() ** 2, a * 0 + 1)
        assert same(a.logaddexp(0), a + (-a).logaddexp(0))
        assert same(a.logaddexp(0).exp(), 1 + e)
        assert same(e.log1p(), a.logaddexp(0))


@given(elements.filter(lambda a: a.shadow != 0))
def test_a_power_of_twice_a_number_is_a_square(a: Dual) -> None:
    with random_functions(3):
        e, half = a.exp(), (a / 2).exp()
        assert same((2 * a).exp(), e * e)
        assert same(half * half, e)
        assert same((-4 * a).exp(), 1 / e**4)
        assert same(a.tanh(), (e - 1 / e) / (e + 1 / e))
        assert same((a / 2).tanh(), (e - 1) / (e + 1))
        assert same(a.sinh() + a.cosh(), e)
        if a.value:
            assert not same((3 * a).exp(), e**3)


def test_powers_of_one_another_raise_the_degree() -> None:
    x = random_duals(np.random.default_rng(0), (1,))
    chances = []
    for power in (1, 2, 4):
        with random_functions(0) as functions:
            for at in (x, power * x):
                np.exp(at)
            chances.append(error_probability([variables(x)], functions) * PRIME)
            assert functions.doublings == power.bit_length() - 1
    asked = [3, 5, 5]  # 0, and a and −a of each
    assert chances == [5 * 2**k * (1 + n**2) for k, n in enumerate(asked)]


@given(elements)
def test_tangents_are_derivatives(a: Dual) -> None:
    with random_functions(5):
        assert a.exp().tangent == a.exp().value * a.tangent % PRIME
        slope = 1 - a.tanh() ** 2
        assert a.tanh().tangent == slope.value * a.tangent % PRIME
        assert a.sin().tangent == a.cos().value * a.tangent % PRIME
        assert a.cosh().tangent == a.sinh().value * a.tangent % PRIME


def test_exp_of_zero_is_one() -> None:
    with random_functions(1):
        assert Dual.lift(0).exp().value == 1
        assert Dual.lift(0).tanh().value == 0


@pytest.mark.parametrize(
    "fraction", [Fraction(1, 6), Fraction(3, 10), Fraction(2, 3), Fraction(44715, 10**6),
                 Fraction(-17159, 10**4), Fraction(0), Fraction(7)],
)  # fmt: skip
def test_a_constant_is_read_as_what_its_author_meant(fraction: Fraction) -> None:
    assert simplest_rational(float(fraction)) == fraction
    assert Dual.lift(float(fraction)).value == residue(fraction)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_is_not_finite_is_no_element(number: float) -> None:
    with pytest.raises(TypeError, match="no element of a field"):
        Dual.lift(number)


def test_numpy_runs_on_the_arrays() -> None:
    rng = np.random.default_rng(0)
    a, b = random_duals(rng, (3, 4)), random_duals(rng, (4, 2))
    by_hand = [[sum((a[i, k] * b[k, j] for k in range(4)), 0) for j in range(2)] for i in range(3)]
    for found in (a @ b, np.dot(a, b), np.matmul(a, b, out=np.empty((3, 2), dtype=object))):
        assert all(
            same(one, other)
            for one, other in zip(np.ravel(found), [e for row in by_hand for e in row], strict=True)
        )
    with random_functions(2):
        zeros = np.zeros_like(a)
        assert isinstance(zeros, DualArray)
        assert all(e.value == 1 for e in np.exp(zeros).ravel())
        assert all(e.value == 0 for e in np.tanh(np.where(a > 100, a, 0)).ravel())
        assert np.all(np.isfinite(a))
        assert np.isfinite(a).dtype == bool
        clipped = DualArray.of(np.maximum(a, 0)).ravel()
        assert [e.shadow for e in clipped] == [max(e.shadow, 0) for e in a.ravel()]


def test_division_by_zero_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError, match="in the field"):
        inverse(0)


@pytest.mark.parametrize("style", ["textbook", "fused", "stable"])
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_emitted_code_is_exactly_right(name: str, style: str) -> None:
    cell = catalogue[name]
    guard = Guard(subject_of(compile_cell(cell, style)))
    for seed, (steps, batch) in enumerate([(4, 2), (1, 1), (0, 2), (3, 0)]):
        found = exact_check(
            CellProblem(cell), guard, {"n": 3, "m": 2}, steps=steps, batch=batch, seed=seed
        )
        assert found.right
        assert found.error_probability < 1e-5


def test_a_long_wide_case_takes_under_two_seconds() -> None:
    cell = catalogue["lstm"]
    guard = Guard(subject_of(compile_cell(cell, "fused")))
    start = time.process_time()
    assert exact_check(CellProblem(cell), guard, {"n": 16, "m": 16}, steps=20, batch=1).right
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_table_is_proved(name: str) -> None:
    cell = Cell.parse(name="f", equations=f"h = {call_text(name, 'W @ h_prev + U @ x + b')}")
    guard = Guard(subject_of(compile_cell(cell, "textbook")))
    for seed in range(2):
        found = exact_check(CellProblem(cell), guard, {"n": 2, "m": 3}, steps=3, batch=2, seed=seed)
        assert found.right, found


SOURCE = compile_cell(catalogue["rnn"], "textbook").source


def check_source(source: str) -> object:
    guard = Guard(subject_of(load(source, "mutant")))
    return exact_check(CellProblem(catalogue["rnn"]), guard, {"n": 3, "m": 2}, steps=4, batch=2)


def changed(module: SimpleNamespace, change: object) -> object:
    """The module with one array of its gradients changed after the call."""

    def backward(params, tape, cotangents):
        gradients = module.backward(params, tape, cotangents)
        change(gradients)
        return gradients

    constants = {name: getattr(module, name) for name in ("PARAMETERS", "INPUTS", "STATES")}
    return SimpleNamespace(**constants, CONSTANTS={}, forward=module.forward, backward=backward)


def test_the_wrong_gradient_is_the_one_named() -> None:
    def by_a_millionth(gradients):
        gradients["params"]["U"] = gradients["params"]["U"] * 1.000001

    module = changed(load(SOURCE, "rnn"), by_a_millionth)
    found = exact_check(
        CellProblem(catalogue["rnn"]), Guard(subject_of(module)), {"n": 3, "m": 2}, steps=4, batch=2
    )
    wrong = [name for name, right in found.gradients.items() if not right]
    assert wrong == [("params", "U")]
    assert all(found.outputs.values())


def test_another_cell_with_its_own_right_gradient_is_rejected() -> None:
    other = Cell.parse(name="rnn", equations="a = W @ h_prev + U @ x + b\nh = sin(a)")
    guard = Guard(subject_of(compile_cell(other, "textbook")))
    found = exact_check(CellProblem(catalogue["rnn"]), guard, {"n": 3, "m": 2}, steps=4, batch=2)
    assert all(found.gradients.values())
    assert not any(found.outputs.values())


def test_a_right_gradient_beside_another_state_returned_is_right() -> None:
    """The states are shifted by a step in what forward returns, nowhere else."""
    module = load(SOURCE, "rnn")

    def forward(params, inputs, initial=None, constants=None):
        states, tape = module.forward(params, inputs, initial, constants)
        return {"h": np.concatenate([initial["h"][None], states["h"][:-1]])}, tape

    names = {name: getattr(module, name) for name in ("PARAMETERS", "INPUTS", "STATES")}
    other = SimpleNamespace(**names, forward=forward, backward=module.backward)
    found = exact_check(
        CellProblem(catalogue["rnn"]), Guard(subject_of(other)), {"n": 3, "m": 2}, steps=4, batch=2
    )
    assert all(found.gradients.values())
    assert not any(found.outputs.values())


@pytest.mark.parametrize("factor", [1, 2])
def test_a_cross_entropy_of_probabilities_is_proved(factor: int) -> None:
    """−log p[target] and log Σ exp(o) − o[target] are one number; of random functions they are not.

    Where the loss is another, its gradients are held to the equations' own as well.
    """
    problem = NetworkProblem(network := Network(catalogue["rnn"]))
    module = load(compile_network(network).source, "network")

    def loss_and_gradient(params, inputs, targets, initial=None, constants=None, lengths=None):
        _, gradients = module.loss_and_gradient(
            params, inputs, targets, initial, constants, lengths
        )
        p = module.predict(params, inputs, initial, constants, lengths)
        ends = [len(p)] * p.shape[1] if lengths is None else lengths
        places = [(t, b) for b, end in enumerate(ends) for t in range(end)]
        return -factor * sum(np.log(p[t, b, targets[t, b]]) for t, b in places), gradients

    declared = subject_of(module, problem.functions).declared
    guard = Guard(Subject(declared, {"loss_and_gradient": loss_and_gradient}))
    found = exact_check(problem, guard, {"n": 2, "m": 1, "q": 2}, steps=2, batch=2)
    assert all(found.gradients.values())
    assert all(found.outputs.values()) is (factor == 1)


def test_code_that_casts_to_float_cannot_be_checked() -> None:
    module = load(SOURCE, "rnn")
    casting = SimpleNamespace(
        **{name: getattr(module, name) for name in ("PARAMETERS", "INPUTS", "STATES")},
        forward=lambda p, *rest: module.forward({k: v.astype(float) for k, v in p.items()}, *rest),
        backward=module.backward,
    )
    with pytest.raises(Raised, match="TypeError"):
        exact_check(
            CellProblem(catalogue["rnn"]),
            Guard(subject_of(casting)),
            {"n": 2, "m": 2},
            steps=2,
            batch=1,
        )


def test_softmax_with_and_without_its_shift_is_proved() -> None:
    cell = Cell.parse(name="s", equations="h = softmax(W @ h_prev + x)")

    def module(shift):
        def forward(params, inputs, initial=None, constants=None):
            h, steps = initial["h"], []
            for x in inputs["x"]:
                a = h @ params["W"].T + x
                e = np.exp(a - a.max(axis=1, keepdims=True) if shift else a)
                h = e / e.sum(axis=1, keepdims=True)
                steps.append(h)
            return {"h": np.stack(steps)}, (initial["h"], np.stack(steps), inputs["x"])

        def backward(params, tape, cotangents):
            first, h, x = tape
            h_bar = np.zeros_like(first)
            W_bar, x_bar = np.zeros_like(params["W"]), np.zeros_like(x)
            for t in range(len(h) - 1, -1, -1):
                h_bar = h_bar + cotangents["h"][t]
                a_bar = h[t] * (h_bar - (h[t] * h_bar).sum(axis=1, keepdims=True))
                W_bar = W_bar + a_bar.T @ (h[t - 1] if t else first)
                x_bar[t] = a_bar
                h_bar = a_bar @ params["W"]
            return {"params": {"W": W_bar}, "inputs": {"x": x_bar}, "initial": {"h": h_bar}}

        return SimpleNamespace(
            PARAMETERS={"W": ("n", "n")}, INPUTS={"x": ("n",)}, STATES={"h": ("n",)},
            forward=forward, backward=backward,
        )  # fmt: skip

    for shift in (True, False):
        guard = Guard(subject_of(module(shift)))
        assert exact_check(CellProblem(cell), guard, {"n": 3}, steps=3, batch=2).right
