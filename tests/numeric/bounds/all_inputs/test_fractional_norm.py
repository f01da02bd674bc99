"""The scaled norm as a certificate: rechecked in rationals, from its JSON alone, and by mutants."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from drawn_settings import sequence, setting
from exact_jacobians import exact_jacobian
from exact_norms import positive
from profiles import NIGHTLY, by_day
from trajectories import CELLS

from derive import Cell, differentiate
from numeric.bounds.all_inputs import fractional_norm as source
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.fractional_form import Fractional, Unknown, fractional_form
from numeric.bounds.all_inputs.fractional_norm import norm_with, proved, scaled_norm
from numeric.bounds.all_inputs.ranges import Ranges, Setting, invariant_box
from numeric.numbers.intervals import interval

STILL = [name for name, cell in CELLS.items() if not cell.sequences]
SLACK = 1 + Fraction(1, 10**9)


def form_of(found):
    ranges = Ranges(found)
    box = invariant_box(ranges)
    values = None if box is None else ranges.values(box)
    return None if values is None else fractional_form(found.derivation, values, found.sizes)


def form_anywhere(found):
    """The form where no invariant set is: of any state."""
    states = found.box(found.derivation.cell.states, (-np.inf, np.inf))
    values = Ranges(found).values(states)
    return fractional_form(found.derivation, values, found.sizes)


def rational(matrix):
    return [[Fraction(float(entry)) for entry in row] for row in matrix]


def times(A, B):
    return [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0))
             for column in zip(*B, strict=True)] for row in A]  # fmt: skip


def square(A):
    return times([list(column) for column in zip(*A, strict=True)], A)


def decays(J, T, rate):
    """r² TᵀT − (TJ)ᵀ(TJ) ≻ 0, by elimination in rationals."""
    left, right = square(T), square(times(T, J))
    return positive([[rate**2 * a - b for a, b in zip(p, q, strict=True)]
                     for p, q in zip(left, right, strict=True)])  # fmt: skip


@pytest.mark.parametrize("name", by_day(STILL, 9, 2))
def test_every_step_of_a_sequence_decays_as_the_json_says(name):
    """T and r from the JSON, J to fifty digits as rationals: ‖T J x‖ < r (1 + 10⁻⁹) ‖T x‖."""
    found = setting(name, 0.2, 1, n=2)
    form = form_of(found)
    certificate = None if form is None else scaled_norm(form)
    if certificate is None:
        return
    told = json.loads(json.dumps(certificate.to_dict()))
    T, rate = rational(told["T"]), Fraction(told["r"]) * SLACK
    path = sequence(found, 3, 2)
    for step in range(3 if NIGHTLY else 1):
        J = [[Fraction(str(entry)) for entry in row] for row in exact_jacobian(path, step)]
        assert decays(J, T, rate)


@pytest.mark.parametrize(("name", "gain"), by_day([("rnn", 0.8), ("gru", 0.3), ("lstm", 0.2)], 2))
def test_the_inequality_of_the_form_holds_in_rationals(name, gain):
    """diag(r² TᵀT, SᵀS) − (LG)ᵀ LG ≻ 0 at the middle of G, by elimination; not at a rate less."""
    form = form_of(setting(name, gain, 1, n=2))
    found = scaled_norm(form)
    assert found is not None
    L = rational(found.scaling)
    k = form.width
    held, image = square(L), square(times(L, rational(form.matrix.middle)))

    def holds(rate):
        return positive([[a * (rate**2 if i < k and j < k else 1) * SLACK - b
                          for j, (a, b) in enumerate(zip(p, q, strict=True))]
                         for i, (p, q) in enumerate(zip(held, image, strict=True))])  # fmt: skip

    assert holds(Fraction(found.rate))
    assert not holds(Fraction(found.rate) * Fraction(999, 1000))
    assert norm_with(form, found.scaling, 0.999 * found.rate) > 1


def test_no_corner_exceeds_the_rate():
    """‖T J T⁻¹‖ ≤ r at every corner Δ = ±1 that is tried."""
    form = form_of(setting("gru", 0.3, 1))
    found = scaled_norm(form)
    T = found.scaling[: form.width, : form.width]
    rng = np.random.default_rng(0)
    seen = [np.linalg.norm(T @ form.closed(rng.choice([-1.0, 1.0], size=len(form.unknowns)))
                           @ np.linalg.inv(T), 2) for _ in range(200)]  # fmt: skip
    assert 0.5 * found.rate < max(seen) <= found.rate * (1 + 1e-12)
    assert found.condition >= np.linalg.cond(T) * (1 - 1e-9)


def hand(C):
    """J = Δ C."""
    n = len(C)
    G = np.block([[np.zeros((n, n)), np.eye(n)], [C, np.zeros((n, n))]])
    unknowns = tuple(Unknown(None, k, 0.0, 1.0) for k in range(n))
    return Fractional(interval(G), n, tuple(range(n)), unknowns)


TURNED = hand(np.array([[0.9, -1.0], [1.0, -0.9]]))


def mixing():
    """L that diagonalises G, as if all its places could be mixed."""
    values, vectors = np.linalg.eig(TURNED.matrix.middle)
    order = np.argsort(values.imag * 10 + values.real)
    basis = [f(vectors[:, k]) for k in order[:2] for f in (np.real, np.imag)]
    return np.linalg.inv(np.array(basis).T)


def test_a_scaling_that_does_not_commute_is_refused():
    """With it the norm is below 1, and J of one Δ has the eigenvalue 1.9."""
    L = mixing()
    assert np.abs(np.linalg.eigvals(TURNED.closed([1.0, -1.0]))).max() > 1.89
    assert np.linalg.norm(L @ TURNED.matrix.middle @ np.linalg.inv(L), 2) < 1
    assert norm_with(TURNED, L, 1.0) == np.inf
    assert scaled_norm(TURNED) is None


def test_a_check_without_that_refusal_is_seen(monkeypatch):
    """The mutant that lets L mix anything certifies what grows."""
    monkeypatch.setattr(source, "commuting", lambda form: np.ones((4, 4), dtype=bool))
    assert norm_with(TURNED, mixing(), 1.0) < 1


def test_the_width_of_the_matrix_counts():
    """G known to ± 0.1 has a larger norm than its middle."""
    form = hand(np.array([[0.5, 0.1], [0.0, 0.5]]))
    wide = Fractional(form.matrix + interval(0.1) * interval(np.ones((4, 4))).hull(
        -interval(np.ones((4, 4)))), 2, form.owners, form.unknowns)  # fmt: skip
    assert norm_with(wide, np.eye(4), 1.0) >= norm_with(form, np.eye(4), 1.0) + 0.1


@pytest.mark.parametrize("scaling", [np.zeros((4, 4)), np.full((4, 4), np.nan),
                                     np.diag([1, 1, 1, 1e-320])])  # fmt: skip
def test_no_scaling_no_norm(scaling):
    assert norm_with(hand(np.eye(2) * 0.5), scaling, 1.0) == np.inf
    with np.errstate(all="ignore"):
        assert norm_with(hand(np.eye(2) * 0.5), np.eye(4), 1e-300) >= 1


def test_what_grows_has_no_certificate():
    """A corner with a spectral radius of 1 or more ends the search."""
    assert scaled_norm(hand(np.eye(2) * 1.01)) is None
    assert proved(hand(np.eye(2) * 1.01), np.eye(4)) is None


def test_nothing_at_all_decays_at_once():
    """J = 0: any rate is right."""
    found = scaled_norm(hand(np.zeros((2, 2))))
    assert 0 < found.rate <= 1e-8


def test_a_full_transform_decides_where_no_diagonal_one_does():
    """A rotation by a little more than a quarter: every method before has a rate of 1 or more."""
    turn = np.array([[0.0, -1.3], [0.7, 0.0]])
    shear = np.array([[1.0, 0.8], [0.0, 1.0]])
    found = setting("rnn", 1.0, 0, n=2, W=0.9 * shear @ turn @ np.linalg.inv(shear))
    certificate = certify(found, 3)
    before = min(m.rate for m in certificate.methods if m.name != source.NAME)
    assert certificate.rate < 1 <= before
    assert certificate.best.name == source.NAME


TURNS = """
re = a * re_prev - b * im_prev + U @ x
im = b * re_prev + a * im_prev + V @ x
"""


def linear(text, sizes, **weights):
    cell = Cell.parse(name="linear", equations=text)
    return Setting(differentiate(cell), weights, sizes, (-1.0, 1.0))


@pytest.mark.parametrize("size", [0.5, 0.99, 1.2])
def test_complex_eigenvalues_of_a_diagonal_recurrence_are_met(size):
    """λ = a + ib of each unit: the rate is max |λ|, to seven digits, and never below."""
    angles = np.linspace(0.1, 3, 4)
    found = linear(TURNS, {"n": 4, "m": 1}, a=size * np.cos(angles), b=size * np.sin(angles),
                   U=np.ones((4, 1)), V=np.ones((4, 1)))  # fmt: skip
    rate = scaled_norm(form_of(found) or form_anywhere(found)).rate
    assert size * (1 - 1e-15) <= rate <= size * (1 + 1e-7)


def test_a_matrix_far_from_normal_is_met_near_its_spectral_radius():
    W = np.diag([0.9, 0.8, 0.7]) + 5 * np.triu(np.ones((3, 3)), 1)
    found = linear("h = W @ h_prev + U @ x", {"n": 3, "m": 1}, W=W, U=np.ones((3, 1)))
    certificate = certify(found, 3)
    assert 0.9 <= certificate.scaled.rate <= 0.9 * (1 + 1e-4)
    W[2, 0] = 0.5
    grows = linear("h = W @ h_prev + U @ x", {"n": 3, "m": 1}, W=W, U=np.ones((3, 1)))
    assert certify(grows, 3).rate >= np.abs(np.linalg.eigvals(W)).max() > 1


def test_a_nilpotent_matrix_has_no_lyapunov_transform():
    assert source.lyapunov(np.triu(np.ones((3, 3)), 1), 1.1) is None


def test_a_start_of_another_form_is_not_used():
    """A scaling that mixes what this form keeps apart commutes with no Δ: it is passed over."""
    form = form_of(setting("gru", 0.1, 0))
    plain = scaled_norm(form, sharp=False)
    near = scaled_norm(form, sharp=False, start=plain.scaling)
    mixing = np.ones((form.order, form.order)) + np.eye(form.order)
    for found in (near, scaled_norm(form, sharp=False, start=mixing)):
        assert found.rate < 1
        assert norm_with(form, found.scaling, found.rate) <= 1
    assert norm_with(form, mixing, 0.9) == np.inf


def test_what_a_search_leaves_is_proved_though_its_singular_values_lie_close_together():
    """Lanczos' method tells a norm of 0.988 as 1.003."""
    found = scaled_norm(form_of(setting("rnn", 0.7, 1, n=70)), sharp=False)
    assert found is not None
    assert found.rate < 1
