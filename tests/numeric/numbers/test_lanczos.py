"""About the largest singular value: close to it, whatever the start."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numeric.numbers.lanczos import top, top_of
from numeric.numbers.matrices import Gram, Near


@pytest.mark.parametrize("shape", [(7, 5), (5, 40), (50, 50), (40, 90)])
@pytest.mark.parametrize("size", [1.0, 1e-90, 1e90])
def test_the_largest_value_of_a_matrix_and_what_is_stretched_by_it(shape, size):
    A = np.random.default_rng(2).normal(size=shape)
    value, vector = top(A * size)
    assert value == pytest.approx(np.linalg.norm(A, 2) * size, rel=1e-6)
    assert np.linalg.norm(A @ vector) == pytest.approx(np.linalg.norm(A, 2), rel=1e-6)


@pytest.mark.parametrize("n", [40, 97])
def test_a_start_that_the_matrix_only_stretches_hides_no_larger_value(n):
    A = np.diag(np.linspace(1.0, 2.0, n))
    A[-1, -1] = 3.0
    start = np.eye(n)[0]
    assert top(A, start)[0] == pytest.approx(3.0, rel=1e-8)
    assert math.sqrt(top_of(Near(A).gram(), start)[0]) == pytest.approx(3.0, rel=1e-8)


def test_the_largest_value_of_a_gram_matrix():
    A = np.random.default_rng(2).normal(size=(50, 50))
    gram = Gram(np.zeros(0), np.zeros((0, 50)), A.T @ A)
    value, vector = top_of(gram)
    assert value == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-6)
    assert np.linalg.norm(A @ vector) == pytest.approx(np.linalg.norm(A, 2), rel=1e-6)
