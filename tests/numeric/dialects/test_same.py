"""Two cells are one function, or differ: frameworks' dialects, renamed cells, and near misses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from derive.cell import cell_of, dialects
from derive.cells import tables
from numeric import compile_cell
from numeric.dialects.parameter_map import Move, ParameterMap
from numeric.dialects.proof import prove
from numeric.dialects.same import OneWay, Sameness, counterexample, one_way, same

SAME = (
    ("torch_lstm", "lstm"), ("torch_gru", "gru_reset_after"), ("keras_gru", "gru"),
    ("tf_block_lstm", "lstm"), ("tf_block_gru", "gru"), ("torch_rnn", "rnn"),
    ("keras_lstm", "lstm"), ("keras_gru_reset_after", "torch_gru"), ("onnx_gru", "gru"),
    ("onnx_gru_linear_before_reset", "gru_reset_after"), ("onnx_lstm", "keras_lstm"),
    ("onnx_lstm_peephole", "peephole_lstm"), ("d2l_gru", "gru"), ("d2l_lstm", "lstm"),
    ("flax_gru", "torch_gru"), ("equinox_gru", "gru_reset_after"), ("equinox_lstm", "flax_lstm"),
    ("tf_block_lstm_peephole", "onnx_lstm_peephole"), ("keras_simple_rnn", "onnx_rnn"),
    ("d2l_rnn", "rnn"), ("tflite_rnn", "rnn"), ("tflite_lstm", "lstm"),
    ("tflite_lstm_peephole", "peephole_lstm"), ("tflite_lstm_projected", "projected_lstm"),
    ("tflite_lstm_coupled", "coupled_lstm"),
)  # fmt: skip
DIFFERENT = (
    ("gru", "gru_reset_after"), ("lstm", "peephole_lstm"), ("rnn", "irnn"),
    ("coupled_lstm", "lstm"), ("gru", "mgu"), ("onnx_gru", "onnx_gru_linear_before_reset"),
    ("torch_lstm_projected", "projected_lstm"), ("rnn", "lstm"),
)  # fmt: skip


@pytest.mark.parametrize("pair", [*SAME[2:4], *by_day(SAME[4:], 6)], ids="-".join)
def test_dialects_are_one_function(pair: tuple[str, str]) -> None:
    verdict = same(*map(cell_of, pair))
    assert verdict.status == "same"
    for way in (verdict.there, verdict.back):
        assert way is not None
        assert way.proof is not None
        assert way.proof.exact
        assert way.proof.error_probability < 1e-20
        assert way.found is not None
        agrees_in_float(way.found)


def agrees_in_float(found: ParameterMap) -> None:
    """The emitted code of both gives the same states, at sizes of their own."""
    rng = np.random.default_rng(1)
    sizes = dict(zip(found.frame.sizes.values(), (4, 5, 3), strict=False))
    source, target = compile_cell(found.source), compile_cell(found.target)
    params = {name: rng.normal(size=[sizes[k] if k in sizes else sum(sizes[p] for p in k.split("+"))
                                     for k in dims])
              for name, dims in source.module.PARAMETERS.items()}  # fmt: skip
    (x,) = source.module.INPUTS
    value = rng.normal(size=(6, 2, sizes["m"]))
    want, _ = source.forward(params, {x: value})
    (other,) = target.module.INPUTS
    got, _ = target.forward(found.apply(params, sizes), {other: value})
    for name, whose in found.frame.states.items():
        scale = np.max(np.abs(want[whose]))
        assert np.max(np.abs(got[name] - want[whose])) <= 1e-12 * scale


@pytest.mark.by_default("coupled_lstm-lstm", "gru-gru_reset_after")
@pytest.mark.parametrize("pair", [DIFFERENT[0], *by_day(DIFFERENT[2:], 3, 1)], ids="-".join)
def test_cells_that_differ_have_a_point_that_says_so(pair: tuple[str, str]) -> None:
    first, second = map(cell_of, pair)
    verdict = same(first, second)
    assert verdict.status == "different"
    failing = verdict.failing
    ends = (first, second) if failing is verdict.there else (second, first)
    found = counterexample(*ends, failing)
    if "reason" in found:
        assert "states" in found["reason"]
        return
    assert failing.least is not None
    assert failing.least > 1e-4
    results = [
        emitted(cell, found[end]) for cell, end in zip(ends, ("source", "target"), strict=True)
    ]
    for result, end in zip(results, ("source", "target"), strict=True):
        for name, value in found[end]["states"].items():
            assert np.allclose(result[name][0, 0], value, rtol=1e-12, atol=0)
    apart = max(np.max(np.abs(result - other)) for result, other in zip(
        (results[1][name] for name in results[1]), (results[0][name] for name in results[0]),
        strict=True))  # fmt: skip
    assert apart > 1e-3


def emitted(cell: Cell, point: Mapping[str, Any]) -> dict[str, Any]:
    """One step of our code at a counterexample, in the module interface's own shapes."""

    def rows(group: str, lead: tuple[int, ...]) -> dict[str, Any]:
        return {
            name: np.reshape(value, (*lead, len(value))) for name, value in point[group].items()
        }

    params = {name: np.asarray(value) for name, value in point["parameters"].items()}
    return compile_cell(cell).forward(params, rows("inputs", (1, 1)), rows("initial", (1,)))[0]


def renamed(name: str) -> Cell:
    """The cell with every name another, so that no name helps."""
    cell, table = catalogue[name], tables()[name]
    symbols = (*cell.parameters, *cell.inputs, *cell.states, *cell.constants)
    names = sorted({s.name for s in symbols} | {e.target.name for e in cell.equations})
    new = {old: f"q{place}z" for place, old in enumerate(reversed(names))}
    new |= {f"{old}_prev": f"{now}_prev" for old, now in new.items()}

    def change(text: str) -> str:
        return re.sub(r"[A-Za-z_]\w*", lambda word: new.get(word[0], word[0]), text)

    lists = ("constants", "scalars", "matrices", "outputs")
    more = {key: [*map(change, table[key])] for key in lists if key in table}
    more |= {key: {change(k): v for k, v in table[key].items()}
             for key in ("sizes", "defaults") if key in table}  # fmt: skip
    return Cell.parse(name="renamed", equations=change(table["equations"]),
                      inputs=[*map(change, table.get("inputs", ["x"]))], **more)  # fmt: skip


VECTORS = [n for n in catalogue if all(s.shape[1] == 1 for s in catalogue[n].states)]


@pytest.mark.parametrize("name", ["projected_lstm", *by_day(VECTORS, 25)])
def test_a_cell_is_the_same_under_other_names(name: str) -> None:
    assert same(catalogue[name], renamed(name)).status == "same"


def test_a_term_that_is_missing_or_of_another_sign_is_seen() -> None:
    text = tables()["gru"]["equations"]
    for old, new in (
        ("z * h_tilde", "z * z * h_tilde"), ("(1 - z) * h_prev", "h_prev"),
        ("tanh(W_hh", "sigmoid(W_hh"), ("r * h_prev", "r * r * h_prev"),
        ("z * h_tilde", "1.0001 * z * h_tilde"),
    ):  # fmt: skip
        assert text.count(old) == 1
        mutant = Cell.parse(name="mutant", equations=text.replace(old, new))
        assert same(catalogue["gru"], mutant).status == "different", new


def test_a_wrong_map_is_no_proof() -> None:
    found = one_way(catalogue["gru"], dialects["keras_gru"]).found
    assert found is not None
    assert prove(found).holds
    for place, move in enumerate(found.moves):
        wrong = list(found.moves)
        wrong[place] = Move(move.source, move.target, -move.factor, move.transposed)
        mutant = ParameterMap(found.source, found.target, found.frame, tuple(wrong), {})
        proof = prove(mutant)
        assert not proof.exact
        assert proof.agreement > 1e-6


def test_a_difference_too_small_for_the_search_is_no_sameness() -> None:
    text = tables()["rnn"]["equations"]
    near = Cell.parse(name="near", equations=text.replace("tanh(a)", "1.00000000001 * tanh(a)"))
    verdict = same(catalogue["rnn"], near)
    assert verdict.status == "inconclusive"
    assert "proof fails" in verdict.there.reason


def test_numbers_that_multiply_are_taken_into_parameters() -> None:
    """One each way; a bias that is added besides goes with its offset."""
    text = "h = tanh({} * (W @ x) + U @ h_prev + b)"
    two, three = (Cell.parse(name=f"times_{n}", equations=text.format(n)) for n in (2, 3))
    verdict = same(two, three)
    assert verdict.status == "same"
    assert verdict.there.found is not None
    assert verdict.there.found.lines() == {"W": "2/3 · W", "U": "U", "b": "b"}
    assert verdict.back is not None
    assert verdict.back.found.lines()["W"] == "3/2 · W"
    moved = Cell.parse(name="moved", equations=text.format(1).replace("+ b", "- 0.5 * b + 1"))
    assert same(two, moved).there.found.lines() == {"W": "2 · W", "U": "U", "b": "−2 · b + 2"}
    other = same(two, Cell.parse(name="other", equations=f"{text.format(3)} + 0 * x".replace(
        "tanh", "sin"), sizes={"x": "n"}))  # fmt: skip
    assert other.status == "different"


def test_a_kink_far_away_is_met() -> None:
    text = tables()["irnn"]["equations"]
    clipped = Cell.parse(
        name="clipped", equations=text.replace("relu(a)", "relu(a) - relu(a - 60)")
    )
    assert same(catalogue["irnn"], clipped).status != "same"


def test_outputs_are_compared_as_states_are() -> None:
    text = "h = tanh(W @ h_prev + U @ x)\ny = {} * (V @ h)"
    one, two, three = (
        Cell.parse(name=name, equations=text.format(by), outputs=["y"])
        for name, by in (("one", "1"), ("two", "(-1)"), ("three", "h"))
    )
    assert same(one, two).status == "same"
    assert same(one, three).status == "different"


def test_an_output_is_no_state_of_another_cell() -> None:
    text = "h = tanh(W @ h_prev + U @ x)\ny = {}V @ h)"
    one, two = (
        Cell.parse(name=name, equations=text.format(by), outputs=["y"])
        for name, by in (("one", "1 * ("), ("two", "tanh("))
    )
    verdict = same(one, two)
    assert verdict.status == "different"
    assert verdict.failing.closest is not None
    assert verdict.failing.closest.frame.states == {"h": "h", "y": "y"}


def test_cells_without_parameters_are_compared() -> None:
    one, two, three = (
        Cell.parse(name=name, equations=f"h = tanh({text})")
        for name, text in (
            ("one", "x + h_prev"),
            ("two", "h_prev + x"),
            ("three", "c * x + h_prev"),
        )
    )
    assert same(one, two).status == "same"
    verdict = same(one, three)
    assert verdict.status == "different"


def test_where_zero_is_divided_by_nothing_is_known_of_maps_that_are_not_found() -> None:
    one, two = (
        Cell.parse(name=name, equations=f"h = tanh({text})")
        for name, text in (("one", "x / b + U @ h_prev"), ("two", "U @ h_prev - x / b"))
    )
    negated = one_way(one, one).found
    assert negated is not None
    moves = tuple(
        replace(m, factor=Fraction(-1 if m.source.parameter == "b" else 1)) for m in negated.moves
    )
    assert prove(ParameterMap(one, two, negated.frame, moves)).holds
    verdict = same(one, two)
    assert verdict.status == "inconclusive"
    assert "divides by zero" in verdict.failing.reason


def test_where_zero_is_divided_by_nothing_is_known_of_multiples_either() -> None:
    """Too many matrices to go to several places, and a number that multiplies: b ↦ −b is a map."""
    deep = "h_prev"
    for k in range(5):
        deep = f"tanh(U{k} @ {deep} + x)"
    one, two = (
        Cell.parse(name=name, equations=f"h = tanh({text})")
        for name, text in (("one", f"x / b + 2 * {deep}"), ("two", f"2 * {deep} - x / b"))
    )
    verdict = same(one, two)
    assert verdict.status == "inconclusive"
    assert "divides by zero" in verdict.failing.reason


def test_the_way_that_has_no_map_is_the_one_that_is_shown() -> None:
    open_way = OneWay(None, None, "", False, reason="ended")
    none = OneWay(None, None, "", True, least=0.1)
    verdict = Sameness(catalogue["rnn"], catalogue["irnn"], open_way, none)
    assert verdict.status == "different"
    assert verdict.failing is none


def test_too_many_outputs_are_undecided() -> None:
    outputs = [f"y{k}" for k in range(7)]
    text = "\n".join(["h = tanh(W @ x + h_prev)", *(f"{y} = {y}w * h" for y in outputs)])
    many = Cell.parse(name="many", equations=text, outputs=outputs)
    verdict = same(many, many)
    assert verdict.status == "inconclusive"
    assert "7 outputs" in verdict.failing.reason


def test_too_many_states_are_undecided() -> None:
    states = "\n".join(f"s{k} = tanh(W{k} @ x + s{k}_prev)" for k in range(7))
    many = Cell.parse(name="many", equations=states)
    verdict = same(many, many)
    assert verdict.status == "inconclusive"
    assert "7 states" in verdict.failing.reason


def test_states_and_outputs_are_counted_together() -> None:
    outputs = [f"y{k}" for k in range(4)]
    text = "\n".join(["h = tanh(W @ x + h_prev)", *(f"{y} = {y}w * h" for y in outputs)])
    text += "\n" + "\n".join(f"s{k} = tanh(s{k}_prev + x)" for k in range(3))
    many = Cell.parse(name="many", equations=text, outputs=outputs)
    assert "8 states and outputs" in same(many, many).failing.reason
