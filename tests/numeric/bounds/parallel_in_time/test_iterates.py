"""One iterate: what is known before its step is taken, and what its next one's residual adds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from derive import catalogue
from derive.calculus.curvature import step_curvature
from derive.calculus.through_time import derivation_of
from numeric.bounds.drawn import draw
from numeric.bounds.parallel_in_time import iterates
from numeric.bounds.parallel_in_time.iterates import fed_places, iterated
from numeric.bounds.parallel_in_time.newton import sweeps
from numeric.meaning.sizes import usual_sizes


def first(name: str, gain: float):
    """The guess of one evaluation as a run, and how its step Jacobians move."""
    made = draw(catalogue[name], usual_sizes(catalogue[name], 4, 3), gain, 40, 1, 1.0)
    derivation = derivation_of(catalogue[name])
    begin = sweeps(derivation, made["parameters"], made["inputs"], {}, made["constants"],
                   warm=False, most=0).start  # fmt: skip
    return begin.run, step_curvature(derivation)


def test_without_the_next_residual_the_same_is_known_before_the_step(monkeypatch) -> None:
    """And no evaluation at the next iterate is made."""
    run, curvature = first("rnn", 0.3)
    whole, following = iterated(run, curvature, 1e-13)
    monkeypatch.setattr(iterates, "_chord", None)  # not called
    alone, moved = iterated(run, curvature, 1e-13, beyond=False)
    assert alone.alone is not None
    assert alone.alone[0] <= whole.alone[0]
    assert (alone.remaining, alone.within) == alone.alone
    assert alone.certified >= whole.certified
    assert alone.inverse < whole.inverse  # by the longest products at once
    np.testing.assert_array_equal(following["h"], moved["h"])


@pytest.mark.parametrize(("name", "fed"), [("rnn", []), ("qrnn", ["last"])])
def test_places_of_states_that_inputs_alone_make(name: str, fed: list[str]) -> None:
    run, curvature = first(name, 0.5)
    widths = {n: held.shape[1] for n, held in run.states.items()}
    assert fed_places(run, curvature).sum() == sum(widths[n] for n in fed)


def test_a_next_iterate_that_overflows_says_nothing() -> None:
    """A step may be finite and the state that it leads to not."""
    run = SimpleNamespace(states={"h": np.zeros((3, 1))})
    far = {"h": np.array([[0.0], [np.inf], [1.0]])}
    assert (
        iterates._chord(run, far, np.zeros((2, 1, 1)), np.zeros(2), np.zeros(1, dtype=bool)) is None
    )
