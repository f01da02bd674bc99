"""ONNX files by hand: nodes of one name, one domain by two names, fields of another type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from derive import catalogue
from numeric.weights.formats import onnx_writing as message
from numeric.weights.formats.onnx import read
from numeric.weights.mapping import map_weights
from numeric.weights.modules import modules_of

N = 3
ARRAYS = {f"{letter}{k}": np.random.default_rng(k).normal(size=(1, N, N)).astype("f4")
          for letter in "WR" for k in range(2)}  # fmt: skip


def rnn(k: int, name: str, given: str = "X", **attributes: Any) -> bytes:
    return message._node("RNN", [given, f"W{k}", f"R{k}"], [f"Y{k}"], name, attributes)


def model(
    folder: Path, nodes: Sequence[bytes], more: bytes = b"", arrays: Mapping[str, Any] = ARRAYS
) -> Path:
    graph = b"".join(message._bytes(1, one) for one in nodes)
    graph += b"".join(message._bytes(5, message._tensor(*one)) for one in arrays.items())
    path = folder / "m.onnx"
    path.write_bytes(message._number(1, 7) + message._bytes(7, graph + more))
    return path


def test_layers_of_other_attributes_are_modules_of_their_own(tmp_path: Path) -> None:
    between = message._node("Squeeze", ["Y0"], ["X1"], "", {})
    second = rnn(1, "b", "X1", activations=["Relu"])
    found = modules_of(read(model(tmp_path, [rnn(0, "a"), between, second])))
    assert [(module.name, module.cells) for module in found] == [("a", ("rnn",)), ("b", ("irnn",))]
    found = modules_of(read(model(tmp_path, [rnn(0, "a"), between, rnn(1, "b", "X1")])))
    assert [(module.name, module.depth) for module in found] == [("a", 2)]


def test_nodes_of_one_name_are_both_read(tmp_path: Path) -> None:
    arrays = read(model(tmp_path, [rnn(0, "a"), rnn(1, "a")]))
    first, second = modules_of(arrays)
    assert first.name != second.name
    for module, k in ((first, 0), (second, 1)):
        (layer,) = map_weights(catalogue["rnn"], arrays, module.name)
        assert np.array_equal(layer.parameters["W"], ARRAYS[f"R{k}"][0])


def test_an_initialiser_with_the_name_of_a_nodes_array_is_another_one(tmp_path: Path) -> None:
    arrays = read(model(tmp_path, [rnn(0, "a")], arrays=ARRAYS | {"a.R": ARRAYS["R1"]}))
    (layer,) = map_weights(catalogue["rnn"], arrays)
    assert np.array_equal(layer.parameters["W"], ARRAYS["R0"][0])


def test_the_domain_of_onnx_has_two_names(tmp_path: Path) -> None:
    own = rnn(0, "a") + message._text(7, "ai.onnx")
    assert [module.name for module in modules_of(read(model(tmp_path, [own])))] == ["a"]
    with pytest.raises(ValueError, match="expected a node RNN"):
        read(model(tmp_path, [rnn(0, "a") + message._text(7, "com.microsoft")]))


def test_an_attribute_called_prefix_is_no_name_of_arrays(tmp_path: Path) -> None:
    (module,) = modules_of(read(model(tmp_path, [rnn(0, "a", prefix="z")])))
    assert module.cells == ("rnn",)


@pytest.mark.parametrize(
    "attributes", [{"activations": 5}, {"direction": [1, 2]}, {"clip": "a"}, {"input_forget": "a"}]
)
def test_attributes_of_another_type_are_named(tmp_path: Path, attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"the attribute {next(iter(attributes))} of a is"):
        read(model(tmp_path, [rnn(0, "a", **attributes)]))


def test_a_number_where_bytes_belong_is_no_message(tmp_path: Path) -> None:
    name = rnn(0, "") + message._number(3, 1 << 16)  # as many zeros, if it were taken for bytes
    with pytest.raises(ValueError, match="no message of protocol buffers"):
        read(model(tmp_path, [name]))
    with pytest.raises(ValueError, match="no message of protocol buffers"):
        read(model(tmp_path, [rnn(0, "a")], message._number(5, 7)))


def test_numbers_that_are_not_packed_are_joined_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = ARRAYS["W0"].ravel()
    loose = b"".join(message._varint(4 << 3 | 5) + entry.tobytes() for entry in entries)
    shape = b"".join(message._number(1, extent) for extent in (1, N, N))
    tensor = shape + message._number(2, 1) + message._text(8, "W0") + loose
    rest = {name: value for name, value in ARRAYS.items() if name != "W0"}
    calls = []
    joined = np.concatenate
    monkeypatch.setattr(np, "concatenate", lambda parts: calls.append(0) or joined(parts))
    arrays = read(model(tmp_path, [rnn(0, "a")], message._bytes(5, tensor), rest))
    assert len(calls) == 1
    monkeypatch.undo()
    assert np.array_equal(np.asarray(arrays["a.W"]), ARRAYS["W0"])


def test_the_states_that_layers_begin_in_are_said(tmp_path: Path) -> None:
    """Those of the second layer are the file's; the first one's are zeros."""
    between = message._node("Squeeze", ["Y0"], ["X1"], "", {})
    nodes = [message._node("RNN", [x, f"W{k}", f"R{k}", "", "", f"h{k}"], [f"Y{k}"], "a", {})
             for k, x in enumerate(("X", "X1"))]  # fmt: skip
    states = {"h0": np.zeros((1, 1, N), "f4"), "h1": np.ones((1, 1, N), "f4")}
    arrays = read(model(tmp_path, [nodes[0], between, nodes[1]], arrays=ARRAYS | states))
    (module,) = modules_of(arrays)
    assert (module.depth, module.starts) == (2, "initial_h of a.1 is h1")
