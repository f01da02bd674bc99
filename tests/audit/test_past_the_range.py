"""What leaves float32's range in every right code is no doubt; what is wrong is refused still.

RG-LRU takes the root of 1 − a², which rounds to zero where a gate closes; S5's states grow past
1e38 where its eigenvalues do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from derive import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.verification.verify import Verdict, verify

DROPPED = {
    "rg_lru": (" - a_h_bar * a[t] - a_h_bar * a[t]", " - a_h_bar * a[t]"),
    "s5": ("im_bar_carry = im_bar * co - re_bar * si", "im_bar_carry = im_bar * co"),
}
Change = Callable[[np.ndarray], np.ndarray]


def changed(cell: str, change: Change) -> Verdict:
    """Our code, one parameter's gradient changed."""
    module = load(compile_cell(cell, "textbook").source, "file")
    right, name = module.backward, catalogue[cell].parameters[0].name

    def backward(params, tape, cotangents):
        found = right(params, tape, cotangents)
        found["params"][name] = change(found["params"][name])
        return found

    module.backward = backward
    return verify(module, cell=catalogue[cell])


@pytest.mark.long
@pytest.mark.whole_profile
@pytest.mark.parametrize("cell", DROPPED)
def test_right_code_passes_whole(cell: str) -> None:
    verdict = verify(compile_cell(cell, "textbook"))
    assert verdict.status == "pass", verdict.summary()


@pytest.mark.long
@pytest.mark.whole_profile
@pytest.mark.parametrize("cell", DROPPED)
def test_wrong_gradients_are_refused(cell: str) -> None:
    def billionth(a: np.ndarray) -> np.ndarray:
        return a * (1 + 1e-9 * (a.dtype == "f8"))

    def single(a: np.ndarray) -> np.ndarray:
        return a * np.asarray(1 + 1e-3 * (a.dtype == "f4"), a.dtype)

    for change in (billionth, single):
        verdict = changed(cell, change)
        assert verdict.status == "fail", (change.__name__, verdict.summary())


@pytest.mark.by_default("rg_lru")
@pytest.mark.whole_profile
@pytest.mark.parametrize("cell", DROPPED)
def test_a_dropped_term_is_refused(cell: str) -> None:
    source = compile_cell(cell, "textbook").source
    term, less = DROPPED[cell]
    assert source.count(term) == 1
    assert verify(load(source.replace(term, less), "file"), cell=catalogue[cell]).status == "fail"


@pytest.mark.long
@pytest.mark.whole_profile
def test_what_only_the_code_makes_infinite_is_told() -> None:
    """A gradient that is NaN in float32 where a bias is large: its true number is small."""
    source = compile_cell("s5", "textbook").source
    line = "    D_bar = np.zeros_like(like, shape=(m,))\n"
    assert source.count(line) == 1
    nan = "    D_bar[:] = np.where((D.dtype == 'f4') & (np.abs(D).max() > 8), np.nan, 0)\n"
    verdict = verify(load(source.replace(line, line + nan), "file"), cell=catalogue["s5"])
    said = "params.D is not finite where the units saturate: a function overflows"
    assert (verdict.status, verdict.unjudged) == ("partial", {"float32": said})


GROWING = Cell.parse(name="growing", equations="h = log(1 + exp(W @ h_prev)) * sqrt(1 + x * x)")


def test_an_exponential_within_that_leaves_float32_where_states_grow_is_no_wrong_gradient() -> None:
    verdict = verify(compile_cell(GROWING, "textbook"))
    assert verdict.status == "partial", verdict.summary()
    assert "is not finite where states grow" in verdict.unjudged["float32"]
    assert {gradient.status for gradient in verdict.gradients.values()} == {"pass"}


def test_a_wrong_gradient_of_such_code_is_refused() -> None:
    source = compile_cell(GROWING, "textbook").source
    wrong = source.replace("h_bar_carry = ", "h_bar_carry = 0.5 * ", 2)
    assert wrong != source
    assert verify(load(wrong, "wrong"), cell=GROWING).status == "fail"
