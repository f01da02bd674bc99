"""Weights drawn at a gain: which matrices the gain is in, and whether they multiply a state."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from numeric.bounds.drawn import draw, drawn_at_gain, multiplying_states
from numeric.meaning.sizes import usual_sizes


@pytest.mark.parametrize("name", ["rnn", "lstm", "mut1", "mlstm", "sru"])
def test_the_gain_is_in_the_matrices_that_are_said_to_have_it(name):
    cell = catalogue[name]
    sizes = usual_sizes(cell, 32, 8)
    once, thrice = (draw(cell, sizes, gain, 1, 0, 0.3)["parameters"] for gain in (1.0, 3.0))
    at_gain = {p.name for p in drawn_at_gain(cell)}
    for p in cell.parameters:
        if p.shape[1] != 1:
            scale = 3.0 if p.name in at_gain else 1.0
            assert np.allclose(thrice[p.name], scale * once[p.name], rtol=1e-12, atol=0)


def test_a_matrix_that_multiplies_what_is_made_of_a_state_multiplies_it():
    names = {p.name for p in multiplying_states(catalogue["gru"])}
    assert {"W_zh", "W_rh", "W_hh"} <= names
    assert not names & {"W_zx", "W_rx", "W_hx"}


def test_matrices_of_inputs_as_long_as_a_state_have_the_gain_too():
    cell = catalogue["mut1"]
    besides = {p.name for p in drawn_at_gain(cell)} - {p.name for p in multiplying_states(cell)}
    assert besides == {"W_xz", "W_xr"}
