"""The box in pieces: covered exactly, each piece proved again from its JSON, no J above r."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from drawn_settings import sequence, setting
from exact_jacobians import exact_jacobian
from exact_norms import below
from profiles import by_day

from numeric.bounds.all_inputs import box_pieces as source
from numeric.bounds.all_inputs.box_pieces import NAME, Pieces, box_pieces
from numeric.bounds.all_inputs.certify import certify
from numeric.bounds.all_inputs.fractional_form import fractional_form
from numeric.bounds.all_inputs.fractional_norm import norm_with
from numeric.bounds.all_inputs.ranges import Ranges, invariant_box
from numeric.numbers.intervals import Interval
from reports.cli import main

DECIDED = [("gru", 0.7, 3, 2), ("gru", 0.6, 3, 3), ("lstm", 0.5, 3, 2), ("gru", 0.6, 2, 4)]


@cache
def made(name, gain, seed, n):
    """A net that nothing else decides, and its certificate."""
    found = setting(name, gain, seed, n=n, start=(0.0, 0.0))
    return found, certify(found, 8)


def pieces_of(found, box):
    ranges = Ranges(found)
    form = fractional_form(found.derivation, ranges.values(box), found.sizes)
    return box_pieces(ranges, box, form)


def told(certificate):
    return json.loads(json.dumps(certificate.pieces.to_dict()))


def corners(box):
    """The ends of every state and input of a piece, as rationals."""
    return {(name, k): (Fraction(lo), Fraction(hi))
            for name, (los, his) in box.items()
            for k, (lo, hi) in enumerate(zip(los, his, strict=True))}  # fmt: skip


def covers(held, states, inputs):
    """Whether pieces within a box, of which no two overlap, have its volume: all in rationals."""
    whole = corners({name: (b.lo.ravel().tolist(), b.hi.ravel().tolist())
                     for name, b in (states | inputs).items()})  # fmt: skip
    pieces = [corners(piece["states"] | piece["inputs"]) for piece in held["pieces"]]

    def within(piece):
        return piece.keys() == whole.keys() and all(
            whole[place][0] <= low <= high <= whole[place][1]
            for place, (low, high) in piece.items()
        )

    def apart(one, other):
        return any(one[place][1] <= other[place][0] or other[place][1] <= one[place][0]
                   for place in whole)  # fmt: skip

    def volume(piece):
        return math.prod(high - low for low, high in piece.values())

    return (
        all(map(within, pieces))
        and all(apart(a, b) for k, a in enumerate(pieces) for b in pieces[:k])
        and sum(map(volume, pieces)) == volume(whole) > 0
    )


def proofs(found, held):
    """For each piece of the JSON whether its norm is at most 1 at its rate, with the common T."""
    T, k = np.array(held["T"]), len(held["T"])
    for piece in held["pieces"]:
        box = {name: Interval(*(np.reshape(np.array(e), (-1, 1)) for e in ends))
               for name, ends in (piece["states"] | piece["inputs"]).items()}  # fmt: skip
        states = {state.name: box.pop(state.name) for state in found.derivation.cell.states}
        form = fractional_form(found.derivation, Ranges(found).values(states, box), found.sizes)
        L = np.zeros((form.order, form.order))
        L[:k, :k] = T
        for own, S in zip(held["delta"], piece["S"], strict=True):
            rows = k + np.array(own["rows"])
            L[np.ix_(rows, rows)] = S
        yield piece["r"] <= held["r"] < 1 and norm_with(form, L, piece["r"]) <= 1


@pytest.mark.parametrize(("name", "gain", "seed", "n"), by_day(DECIDED, 2, 2))
def test_the_pieces_decide_and_are_proved_again_from_the_json(name, gain, seed, n):
    found, certificate = made(name, gain, seed, n)
    others = [method.rate for method in certificate.methods if method.name != NAME]
    assert min(others) >= 1 > certificate.rate == certificate.pieces.rate
    held = told(certificate)
    assert len(held["pieces"]) > 1
    assert covers(held, certificate.box, found.inputs())
    assert all(proofs(found, held))
    assert held["condition"] >= np.linalg.cond(np.array(held["T"])) * (1 - 1e-9)
    upper = 10 ** certificate.log10_upper[3]
    assert upper <= held["condition"] * held["r"] ** 4 * (1 + 1e-9)


@pytest.mark.parametrize(("name", "gain", "seed", "n"), by_day(DECIDED[:3], 1, 2))
def test_every_step_of_a_sequence_shrinks_in_the_metric(name, gain, seed, n):
    """J to fifty digits as rationals, T⁻¹ from floats with its error in the slack."""
    found, certificate = made(name, gain, seed, n)
    held = told(certificate)
    T = np.array(held["T"])
    exact = [[Fraction(entry) for entry in row] for row in T.tolist()]
    back = [[Fraction(entry) for entry in row] for row in np.linalg.inv(T).tolist()]

    def times(A, B):
        return [[sum(a * b for a, b in zip(row, column, strict=True))
                 for column in zip(*B, strict=True)] for row in A]  # fmt: skip

    path = sequence(found, 2, 2)
    for step in range(2):
        J = [[Fraction(str(entry)) for entry in row] for row in exact_jacobian(path, step)]
        assert below(times(times(exact, J), back), Fraction(held["r"]) * (1 + Fraction(1, 10**9)))


def gru(found, h, x):
    """A step of many GRUs at once: h (n, K), x (m, K), complex."""
    w = {name: value.reshape(len(value), -1) for name, value in found.parameters.items()}

    def gate(name):
        return 1 / (1 + np.exp(-(w[f"W_{name}h"] @ h + w[f"W_{name}x"] @ x + w[f"b_{name}"])))

    z, r = gate("z"), gate("r")
    return (1 - z) * h + z * np.tanh(w["W_hh"] @ (r * h) + w["W_hx"] @ x + w["b_h"])


def norms(found, T, points, lo, hi):
    """‖T J T⁻¹‖ at points from −1 to 1 of the box; J by steps of 10⁻³⁰ i."""
    n = len(T)
    at = 0.5 * (lo + hi) + 0.5 * (hi - lo) * points
    h, x = at[:n].astype(complex), at[n:].astype(complex)
    J = np.empty((points.shape[1], n, n))
    for k in range(n):
        moved = h.copy()
        moved[k] += 1e-30j
        J[:, :, k] = gru(found, moved, x).imag.T / 1e-30
    return np.linalg.norm(T @ J @ np.linalg.inv(T), 2, axis=(1, 2))


def highest(found, certificate):
    """The largest norm that a climb from random points and corners of the box finds."""
    T = np.array(told(certificate)["T"])
    boxes = [*certificate.box.values(), *found.inputs().values()]
    lo, hi = (np.concatenate([getattr(b, end) for b in boxes]) for end in ("lo", "hi"))
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 1, size=(len(lo), 600))
    points[:, ::3] = np.sign(points[:, ::3])
    best = norms(found, T, points, lo, hi)
    for size in np.geomspace(1, 0.01, 60):
        tried = np.clip(points + size * rng.normal(size=points.shape), -1, 1)
        now = norms(found, T, tried, lo, hi)
        points, best = np.where(now > best, tried, points), np.maximum(now, best)
    return float(best.max())


def test_no_climb_over_the_box_exceeds_the_rate():
    found, certificate = made(*DECIDED[1])
    assert 0.5 < highest(found, certificate) <= certificate.rate


def test_a_piece_left_out_or_moved_is_seen():
    """The checks above see a piece that is missing, doubled, or not the whole of its side."""
    found, certificate = made(*DECIDED[0])
    held, states, inputs = told(certificate), certificate.box, found.inputs()
    pieces = held["pieces"]
    for k in range(len(pieces)):
        assert not covers(held | {"pieces": pieces[:k] + pieces[k + 1 :]}, states, inputs)
    assert not covers(held | {"pieces": [*pieces[:-1], pieces[0]]}, states, inputs)
    low, high = pieces[0]["states"]["h"]
    half = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    for name, wrong in (("states", {"h": [low, half]}), ("inputs", {})):
        assert not covers(held | {"pieces": [pieces[0] | {name: wrong}, *pieces[1:]]},
                          states, inputs)  # fmt: skip


def test_a_cut_that_loses_a_half_is_seen(monkeypatch):
    """The mutant that goes on with the same half twice, or leaves a gap between them."""
    found, certificate = made(*DECIDED[0])
    kept = source._Piece.halves

    def twice(piece, name, unit):
        low, _ = kept(piece, name, unit)
        return low, low

    def gap(piece, name, unit):
        low, between, high = piece.side(name, unit)
        above = between + 1e-9 * (high - between)
        return piece.part(name, unit, low, between), piece.part(name, unit, above, high)

    for mutant in (twice, gap):
        monkeypatch.setattr(source._Piece, "halves", mutant)
        wrong = pieces_of(found, certificate.box)
        assert wrong is not None
        assert not covers(wrong.to_dict(), certificate.box, found.inputs())


def test_ranges_of_less_than_the_piece_are_seen(monkeypatch):
    """The mutant that takes the middle of a piece for the piece: its proofs do not hold."""
    found, certificate = made(*DECIDED[0])
    kept = source._Cutting.form
    count = len(list(source._Piece(certificate.box, found.inputs()).places()))
    monkeypatch.setattr(source._Cutting, "form", lambda self, piece: kept(
        self, piece.around(0.3, np.zeros(count))))  # fmt: skip
    wrong = pieces_of(found, certificate.box)
    assert wrong is not None
    assert not all(proofs(found, wrong.to_dict()))


def test_pieces_of_two_metrics_are_refused():
    """Each of two norms may shrink while a product that meets both grows."""
    _, certificate = made(*DECIDED[0])
    pieces = certificate.pieces
    L = pieces.scaled[0].scaling.copy()
    L[0, 0] *= 2
    wrong = (replace(pieces.scaled[0], scaling=L), *pieces.scaled[1:])
    with pytest.raises(ValueError, match="one P"):
        Pieces(pieces.boxes, wrong)


def test_where_a_step_grows_nothing_is_claimed():
    found = setting("gru", 2.5, 1, n=2)
    box = invariant_box(Ranges(found))
    assert box is not None
    assert pieces_of(found, box) is None


def test_without_a_box_or_where_all_is_decided_there_are_no_pieces():
    assert certify(setting("gru", 0.2, 1, n=2), 2).pieces is None
    found, _ = made(*DECIDED[0])
    assert certify(found, 2, sharp=False).pieces is None


def test_inputs_without_ends_are_not_cut():
    found, _ = made(*DECIDED[0])
    wide = replace(found, input_box=(-np.inf, np.inf))
    certificate = certify(wide, 2)
    assert certificate.box is not None
    assert certificate.pieces is None


def test_too_large_a_form_is_left_alone(monkeypatch):
    found, certificate = made(*DECIDED[0])
    monkeypatch.setattr(source, "_WORK", 1000.0)
    assert pieces_of(found, certificate.box) is None


def test_the_command_tells_of_the_pieces(capsys):
    words = ["bounds", "gru", "--size", "3", "--gain", "0.6", "--seed", "1", "--input-box", "0.3"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    held = found["pieces"]
    assert found["methods"][NAME] == held["r"] == found["rate"] < 1
    assert {"states", "inputs", "r", "norm", "S"} == set(held["pieces"][0])
    main(words)
    out = " ".join(capsys.readouterr().out.split())
    assert f"covered by {len(held['pieces'])} pieces" in out
    main([*words, "--language", "zh"])
    assert f"由 {len(held['pieces'])} 块覆盖" in capsys.readouterr().out
