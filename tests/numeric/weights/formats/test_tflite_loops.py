"""Loops as TensorFlow's converter writes layers: which constant is what, and what is none."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from library_sample import FOLDER

from derive import catalogue
from numeric.weights.formats import tflite
from numeric.weights.formats.tflite_graph import WHILE, model_of
from numeric.weights.formats.tflite_loops import step_of
from numeric.weights.mapping import map_weights
from numeric.weights.modules import modules_of


def bodies(name: str) -> list[Any]:
    """The bodies of a file's loops, with what gives their constants."""
    model = model_of(np.frombuffer((FOLDER / name).read_bytes(), np.uint8))
    places = [one.options["body"] for graph in model.graphs for one in graph.operators
              if one.kind == WHILE]  # fmt: skip
    return [(model.graphs[k], partial(tflite._whole_numbers, model, model.graphs[k]))
            for k in places]  # fmt: skip


def test_the_gates_of_a_loop_are_found_by_what_is_done_with_them() -> None:
    for name, kind, after in (
        ("loop_lstm.tflite", "LSTM", False), ("both_grus.tflite", "GRU", True),
        ("loop_gru.tflite", "GRU", False), ("loop_rnn.tflite", "RNN", False),
    ):  # fmt: skip
        for body, constant in bodies(name):
            step = step_of(body, constant)
            assert step is not None
            assert (step.kind, step.after) == (kind, after)


@pytest.mark.parametrize("name", ["loop_lstm.tflite", "loop_gru.tflite", "both_grus.tflite",
                                  "loop_rnn.tflite"])  # fmt: skip
def test_a_loop_that_computes_anything_else_is_not_taken_for_it(name: str) -> None:
    """Every operator of the step is changed, one at a time; what writes the outputs is not."""
    body, constant = bodies(name)[0]
    right = step_of(body, constant)
    others = {0: 41, 41: 0, 18: 0, 14: 28, 28: 14, 9: 18, 36: 18, 45: 28, 49: 28, 102: 28}
    seen = 0
    for place, one in enumerate(body.operators):
        if one.kind not in others:
            continue
        options = {"fused": 0, **one.options}
        changed = [replace(one, kind=others[one.kind], options=options)]
        if "fused" in one.options:
            changed.append(replace(one, options={**one.options, "fused": 3}))
        if one.kind == 0 and body.tensors[one.outputs[0]].kind == 0:
            changed.append(replace(one, inputs=[one.inputs[0]] * 2))
        for mutant in changed:
            operators = [*body.operators[:place], mutant, *body.operators[place + 1 :]]
            found = step_of(replace(body, operators=operators), constant)
            outer = one.kind == 0 and body.tensors[one.outputs[0]].kind != 0
            seen += found is None
            assert found is None or (outer and found.gates == right.gates), (one, mutant)
    assert seen > 5


def test_gates_that_change_places_are_other_gates() -> None:
    """The blocks of a split are told by what is done with them, not by their order."""
    body, constant = bodies("loop_lstm.tflite")[0]
    right = step_of(body, constant)
    place, split = next((k, one) for k, one in enumerate(body.operators) if one.kind == 49)
    swapped = replace(split, outputs=[split.outputs[k] for k in (1, 0, 2, 3)])
    operators = [*body.operators[:place], swapped, *body.operators[place + 1 :]]
    found = step_of(replace(body, operators=operators), constant)
    assert right is not None
    assert found is not None
    assert found.gates["input"] == right.gates["forget"]
    assert found.gates["forget"] == right.gates["input"]
    assert found.gates["output"] == right.gates["output"]


def test_a_loop_that_is_not_known_is_named_with_its_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tflite, "step_of", lambda *_: None)
    arrays = tflite.read(FOLDER / "loop_rnn.tflite")
    (module,) = modules_of(arrays)
    assert module.text.startswith("WHILE_1 (TFLite: no cell: a loop of other operators than")
    assert "with matrices (2, 3), (2, 2); keep the .keras" in module.why_not
    with pytest.raises(ValueError, match="WHILE_1 of TFLite is no rnn: a loop of other"):
        map_weights(catalogue["rnn"], arrays)
