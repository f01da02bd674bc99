"""Products of dominating matrices: rounded up at any scale, at all times, with roots that hold."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from numeric.bounds import growth
from numeric.bounds.domination import SPECTRAL
from numeric.bounds.growth import chain, chains, log_product, nonnegative, rate_over
from numeric.numbers.matrices import Near
from numeric.numbers.spectral_radius import root_above

FAR_APART = [np.diag(d) for d in ([1e100, 1e-230], [1e-55, 1e150], [1e-55, 1e150])]


def fractions(matrix):
    return [[Fraction(float(entry)) for entry in row] for row in matrix]


def times(A, B):
    return [[sum(a * b for a, b in zip(row, column, strict=True))
             for column in zip(*B, strict=True)] for row in A]  # fmt: skip


def log10(number):
    """log10 of a positive rational of any size."""
    shift = len(str(number.numerator)) - len(str(number.denominator))
    return shift + math.log10(number / Fraction(10) ** shift)


def exact(matrices):
    """log10 of the largest entry of the product, which ‖·‖₂ is not below; −∞ for zero."""
    product = fractions(matrices[0])
    for N in matrices[1:]:
        product = times(product, fractions(N))
    largest = max(entry for row in product for entry in row)
    return log10(largest) if largest else -math.inf


def test_what_underflows_in_a_chain_is_not_forgotten():
    found = chain(FAR_APART, SPECTRAL, 2)
    assert 70 <= found[-1] <= 71


def test_the_old_fault_an_error_left_out_would_be_caught(monkeypatch):
    """Entries that underflow as zeros: the chain's bound is then 10^−10 for 10^70."""
    monkeypatch.setattr(growth, "_FLOOR", 0.0)
    monkeypatch.setattr(growth, "_FAR", 1e60)
    assert chain(FAR_APART, SPECTRAL, 2)[-1] < 0


@example(seed=0, length=3, spread=300)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 6), spread=st.sampled_from([3, 80, 300]))
def test_chains_are_above_the_exact_product_at_any_scale(seed, length, spread):
    rng = np.random.default_rng(seed)
    matrices = [10.0 ** rng.uniform(-spread, min(spread, 150), size=(2, 2))
                * rng.integers(0, 2, size=(2, 2)) for _ in range(length)]  # fmt: skip
    for place, value in enumerate(chain(matrices, SPECTRAL, 2)):
        assert value >= exact(matrices[: place + 1])
    found = chains(matrices[::-1], length, SPECTRAL, 2)
    for lag in range(1, length + 1):
        for first in range(length - lag + 1):
            assert found[lag - 1] >= exact(matrices[first : first + lag])
    around = chains(matrices[::-1], 2 * length, SPECTRAL, 2, around=True)
    for first in range(length):
        turned = (matrices * 4)[first : first + 2 * length]
        assert around[-1] >= exact(turned)


def test_too_much_work_is_bounded_by_the_largest_of_all(monkeypatch):
    rng = np.random.default_rng(1)
    matrices = list(rng.uniform(size=(5, 2, 2)))
    fine = chains(matrices, 5, SPECTRAL, 2)
    monkeypatch.setattr(growth, "_WORK", 0)
    coarse = chains(matrices, 5, SPECTRAL, 2)
    assert all(a >= b for a, b in zip(coarse, fine, strict=True))


@example(rate=1e-290, exponent=0, steps=3)
@example(rate=3e-300, exponent=-40, steps=7)
@example(rate=5e-324, exponent=0, steps=1)
@given(rate=st.floats(1e-300, 1e300), exponent=st.integers(-300, 300), steps=st.integers(1, 64))
def test_a_root_is_never_below_the_exact_one(rate, exponent, steps):
    found = root_above(rate, exponent, steps)
    whole = Fraction(rate) * Fraction(2) ** exponent
    assert math.isinf(found) or Fraction(found) ** steps >= whole
    if 1e-290 < found < 1e290:
        assert Fraction(found * (1 - 1e-11)) ** steps < whole


def test_the_rate_of_a_product_counts_its_power_of_two():
    product = log_product(nonnegative(np.array([[1e200]])), nonnegative(np.array([[1e160]])))
    assert rate_over(product, 2) >= 1e180
    assert rate_over(product, 2) <= 1.0000001e180
    assert rate_over(Near(np.array([[math.inf]])), 2) == math.inf
