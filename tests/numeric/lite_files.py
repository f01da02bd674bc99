"""Files of TensorFlow Lite, and what its interpreter computes with them in float32."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tflite_models as lite
from library_sample import STEPS, Sample

from numeric.weights.formats import tflite

LITE: Final = {
    "lstm": ("lstm", {}), "peepholes": ("peephole_lstm", {"peepholes": True}),
    "projected": ("projected_lstm", {"n": 3, "p": 2, "peepholes": True}),
    "coupled": ("coupled_lstm", {"coupled": True}),
    "unpeeped": ("projected_lstm", {"n": 3, "p": 2}),
    "no_effect": ("lstm", {"proj_clip": 0.01}),  # there is no projection
}  # fmt: skip


def lite_files(folder: Path) -> Iterator[Sample]:
    """Every recurrent operator of TensorFlow Lite that a cell computes, run by its interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    rng = np.random.default_rng(6)
    x = rng.normal(size=(STEPS, 2, 3)).astype("f4")
    for name, single in (("operators", False), ("steps", True)):
        model = lite.Model()
        given = model.input(2, 3) if single else model.input(2, STEPS, 3)
        own, made, outputs = lite.Operators(model), [], []
        long, short = (lite.LSTM, lite.RNN) if single else (lite.SEQUENCE_LSTM, lite.SEQUENCE_RNN)
        for cell, more in LITE.values():
            made.append(("LSTM", cell))
            outputs.append(own.lstm(given, long, **more))
        kinds = [("rnn", short, lite.TANH), ("irnn", short, lite.RELU)]
        for cell, code, activation in kinds + [("rnn", lite.BOTH_RNN, lite.TANH)] * (not single):
            made.append(("RNN", cell))
            outputs.append(own.rnn(given, code, activation=activation))
        (folder / f"{name}.tflite").write_bytes(model.write(*outputs))
        found = _run_lite(Interpreter, folder / f"{name}.tflite", x, x if single else None)
        for place, ((kind, cell), y) in enumerate(zip(made, found, strict=True)):
            yield Sample(f"{name}.tflite", f"{kind}_{place}", cell, x, y)
    model = lite.Model()  # time first: findings/litert_bidirectional_lstm_forgets_a_state.sh
    out = lite.Operators(model).lstm(model.input(STEPS, 2, 3), lite.BOTH_LSTM)
    (folder / "both.tflite").write_bytes(model.write(out))
    (y,) = _run_lite(Interpreter, folder / "both.tflite", x, [x])
    yield Sample("both.tflite", None, "lstm", x, y[0])
    yield from _lite_clipped(folder, Interpreter)
    yield from _lite_rounded(folder, Interpreter, x)


def _run_lite(interpreter: Any, path: Path, x: Any, steps: Any = None) -> list[Any]:
    """Each output (T, B, …) of a model that takes sequences, batch first, or those steps."""
    made = interpreter(model_path=str(path))
    made.allocate_tensors()
    (given,) = made.get_input_details()
    found = []
    for rows in [x.swapaxes(0, 1)] if steps is None else steps:
        made.set_tensor(given["index"], rows)
        made.invoke()
        found.append([made.get_tensor(one["index"]).copy() for one in made.get_output_details()])
    if steps is not None:
        return [np.stack(rows) for rows in zip(*found, strict=True)]
    return [y.swapaxes(0, 1) for y in found[0]]


def _lite_clipped(folder: Path, interpreter: Any) -> Iterator[Sample]:
    """A cell state that its clip holds at 10, with gates open: what goes down ends lower then."""
    model, steps = lite.Model(), 28
    out = lite.Operators(model).lstm(model.input(2, steps, 3), cell_clip=10.0, bias=12.0)
    path = folder / "clipped.tflite"
    path.write_bytes(model.write(out))
    W = np.asarray(tflite.read(path)["LSTM_0.input_to_cell"])
    up = np.linalg.lstsq(W, np.array([[3.0, 2.5], [2.5, 3.0]]), rcond=None)[0].T
    signs = np.repeat([1.0, -1.0], steps // 2)
    x = (signs[:, None, None] * up).astype("f4")
    (y,) = _run_lite(interpreter, path, x)
    yield Sample("clipped.tflite", None, "tflite_lstm_clip_10", x, y)


class _Rounded(lite.Operators):
    """Operators whose weights are kept in other numbers, and made floating in the graph."""

    def numbers(self, shape: Any, data: Any) -> int:
        kind = ("i1", "f2", "u1", "i2")[len(self.model.tensors) % 4]
        rows = len(shape) > 1 and kind == "i1"
        span = np.abs(data).max(axis=1) if rows else np.abs(data).max()
        scale, zero = (span / 100).astype("f4"), 3 if kind == "i1" else 128 if kind == "u1" else 0
        if kind == "f2":
            held = self.model.tensor(shape, data, kind)
        else:
            whole = np.rint(data / (scale[:, None] if rows else scale)) + zero
            held = self.model.tensor(shape, whole, kind, scale=scale, zero=zero)
        return self.model.operator(lite.DEQUANTIZE, [held], shape, version=5)


def _lite_rounded(folder: Path, interpreter: Any, x: Any) -> Iterator[Sample]:
    """Weights in int8 by rows, uint8, int16 and float16."""
    model = lite.Model()
    given = model.input(2, STEPS, 3)
    out = _Rounded(model).lstm(given)
    (folder / "rounded.tflite").write_bytes(model.write(out))
    (y,) = _run_lite(interpreter, folder / "rounded.tflite", x)
    yield Sample("rounded.tflite", None, "lstm", x, y)


def converted_files(folder: Path) -> Iterator[Sample]:
    """Layers as TensorFlow's converter writes them, run by its interpreter: operators and loops.

    Keras 2's LSTMs become operators. Keras 3 computes with one library in a process: where it is
    not TensorFlow, its files are left out.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras
    import tensorflow
    import tf_keras

    old = tf_keras.layers
    again = {"return_sequences": True}
    stacks: list[tuple[str, str, Any, list[Any]]] = [
        (
            "two_lstms",
            "tflite_lstm_clip_10",
            tf_keras,
            [old.LSTM(4, **again), old.LSTM(2, **again)],
        ),
        ("both_ways", "tflite_lstm_clip_10", tf_keras, [old.Bidirectional(old.LSTM(2, **again))]),
        ("both_grus", "gru_reset_after", tf_keras, [old.Bidirectional(old.GRU(2, **again))]),
    ]
    if keras.backend.backend() == "tensorflow":
        new = keras.layers
        before, relu = {"reset_after": False}, {"activation": "relu"}
        stacks += [
            ("loop_gru", "gru", keras, [new.GRU(2, **again, **before)]),
            ("loop_lstm", "lstm", keras, [new.LSTM(3, **again), new.LSTM(2, **again)]),
            ("loop_rnn", "irnn", keras, [new.SimpleRNN(2, **again, **relu)]),
        ]
    x = np.random.default_rng(7).normal(size=(STEPS, 1, 3)).astype("f4")
    rng = np.random.default_rng(8)
    for name, cell, library, stack in stacks:
        model = library.Sequential([library.Input((STEPS, 3), batch_size=1), *stack])
        model.set_weights([rng.normal(size=w.shape) * 0.6 for w in model.get_weights()])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
            (folder / f"{name}.tflite").write_bytes(made)
            (y,) = _run_lite(tensorflow.lite.Interpreter, folder / f"{name}.tflite", x)
        yield Sample(f"{name}.tflite", None, cell, x, y)
