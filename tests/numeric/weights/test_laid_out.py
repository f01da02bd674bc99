"""Parameters under the names of a layout, and cells that have no place there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from weights_of_cells import layers_of

from derive import catalogue
from numeric.weights.formats.stored import Arrays
from numeric.weights.laid_out import KERAS, ONNX, OURS, PYTORCH, laid_out
from numeric.weights.mapping import map_weights


def test_each_array_says_what_it_is_made_of() -> None:
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": 12, "bias_hh_l0": 12}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    layers = map_weights(catalogue["lstm"], given)
    ours = laid_out("lstm", layers, OURS)
    assert ours.origin["layer0.W_fx"] == "rows of weight_ih_l0"
    theirs = laid_out("lstm", layers, PYTORCH)
    assert theirs.origin["weight_hh_l0"] == "W_ih, W_fh, W_ch, W_oh below each other"
    assert theirs.origin["bias_hh_l0"] == "0"
    assert np.array_equal(theirs.arrays["weight_ih_l0"], given["weight_ih_l0"])


def test_signs_transposes_and_biases_are_said() -> None:
    keras = laid_out("gru", layers_of("gru"), KERAS).origin
    assert keras["layers/gru/cell/vars/0"] == "−W_zxᵀ, W_rxᵀ, W_hxᵀ beside each other"
    assert keras["layers/gru/cell/vars/2"] == "−b_z, b_r, b_h beside each other"
    after = laid_out("gru_reset_after", layers_of("gru_reset_after"), KERAS).origin
    assert after["layers/gru/cell/vars/2"].endswith("; 0, 0, c_h beside each other")
    onnx = laid_out("peephole_lstm", layers_of("peephole_lstm"), ONNX).origin
    assert onnx["lstm.B"] == "b_i, b_o, b_f, b_c below each other; 0"
    assert onnx["lstm.P"] == "p_i, p_o, p_f"


def test_layers_are_in_order_and_directions_together() -> None:
    layers = layers_of("lstm", depth=12, both=True)[::-1]
    onnx = laid_out("lstm", layers, ONNX).arrays
    assert [name for name in onnx if name.endswith(".R")] == [f"lstm.{k}.R" for k in range(12)]
    by_prefix = {layer.prefix: layer.parameters for layer in layers}
    for way, prefix in enumerate(("layer10.", "layer10.reverse.")):
        assert np.array_equal(onnx["lstm.10.W"][way, :2], by_prefix[prefix]["W_ix"])
    keras = laid_out("lstm", layers, KERAS).arrays
    assert isinstance(keras, Arrays)
    assert [*keras.modules][-1] == "layers/bidirectional_11/backward_layer"
    back = keras["layers/bidirectional_10/backward_layer/cell/vars/0"]
    assert np.array_equal(back[:, :2].T, by_prefix["layer10.reverse."]["W_ix"])


@pytest.mark.parametrize("layout", [KERAS, ONNX])
def test_layers_that_no_model_stacks_are_refused(layout: str) -> None:
    two = layers_of("lstm", 2, both=True)
    with pytest.raises(ValueError, match=r"layer1\.W_ix: it takes 4 numbers, .* below gives 2"):
        laid_out("lstm", [two[0], *two[2:]], layout)
    with pytest.raises(ValueError, match=r"layer1\.: the weights of the direction from the last"):
        laid_out("lstm", [*two[:2], two[3]], layout)


@pytest.mark.parametrize(
    ("cell", "layout", "said"),
    [
        ("gru", PYTORCH, "PyTorch has one of rnn, irnn, lstm, gru_reset_after, not gru: write"),
        ("peephole_lstm", KERAS, "not peephole_lstm, whose p_f, p_i, p_o have no place there"),
        ("mgu", ONNX, "bptt emit mgu --target onnx gives a model whose inputs they are"),
    ],
)
def test_a_cell_without_a_place_is_refused(cell: str, layout: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        laid_out(cell, layers_of(cell), layout)


def test_layers_that_no_module_of_pytorch_has_are_refused() -> None:
    below, above = layers_of("rnn", 2)
    wide = {"W": np.ones((5, 5)), "U": np.ones((5, 2)), "b": np.ones(5)}
    assert [*laid_out("rnn", [below, above], PYTORCH).arrays][-1] == "bias_hh_l1"
    with pytest.raises(ValueError, match="all as many units"):
        laid_out("rnn", [below, replace(above, parameters=wide)], PYTORCH)
    first, back, _, _ = layers_of("rnn", 2, both=True)
    above = replace(above, parameters=above.parameters | {"U": np.ones((2, 4))})
    with pytest.raises(ValueError, match="one direction or all both"):
        laid_out("rnn", [first, back, above], PYTORCH)


def test_a_node_of_onnx_has_as_many_units_in_both_directions() -> None:
    first, back = layers_of("rnn", both=True)
    wide = {"W": np.ones((5, 5)), "U": np.ones((5, 2)), "b": np.ones(5)}
    with pytest.raises(ValueError, match="all as many units, here they have 2 and 5"):
        laid_out("rnn", [first, replace(back, parameters=wide)], ONNX)
