"""Weights from files: layers in order whatever the order of names, types, what is left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from derive import catalogue
from numeric.weights.formats.readers import read_arrays
from numeric.weights.formats.stored import Unread
from numeric.weights.mapping import map_weights, unused

RNN = catalogue["rnn"]


def torch_rnn(layers: int, n: int = 3, m: int = 3, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {}
    for k in range(layers):
        found[f"weight_ih_l{k}"] = rng.normal(size=(n, m if k == 0 else n)).astype("f4")
        found[f"weight_hh_l{k}"] = rng.normal(size=(n, n)).astype("f4")
        found[f"bias_ih_l{k}"] = rng.normal(size=n).astype("f4")
        found[f"bias_hh_l{k}"] = np.zeros(n, "f4")
    return found


def ours(layers: int) -> dict[str, Any]:
    state = torch_rnn(layers)
    names = {"W": "weight_hh", "U": "weight_ih", "b": "bias_ih"}
    return {
        f"layer{k}.{own}": state[f"{theirs}_l{k}"]
        for k in range(layers)
        for own, theirs in names.items()
    }


def write_raw(path: Path, tensors: Mapping[str, tuple[str, list[int], bytes]]) -> None:
    """The format, from its description: a length, a JSON header, the bytes."""
    header, body = {}, b""
    for name, (kind, shape, held) in tensors.items():
        offsets = [len(body), len(body) + len(held)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
        body += held
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def bfloat16(value: Any) -> tuple[str, list[int], bytes]:
    """The upper sixteen bits of each float32."""
    bits = np.ascontiguousarray(value, "<f4").view("<u4") >> 16
    return "BF16", list(np.shape(value)), bits.astype("<u2").tobytes()


def test_weights_packed_by_quantisation_are_told_as_such() -> None:
    """What quantize_dynamic leaves of a module with an LSTM and a readout."""
    state = {
        "rnn._all_weight_values.0.param": Unread("ScriptObject", ()),
        "fc.scale": np.float32(1), "fc.zero_point": np.int64(0),
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"quantisation packs weights.* before it is quantised"):
        map_weights(catalogue["lstm"], state)
    with pytest.raises(ValueError, match=r"cannot map 'fc\.scale'; lstm has"):
        map_weights(catalogue["lstm"], {"fc.scale": np.float32(1)})


def test_twelve_layers_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    state = torch_rnn(12)
    save_file(state, tmp_path / "w.safetensors")  # which stores l10 before l2
    layers = map_weights(RNN, read_arrays(tmp_path / "w.safetensors"))
    assert [layer.prefix for layer in layers] == [f"layer{k}." for k in range(12)]
    for k, layer in enumerate(layers):
        assert np.array_equal(layer.parameters["W"], state[f"weight_hh_l{k}"])
        assert layer.origin["W"] == f"rows of weight_hh_l{k}"


@pytest.mark.parametrize("names", [torch_rnn, ours])
def test_the_order_of_the_keys_does_not_matter(tmp_path: Path, names: Any) -> None:
    arrays = names(2)
    np.savez(tmp_path / "w.npz", **dict(reversed(arrays.items())))
    found = map_weights(RNN, read_arrays(tmp_path / "w.npz"))
    right = map_weights(RNN, arrays)
    assert [layer.prefix for layer in found] == ["layer0.", "layer1."]
    for got, want in zip(found, right, strict=True):
        assert got.parameters.keys() == want.parameters.keys()
        for name, value in want.parameters.items():
            assert np.array_equal(got.parameters[name], value), name


def test_both_directions_stand_forward_before_reverse() -> None:
    state = torch_rnn(1) | {f"{name}_reverse": value for name, value in torch_rnn(1).items()}
    layers = map_weights(RNN, dict(sorted(state.items(), reverse=True)))
    assert [layer.prefix for layer in layers] == ["layer0.", "layer0.reverse."]


@pytest.mark.parametrize("names", [torch_rnn, ours])
@pytest.mark.parametrize("format", ["npz", "safetensors"])
def test_counters_and_masks_of_other_modules_are_listed_and_left_alone(
    tmp_path: Path, names: Any, format: str
) -> None:
    others = {
        "norm.num_batches_tracked": np.array(7, np.int64),
        "mask": np.array([True, False]),
        "vocabulary": np.arange(3, dtype=np.uint8),
    }
    path = tmp_path / f"w.{format}"
    if format == "npz":
        np.savez(path, **names(1), **others)
    else:
        save_file(names(1) | others, path)
    arrays = read_arrays(path)
    assert len(map_weights(RNN, arrays)) == 1
    assert {*unused(RNN, arrays)} == {*others}


def test_integers_where_weights_should_be_are_refused() -> None:
    state = torch_rnn(1)
    state["weight_hh_l0"] = state["weight_hh_l0"].astype(np.int8)
    with pytest.raises(ValueError, match=r"weight_hh_l0: expected floating-point.*int8.*float32"):
        map_weights(RNN, state)


def test_bfloat16_is_widened_without_an_error(tmp_path: Path) -> None:
    state = torch_rnn(1)
    write_raw(tmp_path / "w.safetensors", {name: bfloat16(v) for name, v in state.items()})
    arrays = read_arrays(tmp_path / "w.safetensors")
    for name, value in state.items():
        cut = (value.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        assert arrays[name].dtype == np.float32
        assert np.array_equal(arrays[name], cut), name
    assert len(map_weights(RNN, arrays)) == 1


def test_eight_bit_floats_are_refused_by_name_only_where_they_are_weights(tmp_path: Path) -> None:
    state = {name: bfloat16(value) for name, value in torch_rnn(1).items()}
    write_raw(tmp_path / "a.safetensors", state | {"scale": ("F8_E4M3", [2], b"\x38\x38")})
    arrays = read_arrays(tmp_path / "a.safetensors")
    assert len(map_weights(RNN, arrays)) == 1
    assert unused(RNN, arrays) == ("scale",)
    write_raw(tmp_path / "b.safetensors", state | {"weight_hh_l0": ("F8_E4M3", [3, 3], b"8" * 9)})
    with pytest.raises(ValueError, match=r"weight_hh_l0: expected .*, came F8_E4M3; save"):
        map_weights(RNN, read_arrays(tmp_path / "b.safetensors"))


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"abc", b"\xff" * 20,
        (2).to_bytes(8, "little") + b"[]",
        (40).to_bytes(8, "little") + b'{"a": {"dtype": "F32"',
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(damage)
    with pytest.raises(ValueError, match=r"w\.safetensors: no safetensors file, or one cut short"):
        read_arrays(tmp_path / "w.safetensors")


def test_a_tensor_that_its_shape_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_raw(tmp_path / "w.safetensors", {"W": ("F32", [3, 3], bytes(35))})
    with pytest.raises(ValueError, match=r"w\.safetensors"):
        read_arrays(tmp_path / "w.safetensors")


def test_a_tied_tensor_is_the_one_that_is_kept(tmp_path: Path) -> None:
    state = torch_rnn(1) | {"bias_hh_l0": np.ones(3, "f4")}
    kept = {name: value for name, value in state.items() if name != "bias_ih_l0"}
    tied = {"bias_ih_l0": "bias_hh_l0", "format": "pt", "weight_hh_l0": "bias_hh_l0"}
    save_file(kept, tmp_path / "w.safetensors", metadata=tied)
    (layer,) = map_weights(RNN, read_arrays(tmp_path / "w.safetensors"))
    assert np.array_equal(layer.parameters["b"], 2 * state["bias_hh_l0"])
    assert np.array_equal(layer.parameters["W"], state["weight_hh_l0"])


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="there are no wider floats")
def test_floats_that_would_be_rounded_are_refused() -> None:
    state = torch_rnn(1) | {"bias_hh_l0": np.ones(3, np.longdouble)}
    with pytest.raises(ValueError, match="of 16, 32 or 64 bits, came"):
        map_weights(RNN, state)
