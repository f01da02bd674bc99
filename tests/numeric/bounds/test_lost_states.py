"""A running maximum that is taken away and added again reaches nothing; one that is not does."""

from __future__ import annotations

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue, differentiate
from derive.calculus.rules import VJP_RULES
from derive.language.pairs import Maximum
from numeric.bounds import lost_states as lost_module
from numeric.bounds.lost_states import STEPS, LostState, lost_states
from numeric.meaning.run_cell import run_cell
from numeric.verification.problems.of_cell import make_case, ordinary_sizes

STABILISED = {"slstm": ("m", "h"), "mlstm_stabilised": ("m", "h"), "rwkv4": ("p", "y")}


def changed(name: str, *edits: tuple[str, str]) -> Cell:
    """A cell of the catalogue in other words."""
    cell = catalogue[name]
    text = cell.text
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    given = {"mlstm_stabilised": {"scalars": ["b_i", "b_f", "m"], "outputs": ["h"],
                                  "sizes": {"C": "n", "n": "k"}},
             "slstm": {"sizes": dict.fromkeys("mcnh", "n")}}[name]  # fmt: skip
    return Cell.parse(name="changed", equations=text, **given)


@pytest.mark.by_default("slstm", "rwkv4")
@pytest.mark.parametrize("name", STABILISED)
def test_the_stabiliser_reaches_nothing_that_is_handed_up(name):
    state, read = STABILISED[name]
    found = lost_states(differentiate(catalogue[name]))
    assert found == (LostState(state, read, STEPS, first=True, first_from_zero=False),)


@pytest.mark.parametrize("name", by_day([n for n in catalogue if n not in STABILISED], 15, 1))
def test_no_other_state_is_lost(name):
    assert lost_states(differentiate(catalogue[name])) == ()


def test_where_one_draw_shows_that_nothing_is_lost_no_other_is_made(monkeypatch):
    drawn = []
    made = lost_module._cotangents
    monkeypatch.setattr(
        lost_module, "_cotangents", lambda *given, **how: drawn.append(0) or made(*given, **how)
    )
    lost_states.cache_clear()
    for name, draws in (("lstm", 1), ("slstm", 2 * lost_module._DRAWS)):
        lost_states(differentiate(catalogue[name]))
        assert len(drawn) == draws
        drawn.clear()


@pytest.mark.by_default("cell0", "cell2")
@pytest.mark.parametrize(
    "cell",
    [
        changed("mlstm_stabilised", ("exp(-m))", "1)")),
        changed("mlstm_stabilised", ("j = exp(i - m)", "j = exp(i)")),
        changed("slstm", ("h = o * c / n", "h = o * c / (1 + n)")),
        changed("slstm", ("h = o * c / n", "h = o * c / n + 0.01 * m")),
    ],
)
def test_a_stabiliser_that_is_not_taken_out_again_counts(cell):
    assert lost_states(differentiate(cell)) == ()


@pytest.mark.parametrize(("equations", "lost"), [
    ("c = 0.5 * c_prev + U @ x\nh = tanh(W @ h_prev + V @ x)", {"c": False}),
    ("c = 0.5 * c_prev + U @ x\nh = tanh(W @ h_prev + V @ x + c_prev - c_prev)", {"c": True}),
    ("a = 0.5 * a_prev + U @ x\nc = a_prev + c_prev\nh = tanh(W @ h_prev + V @ x)",
     {"a": False, "c": False}),
    ("c = 0.5 * c_prev + U @ x\nd = c_prev\ne = d_prev\nh = tanh(W @ h_prev + e_prev)", {}),
])  # fmt: skip
def test_where_no_path_leads_none_is_said_to_cancel(equations, lost):
    found = lost_states(differentiate(Cell.parse(name="apart", equations=equations)))
    assert {one.state: one.cancels for one in found} == lost
    assert not any(one.first for one in found if not one.cancels)


@pytest.mark.parametrize("far", [
    "relu(c - 50)", "hard_tanh(c + 80)", "maximum(c, x - 50) - c", "abs(c + 50) - c",
])  # fmt: skip
def test_a_piece_that_small_numbers_do_not_meet_is_a_path(far):
    cell = Cell.parse(name="far", equations=f"c = 0.5 * c_prev + x\nh = tanh(W @ h_prev) + {far}")
    assert lost_states(differentiate(cell)) == ()


def test_another_choice_of_the_stabiliser_gives_the_same_h():
    """What is said, by the equations in floats: from zero states any shift of m leaves h."""
    cell, other = catalogue["slstm"], changed("slstm", ("f + m_prev, i)", "f + m_prev, i) - 0.3"))
    case = make_case(cell, ordinary_sizes(cell), steps=5, batch=2, seed=1)
    zero = {name: 0 * value for name, value in case.initial.items()}
    one, two = (run_cell(c, case.params, case.inputs, zero) for c in (cell, other))
    np.testing.assert_allclose(two["h"], one["h"], rtol=1e-12)
    assert not np.allclose(two["m"], one["m"])


def test_a_wrong_rule_is_seen_in_the_paths(monkeypatch):
    right = VJP_RULES[Maximum]
    wrong = type(right)(
        "wrong", lambda y_bar, y, node: (2 * right.pullback(y_bar, y, node)[0],) * 2
    )
    monkeypatch.setitem(VJP_RULES, Maximum, wrong)
    found = lost_states(differentiate(changed("mlstm_stabilised", ("b_i\n", "b_i + 0\n"))))
    assert found == ()  # the maximum in the reading is where it cancels
