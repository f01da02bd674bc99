"""The kept state: its blocks, the quadratic, and that its changes never decay faster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from on_paths import SEEDS, Numbers, derived, walk
from profiles import by_day

from derive import catalogue
from derive.language.expr import replace
from derive.language.norms import Infimum, Smallest
from derive.theorems.carousel import find_carousel
from derive.theorems.certified_rate import (
    carousel_letters,
    closed_condition,
    eigenvalue,
    lettered,
)
from derive.theorems.cone import kept_state
from numeric.meaning.interpret import evaluate

CAROUSELS = [n for n in by_day(catalogue, 4, 1) if find_carousel(derived(n))]


@pytest.mark.parametrize("name", CAROUSELS)
def test_the_blocks_of_a_carousel_are_what_it_says(name):
    path = walk(name, 2, steps=2)
    found = find_carousel(path.derivation)
    names = {}
    for partial, value in path.derivation.step_jacobian.named:
        names[partial] = replace(value, names)

    def number(expr):
        return evaluate(replace(expr, names), path.values[1], path.sizes)

    a, psi = number(found.kept)[:, 0], number(found.readout)[:, 0]
    C, R = number(found.coupling), number(found.rest)
    p, q, J = found.keeper, found.reader, path.jacobians[1]
    np.testing.assert_allclose(path.block(J, p, p), np.diag(a), atol=1e-14)
    np.testing.assert_allclose(path.block(J, q, p), np.diag(psi * a), atol=1e-14)
    np.testing.assert_allclose(path.block(J, p, q), C, atol=1e-14)
    np.testing.assert_allclose(path.block(J, q, q), R + np.diag(psi) @ C, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in CAROUSELS if n != "nas"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_kept_state_decays_no_faster(name, seed):
    """Small weights, so that the condition holds; the bound from the printed definitions."""
    path = walk(name, seed, gain=0.005, steps=8)
    claim, found = kept_state(path.derivation), closed_condition(path.derivation)
    numbers = Numbers(path, (*claim.entries, *found.definitions))
    low = numbers(Infimum(Smallest(find_carousel(path.derivation).kept)))
    alpha, beta, omega = map(numbers.get, carousel_letters(lettered(path.derivation)))
    assert low > 0
    assert math.sqrt(low) >= math.sqrt(alpha) + math.sqrt(omega * beta)
    rate = numbers(eigenvalue(lettered(path.derivation)))
    quadratic = rate**2 - (low + alpha - omega * beta) * rate + alpha * low
    assert quadratic == pytest.approx(0, abs=1e-12)
    assert low / 4 < rate <= low + 1e-15
    for k in range(8):
        block = path.block(path.product(8, k), found.names[0], found.names[0])
        assert np.linalg.svd(block)[1].min() >= rate ** (8 - k) * (1 - 1e-9)


def test_without_the_condition_the_kept_state_may_vanish_faster():
    """One unit, c and h coupled so that the paths cancel: no λ > 0 can be a bound."""
    a, psi, C = 0.5, 1.0, -1.0
    J = np.array([[a, C], [psi * a, psi * C]])
    assert not math.sqrt(a) >= math.sqrt(abs(psi * C))
    product = np.linalg.matrix_power(J, 2)
    assert abs(product[0, 0]) == pytest.approx(a * abs(a + C * psi))
    assert abs(np.linalg.matrix_power(np.array([[a, -a], [a, -a]]), 2)[0, 0]) == 0.0
