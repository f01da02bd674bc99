"""Products made of windows and single factors: each is the product, within its error."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.bounds.one_sequence import products as module
from numeric.bounds.one_sequence.products import Products
from numeric.numbers.matrices import Near

FACTORS = [np.random.default_rng(k).integers(-2, 3, size=(3, 3)) / 2 for k in range(21)]


def off(lengths, count=21, every=True):
    """How far each product is from the exact one, in units of its error."""
    held, exact, found = Products(count, lengths), np.eye(3, dtype=object), []
    for lag, factor in enumerate(FACTORS[:count], 1):
        held.add(Near(factor))
        exact = exact @ (2 * factor).astype(int).astype(object)  # 2^lag times the product
        if every or lag == count:
            near = held.product
            made = np.ldexp(near.matrix, near.exponent + lag)
            away = float(np.linalg.norm((made - exact).astype(float)))
            error = float(np.ldexp(near.error, near.exponent + lag))
            found.append(away / max(error, 1e-300))
    return found


@pytest.mark.parametrize("lengths", [(), (1, 2, 5, 10), (6,)])
def test_every_product_is_within_its_error(lengths):
    assert max(off(lengths)) <= 1
    assert off(lengths, every=False)[0] <= 1


def test_a_window_left_out_would_be_seen(monkeypatch):
    known = module.multiply
    monkeypatch.setattr(module, "multiply", lambda a, b, norms: known(a, Near(np.eye(3)), norms))
    assert max(off(())) > 1
