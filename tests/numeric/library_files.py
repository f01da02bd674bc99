"""Files as their own libraries write them, and what the libraries compute with them.

`python tests/numeric/library_files.py` writes the ones that are shipped, where the libraries are
installed; of some libraries alone, `… library_files.py litert tensorflow`. Outputs are of float64,
from the weights as the file holds them, where the library has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from library_sample import FOLDER, STEPS, Sample
from lite_files import converted_files, lite_files


def torch_files(folder: Path) -> Iterator[Sample]:
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = {"lstm": nn.LSTM(3, 2, 2, bidirectional=True), "gru": nn.GRU(3, 2)}
            self.encoder = nn.ModuleDict(layers)
            self.plain = nn.RNN(3, 2, nonlinearity="relu", bias=False)
            self.small = nn.LSTM(3, 4, proj_size=2)
            self.short = nn.GRU(3, 2).bfloat16()
            self.norm = nn.BatchNorm1d(2)

    net = Net()
    torch.save({"model": net.state_dict(), "epoch": 3, "rate": 0.1}, folder / "net.pt")
    cells = {"encoder.lstm": "lstm", "encoder.gru": "gru_reset_after", "plain": "irnn",
             "small": "projected_lstm", "short": "gru_reset_after"}  # fmt: skip
    wide = net.double()
    x = torch.randn(STEPS, 2, 3, dtype=torch.float64)
    for name, cell in cells.items():
        layer = wide.get_submodule(name)
        with torch.no_grad():
            yield Sample("net.pt", f"model.{name}", cell, x.numpy(), layer(x)[0].numpy())


def exported_files(folder: Path) -> Iterator[Sample]:
    import torch
    from torch import nn

    torch.manual_seed(1)

    class Net(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return self.layer(x)[0]

    x = torch.randn(STEPS, 2, 3, dtype=torch.float64)
    for name, cell, layer in (
        ("two_layers", "lstm", nn.LSTM(3, 2, 2, bidirectional=True)), ("one_gru", "gru_reset_after",
                                                                       nn.GRU(3, 2)),
    ):  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(Net(layer).eval(), (x.float(),), folder / f"{name}.onnx",
                              dynamo=False, verbose=False)  # fmt: skip
        with torch.no_grad():
            yield Sample(f"{name}.onnx", None, cell, x.numpy(), layer.double()(x)[0].numpy())


def node_files(folder: Path) -> Iterator[Sample]:
    """Nodes of ONNX with every attribute that a cell of ours has, run by its own evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(2)
    x = rng.normal(size=(STEPS, 2, 3))
    for name, kind, cell, gates, settings, peepholes in (
        ("gru_before", "GRU", "gru", 3, {"linear_before_reset": 0}, False),
        ("peepholes", "LSTM", "peephole_lstm", 4, {}, True),
        ("rnn", "RNN", "rnn", 1, {}, False),
    ):
        shapes = {"W": (1, gates * 2, 3), "R": (1, gates * 2, 2), "B": (1, gates * 4)}
        if peepholes:
            shapes["P"] = (1, 6)
        held = {key: rng.normal(size=shape).astype("f4") for key, shape in shapes.items()}
        given = ["X", "W", "R", "B"] + ["", "", "", "P"] * peepholes
        for wide in (False, True):
            kind_of = onnx.TensorProto.DOUBLE if wide else onnx.TensorProto.FLOAT
            made = {key: value.astype("f8" if wide else "f4") for key, value in held.items()}
            node = onnx.helper.make_node(
                kind, given, ["Y"], name="layer", hidden_size=2, **settings
            )
            graph = onnx.helper.make_graph(
                [node], "g", [onnx.helper.make_tensor_value_info("X", kind_of, [STEPS, 2, 3])],
                [onnx.helper.make_tensor_value_info("Y", kind_of, [STEPS, 1, 2, 2])],
                [onnx.numpy_helper.from_array(value, key) for key, value in made.items()],
            )  # fmt: skip
            model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
            if not wide:
                onnx.save(model, folder / f"{name}.onnx")
        (y,) = ReferenceEvaluator(model).run(None, {"X": x})
        yield Sample(f"{name}.onnx", None, cell, x, y[:, 0])


def keras_files(folder: Path) -> Iterator[Sample]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.utils.set_random_seed(0)
    keras.config.set_floatx("float64")  # else a model makes float64 inputs float32
    layers = keras.layers

    def model(dtype: str) -> Any:
        inputs = keras.Input((None, 3), dtype=dtype)
        outputs = [
            layers.Bidirectional(layers.LSTM(2, return_sequences=True, dtype=dtype), name="both",
                                 dtype=dtype),
            layers.GRU(2, return_sequences=True, name="after", dtype=dtype),
            layers.GRU(2, return_sequences=True, reset_after=False, name="before", dtype=dtype),
            layers.SimpleRNN(2, return_sequences=True, activation="relu", name="simple",
                             dtype=dtype),
        ]  # fmt: skip
        return keras.Model(inputs, [layer(inputs) for layer in outputs])

    narrow, wide = model("float32"), model("float64")
    rng = np.random.default_rng(3)
    narrow.set_weights([rng.normal(size=w.shape).astype("f4") * 0.5 for w in narrow.get_weights()])
    wide.set_weights([w.astype("f8") for w in narrow.get_weights()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        narrow.save(folder / "net.keras")
        narrow.save_weights(folder / "net.weights.h5")
    x = rng.normal(size=(2, STEPS, 3))
    cells = {"both": "lstm", "after": "gru_reset_after", "before": "gru", "simple": "irnn"}
    outputs = zip(cells.items(), wide(x), strict=True)
    for (name, cell), y in outputs:
        for file in ("net.keras", "net.weights.h5"):
            yield Sample(file, name, cell, x.swapaxes(0, 1), y.detach().numpy().swapaxes(0, 1))


def jax_files(folder: Path) -> Iterator[Sample]:
    import equinox
    import jax

    jax.config.update("jax_enable_x64", True)
    from flax import linen, nnx

    rng = np.random.default_rng(4)
    x = rng.normal(size=(STEPS, 2, 3))
    arrays: dict[str, Any] = {}

    def run(step: Callable[[Any, Any], Any], carry: Any) -> Any:
        found = []
        for row in x:
            carry = step(carry, row)
            found.append(np.asarray(carry[-1] if isinstance(carry, tuple) else carry))
        return np.stack(found)

    made = []
    zeros = np.zeros((2, 2))
    for name, cell in (("LSTMCell", "lstm"), ("OptimizedLSTMCell", "lstm"),
                       ("GRUCell", "gru_reset_after"), ("SimpleCell", "rnn")):  # fmt: skip
        module = getattr(nnx, name)(
            3, 2, dtype=np.float64, param_dtype=np.float64, rngs=nnx.Rngs(0)
        )
        state = nnx.state(module, nnx.Param)
        state = jax.tree.map(lambda a: np.asarray(rng.normal(size=a.shape)), state)
        nnx.update(module, state)
        flat = {".".join(map(str, path)): np.asarray(value[...])
                for path, value in nnx.to_flat_state(state)}  # fmt: skip
        arrays |= {f"nnx.{name}.{key}": value for key, value in flat.items()}
        carry = (zeros, zeros) if cell == "lstm" else zeros
        made.append((f"nnx.{name}", cell, run(lambda c, row, m=module: m(c, row)[0], carry)))
    for name, cell in (("LSTMCell", "lstm"), ("GRUCell", "gru_reset_after"), ("SimpleCell", "rnn")):
        module = getattr(linen, name)(2, dtype=np.float64, param_dtype=np.float64)
        carry = (zeros, zeros) if cell == "lstm" else zeros
        params = module.init(jax.random.key(0), carry, x[0])
        params = jax.tree.map(lambda a: np.asarray(rng.normal(size=a.shape)), params)
        for path, value in jax.tree_util.tree_flatten_with_path(params)[0]:
            arrays[f"linen.{name}/" + "/".join(str(key.key) for key in path)] = value
        step = partial(lambda m, p, c, row: m.apply(p, c, row)[0], module, params)
        made.append((f"linen.{name}/params", cell, run(step, carry)))
    for name, cell in (("LSTMCell", "lstm"), ("GRUCell", "gru_reset_after")):
        module = getattr(equinox.nn, name)(3, 2, key=jax.random.key(0), dtype=np.float64)
        module = jax.tree.map(
            lambda a: np.asarray(rng.normal(size=a.shape)) if hasattr(a, "shape") else a, module
        )
        for path, value in jax.tree_util.tree_flatten_with_path(module)[0]:
            arrays[f"eqx.{name}" + jax.tree_util.keystr(path)] = value
        carry = (zeros, zeros) if cell == "lstm" else zeros

        def own(c: Any, row: Any, m: Any = module, two: bool = cell == "lstm") -> Any:
            found = jax.vmap(m)(row, c[::-1] if two else c)  # Equinox's carry is (h, c)
            return found[::-1] if two else found

        made.append((f"eqx.{name}", cell, run(own, carry)))
    np.savez(folder / "jax.npz", **arrays)
    for name, cell, y in made:
        yield Sample("jax.npz", name, cell, x, y)


MAKERS: Final[Mapping[str, tuple[Callable[[Path], Iterator[Sample]], tuple[str, ...]]]] = {
    "torch": (torch_files, ("torch",)),
    "torch.onnx": (exported_files, ("torch", "onnx")),
    "onnx": (node_files, ("onnx",)),
    "keras": (keras_files, ("keras", "torch", "h5py")),
    "jax": (jax_files, ("jax", "flax", "equinox")),
    "litert": (lite_files, ("ai_edge_litert",)),
    "tensorflow": (converted_files, ("tensorflow", "tf_keras", "keras")),
}


def shipped() -> list[Sample]:
    """The samples whose files stand beside this one."""
    with np.load(FOLDER / "outputs.npz") as held:
        rows = [name.removesuffix(":x") for name in held.files if name.endswith(":x")]
        return [
            Sample(file, module or None, cell, held[f"{row}:x"], held[f"{row}:y"])
            for row in rows for file, module, cell in [row.rsplit(":", 2)]
        ]  # fmt: skip


def main(libraries: Sequence[str]) -> None:
    """Write the shipped files, each library's in a process of its own."""
    if len(libraries) != 1:
        for name in libraries or MAKERS:
            subprocess.run([sys.executable, __file__, name], check=True)
        return
    with np.load(FOLDER / "outputs.npz") as held:
        found = {**held}
    for sample in MAKERS[libraries[0]][0](FOLDER):
        found |= {f"{sample.name}:x": sample.x, f"{sample.name}:y": sample.y}
    np.savez_compressed(FOLDER / "outputs.npz", **found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
