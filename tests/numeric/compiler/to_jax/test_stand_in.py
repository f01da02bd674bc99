"""A file for JAX on NumPy in its place: the states and gradients of the NumPy code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import catalogue
from derive.cell import Cell
from numeric import compile_cell
from numeric.compiler.to_jax import stand_in
from numeric.meaning.sizes import size_names
from numeric.verification.problems.of_cell import CellProblem

MATRIX_STATES = ("delta_net", "mlstm")


def apart(cell: Cell, style: str, source: str) -> float:
    """How far the file's states and gradients are from those of the NumPy code, relatively."""
    sizes = {name: 3 + place for place, name in enumerate(size_names(cell))}
    case = CellProblem(cell).case(sizes, steps=4, batch=2, seed=0)
    kernel, own = compile_cell(cell, style), stand_in.load(source, cell.name)

    def results(forward: Any, backward: Any) -> dict[Any, Any]:
        states, tape = forward(case.params, case.inputs, case.initial, case.constants)
        found = backward(case.params, tape, case.cotangents)
        return {**states, **{(g, n): v for g, group in found.items() for n, v in group.items()}}

    got, want = results(own["forward"], own["backward"]), results(kernel.forward, kernel.backward)
    assert got.keys() == want.keys()
    return max(
        float(np.max(np.abs(got[key] - value), initial=0.0) / np.max(np.abs(value), initial=1e-300))
        for key, value in want.items()
    )


@pytest.mark.parametrize("name", [*MATRIX_STATES, *by_day(catalogue, 20, 5)])
@pytest.mark.parametrize("style", by_day(["fused", "stable"], 2))
def test_it_is_the_numpy_codes(name: str, style: str) -> None:
    cell = catalogue[name]
    assert apart(cell, style, compile_cell(cell, style, "jax").source) <= 1e-12


def test_a_wrong_term_is_seen() -> None:
    cell = catalogue["delta_net"]
    source = compile_cell(cell, "fused", "jax").source
    assert source.count("q_q / sqrt_a_q_2") == 1
    assert apart(cell, "fused", source.replace("q_q / sqrt_a_q_2", "q_q * sqrt_a_q_2")) > 0.1


@pytest.mark.parametrize("text", ["h = tanh(b * h_prev + sum(x))", "h = 0.5 * h_prev + x"])
def test_the_pass_back_knows_sizes_that_neither_its_tape_nor_a_parameter_has(text: str) -> None:
    cell = Cell.parse(name="bare", equations=text)
    source = compile_cell(cell, "fused", "jax").source
    assert apart(cell, "fused", source) <= 1e-12
    sizes, own = dict.fromkeys(size_names(cell), 3), stand_in.load(source, "bare")
    case = CellProblem(cell).case(sizes, steps=4, batch=2, seed=0)
    _, tape = own["forward"](case.params, case.inputs)
    found = own["backward"](case.params, tape, {})  # no cotangent shows B
    assert found["initial"]["h"].shape == (2, 3)
    assert found["inputs"]["x"].shape == (4, 2, 3)
    assert not found["inputs"]["x"].any()


def test_another_import_is_refused() -> None:
    with pytest.raises(ImportError, match="a file for JAX imports JAX alone, not os"):
        stand_in.load("import os", "a file")
