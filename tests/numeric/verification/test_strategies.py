"""What the strategies draw: generic values, every size, all regimes; shrinking keeps values."""

from __future__ import annotations

from random import Random

import hypothesis.internal.conjecture.providers as drawing
import numpy as np
import pytest
from hypothesis import assume, find, given, settings
from profiles import by_day
from sympy import MatAdd, MatMul, OneMatrix, Transpose, preorder_traversal
from sympy.matrices.expressions import HadamardProduct

from derive import Cell, catalogue
from derive.language.expr import Broadcast, Concat, Elementwise, Quotient, Softmax
from derive.language.functions import FUNCTIONS
from numeric.compiler.kernel import compile_cell
from numeric.meaning.interpret import NODES
from numeric.meaning.sizes import size_names
from numeric.strategies import case, cells, degenerate_case, parameters, sequences
from numeric.verification.cases import DRAWN, REGIMES
from numeric.verification.compare import agreement, as_result, in_range
from numeric.verification.counterexample import _by_the_seed
from numeric.verification.oracles import autograd_answer, precise_answer
from numeric.verification.problems.of_cell import CellProblem, make_case, ordinary_sizes
from numeric.verification.random_cells import CHOOSY, TAME
from numeric.verification.verdict import PASS
from numeric.verification.verify import verify

LSTM = catalogue["lstm"]


@given(case(LSTM))
def test_every_array_is_generic_and_of_one_dtype(drawn) -> None:
    for _, _, array in drawn.groups():
        assert array.dtype == drawn.dtype
        assert np.all(array != 0)
        assert np.unique(array).size == array.size
    assert {*drawn.cotangents} == {"c", "h"}
    assert drawn.inputs["x"].shape == (drawn.steps, drawn.batch, drawn.sizes["m"])
    assert drawn.initial["c"].shape == (drawn.batch, drawn.sizes["n"])
    assert drawn.steps <= REGIMES[drawn.regime].longest


@settings(max_examples=30)
@given(sequences(2), parameters(LSTM, regimes=("small",), dtypes=("float64",)))
def test_sequences_have_lengths_and_parameters_their_regime(drawn, params) -> None:
    x, lengths = drawn
    assert x.shape[1:] == (len(lengths), 2)
    assert np.all((lengths >= 0) & (lengths <= len(x)))
    assert {*params} == {symbol.name for symbol in LSTM.parameters}
    n, m = params["W_fx"].shape
    assert params["W_fh"].shape == (n, n)
    assert params["b_f"].shape == (n,)
    assert np.max(np.abs(params["W_fx"])) < 1
    assert {array.dtype for array in params.values()} == {np.dtype("float64")}
    assert 1 <= m <= 4


def test_all_regimes_and_both_dtypes_are_drawn() -> None:
    seen = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(case(LSTM))
    def collect(drawn) -> None:
        seen.add((drawn.regime, drawn.dtype))

    collect()
    assert len(seen) == 2 * len(DRAWN)


def test_shrinking_makes_sizes_smaller_and_keeps_values_generic() -> None:
    smallest = find(
        case(LSTM), lambda c: c.sizes["n"] >= 2 and c.steps >= 2, settings=settings(database=None)
    )
    assert (smallest.sizes["n"], smallest.sizes["m"], smallest.steps, smallest.batch) == (
        2,
        1,
        2,
        1,
    )
    assert smallest.regime == "ordinary"
    assert np.unique(smallest.params["W_fh"]).size == 4


@given(degenerate_case(LSTM))
def test_a_degenerate_case_has_an_empty_axis(drawn) -> None:
    assert 0 in (drawn.steps, drawn.batch, drawn.sizes["m"])
    assert drawn.sizes["n"] > 0


def test_a_case_is_made_again_from_its_description() -> None:
    drawn = make_case(LSTM, {"n": 2, "m": 3}, steps=2, batch=3, seed=9, regime="expanding",
                      dtype="float32")  # fmt: skip
    told = drawn.describe()
    sizes = {name: told[name] for name in size_names(LSTM)}
    again = make_case(LSTM, sizes, steps=told["T"], batch=told["B"], seed=told["seed"],
                      regime=told["regime"], dtype=told["dtype"])  # fmt: skip
    for (_, _, one), (_, _, other) in zip(drawn.groups(), again.groups(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_unknown_regime_is_refused() -> None:
    made = make_case(LSTM, {"n": 1, "m": 1}, steps=1, batch=1)
    with pytest.raises(ValueError, match="regime 'wild'"):
        type(made)(**{**made.__dict__, "regime": "wild"})


def test_saturated_means_saturated() -> None:
    cell = Cell.parse(name="r", equations="h = tanh(W @ h_prev + U @ x + b)")
    made = make_case(cell, {"n": 40, "m": 3}, steps=1, batch=1, regime="saturated")
    a = made.params["W"] @ made.initial["h"][0] + made.params["U"] @ made.inputs["x"][0, 0]
    assert np.median(np.abs(a + made.params["b"])) > 5


@settings(max_examples=40, derandomize=True)
@given(cells(deepest=2))
def test_a_random_cell_is_valid_and_its_oracles_agree(cell: Cell) -> None:
    made = make_case(cell, ordinary_sizes(cell, 2), steps=2, batch=2, seed=1, regime="small")
    one = autograd_answer(CellProblem(cell), made)
    assume(in_range(one, 1e6))
    apart, where = agreement(as_result(one), precise_answer(CellProblem(cell), made))
    assert apart < 1e-9, where


@pytest.mark.long
def test_random_cells_reach_every_node_and_function() -> None:
    nodes, functions, states, turned = set(), set(), set(), 0

    @settings(max_examples=200, database=None, derandomize=True)
    @given(cells())
    def collect(cell: Cell) -> None:
        nonlocal turned
        turned += "rotate(" in cell.text
        states.add(len(cell.states))
        for equation in cell.equations:
            for node in preorder_traversal(equation.value):
                nodes.add(type(node))
                if isinstance(node, Elementwise):
                    functions.add(node.function.name)

    collect()
    written = {MatAdd, MatMul, HadamardProduct, Transpose, Elementwise, Softmax, Quotient}
    assert written | {Broadcast, Concat, OneMatrix} <= nodes & {*NODES}
    steps = {name for name, row in FUNCTIONS.items() if row.surrogate is not None}
    assert {*TAME} == {*FUNCTIONS} - {"exp", *CHOOSY, *steps}
    assert {*CHOOSY} <= functions
    assert len({*TAME} - functions) <= len(TAME) // 4
    assert turned > 10
    assert states == {1, 2, 3, 4}  # of vectors one to three, and a matrix beside them


@pytest.mark.long
@pytest.mark.parametrize("word", by_day(["softmax", "concat", "relu(", "W1.T"], 4, 2))
def test_a_random_cell_shrinks_to_few_operations(word: str) -> None:
    many = settings(database=None, max_examples=1000)
    found = find(cells(), lambda cell: word in cell.text, settings=many, random=Random(1))
    assert len(found.states) == 1
    assert found.text.count("tanh") <= 1
    assert found.text.count("(") <= 4


def test_a_softmax_is_of_two_entries_at_least() -> None:
    """Of one it is 1 whatever the weights, and what autograd finds there is rounding."""
    cell = Cell.parse(name="shares", equations="h = softmax(W @ h_prev + U @ x)")
    problem = CellProblem(cell)
    assert (problem.least("n"), problem.least("m")) == (2, 1)
    assert problem.ordinary_sizes(1)["n"] >= 2
    assert verify(compile_cell(cell)).status == PASS


def test_examples_follow_from_the_seed_and_not_from_sources_that_are_imported(monkeypatch):
    def refused():
        raise AssertionError("the source files of the process were asked for constants")

    monkeypatch.setattr(drawing, "_get_local_constants", refused)
    cache = drawing.CONSTANTS_CACHE
    assert verify(compile_cell("rnn", "textbook")).status == PASS
    assert drawing._get_local_constants is refused
    assert drawing.CONSTANTS_CACHE is cache


def test_searches_in_several_threads_leave_what_they_found():
    """The one that began first ends first, then the other way round."""
    before = {name: getattr(drawing, name) for name in ("_get_local_constants", "CONSTANTS_CACHE")}
    for ends in ((0, 1), (1, 0)):
        searches = [_by_the_seed(), _by_the_seed()]
        for search in searches:
            search.__enter__()
        for end in ends:
            assert drawing.CONSTANTS_CACHE is not before["CONSTANTS_CACHE"]
            searches[end].__exit__(None, None, None)
        assert {name: getattr(drawing, name) for name in before} == before


def test_a_version_of_hypothesis_that_reads_no_sources_is_left_as_it_is(monkeypatch):
    monkeypatch.delattr(drawing, "_get_local_constants")
    before = dict(vars(drawing))
    with _by_the_seed():
        assert dict(vars(drawing)) == before
