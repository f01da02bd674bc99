"""What the strategies draw: generic values, every size, all regimes; shrinking keeps values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings

from derive import Cell, catalogue
from numeric.cases import REGIMES, make_case, size_names
from numeric.strategies import case, degenerate_case

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


def test_all_regimes_and_both_dtypes_are_drawn() -> None:
    seen = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(case(LSTM))
    def collect(drawn) -> None:
        seen.add((drawn.regime, drawn.dtype))

    collect()
    assert len(seen) == 2 * len(REGIMES)


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
