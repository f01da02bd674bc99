"""Ranges of expressions whatever the weights and inputs."""

from __future__ import annotations

import pytest
from sympy import Rational, S

from derive import Cell, differentiate
from derive.calculus.ranges import ANY, Ranges


@pytest.mark.parametrize(("value", "low", "high"), [
    ("sigmoid(x)", 0, 1),
    ("1 - sigmoid(x)", 0, 1),
    ("2 * tanh(x) - 1", -3, 1),
    ("tanh(x) * tanh(x)", 0, 1),
    ("exp(-softplus(x))", 0, 1),
    ("sqrt(sigmoid(x))", 0, 1),
    ("log(sigmoid(x))", S.NegativeInfinity, 0),
    ("sigmoid(x) / (1 + exp(x))", 0, 1),
    ("maximum(tanh(x), sigmoid(x))", 0, 1),
    ("softmax(x)", 0, 1),
    ("scaled_tanh(x, 3.0, 1.0)", -3, 3),
    ("scaled_tanh(x)", Rational(-17159, 10000), Rational(17159, 10000)),
    ("elu(x, 2)", -2, S.Infinity),
    ("leaky_relu(-sigmoid(x), 3)", -3, 0),
    ("step(x, slope=triangle(0.5))", 0, 1),
    ("sigmoid(x) * tanh(x) + (1 - sigmoid(x)) * 3 * sigmoid(x)", -1, 3),
    ("tanh(x) * sigmoid(x) + (1 - tanh(x)) * tanh(x)", -3, 3),
    ("scaled_tanh(x, 1.5, 1) * tanh(x) + (1 - scaled_tanh(x, 1.5, 1)) * tanh(x)", -4, 4),
    ("relu(x) * tanh(x) + (1 - relu(x)) * sigmoid(x)", *ANY),
    ("sigmoid(x) * tanh(x) + (1 - sigmoid(2 * x)) * tanh(x)", -2, 2),
    ("sigmoid(x) * tanh(x) + (2 - sigmoid(x)) * tanh(x)", -3, 3),
    ("x", *ANY),
])  # fmt: skip
def test_the_range_of_an_expression(value, low, high):
    cell = Cell.parse(name="c", equations=f"g = {value}\nh = g + h_prev")
    forward = differentiate(cell).forward
    assert Ranges(forward).of(next(e.target for e in forward if e.target.name == "g")) == (
        low,
        high,
    )
