"""The module's sizes and its index give way; what is no name of a variable stays."""

from __future__ import annotations

import numpy as np
import pytest

from derive import Cell
from derive.calculus.through_time import derivation_of
from numeric.compiler.kernel import Kernel, compile_cell
from numeric.compiler.lower import lower
from numeric.compiler.to_numpy.own_names import cleared, free
from numeric.verification.cases import Case
from numeric.verification.problems.of_cell import make_case

CELL = Cell.parse(name="own", equations="T = tanh(n @ T_prev + B @ x)")


def test_sizes_that_an_array_is_called_like_are_renamed() -> None:
    clear = cleared(lower(derivation_of(CELL)))
    assert clear.sizes == {"n_size": "n", "m": "m"}
    assert {*clear.words} == {"T", "T_", "T__all", "B", "B_", "B__all"}
    assert {"T_", "B_", "n"} <= {*clear.program.dims}


def test_words_are_put_in_where_they_are_variables() -> None:
    clear = cleared(lower(derivation_of(CELL)))
    source = 'T_ = W.T  # T_\nB = sizes["B"]\n'
    assert clear.named(source) == 'T = W.T  # T_\nB_size = sizes["B"]\n'


def test_without_such_arrays_the_source_stays() -> None:
    plain = cleared(lower(derivation_of(Cell.parse(name="p", equations="h = tanh(h_prev + x)"))))
    assert not plain.words
    assert plain.named("T = (") == "T = ("


def test_a_free_name_is_no_others() -> None:
    assert free("a", {"a", "a_"}) == "a__"


@pytest.mark.parametrize("target", ["numpy", "jax"])
@pytest.mark.parametrize(
    "size", ["like", "next", "len", "last", "jnp", "h_all", "tanh", "STATES", "_take"]
)
def test_a_size_may_be_called_as_something_of_the_emitted_code(size: str, target: str) -> None:
    text = "h = tanh(W @ x + U @ h_prev)"
    named = Cell.parse(name="own", equations=text, sizes={"h": size})
    plain = Cell.parse(name="own", equations=text)
    case = make_case(plain, {"n": 3, "m": 2}, steps=3, batch=2)
    got, want = (gradients(compile_cell(cell, "fused", target), case) for cell in (named, plain))
    for name, gradient in want.items():
        np.testing.assert_array_equal(got[name], gradient)


def gradients(kernel: Kernel, case: Case) -> dict[str, np.ndarray]:
    states, tape = kernel.forward(case.params, case.inputs)
    return kernel.backward(case.params, tape, {"h": states["h"]})["params"]
