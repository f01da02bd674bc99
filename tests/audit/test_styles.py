"""Right programs in other styles are never refused; the allowance made for them hides nothing."""

from __future__ import annotations

import numpy as np
import pytest
from corpus import CORPUS, right
from profiles import NIGHTLY, by_day
from public import PUBLIC
from styles import KINDS, PRODUCTS, SIGMOID, TANH, Style, styles

from derive import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.testing import verify_gradients
from numeric.verification.verify import verify
from numeric.verification.watch import Misbehaviour

SEEDS = range(50 if NIGHTLY else 1)
FLOATS = (
    "def forward(params, inputs, initial=None, constants=None):\n"
    '    if inputs["x"].dtype not in ("f4", "f8"):\n'
    '        raise TypeError("floats only")\n'
)
ONE_ENTRY = 1e-9


def floats_only(source: str) -> str:
    """The file, refusing what is no float, with tanh written by exponentials."""
    start = "def forward(params, inputs, initial=None, constants=None):\n"
    assert source.count(start) == 1
    by_exp = "\n\ndef tanh(a):\n    return 2 / (1 + np.exp(-2 * a)) - 1\n"
    return source.replace(start, FLOATS).replace("np.tanh(", "tanh(") + by_exp


def status(source: str, cell: str, seed: int = 0) -> str:
    return verify(load(source, "file"), cell=catalogue[cell], seed=seed).status


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks alone decide: no gradient is called wrong by the diagnosis."""

    def nothing(*arguments: object, **named: object) -> None:
        raise Misbehaviour("not asked")

    monkeypatch.setattr("numeric.verification.verify.explain_gradients", nothing)


def test_the_styles_take_every_form() -> None:
    made = styles()
    assert len({style.source() for style in made}) == len(made) == 20
    for name, forms in (("tanh", TANH), ("sigmoid", SIGMOID), ("products", PRODUCTS),
                        ("kind", KINDS)):  # fmt: skip
        assert {getattr(style, name) for style in made} == {*forms}


@pytest.mark.by_default("rnn, by exp, one sided, einsum")
@pytest.mark.parametrize(
    "style", by_day(styles(), 8, 3), ids=lambda s: f"{s.cell}, {s.tanh}, {s.products}"
)
def test_right_code_is_not_refused(style: Style) -> None:
    for seed in SEEDS:
        verdict = verify(load(style.source(), "style"), cell=catalogue[style.cell], seed=seed)
        exact = "pass" if KINDS[style.kind][0] == "pass" else "not_applicable"
        assert verdict.checks["exact"].status == exact, (seed, verdict.summary())
        assert verdict.status in ("pass", "partial"), (seed, verdict.summary())  # float32 overflows
        assert not any(g.diagnosis for g in verdict.gradients.values())


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("cell", by_day(["rnn", "lstm", "gru", "peephole_lstm"], 2))
def test_right_files_that_take_floats_only_are_not_refused(cell: str) -> None:
    for seed in SEEDS:
        assert status(floats_only(right(cell)), cell, seed) != "fail"


@pytest.mark.by_default(
    "gru: sign of the update gate",
    "lstm: forget-gate bias from the input gate",
    "rnn: cotangent of the last step used at every step",
)
@pytest.mark.parametrize(
    "wrong", by_day([*CORPUS, *PUBLIC], 11), ids=lambda w: f"{w.cell}: {w.story}"
)
def test_wrong_files_that_take_floats_only_are_refused(wrong: object, undiagnosed: None) -> None:
    assert status(floats_only(wrong.source()), wrong.cell) == getattr(wrong, "status", "fail")


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_one_entry_wrong_by_a_billionth_is_refused(cell: str, undiagnosed: None) -> None:
    name = "W" if cell == "rnn" else "W_ih"
    module = load(floats_only(right(cell)), "file")

    def backward(params, tape, cotangents):
        found = module.backward(params, tape, cotangents)
        array = found["params"][name]
        array[0, 0] *= np.asarray(1 + ONE_ENTRY, array.dtype)
        return found

    for seed in SEEDS:
        with pytest.raises(AssertionError, match=f"params.{name}"):
            verify_gradients(cell, module.forward, backward, seed=seed)


QUOTIENT = Cell.parse(name="quotient", equations="h = tanh(W @ h_prev) / (b + U @ x)")


@pytest.mark.long
@pytest.mark.parametrize("style", by_day(["textbook", "fused", "stable"], 3, 1))
def test_a_quotient_near_its_pole_is_not_called_wrong(style: str) -> None:
    for seed in (2, *SEEDS[1:]):
        assert verify(compile_cell(QUOTIENT, style), seed=seed).status != "fail"


def test_a_wrong_gradient_of_a_quotient_is_refused() -> None:
    kernel = compile_cell(QUOTIENT, "textbook")

    def backward(params, tape, cotangents):
        found = kernel.backward(params, tape, cotangents)
        found["params"]["b"] = found["params"]["b"] * np.asarray(1.0001, found["params"]["b"].dtype)
        return found

    for seed in SEEDS:
        with pytest.raises(AssertionError, match=r"params\.b"):
            verify_gradients(QUOTIENT, kernel.forward, backward, seed=seed)


OVERFLOWS = "def tanh(a): return (1 - np.exp(-2 * a)) / (1 + np.exp(-2 * a))"


@pytest.mark.long
@pytest.mark.whole_profile
def test_what_overflows_in_float32_where_units_saturate_is_told_and_not_called_wrong(
    undiagnosed: None,
) -> None:
    """exp(90) is infinite there, and the code right in float64."""
    style = next(s for s in styles() if OVERFLOWS in s.source() and s.cell == "lstm")
    verdict = verify(load(style.source(), "style"), cell=catalogue["lstm"], seed=4)
    said = "states.c is not finite where the units saturate: a function overflows"
    assert (verdict.status, verdict.unjudged) == ("partial", {"float32": said})
    wrong = style.source().replace("dc * i * (1 - g * g)", "dc * i * (1 - g)")
    assert wrong != style.source()
    assert verify(load(wrong, "style"), cell=catalogue["lstm"], seed=4).status == "fail"


@pytest.mark.long
def test_what_is_not_finite_in_float64_too_is_wrong(undiagnosed: None) -> None:
    style = next(s for s in styles() if OVERFLOWS in s.source() and s.cell == "lstm")
    start = "def sigmoid(a): return"
    wrong = style.source().replace(start, f"{start} a * 0 / (abs(a) < 20) +")
    assert wrong != style.source()
    assert verify(load(wrong, "style"), cell=catalogue["lstm"], seed=4).status == "fail"


SLOPE = "da = dh * (1 - h[t] ** 2)"
OVERFLOWING_SLOPE = (
    "e = np.exp(2 * np.abs(h[t - 1] @ W.T + x[t - 1] @ U.T + b))\n"
    "        da = dh * 4 * (e * e / e) / (1 + e) / (1 + e)"
)


def test_what_is_finite_beside_what_overflows_is_judged(undiagnosed: None) -> None:
    """The gradients are NaN where units saturate in float32, the states are not."""
    source = right("rnn").replace(SLOPE, OVERFLOWING_SLOPE)
    assert SLOPE not in source
    seeds = range(4) if NIGHTLY else (3,)
    found = [verify(load(source, "file"), cell=catalogue["rnn"], seed=s) for s in seeds]
    assert {verdict.status for verdict in found} <= {"pass", "partial"}
    assert any("not finite where the units" in v.unjudged.get("float32", "") for v in found)
    tanh = "h[t] = np.tanh("
    more = "(1 + 1e-3 * (x.dtype == 'f4') * (abs(b) > 20).any())"
    wrong = source.replace(tanh, f"h[t] = {more} * np.tanh(")
    assert source.count(tanh) == 1
    found = [verify(load(wrong, "file"), cell=catalogue["rnn"], seed=s) for s in seeds]
    assert "fail" in {verdict.status for verdict in found}
