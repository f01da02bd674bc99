"""Functions and modules become modules of the interface: their states and gradients are right.

With autograd in the place of a framework; PyTorch and JAX: tests/examples/test_layers.py.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from plain_framework import Plain, with_backward

from derive import Cell, catalogue
from derive.cell import declared
from numeric.verification.caller import Misbehaviour
from numeric.verification.frameworks.code import FrameworkCode
from numeric.verification.frameworks.judged import asked, verify_code, with_second_biases
from numeric.verification.frameworks.names import Naming
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem

RNN, LSTM = catalogue["rnn"], catalogue["lstm"]


def step(x, h_prev, W, U, b):
    return anp.tanh(h_prev @ W.T + x @ U.T + b)


def whole(xs, h0, W, U, b):
    h, hs = h0, []
    for x in xs:
        h = step(x, h, W, U, b)
        hs.append(h)
    return anp.stack(hs), h


def last_alone(xs, h0, W, U, b):
    return whole(xs, h0, W, U, b)[1]


def stepwise(x, state, W_fh, W_fx, b_f, W_ih, W_ix, b_i, W_ch, W_cx, b_c, W_oh, W_ox, b_o):
    h, c = state

    def sigmoid(a):
        return 1 / (1 + anp.exp(-a))

    gates = ((W_fh, W_fx, b_f), (W_ih, W_ix, b_i), (W_oh, W_ox, b_o))
    f, i, o = (sigmoid(h @ W.T + x @ V.T + b) for W, V, b in gates)
    c = f * c + i * anp.tanh(h @ W_ch.T + x @ W_cx.T + b_c)
    return o * anp.tanh(c), c


def carried(x, carry, *, W_fh, W_fx, b_f, W_ih, W_ix, b_i, W_ch, W_cx, b_c, W_oh, W_ox, b_o):
    named = {name: value for name, value in locals().items() if "_" in name}
    c, h = carry
    h, c = stepwise(x, (h, c), **named)
    return {"c": c, "h": h}


class Layer:
    def __init__(self, input_size: int, hidden_size: int) -> None:
        n, m = hidden_size, input_size
        self.weights = {"weight_ih_l0": np.zeros((4 * n, m)), "weight_hh_l0": np.zeros((4 * n, n)),
                        "bias_ih_l0": np.zeros(4 * n), "bias_hh_l0": np.zeros(4 * n)}  # fmt: skip

    def call(self, x, state=None):
        """What takes arguments, as a module's forward does."""

    def __call__(self, own: Any, x: Any, state: Any = None) -> Any:
        n = own["weight_hh_l0"].shape[1]
        h, c = (s[0] for s in state) if state else (np.zeros((x.shape[1], n)),) * 2
        b, hs = own["bias_ih_l0"] + own["bias_hh_l0"], []
        for now in x:
            a = now @ own["weight_ih_l0"].T + h @ own["weight_hh_l0"].T + b
            i, f, g, o = (a[:, k * n : (k + 1) * n] for k in range(4))
            i, f, o = (1 / (1 + anp.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * anp.tanh(g)
            h = o * anp.tanh(c)
            hs.append(h)
        return anp.stack(hs), (h[None], c[None])


READ_OUT = Cell.parse(
    name="read_out", equations="h = tanh(W @ h_prev + U @ x)\ny = V @ h", outputs=["y"]
)


def read_out(x, state, W, U, V):
    h = anp.tanh(state @ W.T + x @ U.T)
    return h @ V.T, h


def code_of(thing: Any, cell: Cell, *, batch_first: bool = False) -> FrameworkCode:
    known = asked(cell, "torch").known
    naming = Naming(cell.name, declared(cell))
    name = getattr(thing, "__name__", "thing")
    return FrameworkCode(thing, name, Plain(), naming, known, batch_first=batch_first)


@pytest.mark.parametrize(
    ("thing", "cell", "step_by_step"),
    [
        (step, RNN, True), (whole, RNN, False), (last_alone, RNN, False), (stepwise, LSTM, True),
        (carried, LSTM, True), (read_out, READ_OUT, True), (Layer, LSTM, False),
        (lambda m, n: Layer(m, n), LSTM, False),
    ],
)  # fmt: skip
def test_states_and_gradients_are_those_of_the_cell(
    thing: Any, cell: Cell, step_by_step: bool
) -> None:
    code = code_of(thing, cell)
    assert code.way.step is step_by_step
    assert code.causes == ()
    second = [name for name in code.declared["PARAMETERS"] if name.endswith("_hh")]
    cell = with_second_biases(cell, second)
    problem = CellProblem(cell)
    case = problem.case(problem.ordinary_sizes(), steps=3, batch=2, seed=1)
    want = autograd_answer(problem, case)
    states, tape = code.forward(case.params, case.inputs, case.initial, case.constants)
    got = code.backward(case.params, tape, case.cotangents)
    for name, array in want.states.items():
        np.testing.assert_allclose(states[name], array, rtol=1e-12)
    for group, arrays in want.gradients.items():
        assert {*got[group]} == {*arrays}
        for name, array in arrays.items():
            np.testing.assert_allclose(got[group][name], array, rtol=1e-9, atol=0)


def test_the_batch_may_be_first() -> None:
    def turned(xs, h0, W, U, b):
        hs, h = whole(anp.swapaxes(xs, 0, 1), h0, W, U, b)
        return anp.swapaxes(hs, 0, 1), h

    code = code_of(turned, RNN, batch_first=True)
    known = asked(RNN, "torch").known
    states, _ = code.forward(known.params, known.inputs, known.initial)
    np.testing.assert_allclose(states["h"], known.states["h"], rtol=1e-12)


def test_a_last_state_whose_cotangent_is_dropped_is_told() -> None:
    passed = with_backward(lambda h: h.copy(), lambda ans, h: lambda bar: 0 * bar)

    def dropped(xs, h0, W, U, b):
        hs, h = whole(xs, h0, W, U, b)
        return hs, passed(h)

    code = code_of(dropped, RNN)
    (cause,) = code.causes
    assert cause.endswith("drops what comes back for that")
    verdict = verify_code(code.subject, RNN)
    assert verdict.status == "fail"
    assert cause in verdict.gradients["params.W"].causes


@pytest.mark.by_default("0")
@pytest.mark.parametrize("wrong", [None, 0, 1])
def test_a_step_with_a_backward_pass_by_hand(wrong: int | None) -> None:
    def back(place: int, make: Any) -> Any:
        def of(h, x, h_prev, W, U, b):
            def pullback(bar):
                a = bar * (1 - (0 if place == wrong else 1) * h * h)
                return make(a, x, h_prev, W, U)

            return pullback

        return of

    made = [
        lambda a, x, h_prev, W, U: a @ U, lambda a, x, h_prev, W, U: a @ W,
        lambda a, x, h_prev, W, U: a.T @ h_prev, lambda a, x, h_prev, W, U: a.T @ x,
        lambda a, x, h_prev, W, U: a.sum(axis=0),
    ]  # fmt: skip
    function = with_backward(step, *(back(place, make) for place, make in enumerate(made)))
    verdict = verify_code(code_of(function, RNN).subject, RNN)
    assert verdict.status == ("pass" if wrong is None else "fail")
    if wrong is not None:
        said = {label: found.diagnosis or "" for label, found in verdict.gradients.items()}
        assert "h̄_t for ā_t in" in said["inputs.x" if wrong == 0 else "initial.h"], said


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (lambda x, h0, W, U: x, "no argument stands for b"),
        (lambda x, h0, W, U, b, scale: x, "the argument 'scale' says nothing; expected parameters"),
        (lambda x, h0, W, U, b: W, "came \\(3, 3\\)"),
        (lambda x, h0, W, U, b: x @ W, "the function raised ValueError"),
        (3, "expected a function, came int"),
        (Layer(2, 3), "a module of sizes that are fixed"),
    ],
)
def test_what_cannot_be_called_is_refused_in_words(thing: Any, said: str) -> None:
    with pytest.raises(Misbehaviour, match=said):
        code_of(thing, RNN)
