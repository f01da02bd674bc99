"""Gains, boxes and cells at the edge of the floats: bounds that say nothing, but no fall."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from numeric.bounds.diagnosis import diagnose
from numeric.bounds.drawn import draw
from numeric.meaning.default_constants import default_constants
from reports.cli import main

SIZES = {"n": 2, "m": 2}
CELLS = ["lstm", "gru", "mgu", "clockwork_rnn", "cornn", "ligru"]


@pytest.mark.by_default("clockwork_rnn", "1e+160-1e+300-0.0-lstm", "1.0-1e+308-1e+308-lstm")
@pytest.mark.parametrize("name", by_day(CELLS, 3))
@pytest.mark.parametrize(("gain", "box", "start"), [
    (1e80, 1.0, 0.0), (1.0, 1e308, 0.0), (1.0, 1e308, 1e308), (1e160, 1e300, 0.0),
])  # fmt: skip
def test_extreme_nets_have_bounds_that_are_numbers_or_infinite(name, gain, box, start):
    cell = catalogue[name]
    weights = draw(cell, SIZES, gain, 1, 0, 1.0)["parameters"]
    constants = default_constants(cell, {**SIZES, "T": 4})
    found = diagnose(cell, weights, SIZES, constants=constants, input_box=(-box, box),
                     initial_box=(-start, start), lag=4)  # fmt: skip
    for values in (*found.log10_upper.values(), *found.log10_lower.values()):
        assert not any(map(math.isnan, values))


@pytest.mark.parametrize("text", [
    "q = tanh(W @ h_prev + U @ x)\nh = q - q + 0.5 * h_prev",
    "q = tanh(W @ h_prev + U @ x)\nh = (q - q) * h_prev + q",
    "a = h_prev - h_prev\nh = tanh(U @ x) + a",
])  # fmt: skip
def test_terms_that_cancel_are_no_matter(text):
    cell = Cell.parse(name="odd", equations=text)
    drawn = draw(cell, SIZES, 1.0, 4, 0, 1.0)
    for inputs in (None, drawn["inputs"]):
        found = diagnose(cell, drawn["parameters"], SIZES, inputs=inputs, lag=4)
        assert found.verdict == "vanishes"


def test_a_sequence_that_overflows_leaves_what_holds_for_all_inputs(capsys):
    assert main(["bounds", "irnn", "--gain", "1e200", "--size", "2", "--lag", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["log10_measured"] is None
    assert any("nothing is said along the sequence, since the state h is not finite" in said
               for said in found["assumptions"])  # fmt: skip


def test_bounds_of_exact_sequences_are_not_used_where_stored_states_leave_their_box(monkeypatch):
    cell = catalogue["rnn"]
    weights = {"W": np.eye(2) * 0.5, "U": np.zeros((2, 2)), "b": np.zeros(2)}
    inputs = {"x": np.zeros((3, 2))}
    inside = diagnose(cell, weights, SIZES, inputs=inputs)
    assert not inside.apart
    monkeypatch.setattr(
        "numeric.bounds.all_inputs.certify.Certificate.holds_at", lambda self, states: False
    )
    apart = diagnose(cell, weights, SIZES, inputs=inputs)
    assert "a_priori" in apart.apart
    assert apart.winner not in apart.apart
    assert apart.to_dict()["exact_sequences_only"] == sorted(apart.apart)
    told = [said for said in apart.assumptions if "for exact sequences" in said]
    assert len(told) == 1
    assert told[0].startswith("all bounds for all inputs hold for exact sequences")
    assert not any(name in told[0] for name in apart.apart)
