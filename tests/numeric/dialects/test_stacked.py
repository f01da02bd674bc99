"""Where frameworks' equations find their parameters."""

from __future__ import annotations

import numpy as np
import pytest

from derive.cell import cell_of
from numeric.dialects.stacked import FORMS, Arrays, dialect, parameters_of


@pytest.mark.parametrize(("framework", "cell"), FORMS)
def test_every_parameter_of_a_dialect_is_found(framework: str, cell: str) -> None:
    own, form = dialect(framework, cell)
    g, n, m = len(form.gates), 3, 2
    p = 2 if cell == "projected_lstm" else n
    projection = np.ones((p, n)) if cell == "projected_lstm" else None
    given = Arrays(np.ones((g * n, m)), np.ones((g * n, p)), projection=projection)
    found = parameters_of(own, form, given)
    assert {*found} == {symbol.name for symbol in own.parameters}
    assert {*form.states} == {symbol.name for symbol in own.states}
    assert {*form.states.values()} == {symbol.name for symbol in cell_of(cell).states}


def test_a_bias_that_the_equations_do_not_read_is_refused() -> None:
    own, form = dialect("Equinox", "lstm")
    biases = (np.zeros(12), np.ones(12))
    with pytest.raises(ValueError, match="equinox_lstm has no bias there, and it is not 0"):
        parameters_of(own, form, Arrays(np.ones((12, 2)), np.ones((12, 3)), biases))


def test_equations_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="by which PyTorch computes gru are not known here"):
        dialect("PyTorch", "gru")
    assert "relu(" in dialect("ONNX", "irnn")[0].text
