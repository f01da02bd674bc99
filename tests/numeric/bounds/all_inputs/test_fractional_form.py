"""The fractional form holds the Jacobian at every state and input of the box, whatever the cell."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_settings import sequence, setting
from exact_jacobians import exact_jacobian
from profiles import NIGHTLY, by_day
from sympy import MatAdd, MatMul, MatrixSymbol, OneMatrix
from trajectories import CELLS

from derive import Cell, differentiate
from numeric.bounds.all_inputs import fractional_form as source
from numeric.bounds.all_inputs.fractional_form import fractional_form
from numeric.bounds.all_inputs.ranges import Ranges, Setting
from numeric.meaning.enclose import enclose
from numeric.numbers.intervals import Interval, interval

STEPS = 3


def of_step(found, path, step):
    """The form over the box of one step's neighbourhood, and its Δ at that very step."""
    ranges = Ranges(found)
    states = {s.name: interval(path.states[s.name][step][:, None])
              for s in found.derivation.cell.states}  # fmt: skip
    wide = {name: value.hull(value * 1.3 + 0.1) for name, value in states.items()}
    now = {name: interval(value[step][:, None]) for name, value in path.inputs.items()}
    form = fractional_form(found.derivation, ranges.values(wide), found.sizes)
    exact = ranges.values(states, now)
    delta = [(float(enclose(u.column, exact, found.sizes).middle[u.unit, 0]) - u.centre) / u.radius
             for u in form.unknowns]  # fmt: skip
    return form, np.array(delta)


@pytest.mark.parametrize("name", by_day(CELLS, 9, 4))
def test_the_jacobian_is_the_form_closed_by_some_delta(name):
    """Δ is read off the step; |Δ| ≤ 1 and the form closed by it equals fifty digits."""
    found = setting(name, 0.7, 3, start=(-0.5, 0.5))
    if found.derivation.cell.sequences or found.derivation.has_matrices:
        return
    path = sequence(found, STEPS, 5)
    for step in range(STEPS if NIGHTLY else 1):
        form, delta = of_step(found, path, step)
        J = exact_jacobian(path, step).astype(float)
        assert np.abs(delta).max(initial=0.0) <= 1 + 1e-9
        assert np.abs(form.closed(delta) - J).max() <= 1e-9 * np.abs(J).max()


def shapes(text, **weights):
    cell = Cell.parse(name="one", equations=text)
    sizes = {"n": len(next(iter(weights.values()))), "m": 1}
    made = Setting(differentiate(cell), weights, sizes, (-1.0, 1.0), (-1.0, 1.0))
    ranges = Ranges(made)
    return fractional_form(made.derivation, ranges.values(made.initial()), sizes)


W = np.array([[0.5, -0.25], [1.0, 0.125]])
U = np.ones((2, 1))


@pytest.mark.parametrize(("text", "unknowns"), [
    ("z = sigmoid(U @ x)\nh = (1 - z) * h_prev + z * tanh(W @ h_prev)", 2),
    ("z = sigmoid(U @ x)\nh = z * h_prev + (1 - z) * tanh(W @ h_prev)", 2),
    ("z = sigmoid(U @ x)\nh = z * h_prev + z * tanh(W @ h_prev)", 2),
    ("h = 0.5 * h_prev + W @ h_prev + U @ x", 0),
])  # fmt: skip
def test_what_belongs_together_has_one_delta(text, unknowns):
    """A gate and 1 less the gate are one unknown, and a shared factor one too; numbers are none."""
    weights = {name: value for name, value in (("W", W), ("U", U)) if name in text}
    form = shapes(text, **weights)
    assert len(form.unknowns) == 2 * unknowns == len(form.owners)


def test_a_unit_that_does_not_move_has_no_delta():
    """Where the column is one number or its rows are zero, nothing is pulled out."""
    cut = np.array([[0.5, 0.25], [0.0, 0.0]])
    assert [u.unit for u in shapes("h = tanh(W @ h_prev + U @ x)", W=cut, U=U).unknowns] == [0]


def test_a_factor_in_two_places_keeps_one_delta():
    """F in front of two sums that differ: two rows each, one owner."""
    text = "f = sigmoid(U @ x)\nh = f * (W @ (f * h_prev))"
    form = shapes(text, W=W, U=U)
    assert len(form.owners) == 4
    assert len(form.unknowns) == 2
    assert sorted(form.owners) == [0, 0, 1, 1]


def test_no_range_no_form():
    """A slope without an end, as next to a pole: there is no form."""
    assert shapes("h = tanh(W @ h_prev) / (x * x)", W=W[:1, :1]) is None


def test_a_form_without_its_radius_is_seen(monkeypatch):
    """The mutant that forgets the radius misses J."""
    found = setting("gru", 0.7, 3)
    path = sequence(found, 1, 5)
    kept = source._Pulled.channel

    def still(self, column, value, rows):
        return kept(self, column, interval(value.middle), rows)

    monkeypatch.setattr(source._Pulled, "channel", still)
    form, delta = of_step(found, path, 0)
    J = exact_jacobian(path, 0).astype(float)
    assert np.abs(form.closed(delta) - J).max() > 1e-3 * np.abs(J).max()


def test_nesting_a_column_in_what_it_does_not_hold_is_seen(monkeypatch):
    """diag(d) diag(e) needs d among the factors: the mutant that nests anything misses J."""
    found = setting("lstm", 0.7, 3)
    path = sequence(found, 1, 5)

    def wrong(found):
        columns = list(found)
        for column in columns[:1]:
            yield column, [source._Term(None, found[column])] + [
                source._Term(c, found[c]) for c in columns[1:]]  # fmt: skip

    monkeypatch.setattr(source, "_nested", wrong)
    form, delta = of_step(found, path, 0)
    J = exact_jacobian(path, 0).astype(float)
    assert np.abs(form.closed(delta) - J).max() > 1e-3 * np.abs(J).max()


def test_complements_are_exact():
    """1 − s is seen where it is one, and only there."""
    s = MatrixSymbol("s", 3, 1)
    one = OneMatrix(3, 1)
    assert source._complement(MatAdd(one, MatMul(-1, s))) == s
    for other in (MatAdd(one, s), MatAdd(MatMul(2, one), MatMul(-1, s)), MatAdd(s, s, one), s):
        assert source._complement(other) is None


def test_a_jacobian_of_zeros_is_square_too():
    """Nothing of the state before is used: G is the zero matrix of the state's size."""
    form = shapes("a = h_prev - h_prev\nh = tanh(U @ x) + a", U=U)
    assert form.matrix.shape == (2, 2)
    assert not form.matrix.magnitude.any()


def test_a_named_block_is_worked_out_anew_for_rows_with_another_upper_end():
    """∂u/∂v X is kept for X: rows from 0 to 1 are other rows than those that are 0."""
    found = setting("lstm", 0.7, 3, start=(-0.5, 0.5))
    values = Ranges(found).values(found.initial())
    made = source._Pulled(found.derivation, values, found.sizes, 1)
    block = made.named(found.derivation.step_jacobian.named[0][0])
    low = np.zeros((found.sizes["n"], 1))
    (nothing,), (some,) = block.on(interval(low)), block.on(Interval(low, low + 1))
    assert not nothing.rows.magnitude.any()
    assert some.rows.magnitude.any()


def test_rows_that_overflow_leave_no_form():
    """Three layers of weights of 1e200 in one step: a product without end is no small row."""
    derivation, rng = differentiate("rhn_3"), np.random.default_rng(0)
    sizes = {"n": 3, "m": 2}
    weights = {s.name: 1e200 * rng.normal(size=[sizes[str(k)] for k in s.shape if k != 1])
               for s in derivation.cell.parameters}  # fmt: skip
    ranges = Ranges(Setting(derivation, weights, sizes))
    box = {s.name: Interval(-np.ones((3, 1)), np.ones((3, 1))) for s in derivation.cell.states}
    assert fractional_form(derivation, ranges.values(box), sizes) is None
