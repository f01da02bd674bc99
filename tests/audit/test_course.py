"""A course's LSTM layer behind the adapter that is printed: right, and with a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from profiles import by_day

from reports.cli import main

HERE = Path(__file__).parent
WRONG = {
    "no carry of c": ("return da @ Wx.T, da @ Wh.T, dc * f", "return da @ Wx.T, da @ Wh.T, 0 * dc"),
    "slope of tanh(c) left out": ("dc + dh * o * (1 - tanh_c**2)", "dc + dh * o"),
    "slope of the forget gate at i": ("dc * c_prev * f * (1 - f)", "dc * c_prev * i * (1 - i)"),
    "a factor on what is handed back": ("dc_next, cache[t])", "dc_next, cache[t]); dh_next *= 0.9"),
}

SAYS = {
    "no carry of c": "the carry of c is missing (adjoint equations 12: c̄_t = ",
    "slope of tanh(c) left out": "slope tanh′(c_t) dropped",
    "slope of the forget gate at i": "with i_t ⊙ (1 − i_t) for σ′(a_{f,t}) in f̄_t",
    "a factor on what is handed back": "with h⃖_{t−1} multiplied by 0.9 (adjoint equation 24",
}


@pytest.fixture
def audited(tmp_path, monkeypatch, capsys):
    """The exit status and the verdict on a layer, by the adapter with its gates filled in."""
    monkeypatch.chdir(tmp_path)

    def verdict(source: str) -> tuple[int, dict[str, object]]:
        Path("course.py").write_text(source, encoding="utf-8")
        assert main(["write-test", "course.py", "--cell", "lstm", "--adapter"]) == 0
        printed = capsys.readouterr().out
        assert len(printed.splitlines()) <= 10
        assert all(len(line) <= 100 for line in printed.splitlines())
        filled = printed.replace('GATES, KINDS = "fico"', 'GATES, KINDS = "ifoc"')
        assert filled != printed
        Path("adapter.py").write_text(filled, encoding="utf-8")
        status = main(["verify", "adapter.py", "--cell", "lstm", "--batch-first", "--json"])
        return status, json.loads(capsys.readouterr().out)

    return verdict


def test_the_right_layer_is_judged_as_far_as_it_goes(audited) -> None:
    status, data = audited((HERE / "course.py").read_text(encoding="utf-8"))
    assert (status, data["status"]) == (4, "partial")
    judged = {name for name, found in data["gradients"].items() if found["status"] == "pass"}
    assert judged == {*data["gradients"]} - {"initial.c"}
    assert {"params.W_fh", "params.b_o", "inputs.x", "initial.h"} <= judged
    unjudged = data["unjudged"]
    assert unjudged["states.c"] == "forward returns no states['c']"
    assert unjudged["initial.c"] == "backward returns no initial['c']"
    assert unjudged["c_0"].startswith("forward starts from c_0 = 0")
    assert unjudged["∂L/∂c"] == "backward makes nothing of cotangents['c']"
    assert "came float64" in unjudged["float32"]
    assert unjudged["T = 0"].startswith("forward with T = 0 raised ValueError")
    assert all(found["status"] != "fail" for found in data["checks"].values())


@pytest.mark.long
def test_nothing_is_said_of_a_dtype_that_was_not_judged(audited, capsys) -> None:
    audited((HERE / "course.py").read_text(encoding="utf-8"))
    main(["verify", "adapter.py", "--cell", "lstm", "--batch-first"])
    said = capsys.readouterr().out
    assert "the largest error found, where functions saturate as well" in said
    assert "the largest error found, in float32" not in said


@pytest.mark.long
@pytest.mark.parametrize("what", by_day(WRONG, 4))
def test_a_wrong_layer_fails_and_the_mistake_is_named(audited, what: str) -> None:
    source = (HERE / "course.py").read_text(encoding="utf-8")
    assert source.count(WRONG[what][0]) == 1
    status, data = audited(source.replace(*WRONG[what]))
    assert (status, data["status"]) == (1, "fail")
    wrong = {name for name, found in data["gradients"].items() if found["status"] == "fail"}
    assert wrong == {*data["gradients"]} - {"initial.c"}
    assert SAYS[what] in str(data["gradients"]["params.W_fh"]["diagnosis"])
