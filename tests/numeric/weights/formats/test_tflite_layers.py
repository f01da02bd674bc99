"""Which recurrent operators of TensorFlow Lite feed which."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tflite_models as lite

from derive import catalogue
from numeric.weights.formats import tflite
from numeric.weights.formats.stored import Arrays
from numeric.weights.mapping import map_weights
from numeric.weights.modules import modules_of


def written(folder: Path, held: bytes) -> Arrays:
    path = folder / "m.tflite"
    path.write_bytes(held)
    return tflite.read(path)


def two_layers(between: Any, **second: Any) -> lite.Model:
    """Two layers, and what stands between them: a function of the model and a tensor."""
    model = lite.Model()
    own = lite.Operators(model)
    first = own.lstm(model.input(2, 5, 3))
    model.outputs = [own.lstm(between(model, first), **second)]
    return model


def transposed(model: lite.Model, x: int) -> int:
    order = model.tensor((3,), [1, 0, 2], "i4")
    turned = model.operator(lite.TRANSPOSE, [x, order], (5, 2, 2))
    return model.operator(lite.TRANSPOSE, [turned, order], (2, 5, 2))


def reversed_along(axis: int, model: lite.Model, x: int) -> int:
    return model.operator(lite.REVERSE, [x, model.tensor((1,), [axis], "i4")], (2, 5, 2))


def halved(model: lite.Model, x: int) -> int:
    """(2, 5, 2) as (2, 10, 1): another sequence."""
    return model.operator(lite.RESHAPE, [x, model.tensor((3,), [2, 10, 1], "i4")], (2, 10, 1))


@pytest.mark.parametrize(
    ("between", "second", "modules"),
    [
        (lambda model, x: x, {}, 1),
        (transposed, {}, 1),
        (halved, {}, 2),
        (lambda model, x: x, {"peepholes": True}, 2),
        (lambda model, x: x, {"cell_clip": 1.0}, 2),
        (lambda model, x: model.operator(28, [x], (2, 5, 2)), {}, 2),  # TANH
        (partial(reversed_along, 1), {}, 2),
        (partial(reversed_along, -2), {}, 2),
    ],
)
def test_layers_are_one_module_through_changes_of_shape_alone(
    tmp_path: Path, between: Any, second: dict[str, Any], modules: int
) -> None:
    model = two_layers(between, **second)
    found = modules_of(written(tmp_path, model.write(*model.outputs)))
    assert len(found) == modules
    assert found[0].depth == 3 - modules
    assert found[0].cells == ("lstm",)


@pytest.mark.parametrize("axis", [1, -2])
def test_a_layer_that_runs_backwards_is_said(tmp_path: Path, axis: int) -> None:
    model = two_layers(partial(reversed_along, axis))
    last = modules_of(written(tmp_path, model.write(*model.outputs)))[-1]
    assert last.why_not == "it runs from the last step to the first (REVERSE_V2)"


def both_ways(
    order: tuple[int, int], axes: tuple[int, int] = (1, 1), **backward: Any
) -> lite.Model:
    model = lite.Model()
    own, x = lite.Operators(model), model.input(2, 5, 2)
    turned = reversed_along(axes[0], model, x)
    forth = own.lstm(x)
    back = reversed_along(axes[1], model, own.lstm(turned, **backward))
    given = [(forth, back)[place] for place in order]
    model.outputs = [model.operator(lite.CONCATENATION, given, (2, 5, 4), {0: ("i", 2)})]
    return model


def test_two_directions_are_one_layer_where_they_stand_forward_first(tmp_path: Path) -> None:
    model = both_ways((0, 1))
    (module,) = modules_of(written(tmp_path, model.write(*model.outputs)))
    assert (module.both, module.cells) == (True, ("lstm",))
    forth, back = map_weights(catalogue["lstm"], tflite.read(tmp_path / "m.tflite"))
    assert (forth.prefix, back.prefix) == ("layer0.", "layer0.reverse.")
    assert forth.origin["W_ix"].endswith("forward.input_to_input")
    for other in (both_ways((1, 0)), both_ways((0, 1), (1, 0)), both_ways((0, 1), (0, 1)),
                  both_ways((0, 1), activation=lite.RELU)):  # fmt: skip
        found = modules_of(written(tmp_path, other.write(*other.outputs)))
        assert [module.both for module in found] == [False, False]


def test_directions_of_other_inputs_or_of_outputs_that_stay_turned_are_two_modules(
    tmp_path: Path,
) -> None:
    for given, turned_back in ((0, True), (1, False)):
        model = lite.Model()
        own, x, other = lite.Operators(model), model.input(2, 5, 2), model.input(2, 5, 2)
        back = own.lstm(reversed_along(1, model, (other, x)[given]))
        back = reversed_along(1, model, back) if turned_back else back
        out = model.operator(lite.CONCATENATION, [own.lstm(x), back], (2, 5, 4), {0: ("i", 2)})
        found = modules_of(written(tmp_path, model.write(out)))
        assert [module.both for module in found] == [False, False]


@pytest.mark.parametrize(
    ("options", "both"), [({0: ("i", -1)}, True), ({0: ("i", 1)}, False), ({}, False),
                          ({0: ("i", 2), 1: ("b", lite.RELU)}, False)],
)  # fmt: skip
def test_directions_one_after_the_other_are_two_modules(
    tmp_path: Path, options: dict[int, Any], both: bool
) -> None:
    model = both_ways((0, 1))
    model.operators[-1][4] = options
    found = modules_of(written(tmp_path, model.write(*model.outputs)))
    assert [module.both for module in found] == ([True] if both else [False, False])


def sliced(model: lite.Model, x: int, begin: int, step: int = 1) -> int:
    """One step of (2, 5, 2)."""
    said = {0: 5, 1: 7, 4: 2}
    given = [model.tensor((3,), numbers, "i4") for numbers in ([0, begin, 0], [0, 0, 0],
                                                               [1, step, 1])]  # fmt: skip
    options = {field: ("i", value) for field, value in said.items()}
    return model.operator(lite.STRIDED_SLICE, [x, *given], (2, 2), options)


@pytest.mark.parametrize(
    ("forth", "back", "both"),
    [
        ((-1,), (-1,), True), ((4,), (4,), True), ((-1,), (0,), False), ((0,), (-1,), False),
        ((3,), (4,), False), ((-1, -1), (-1,), False),
    ],
)  # fmt: skip
def test_last_outputs_beside_each_other_are_those_of_both_directions(
    tmp_path: Path, forth: tuple[int, ...], back: tuple[int, ...], both: bool
) -> None:
    model = lite.Model()
    own, x = lite.Operators(model), model.input(2, 5, 2)
    first = sliced(model, own.lstm(x), *forth)
    second = sliced(model, own.lstm(reversed_along(1, model, x)), *back)
    out = model.operator(lite.CONCATENATION, [first, second], (2, 4), {0: ("i", 1)})
    found = modules_of(written(tmp_path, model.write(out)))
    assert [module.both for module in found] == ([True] if both else [False, False])


def test_axes_are_followed_through_transpositions(tmp_path: Path) -> None:
    """Time turned where it is the first axis; and the samples, which no layer's time is."""
    for axis, backwards in ((0, True), (1, False)):
        model = lite.Model()
        own, x = lite.Operators(model), model.input(2, 5, 2)
        order = model.tensor((3,), [1, 0, 2], "i4")
        first = model.operator(lite.TRANSPOSE, [x, order], (5, 2, 2))
        turned = model.operator(lite.REVERSE, [first, model.tensor((1,), [axis], "i4")], (5, 2, 2))
        out = own.lstm(model.operator(lite.TRANSPOSE, [turned, order], (2, 5, 2)))
        (module,) = modules_of(written(tmp_path, model.write(out)))
        assert (module.cells == ()) is backwards


def test_steps_in_another_order_are_another_sequence(tmp_path: Path) -> None:
    """A slice of the same shape that runs backwards, between two layers."""
    for step, modules in ((1, 1), (-1, 2)):
        model = lite.Model()
        own = lite.Operators(model)
        first = own.lstm(model.input(2, 5, 3))
        given = [model.tensor((3,), numbers, "i4") for numbers in ([0, 0, 0], [0, 0, 0],
                                                                   [1, step, 1])]  # fmt: skip
        options = {0: ("i", 7), 1: ("i", 7)}
        between = model.operator(lite.STRIDED_SLICE, [first, *given], (2, 5, 2), options)
        found = modules_of(written(tmp_path, model.write(own.lstm(between))))
        assert len(found) == modules
