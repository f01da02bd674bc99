"""JAX as a framework: arrays go in and out, a backward pass of one's own is called."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.verification.frameworks.framework import find_framework

jax = pytest.importorskip("jax", reason="JAX is not installed")


def test_a_backward_pass_of_one_s_own_is_called_in_float64() -> None:
    framework = find_framework("jax")

    @jax.custom_vjp
    def twice(x):
        return 2 * x

    twice.defvjp(lambda x: (2 * x, None), lambda saved, bar: (5 * bar,))  # not 2
    arrays = {("inputs", "x"): np.arange(3.0)}
    assert [argument.name for argument in framework.function(twice).arguments] == ["x"]

    def states(leaves, fixed):
        return {"h": twice(x=leaves["inputs", "x"]) * fixed["m"]}

    values, pullback = framework.pulled_back(states, arrays, {"m": np.full(3, 3.0)})
    assert values["h"].dtype == np.float64
    np.testing.assert_array_equal(values["h"], [0, 6, 12])
    np.testing.assert_array_equal(pullback({"h": np.ones(3)})["inputs", "x"], [15, 15, 15])


def test_code_that_looks_at_its_numbers_is_called_as_it_is() -> None:
    framework = find_framework("jax")

    def states(leaves, fixed):
        x = leaves["inputs", "x"]
        return {"h": x * 2 if float(jax.lax.stop_gradient(x).sum()) > 0 else x}

    values, _ = framework.pulled_back(states, {("inputs", "x"): np.ones(2)}, {})
    np.testing.assert_array_equal(values["h"], [2, 2])
