"""Loops as TensorFlow's converter writes layers: which constant is what, and what is none."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from library_sample import FOLDER
from profiles import NIGHTLY

from derive import catalogue
from numeric.weights.formats import tflite
from numeric.weights.formats.stored import Arrays
from numeric.weights.formats.tflite_graph import FILL, RESHAPE, WHILE, Operator, model_of
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


@pytest.mark.parametrize("name", ["loop_lstm.tflite", "loop_gru.tflite", "loop_rnn.tflite"])
def test_a_loop_that_starts_elsewhere_than_at_zero_is_no_layer(name: str, tmp_path: Path) -> None:
    data = np.frombuffer((FOLDER / name).read_bytes(), np.uint8).copy()
    model = model_of(data)
    loop = next(one for one in model.graphs[0].operators if one.kind == WHILE)
    step = step_of(*bodies(name)[0])
    tensors = [model.graphs[0].tensors[loop.inputs[place]] for place in step.moving]
    starts = {tensor.buffer for tensor in tensors if len(model.buffers[tensor.buffer])}
    assert starts

    def known() -> list[bool]:
        (tmp_path / name).write_bytes(data.tobytes())
        modules = modules_of(tflite.read(tmp_path / name))
        refused = [module.why_not for module in modules if not module.cells]
        assert all(said.startswith("a loop that starts elsewhere") for said in refused)
        return [bool(module.cells) for module in modules]

    assert all(known())
    for buffer in starts:
        held = model.buffers[buffer]  # a view of the file's bytes
        before = held.copy()
        held[-1] = 1
        assert not all(known())
        held[:] = before


@pytest.mark.parametrize(("kind", "said"), [(28, True), (FILL, False), (RESHAPE, False)])
def test_a_start_that_the_graph_computes_is_said(kind: int, said: bool) -> None:
    """Of tanh of anything; not of what is filled with zeros, or those in another shape."""
    model = model_of(np.frombuffer((FOLDER / "loop_lstm.tflite").read_bytes(), np.uint8))
    graph = model.graphs[0]
    loop = next(one for one in graph.operators if one.kind == WHILE)
    step = step_of(*bodies("loop_lstm.tflite")[0])
    _, c = step.states
    first = graph.tensors[loop.inputs[c]]
    maker = Operator(len(graph.operators), kind, [loop.inputs[c]] * 2, [len(graph.tensors)], {})
    inputs = [*loop.inputs[:c], len(graph.tensors), *loop.inputs[c + 1 :]]
    operators = [replace(one, inputs=inputs) if one is loop else one for one in graph.operators]
    graph = replace(graph, tensors=[*graph.tensors, first], operators=[*operators, maker])
    found = tflite._Found(model)
    found.take(graph, "")
    starts = [module.starts for module in modules_of(Arrays(found.arrays, found.modules))]
    assert [text for text in starts if text] == ["c of LSTM_1.0 is computed in the graph"] * said


def test_a_start_that_cannot_be_read_is_said() -> None:
    model = model_of(np.frombuffer((FOLDER / "loop_lstm.tflite").read_bytes(), np.uint8))
    graph = model.graphs[0]
    loop = next(one for one in graph.operators if one.kind == WHILE)
    _, c = step_of(*bodies("loop_lstm.tflite")[0]).states
    sparse = replace(graph.tensors[loop.inputs[c]], sparse=True, name="few")
    inputs = [*loop.inputs[:c], len(graph.tensors), *loop.inputs[c + 1 :]]
    operators = [replace(one, inputs=inputs) if one is loop else one for one in graph.operators]
    found = tflite._Found(model)
    found.take(replace(graph, tensors=[*graph.tensors, sparse], operators=operators), "")
    (module,) = modules_of(Arrays(found.arrays, found.modules))
    assert module.starts == "c of LSTM_1.0 is few"


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def activated(one: Any, value: Any) -> Any:
    return {0: value, 1: np.maximum(value, 0), 4: np.tanh(value)}.get(one.options["fused"])


def split(whole: Any, axis: int, count: int) -> list[Any]:
    return np.split(whole, count, int(axis))


def sliced(whole: Any, begin: Any, end: Any, step: Any, options: Any) -> Any:
    """The rows and columns that masks and numbers say; of two axes."""
    cuts = []
    for axis in range(2):
        open_at = [options[name] >> axis & 1 for name in ("begin_mask", "end_mask")]
        cuts.append(slice(None if open_at[0] else begin[axis], None if open_at[1] else end[axis],
                          step[axis]))  # fmt: skip
    return whole[tuple(cuts)]


def run(body: Any, held: dict[int, Any], given: dict[int, Any]) -> dict[int, Any]:
    """What each tensor of a body is, by NumPy; of operators that a step has, as they are meant."""
    found = {**held, **given}
    for one in body.operators:
        of = [found.get(name) for name in one.inputs]
        if any(value is None for value, name in zip(of, one.inputs, strict=True) if name >= 0):
            continue
        out: list[Any] = []
        if one.kind in {0, 18, 41}:
            a, b = of
            out = [activated(one, a + b if one.kind == 0 else a * b if one.kind == 18 else a - b)]
        elif one.kind == 9:
            out = [activated(one, of[0] @ of[1].T + (0 if of[2] is None else of[2]))]
        elif one.kind in {14, 19, 28}:
            out = [{14: sigmoid, 19: lambda a: np.maximum(a, 0), 28: np.tanh}[one.kind](of[0])]
        elif one.kind == 22:
            out = [np.reshape(of[0], body.tensors[one.outputs[0]].shape)]
        elif one.kind == 36:
            out = [np.take(of[0], of[1], one.options["axis"])]
        elif one.kind == 45:
            out = [sliced(*of, one.options)]
        elif one.kind == 49:
            out = split(of[1], of[0], len(one.outputs))
        found |= dict(zip(one.outputs, out, strict=True)) if out else {}
    return found


def computed(step: Any, held: dict[int, Any], x: Any, h: Any, c: Any) -> Any:
    """The next state by the step's own equations."""

    def rows(where: Any) -> Any:
        return np.split(held[where[0]], where[2])[where[1]]

    def beside_x(gate: Any) -> Any:
        return x @ rows(gate.W).T + sum(map(rows, gate.biases))

    def beside_h(gate: Any, h: Any) -> Any:
        return h @ rows(gate.R).T + sum(map(rows, gate.inner))

    a = {name: beside_x(gate) + beside_h(gate, h) for name, gate in step.gates.items()}
    if step.kind == "RNN":
        return np.tanh(a[""]) if step.activation == "tanh" else np.maximum(a[""], 0)
    if step.kind == "LSTM":
        new = sigmoid(a["forget"]) * c + sigmoid(a["input"]) * np.tanh(a["cell"])
        return sigmoid(a["output"]) * np.tanh(new)
    z, r, gate = sigmoid(a["update"]), sigmoid(a["reset"]), step.gates["cell"]
    inner = r * beside_h(gate, h) if step.after else beside_h(gate, r * h)
    return z * h + (1 - z) * np.tanh(beside_x(gate) + inner)


def changes(body: Any, rng: np.random.Generator) -> Any:
    """A body with one operator changed: an operand, two outputs, an option."""
    place = int(rng.integers(len(body.operators)))
    one = body.operators[place]
    kind = rng.integers(3)
    if kind == 0:
        inputs, turn = [*one.inputs], int(rng.integers(len(one.inputs)))
        shape = body.tensors[inputs[turn]].shape
        alike = [k for k, t in enumerate(body.tensors) if t.shape == shape]
        inputs[turn] = alike[int(rng.integers(len(alike)))]
        one = replace(one, inputs=inputs)
    elif kind == 1:
        one = replace(one, outputs=[*rng.permutation(one.outputs)])
    elif one.options:
        name = [*one.options][int(rng.integers(len(one.options)))]
        one = replace(one, options={**one.options, name: int(rng.integers(5))})
    return replace(body, operators=[*body.operators[:place], one, *body.operators[place + 1 :]])


@pytest.mark.by_default("loop_gru.tflite", "loop_rnn.tflite")
@pytest.mark.parametrize("name", ["loop_lstm.tflite", "loop_gru.tflite", "both_grus.tflite",
                                  "loop_rnn.tflite"])  # fmt: skip
def test_whatever_is_taken_for_a_step_computes_it(name: str) -> None:
    """Bodies with changes, and constants with others: each is run, or is no step."""
    model = model_of(np.frombuffer((FOLDER / name).read_bytes(), np.uint8))
    whole, _ = bodies(name)[0]
    rng, taken, other = np.random.default_rng(0), 0, 0
    held = {}
    for place, tensor in enumerate(whole.tensors):
        array = tflite._array(model, tensor, "")
        if isinstance(array, np.ndarray):
            held[place] = array.astype("f8") if array.dtype.kind == "f" else np.asarray(array)
    for _ in range(NIGHTLY * 4000 + 700):
        body, constants = changes(whole, rng), {**held}
        if rng.integers(4) == 0:
            small = [k for k, array in held.items() if array.size <= 3]
            place = small[int(rng.integers(len(small)))]
            constants[place] = constants[place] + 1
        step = step_of(body, lambda k, c=constants, b=body: numbers(c, b, k))
        if step is None:
            other += 1
            continue
        taken += 1
        given = {k: rng.normal(size=body.tensors[k].shape) for k in body.inputs}
        counters = [k for k in body.inputs if body.tensors[k].kind == 2]
        given |= {k: np.array(place) for place, k in enumerate(counters, 1)}
        places = [place for place, k in enumerate(body.inputs) if body.tensors[k].kind == 2
                  and place != step.loop.sequence]  # fmt: skip
        found = run(body, constants, given)
        sequence = given[body.inputs[step.loop.sequence]]
        hidden = step.loop.last[-1]
        h, got = (given[body.inputs[hidden]], found[body.outputs[hidden]])
        states = [given[k] for k in body.inputs if body.tensors[k].shape == h.shape]
        wanted = [computed(step, constants, sequence[int(given[body.inputs[p]])], h, c)
                  for p in places for c in states]  # fmt: skip
        assert any(np.allclose(one, got, rtol=0, atol=1e-12) for one in wanted)
    assert min(taken, other) > 50


def numbers(held: dict[int, Any], body: Any, name: int) -> list[int]:
    """The entries of a short constant that are whole numbers."""
    array = held.get(name)
    if array is None or name in body.makers or array.size > 32:
        return []
    found = array.ravel().tolist()
    return [int(e) for e in found] if all(e % 1 == 0 for e in found) else []


def changed(body: Any, kind: int, turn: int, **more: Any) -> Any:
    """A body whose operator of that kind, the turn-th, is another."""
    place = [k for k, one in enumerate(body.operators) if one.kind == kind][turn]
    one = replace(body.operators[place], **more)
    return replace(body, operators=[*body.operators[:place], one, *body.operators[place + 1 :]])


def test_a_loop_runs_from_the_first_row_to_the_last() -> None:
    """Its counter grows by one, its sequence stays, and its states are written at the counter."""
    body, constant = bodies("loop_rnn.tflite")[0]
    right = step_of(body, constant)
    assert right is not None
    assert (right.loop.every, list(right.loop.last)) == (2, [3])

    def by_two(name: int) -> list[int]:
        found = constant(name)
        return [2] if found == [1] and body.tensors[name].shape == () else list(found)

    assert step_of(body, by_two) is None
    moved = [*body.outputs]
    moved[right.loop.sequence] = body.inputs[2]
    assert step_of(replace(body, outputs=moved), constant) is None
    shuffled = {"fused": 0, "shuffled": 1}
    assert step_of(changed(body, 9, 0, options=shuffled), constant) is None
    sizes, starts = ([one for one in body.operators if one.kind == 2][k] for k in (0, 1))
    for turn, other in ((0, starts), (1, sizes)):
        elsewhere = changed(body, 2, turn, inputs=[other.inputs[0], *sizes.inputs[1:]])
        step = step_of(elsewhere, constant)
        assert step is not None
        assert step.loop.every == -1
    last = [one for one in body.operators if one.kind == 2][-1]
    other = step_of(changed(body, 2, -1, inputs=[last.inputs[0], body.inputs[3], last.inputs[2]]),
                    constant)  # fmt: skip
    assert other is not None
    assert other.loop.every == -1


def test_blocks_that_are_none_of_the_gates_are_not_taken_for_them() -> None:
    """Columns that begin within a block, and a change of shape that is more than that."""
    body, constant = bodies("loop_gru.tflite")[0]
    cut = next(one for one in body.operators if one.kind == 45)
    names = cut.inputs[1:3]

    def within(name: int) -> list[int]:
        return {names[0]: [0, 1], names[1]: [0, 3]}.get(name, [*constant(name)])

    masks = {**cut.options, "begin_mask": 1, "end_mask": 1}
    assert step_of(changed(body, 45, 0, options=masks), within) is None
    body, constant = bodies("loop_lstm.tflite")[0]
    out = next(one for one in body.operators if one.kind == 22).outputs[0]
    tensors = [*body.tensors]
    assert tensors[out].shape == (12,)
    tensors[out] = replace(tensors[out], shape=(3, 4))
    assert step_of(body, constant) is not None
    assert step_of(replace(body, tensors=tensors), constant) is None


def test_a_body_that_is_too_large_for_a_step_is_not_looked_at() -> None:
    body, constant = bodies("loop_rnn.tflite")[0]
    for times, known in ((2, True), (100, False)):
        large = replace(body, operators=[*body.operators] * times)
        assert (step_of(large, constant) is not None) is known


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
