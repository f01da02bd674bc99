"""One evaluation of the step at all times: residuals in exact arithmetic, and images."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from derive import catalogue
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import Run, run
from numeric.bounds.parallel_in_time.evaluated import evaluated
from numeric.meaning.sizes import usual_sizes

CELL = Cell.parse(name="two", sizes={"x": "n", "last": "n"},
                  equations="h = p * h_prev + last_prev * x\nlast = x * x")  # fmt: skip
APART = np.array([False, True])


def given(seed: int) -> Run:
    rng = np.random.default_rng(seed)
    states = {name: rng.normal(size=(7, 1)) for name in ("h", "last")}
    return Run(derivation_of(CELL), {"p": rng.normal(size=1)}, {"x": rng.normal(size=(6, 1))},
               states)  # fmt: skip


def test_residuals_are_within_what_they_may_be_off_by() -> None:
    for seed in range(20):
        one = given(seed)
        found = evaluated(one)
        h, last, x = (list(map(Fraction, map(float, part[:, 0])))
                      for part in (*one.states.values(), one.inputs["x"]))  # fmt: skip
        p = Fraction(float(one.parameters["p"][0]))
        for t in range(6):
            want = (p * h[t] + last[t] * x[t] - h[t + 1], x[t] * x[t] - last[t + 1])
            pairs = zip(want, found.residual[t], found.blurred[t], strict=True)
            assert all(abs(r - Fraction(float(got))) <= Fraction(float(off))
                       for r, got, off in pairs)  # fmt: skip
            whole = sum(r * r for r in want)
            missed = found.missed(APART)
            assert whole <= Fraction(float(missed.whole[t])) ** 2 <= whole * Fraction(1001, 1000)
            assert abs(want[1]) <= Fraction(float(missed.fed[t])) <= abs(want[1]) * Fraction(11, 10)
        assert np.all(found.blurred < 1e-14)


def test_evaluations_make_one_step_after_the_other_exact() -> None:
    """After k of them the first k states are those of the sequence, and the initial one is kept."""
    cell = catalogue["gru"]
    made = draw(cell, usual_sizes(cell, 3, 2), 1.0, 9, 0, 1.0)
    derivation, start = derivation_of(cell), made["initial"]
    want = run(derivation, made["parameters"], made["inputs"], start)
    now = replace(want, states={"h": np.concatenate([start["h"][None], np.zeros((9, 3))])})
    for k in range(1, 10):
        now = replace(now, states=evaluated(now).image)
        apart = np.abs(now.states["h"] - want.states["h"]).max(axis=1)
        assert np.all(apart[: k + 1] < 1e-14)
        assert k == 9 or apart[k + 1] > 1e-6
    assert evaluated(now).missed(np.zeros(3, dtype=bool)).whole.max() < 1e-13
