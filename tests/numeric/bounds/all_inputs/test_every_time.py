"""A-priori bounds hold for every two times so many steps apart, not only for the last ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.ranges import Setting
from numeric.bounds.drawn import draw
from numeric.meaning.default_constants import default_constants

SQUARE = "h = 0.05 * h_prev * h_prev + u * x"
TIMED = "h = k * tanh(W @ h_prev + U @ x)"


def timed(k, box=(0.0, 0.0)):
    """One number that is multiplied with given constants, W = 1, at the state 0."""
    cell = Cell.parse(name="timed", equations=TIMED, inputs=("x",), constants=("k[t]",))
    weights = {"W": np.ones((1, 1)), "U": np.zeros((1, 1))}
    return Setting(differentiate(cell), weights, {"n": 1, "m": 1}, box, (0.0, 0.0),
                   {"k": np.array(k, dtype=float).reshape(-1, 1)})  # fmt: skip


def test_a_state_that_shrinks_has_its_largest_growth_at_the_start():
    cell = Cell.parse(name="square", equations=SQUARE, inputs=("x",), sizes={"x": "n"})
    found = certify(Setting(differentiate(cell), {"u": np.ones(1)}, {"n": 1}, (0.0, 0.0),
                            (0.0, 10.0)), 10)  # fmt: skip
    state, steps = 10.0, []
    for _ in range(10):
        steps.append(0.1 * state)
        state = 0.05 * state * state
    for lag in range(1, 11):
        want = sum(math.log10(slope) for slope in steps[:lag])
        for method in (*found.methods, *found.finite):
            assert method.log10_upper[lag - 1] >= want


def test_a_clockwork_that_rests_keeps_its_state():
    cell, sizes = catalogue["clockwork_rnn"], {"n": 2, "m": 2}
    weights = draw(cell, sizes, 0.2, 1, 0, 1.0)["parameters"]
    constants = default_constants(cell, {**sizes, "T": 24})
    found = certify(Setting(differentiate(cell), weights, sizes, (-0.1, 0.1), (0.0, 0.0),
                            constants), 24)  # fmt: skip
    assert all(method.log10_upper[0] >= 0 for method in (*found.methods, *found.finite))


@pytest.mark.parametrize("k", [(4, 0.2, 4, 0.2, 4), (4, 0.2, 4, 0.2), (0.5,), (2, 0.5, 0.1)])
def test_constants_that_repeat_without_end_have_the_rate_of_their_product(k):
    found = certify(timed(k), len(k))
    want = math.prod(k) ** (1 / len(k))
    assert want <= found.rate <= want * (1 + 1e-6)
    endless = np.array(k * (len(k) + 2))
    for lag in range(1, len(k) + 1):
        largest = max(math.prod(endless[t : t + lag]) for t in range(len(k)))
        assert all(m.log10_upper[lag - 1] >= math.log10(largest) - 1e-12 for m in found.methods)


def test_fewer_steps_than_constants_do_not_change_what_repeats():
    assert certify(timed((0.1, 4, 4, 4)), 1, steps=1).rate > 1
