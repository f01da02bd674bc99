"""Layers one by one: each sees what the one below hands up."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell, catalogue
from derive.network import Network
from numeric.bounds.stack import diagnose_layers, draw_layers, network_of, sizes_of_layer
from numeric.numbers.printed import box_text
from numeric.weights.layer_weights import LayerWeights
from numeric.weights.mapping import map_weights

SIZES = {"n": 3, "m": 2}


def test_a_layer_is_given_both_directions_of_the_layer_below():
    network = Network(catalogue["rnn"], layers=2, bidirectional=True)
    layers = draw_layers(network, SIZES, 1.0, 0)
    x = np.random.default_rng(0).normal(size=(4, 2))
    found = diagnose_layers(network, layers, SIZES, inputs={"x": x}, windows=(1,)).found
    forward, backward = (one.run.states["h"][1:] for one in found[:2])
    both = np.concatenate([forward, backward[::-1]], axis=1)
    np.testing.assert_array_equal(found[2].run.inputs["x"], both)
    np.testing.assert_array_equal(found[3].run.inputs["x"], both[::-1])
    np.testing.assert_array_equal(found[1].run.inputs["x"], x[::-1])


@pytest.mark.long
def test_a_cell_state_goes_up_where_the_cell_asks_for_it():
    network = Network(catalogue["depth_gated_lstm"], layers=2)
    sizes = {"n": 3, "m": 3}
    layers = draw_layers(network, sizes, 1.0, 0)
    rng = np.random.default_rng(0)
    inputs = {x.name: rng.normal(size=(5, 3)) for x in network.cell.inputs}
    lower, upper = diagnose_layers(network, layers, sizes, inputs=inputs, windows=(1,)).found
    np.testing.assert_array_equal(upper.run.inputs["c_below"], lower.run.states["c"][1:])


@pytest.mark.long
def test_of_two_directions_each_hands_its_own_cell_state_up():
    network = Network(catalogue["depth_gated_lstm"], layers=2, bidirectional=True)
    layers = draw_layers(network, {"n": 3, "m": 3}, 1.0, 0)
    rng = np.random.default_rng(0)
    inputs = {x.name: rng.normal(size=(5, 3)) for x in network.cell.inputs}
    found = diagnose_layers(network, layers, {"n": 3, "m": 3}, inputs=inputs, windows=(1,)).found
    for lower, upper in zip(found[:2], found[2:], strict=True):
        np.testing.assert_array_equal(upper.run.inputs["c_below"], lower.run.states["c"][1:])


def test_the_box_of_a_higher_layer_is_the_invariant_set_of_the_lower():
    network = Network(catalogue["gru"], layers=2)
    layers = draw_layers(network, SIZES, 0.2, 0)
    stack = diagnose_layers(network, layers, SIZES, input_box=(-2.0, 2.0), lag=3)
    lower, upper = stack.found
    box = lower.certificate.box["h"]
    wide = 1e-9 * (1 + box.magnitude.max())
    assert box_text(box.lo.min() - wide, box.hi.max() + wide) in upper.assumptions[1]
    assert stack.rate == max(lower.rate, upper.rate)
    free = diagnose_layers(Network(catalogue["irnn"], layers=2),
                           draw_layers(Network(catalogue["irnn"], layers=2), SIZES, 5.0, 0),
                           SIZES, input_box=(-2.0, 2.0), lag=3)  # fmt: skip
    assert "[-inf, inf]" in free.found[1].assumptions[1]


def test_what_is_left_of_a_sum_of_sizes_is_the_size_that_no_array_has():
    one = Cell.parse(name="one", equations="h = tanh(W @ concat(h_prev, x, x) + b)")
    layer = LayerWeights("", {"W": np.zeros((4, 10)), "b": np.zeros(4)}, {})
    assert sizes_of_layer(one, layer, {"m": 8}) == {"n": 4, "m": 3}
    for width, left in ((9, r"leaves 5 for m \+ m"), (3, r"leaves -1 for m \+ m")):
        layer = LayerWeights("", {"W": np.zeros((4, width)), "b": np.zeros(4)}, {})
        with pytest.raises(ValueError, match=rf"W: expected shape \(n, n\+m\+m\), came .*{left}"):
            sizes_of_layer(one, layer, {})


def test_two_sizes_that_the_parameters_show_added_up_are_those_of_inputs():
    two = Cell.parse(name="two", equations="h = tanh(W @ concat(h_prev, x, y))", inputs=("x", "y"))
    layer = LayerWeights("", {"W": np.zeros((4, 9))}, {})
    assert sizes_of_layer(two, layer, {}, {"x": np.zeros((5, 2))}) == {"n": 4, "m": 2, "m_y": 3}
    assert sizes_of_layer(two, layer, {"m": 1, "m_y": 4}) == {"n": 4, "m": 1, "m_y": 4}
    with pytest.raises(ValueError, match=r"W: m . m_y . n = 9, and no parameter shows m and m_y"):
        sizes_of_layer(two, layer, {"m": 8, "m_y": 8})


def test_the_layer_that_decides_is_the_one_that_does_not_vanish():
    network = Network(catalogue["rnn"], layers=2)
    first, second = draw_layers(network, {"n": 3, "m": 3}, 0.2, 0)
    wild = dict(second.parameters) | {"W": 30 * np.eye(3), "b": np.zeros(3)}
    layers = (first, LayerWeights(second.prefix, wild, {}))
    stack = diagnose_layers(network, layers, {"n": 3, "m": 3}, inputs={"x": np.zeros((9, 3))})
    assert stack.found[0].verdict == "vanishes"
    assert stack.found[stack.decisive].verdict == "explodes"


def test_twelve_layers_come_in_their_order_and_a_gap_is_named():
    cell = catalogue["rnn"]
    arrays = {}
    for layer in range(12):
        width = 2 if layer == 0 else 3
        arrays |= {f"layer{layer}.{name}": np.full(shape, layer / 10)
                   for name, shape in (("W", (3, 3)), ("U", (3, width)), ("b", (3,)))}  # fmt: skip
    layers = map_weights(cell, arrays)
    assert [layer.prefix for layer in layers] == [f"layer{k}." for k in range(12)]
    assert network_of(cell, layers).layers == 12
    with pytest.raises(ValueError, match="expected layer0"):
        network_of(cell, layers[1:3])


def test_a_layer_that_forgets_at_once_does_not_decide():
    """W = 0 has the rate 0, which is a rate."""
    network = Network(catalogue["rnn"], layers=2)
    first, second = draw_layers(network, {"n": 3, "m": 3}, 0.2, 0)
    still = dict(first.parameters) | {"W": np.zeros((3, 3))}
    layers = (LayerWeights(first.prefix, still, {}), second)
    stack = diagnose_layers(network, layers, {"n": 3, "m": 3}, input_box=(-1.0, 1.0), lag=2)
    assert stack.found[0].rate == 0.0 < stack.found[1].rate < 1
    assert stack.decisive == 1


def test_without_inputs_and_box_a_higher_layer_is_given_what_the_lower_can_hand_up():
    network = Network(catalogue["irnn"], layers=2)
    lower = {"W": np.zeros((3, 3)), "U": 2 * np.eye(3), "b": np.ones(3)}
    upper = {"W": 0.1 * np.eye(3), "U": np.eye(3), "b": np.zeros(3)}
    layers = tuple(LayerWeights(f"{layer.name}.", held, {})
                   for layer, held in zip(network.stack, (lower, upper), strict=True))  # fmt: skip
    found = diagnose_layers(network, layers, {"n": 3, "m": 3}, lag=2).found
    assert found[0].setting.input_box == (-1.0, 1.0)
    assert found[1].setting.input_box[1] >= 3.0


def test_inputs_that_lie_in_the_box_are_taken_where_0_does_not():
    network = Network(catalogue["rnn"])
    layers = draw_layers(network, SIZES, 0.2, 0)
    x = np.array([[0.5, 0.75]] * 3)
    (one,) = diagnose_layers(network, layers, SIZES, inputs={"x": x}, input_box=(0.5, 1.0)).found
    assert one.setting.input_box == (0.5, 1.0)
    with pytest.raises(ValueError, match=r"came 0\.5 to 0\.75"):
        diagnose_layers(network, layers, SIZES, inputs={"x": x}, input_box=(0.6, 1.0))


def test_an_input_of_every_layer_lies_in_the_box_of_the_inputs_in_each():
    """What no state feeds comes from outside, to a higher layer too: here it is a factor."""
    cell = Cell.parse(name="driven", equations="h = tanh(u * (W @ h_prev) + U @ x)",
                      inputs=("x", "u"), sizes={"u": "n"})  # fmt: skip
    network = Network(cell, layers=2)
    held = {"W": 0.5 * np.eye(3), "U": 0.1 * np.eye(3)}
    layers = tuple(LayerWeights(f"{layer.name}.", held, {}) for layer in network.stack)
    found = diagnose_layers(network, layers, {"n": 3, "m": 3}, input_box=(-4.0, 4.0), lag=2).found
    assert found[1].setting.input_box[0] <= -4.0
    assert found[1].setting.input_box[1] >= 4.0
    assert found[1].rate >= 2.0
    x, u = np.random.default_rng(0).normal(size=(2, 5, 3))
    found = diagnose_layers(network, layers, {"n": 3}, inputs={"x": x, "u": u}, windows=(1,)).found
    np.testing.assert_array_equal(found[1].run.inputs["u"], u)


def test_constants_that_are_drawn_are_not_called_given():
    cell = Cell.parse(name="timed", equations="h = k * tanh(W @ h_prev + U @ x)",
                      constants=["k"], sizes={"k": "n"})  # fmt: skip
    layers = (LayerWeights("", {"W": 0.1 * np.eye(2), "U": np.eye(2)}, {}),)
    found = diagnose_layers(Network(cell), layers, {"n": 2, "m": 2}, input_box=(-1.0, 1.0), lag=2)
    told = "; ".join(found.found[0].assumptions)
    assert "no value to k: standard normal ones are drawn" in told
    assert "given ones" not in told
    held = Cell.parse(name="timed", equations="h = k * tanh(W @ h_prev + U @ x)",
                      constants=["k"], sizes={"k": "n"}, defaults={"k": 0.5})  # fmt: skip
    found = diagnose_layers(Network(held), layers, {"n": 2, "m": 2}, input_box=(-1.0, 1.0), lag=2)
    assert "drawn" not in "; ".join(found.found[0].assumptions)


@pytest.mark.by_default("5.0")
@pytest.mark.parametrize("bias", [0.0, 5.0])
def test_a_higher_layer_explodes_at_rest_only_where_the_lower_hands_up_zeros(bias):
    """With the bias the lower layer hands up nearly 1, where the upper saturates."""
    eye = np.eye(2)
    low = {"W": 0.1 * eye, "U": 0.1 * eye, "b": np.full(2, bias)}
    high = {"W": 2 * eye, "U": 10 * eye, "b": np.zeros(2)}
    given = [LayerWeights("layer0.", low, {}), LayerWeights("layer1.", high, {})]
    network = Network(catalogue["rnn"], layers=2)
    _, upper = diagnose_layers(network, given, {}, input_box=(-1.0, 1.0)).found
    assert upper.verdict == ("undecided" if bias else "explodes")
    x = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    _, along = diagnose_layers(network, given, {}, inputs={"x": x}, windows=(1,)).found
    assert (along.verdict == "vanishes") or not bias


def test_an_output_may_be_other_than_zero_where_the_states_rest():
    cell = Cell.parse(name="shifted", outputs=("y",), sizes={"x": "n"}, equations=(
        "h = tanh(W @ h_prev + x)\ny = h + c"))  # fmt: skip
    values = {"W": 2 * np.eye(2), "c": np.full(2, 100.0)}
    given = [LayerWeights(f"layer{k}.", values, {}) for k in range(2)]
    lower, upper = diagnose_layers(Network(cell, layers=2), given, {}, input_box=(-1.0, 1.0)).found
    assert lower.verdict == "explodes"
    assert upper.verdict == "undecided"
