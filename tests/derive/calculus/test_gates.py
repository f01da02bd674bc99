"""Gates at their ends: what is printed there is the equation with 0 or 1 in the gate's place."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day
from sympy import Identity, MatrixSymbol, OneMatrix, ZeroMatrix

from derive import Cell, catalogue
from derive.calculus.gates import ends, gates, kept, limit
from derive.cell import previous
from derive.language.expr import add, negate, size
from numeric.meaning.interpret import evaluate
from numeric.meaning.sizes import shape_of, usual_sizes

GATED = [name for name, cell in catalogue.items() if gates(cell)]


def values(cell, low=0.1, high=0.9):
    """Random numbers for every symbol of a cell, as columns; of (0, 1) roots have them all."""
    sizes, rng = usual_sizes(cell, 3, 2), np.random.default_rng(0)
    symbols = {*cell.inputs, *cell.previous_states, *cell.parameters, *cell.constants}
    symbols |= {equation.target for equation in cell.equations}
    made = {s.name: rng.uniform(low, high, shape_of(s, sizes)) for s in sorted(symbols, key=str)}
    columns = {name: v.reshape(-1, 1) if v.ndim < 2 else v for name, v in made.items()}
    return columns, sizes


def test_nothing_divided_is_nothing():
    cell = catalogue["mlstm"]
    (gate,) = (gate for gate in gates(cell) if gate.name == "o")
    closed, _ = ends(cell, gate)
    assert isinstance(closed.becomes, ZeroMatrix)


@pytest.mark.parametrize("drawn", [(0.1, 0.9), (-3.0, 3.0), (-40.0, -1e-3)], ids=str)
@pytest.mark.parametrize("name", by_day(GATED, 5))
def test_an_end_is_the_equation_with_the_gate_there(name, drawn):
    cell = catalogue[name]
    numbers, sizes = values(cell, *drawn)
    for gate in gates(cell):
        for end in ends(cell, gate):
            there = numbers | {gate.name: np.full_like(numbers[gate.name], float(end.value))}
            equation = next(e for e in cell.equations if e.target == end.target)
            shape = numbers[end.target.name].shape
            with np.errstate(invalid="ignore", divide="ignore"):  # a root that is none
                want = np.broadcast_to(evaluate(equation.value, there, sizes), shape)
                got = np.broadcast_to(evaluate(end.becomes, there, sizes), shape)
            held = np.isfinite(want)
            off, most = np.abs(got - want)[held], np.abs(want)[held]
            assert np.max(off, initial=0) <= 1e-12 * np.max(most, initial=1e-300)
            assert held.all() or drawn != (0.1, 0.9)
            assert gate not in end.becomes.free_symbols


@pytest.mark.parametrize(("name", "factors"), [
    ("lstm", {"c": "f"}), ("gru", {"h": "1 - z"}), ("gru_reset_after", {"h": "z"}),
    ("lstm_nfg", {"c": "1"}), ("mgu", {"h": "1 - f"}), ("rnn", {}), ("cfn", {}),
    ("scrn", {"s": "alpha"}),
])  # fmt: skip
def test_what_is_kept_of_a_state_is_what_its_equation_says(name, factors):
    cell = catalogue[name]
    numbers, sizes = values(cell)
    found = {e.target.name: kept(cell, e) for e in cell.equations if kept(cell, e) is not None}
    assert set(found) == set(factors)
    for state, text in factors.items():
        before, factor = found[state]
        n = len(numbers[before.name])
        want = eval(text, {}, {k: v[:, 0] for k, v in numbers.items()}) * np.ones(n)
        assert np.array_equal(evaluate(factor, numbers, sizes) * np.eye(n), np.diag(want))


def test_the_long_memory_keeps_its_state_by_the_forget_gate_alone():
    cell = catalogue["lstm"]
    assert [gate.name for gate in gates(cell)] == ["f", "i", "o"]
    shut, open_ = ends(cell, gates(cell)[0])
    assert isinstance(shut.direct[1], ZeroMatrix)
    assert isinstance(open_.direct[1], Identity)
    assert shut.direct[0] == previous(cell.states[0])
    equation = next(e for e in cell.equations if e.target.name == "c")
    assert kept(cell, equation)[1].args[0].name == "f"


def test_a_gate_may_scale_the_rows_of_a_matrix_state():
    cell = Cell.parse(name="rows", equations="""
a = sigmoid(W_a @ x)
S = diag(a) @ S_prev + outer(W_k @ x, W_v @ x)
""")  # fmt: skip
    (gate,) = gates(cell)
    shut, open_ = ends(cell, gate)
    assert cell.previous_states[0] not in shut.becomes.free_symbols
    assert cell.previous_states[0] in open_.becomes.free_symbols
    assert gate not in open_.becomes.free_symbols


def test_what_is_no_gate_is_none():
    assert gates(catalogue["rnn"]) == ()
    bare = Cell.parse(name="bare", equations="g = tanh(U @ x)\nh = g * h_prev")
    assert gates(bare) == ()
    free = Cell.parse(name="free", equations="g = sigmoid(U @ x)\nh = tanh(W @ h_prev) + g")
    assert gates(free) == ()


@pytest.mark.parametrize(("term", "values"), [
    ("maximum(z * h_prev, W @ x) + h_prev / z", [1]), ("z * (h_prev / z)", [1]),
    ("z * h_prev + W @ x / (1 - z)", [0]), ("z * h_prev + W @ x / (1 + z)", [0, 1]),
    ("z * h_prev + log(z)", [1]), ("z * h_prev + log(1 - z)", [0]),
    ("z * h_prev + log(1 + z)", [0, 1]),
])  # fmt: skip
def test_an_end_without_a_value_is_passed_over(term, values):
    cell = Cell.parse(name="pole", equations=f"z = sigmoid(W_z @ x + b_z)\nh = {term}")
    (gate,) = gates(cell)
    assert [end.value for end in ends(cell, gate)] == values


def test_ones_cancel_only_where_they_do():
    n = size("n")
    one, z = OneMatrix(n, 1), MatrixSymbol("z", n, 1)
    assert isinstance(limit(add(one, negate(one))), ZeroMatrix)
    assert limit(add(one, negate(one), z)) == z
    assert limit(add(one, z)) == add(one, z)
