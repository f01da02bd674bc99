"""Who computes what the specification says: ONNX's recurrent operators, and layers of frameworks.

Every attribute of RNN, GRU and LSTM is given to each runtime that is installed, and its Y is
compared with a NumPy transcript of the operators' documentation; layers of frameworks are compared
with our cells at their own weights, read by `map_weights` or the converters. A runtime that refuses
an attribute says so; what matters is one that takes it and computes something else.

    python benchmarks/dialects.py
    python benchmarks/dialects.py --json > dialects.json

Exit status: 0, whatever is found; 2 where no runtime is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from tempfile import NamedTemporaryFile
from typing import Any, Final

import numpy as np

from derive import catalogue
from numeric import from_keras
from numeric.meaning.run_cell import run_cell
from numeric.weights.mapping import map_weights

T, B, M, N = 5, 3, 4, 2
SAME: Final = 1e-5  # of the largest entry, in float32
GATES: Final = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS: Final = {
    "RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"],
}  # fmt: skip
CASES: Final = (
    ("RNN", "", {}), ("RNN", "activations Relu", {"activations": ["Relu"]}),
    ("RNN", "clip", {"clip": 0.5}), ("RNN", "sequence_lens", {"lengths": True}),
    ("RNN", "direction reverse", {"direction": "reverse"}), ("RNN", "layout 1", {"layout": 1}),
    ("GRU", "", {}), ("GRU", "linear_before_reset 1", {"linear_before_reset": 1}),
    ("GRU", "activations Sigmoid, Relu", {"activations": ["Sigmoid", "Relu"]}),
    ("GRU", "clip", {"clip": 0.5}), ("GRU", "sequence_lens", {"lengths": True}),
    ("GRU", "direction reverse", {"direction": "reverse"}), ("GRU", "layout 1", {"layout": 1}),
    ("LSTM", "", {}), ("LSTM", "peepholes P", {"P": True}),
    ("LSTM", "activations Sigmoid, Relu, Tanh", {"activations": ["Sigmoid", "Relu", "Tanh"]}),
    ("LSTM", "clip", {"clip": 0.5}), ("LSTM", "input_forget 1", {"input_forget": 1}),
    ("LSTM", "sequence_lens", {"lengths": True}),
    ("LSTM", "direction reverse", {"direction": "reverse"}), ("LSTM", "layout 1", {"layout": 1}),
)  # fmt: skip
FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Sigmoid": lambda a: 1 / (1 + np.exp(-a)), "Tanh": np.tanh, "Relu": lambda a: np.maximum(a, 0),
}  # fmt: skip


def arrays_of(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a node, time first."""
    rng, g = np.random.default_rng(0), GATES[kind]
    shapes = {"X": (T, B, M), "W": (1, g * N, M), "R": (1, g * N, N), "B": (1, 2 * g * N)}
    given = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    if said.get("lengths"):
        given["sequence_lens"] = np.array([T, 2, 1], np.int32)
    if said.get("P"):
        given["P"] = rng.normal(size=(1, 3 * N)).astype(np.float32)
    return given


def specified(kind: str, said: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Y (T, 1, B, n), by the documentation of the operators, in float64."""
    X, W, R, P = (np.float64(given.get(n, np.zeros((1, 3 * N)))) for n in ("X", "W", "R", "P"))
    first, second = np.split(np.float64(given["B"][0]), 2)
    f, g, h = [
        FUNCTIONS[name] for name in (*said.get("activations", DEFAULTS[kind]), *["Tanh"] * 3)
    ][:3]
    bound = said.get("clip", np.inf)

    def clip(a: Any) -> Any:
        return np.clip(a, -bound, bound)

    def part(array: Any, gate: int) -> Any:
        return array[gate * N : (gate + 1) * N]

    H, C, Y = np.zeros((B, N)), np.zeros((B, N)), np.zeros((T, 1, B, N))
    for t in range(T) if said.get("direction") != "reverse" else reversed(range(T)):

        def a(gate: int, x: Any = X[t], h_prev: Any = H) -> Any:
            return (x @ part(W[0], gate).T + h_prev @ part(R[0], gate).T
                    + part(first, gate) + part(second, gate))  # fmt: skip

        if kind == "RNN":
            new, cell = f(clip(a(0))), C
        elif kind == "GRU":
            z, r = f(clip(a(0))), f(clip(a(1)))
            inner = (r * (H @ part(R[0], 2).T + part(second, 2)) if said.get("linear_before_reset")
                     else (r * H) @ part(R[0], 2).T + part(second, 2))  # fmt: skip
            new, cell = (
                (1 - z) * g(clip(X[t] @ part(W[0], 2).T + inner + part(first, 2))) + z * H,
                C,
            )
        else:
            i = f(clip(a(0) + part(P[0], 0) * C))
            forget = 1 - i if said.get("input_forget") else f(clip(a(2) + part(P[0], 2) * C))
            cell = forget * C + i * g(clip(a(3)))
            new = f(clip(a(1) + part(P[0], 1) * cell)) * h(cell)
        on = (t < given["sequence_lens"] if "sequence_lens" in given else np.ones(B, bool))[:, None]
        H, C = np.where(on, new, H), np.where(on, cell, C)
        Y[t, 0] = np.where(on, new, 0.0)
    return Y


def model(kind: str, said: Mapping[str, Any], given: Mapping[str, Any], onnx: Any) -> Any:
    """A model of one node, weights inside."""
    places = ["X", "W", "R", "B", "sequence_lens", "", "", "P"]
    names = [name if name in given else "" for name in places[: 8 if "P" in given else 5]]
    while not names[-1]:
        names.pop()
    attributes = {n: v for n, v in said.items() if n not in {"lengths", "P"}}
    helper, numbers = onnx.helper, onnx.TensorProto
    node = helper.make_node(kind, names, ["Y"], hidden_size=N, **attributes)
    first = (B, T, M) if said.get("layout") else (T, B, M)
    last = (B, T, 1, N) if said.get("layout") else (T, 1, B, N)
    graph = helper.make_graph(
        [node], "one_node", [helper.make_tensor_value_info("X", numbers.FLOAT, first)],
        [helper.make_tensor_value_info("Y", numbers.FLOAT, last)],
        [onnx.numpy_helper.from_array(given[name], name) for name in {*names} - {"", "X"}],
    )  # fmt: skip
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8, producer_name="dialects"
    )


def _onnxruntime(made: Any, X: Any) -> Any:
    library = import_module("onnxruntime")
    options = library.SessionOptions()
    options.log_severity_level = 4
    opened = library.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return opened.run(None, {"X": X})[0]


def _reference(made: Any, X: Any) -> Any:
    return import_module("onnx.reference").ReferenceEvaluator(made).run(None, {"X": X})[0]


def _openvino(made: Any, X: Any) -> Any:
    core = import_module("openvino").Core()
    compiled = core.compile_model(core.read_model(made.SerializeToString(), b""), "CPU",
                                  {"INFERENCE_PRECISION_HINT": "f32"})  # fmt: skip
    return compiled({"X": X})[0]


def _tract(made: Any, X: Any) -> Any:
    with NamedTemporaryFile(suffix=".onnx") as file:
        file.write(made.SerializeToString())
        file.flush()
        opened = import_module("tract").onnx().load(file.name)
        return opened.into_model().into_runnable().run([X])[0].to_numpy()


ENGINES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "onnxruntime": _onnxruntime, "onnx": _reference, "openvino": _openvino,
    "tract": _tract,
}  # fmt: skip


def judged(got: Any, want: Any) -> str:
    """The word same, or by how much it is another."""
    if np.shape(got) != np.shape(want):
        return f"another shape, {np.shape(got)}"
    apart = float(np.max(np.abs(got - want)) / np.max(np.abs(want)))
    return "same" if apart <= SAME else f"differs, {apart:.1g}"


def operators(engines: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A row for each operator and attribute."""
    onnx = import_module("onnx")
    for kind, label, said in CASES:
        given = arrays_of(kind, said)
        want = specified(kind, said, given)
        X, row = given["X"], {}
        made = model(kind, said, given, onnx)
        if said.get("layout"):
            X, want = X.swapaxes(0, 1).copy(), want.transpose(2, 0, 1, 3)
        for engine in engines:
            try:
                row[engine] = judged(ENGINES[engine](made, X), want)
            except Exception:  # each library has errors of its own
                row[engine] = "refused"
        yield f"{kind} {label}".strip(), row


# ---- layers of frameworks --------------------------------------------------------------------


def torch_layers() -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Layer, cell, our parameters, x, and what the layer gives."""
    torch = import_module("torch")
    kinds = {
        "LSTM": ("lstm", torch.nn.LSTM, {}), "GRU": ("gru_reset_after", torch.nn.GRU, {}),
        "RNN": ("rnn", torch.nn.RNN, {}),
        "LSTM, proj_size": ("projected_lstm", torch.nn.LSTM, {"proj_size": 1}),
    }  # fmt: skip
    for label, (cell, kind, more) in kinds.items():
        layer = kind(M, N, **more).double()
        x = torch.randn(T, B, M, dtype=torch.float64)
        arrays = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
        (found,) = map_weights(catalogue[cell], arrays)
        yield f"torch {label}", cell, found.parameters, x.numpy(), layer(x)[0].detach().numpy()


def keras_layers() -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Likewise of Keras, on whatever backend is installed."""
    if not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = "jax" if find_spec("jax") else "torch"
    layers = import_module("keras").layers
    kinds = {
        "LSTM": ("lstm", layers.LSTM, {}), "SimpleRNN": ("rnn", layers.SimpleRNN, {}),
        "GRU": ("gru_reset_after", layers.GRU, {}),
        "GRU, reset_after=False": ("gru", layers.GRU, {"reset_after": False}),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for label, (cell, kind, more) in kinds.items():
        layer = kind(N, return_sequences=True, bias_initializer="glorot_uniform"
                     if label != "GRU" else "zeros", **more)  # fmt: skip
        x = rng.normal(size=(B, T, M)).astype(np.float32)
        got = np.asarray(layer(x)).swapaxes(0, 1)
        found = from_keras([np.float64(w) for w in layer.get_weights()], cell)
        yield f"keras {label}", cell, found, np.float64(x.swapaxes(0, 1)), got


def flax_layers() -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Likewise of flax.linen."""
    jax, linen = import_module("jax"), import_module("flax.linen")
    tree = import_module("flax.traverse_util")
    for label, cell in (("LSTMCell", "lstm"), ("GRUCell", "gru_reset_after")):
        layer = linen.RNN(getattr(linen, label)(N))
        x = jax.random.normal(jax.random.key(0), (B, T, M))
        params = layer.init(jax.random.key(1), x)
        arrays = {name: np.asarray(value)
                  for name, value in tree.flatten_dict(params, sep="/").items()}  # fmt: skip
        (found,) = map_weights(catalogue[cell], arrays)
        got = np.asarray(layer.apply(params, x)).swapaxes(0, 1)
        yield f"flax.linen {label}", cell, found.parameters, np.float64(x.swapaxes(0, 1)), got


FRAMEWORKS: Final = {"torch": torch_layers, "keras": keras_layers, "flax": flax_layers}


def layers() -> Iterator[tuple[str, str, str]]:
    """Layer, cell, verdict."""
    for name, given in FRAMEWORKS.items():
        if find_spec(name) is None:
            continue
        for label, cell, params, x, got in given():
            own = catalogue[cell]
            rows = {s.name: params[s.name].shape[0] for s in own.parameters}
            size = {"projected_lstm": {"r": rows.get("W_rm", N)}}.get(cell, {})
            initial = {s.name: np.zeros((B, size.get(s.name, N))) for s in own.states}
            found = run_cell(own, params, {"x": x}, initial)
            yield label, cell, judged(got, np.stack(found[[s.name for s in own.states][-1]]))


def main() -> int:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    engines = [name for name in ENGINES if find_spec(name)] if find_spec("onnx") else []
    used = [*engines, *(name for name in FRAMEWORKS if find_spec(name))]
    if not used:
        print(f"none of {', '.join((*ENGINES, *FRAMEWORKS))} is installed; nothing is compared")
        return 2
    versions = {name: version(name) for name in used}
    rows = [*operators(engines)] if engines else []
    found = [*layers()]
    if asked.json:
        print(
            json.dumps({"versions": versions, "operators": dict(rows), "layers": found}, indent=1)
        )
        return 0
    print(", ".join(f"{name} {text}" for name, text in versions.items()))
    if engines:
        print(f"{'operator':<38}" + "".join(f"{name:<18}" for name in engines))
        for label, row in rows:
            print(f"{label:<38}" + "".join(f"{row[name]:<18}" for name in engines))
    for label, cell, verdict in found:
        print(f"{label:<38}{cell:<18}{verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
