"""Lower bounds: the smallest singular value, the volume, and the limit of what can be proved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from on_paths import SEEDS, Numbers, derived, walk

from derive import Cell, catalogue, differentiate
from derive.calculus.through_time import EARLIER, TIME
from derive.language.functions import FUNCTIONS, X
from derive.theorems.lower_bounds import no_uniform_explosion, smallest_singular_value, volume
from derive.theorems.theorems import theorems


def numbers_of(path, claim, t, k):
    """The numbers of a claim between two steps."""
    numbers = Numbers(path, claim.entries, {TIME: t, EARLIER: k})
    numbers.window = (k, t)
    for state in path.derivation.cell.states:
        numbers.known |= {symbol: 3 for symbol in state.shape[0].free_symbols}
    return numbers


@pytest.mark.parametrize("name", ["rnn", "irnn", "indrnn", "mi_rnn", "t_rnn", "brc"])
@pytest.mark.parametrize("seed", SEEDS)
def test_products_of_one_state(name, seed):
    path = walk(name, seed, gain=1.5, steps=5)
    least, mean = smallest_singular_value(path.derivation), volume(path.derivation)
    for t in range(1, 6):
        for k in range(t):
            values = np.linalg.svd(path.product(t, k))[1]
            low = numbers_of(path, least, t, k)(least.bound.expression)
            middle = numbers_of(path, mean, t, k)(mean.bound.expression)
            assert values.min() >= low * (1 - 1e-9) - 1e-15
            assert values.min() - 1e-12 <= middle <= values.max() * (1 + 1e-9)
            assert middle == pytest.approx(math.prod(values) ** (1 / 3), rel=1e-6, abs=1e-5)


@pytest.mark.parametrize(
    "name", [n for n in catalogue if len(catalogue[n].states) == 2
             and volume(derived(n))]
)  # fmt: skip
def test_the_volume_of_two_states(name):
    path = walk(name, 1, gain=1.0, steps=3)
    claim = volume(path.derivation)
    middle = numbers_of(path, claim, 3, 0)(claim.bound.expression)
    values = np.linalg.svd(path.product(3, 0))[1]
    assert middle == pytest.approx(abs(np.linalg.det(path.product(3, 0))) ** (1 / 6), rel=1e-6)
    assert values.min() <= middle <= values.max()


@pytest.mark.parametrize("seed", SEEDS)
def test_somewhere_in_the_box_the_smallest_singular_value_is_at_most_one(seed):
    """At a large gain most states of the box are contracted; the mean of |det| is at most 1."""
    rng = np.random.default_rng(seed)
    W, u = rng.normal(size=(2, 2)) * 4, rng.normal(size=2)
    h = rng.uniform(-1, 1, size=(20_000, 2))
    slopes = 1 - np.tanh(h @ W.T + u) ** 2
    volumes = np.prod(slopes, axis=1) * abs(np.linalg.det(W))
    assert volumes.mean() <= 1.05
    least = [np.linalg.svd(np.diag(s) @ W)[1].min() for s in slopes[:50]]
    assert min(least) <= 1


@pytest.mark.parametrize(
    ("function", "claimed"),
    [("tanh", True), ("sigmoid", True), ("softsign", True), ("relu", False), ("sin", False),
     ("hard_tanh", False), ("softplus", False)],
)  # fmt: skip
def test_the_no_go_needs_a_bounded_increasing_function(function, claimed):
    cell = Cell.parse(name="c", equations=f"h = {function}(W @ h_prev + U @ x)")
    made = no_uniform_explosion(differentiate(cell))
    assert (made is not None) == claimed
    if claimed:
        slope = FUNCTIONS[function].slope
        assert all(slope.subs(X, point).evalf() > 0 for point in (-9, -2, 0, 1, 5))


def test_the_no_go_needs_the_state_to_be_the_function_itself():
    cell = Cell.parse(name="c", equations="h = tanh(W @ h_prev) + U @ x")
    titles = [claim.name for claim in theorems(differentiate(cell))]
    assert "Contraction" in titles
    assert "No certificate of growth in all directions" not in titles


def test_a_matrix_that_is_not_square_has_no_smallest_singular_value_here():
    assert smallest_singular_value(derived("multiplicative_rnn")) is None
