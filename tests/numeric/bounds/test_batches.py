"""Of a batch the sequence with the largest gradient, layer by layer as a single one."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day

from derive import catalogue
from derive.network import Network
from numeric.bounds.batches import largest_of
from numeric.bounds.stack import diagnose_layers, draw_layers
from numeric.weights.layer_weights import LayerWeights

SIZES = {"n": 3, "m": 2}


@pytest.mark.by_default("False")
@pytest.mark.parametrize("both", [False, True])
def test_each_sequence_has_the_norm_that_it_has_alone(both):
    network = Network(catalogue["lstm"], layers=2, bidirectional=both)
    layers = draw_layers(network, SIZES, 1.0, 0)
    x, told = np.random.default_rng(0).normal(size=(4, 3, 2)), []
    found = largest_of(network, layers, SIZES, {"x": x}, 3, lambda *place: told.append(place))
    for place, norm in by_day(enumerate(found.log10_measured), 3, 1):
        stack = diagnose_layers(
            network, layers, SIZES, inputs={"x": x[:, place]}, lag=3, windows=(1,)
        )
        wanted = max(one.log10_measured[-1] for one in stack.found)
        assert abs(norm - wanted) <= 1e-9 * abs(wanted)
    assert found.log10_measured[found.shown] == max(found.log10_measured)
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_a_sequence_that_overflows_is_the_largest():
    network = Network(catalogue["irnn"])
    held = {"W": 3 * np.eye(3), "U": np.ones((3, 2)), "b": np.zeros(3)}
    layers = (LayerWeights("", held, {}),)
    x = np.zeros((700, 2, 2))
    x[:, 1] = 1.0
    found = largest_of(network, layers, SIZES, {"x": x}, 3)
    assert found.shown == 1
    assert found.to_dict()["log10_measured"][1] is None
    with pytest.raises(ValueError, match="lag: expected 1 to 700"):
        largest_of(network, layers, SIZES, {"x": x}, 701)
