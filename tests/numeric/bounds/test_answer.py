"""The answer: where in time the decades lie, and what JSON says of it."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from studies_of_runs import diagnosed

from numeric.bounds.answer import answer, span_of


def test_the_span_is_where_the_decades_are():
    logs = [-0.1, -0.2, -4.2, -8.2, -8.3, -8.4]
    found = span_of(logs, 10)
    assert (found.first, found.last) == (7, 7 + 1)
    assert found.length == 2
    assert span_of([0.0, 0.0], 2) is None
    assert span_of([-1.0, -math.inf], 2) is None


@given(st.lists(st.floats(-3, 3).filter(lambda v: abs(v) > 1e-3), min_size=1, max_size=12))
def test_a_span_holds_half_and_none_that_is_shorter_does(steps):
    logs = [0.0, *np.cumsum(steps).tolist()]
    whole = logs[-1]
    found = span_of(logs[1:], len(steps))
    if whole == 0:
        assert found is None
        return
    changes = [(logs[b] - logs[a]) / whole >= 0.5 for a in range(len(logs))
               for b in range(a + 1, len(logs)) if b - a < found.length]  # fmt: skip
    assert not any(changes)
    begin, end = len(steps) - found.last, len(steps) - found.first + 1
    assert (logs[end] - logs[begin]) / whole >= 0.5


def test_an_answer_names_path_unit_time_and_remedy():
    found = answer(diagnosed("lstm"))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["path"]["path"] == "c → c × f"
    assert data["unit"]["state"] in {"c", "h"}
    assert data["remedy"]["tried"][0]["parameters"] == ["b_f"]
    assert data["half_of_it_in_steps"][1] <= 9
    assert answer(diagnosed("lstm"), cure=False).remedy is None


def test_shares_of_units_sum_to_one():
    found = diagnosed("rnn", size=3).shares
    assert len(found.units) == 3
    assert abs(sum(unit.share for unit in found.units) - 1) <= 1e-12
    assert {unit.index for unit in found.units} == {1, 2, 3}


def test_without_a_trajectory_there_is_no_answer():
    assert answer(diagnosed("rnn", along=False)) is None
