"""PyTorch as a framework: arrays go in and out, a backward pass of one's own is called."""

from __future__ import annotations

import numpy as np
import pytest

from numeric.verification.frameworks.framework import find_framework

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def test_a_backward_pass_of_one_s_own_is_called_and_what_has_no_gradient_is_none() -> None:
    framework = find_framework("torch")

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, bar):
            return 5 * bar  # not 2

    (argument,) = framework.function(Twice).arguments
    assert argument.name == "x"
    assert framework.makes_modules(torch.nn.LSTM)
    arrays = {("inputs", "x"): np.arange(3.0), ("params", "W"): np.ones(2)}

    def states(leaves, fixed):
        x = Twice.apply(leaves["inputs", "x"])
        return {"h": x * fixed["m"], "detached": x.detach()}

    values, pullback = framework.pulled_back(states, arrays, {"m": np.full(3, 3.0)})
    assert {*values} == {"h"}
    np.testing.assert_array_equal(values["h"], [0, 6, 12])
    for _ in range(2):
        found = pullback({"h": np.ones(3)})
        np.testing.assert_array_equal(found["inputs", "x"], [15, 15, 15])
        assert found["params", "W"] is None


def test_a_module_is_called_with_the_parameters_given() -> None:
    framework = find_framework("torch")
    callee = framework.module(torch.nn.LSTM(2, 3), np.float64)
    assert callee.parameters["weight_hh_l0"] == (12, 3)
    zeros = {name: framework.array(np.zeros(s)) for name, s in callee.parameters.items()}
    output, _ = callee.call(zeros, (framework.array(np.ones((4, 5, 2))),), {})
    assert framework.numbers(output).shape == (4, 5, 3)
    assert not framework.numbers(output).any()
