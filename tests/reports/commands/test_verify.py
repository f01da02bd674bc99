"""`bptt verify`: a right file and a wrong one, of a cell and of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from c_code import needs_compiler
from command_line import is_refusal, wrong

from derive import catalogue, differentiate
from derive.network import Network
from derive.typeset.layout import Layout
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.targets import STYLES, TARGETS
from numeric.verification.verdict import Check, Gradient, Verdict
from reports.commands import verify
from reports.document.words import Speaker
from reports.sections.facts import Facts
from reports.sections.verified import verified


def test_verify_checks_every_style(bptt: Any) -> None:
    said = bptt("verify", "rnn", "--seed", 3, "--json")
    data = said.data
    assert said.status == 0
    assert data["schema"] == "bptt.verify/1"
    assert (data["status"], data["cell"], data["seed"]) == ("pass", "rnn", 3)
    assert {*data["styles"]} == {*STYLES}
    assert {*data["gradients"]} == {"params.W", "params.U", "params.b", "inputs.x", "initial.h"}
    for gradient in data["gradients"].values():
        assert gradient["status"] == "pass"
        assert gradient["diagnosis"] is None
        assert gradient["scaled_error"] >= 0
    assert data["checks"]["exact"]["examples"] > 0
    assert data["counterexample"] is None
    assert data["versions"]["numpy"]


@pytest.mark.long
def test_errors_where_functions_saturate_are_said_to_be_those_of_rounding(bptt: Any) -> None:
    said, data = bptt("verify", "gru").out, bptt("verify", "gru", "--json").data
    shares = [one["checks"]["high_precision"]["share_of_bound"] for one in data["styles"].values()]
    assert f"the largest is {max(shares):.0%} of what it allows" in said


def test_an_error_of_all_digits_that_is_right_is_explained() -> None:
    """Of the gradient that has it, in the terminal and in a report; small ones need no words."""
    checks = {name: Check("pass", None, {"share_of_bound": 0.4}) for name in ("exact", "autograd")}
    say, derivation = Speaker(Layout()), differentiate("rnn")
    for error, lost in ((12.9, "params.W"), (0.95, "params.W"), (0.2, None), (0.02, None)):
        gradients = {"params.W": Gradient("pass", error), "params.b": Gradient("pass", 0.01)}
        verdict = Verdict("rnn", "pass", checks, gradients, None, 0, "dev", {})
        assert verdict.lost == lost
        lines = verify._lines({"fused": verdict}, verify.merged({"fused": verdict}), say)
        assert any("as that of params.W is right" in line for line in lines) == bool(lost)
        section = verified(Facts(derivation, verdict=verdict))
        assert ("is of a call in which the gradient is smaller" in str(section)) == bool(lost)


@pytest.mark.long
def test_verify_tells_a_right_file_from_a_wrong_one(bptt: Any) -> None:
    right = compile_cell(catalogue["lstm"], "textbook").source
    Path("right.py").write_text(right, encoding="utf-8")
    without_slope = wrong("lstm", "W_fh_bar += a_f_bar.T @", "W_fh_bar += f_bar.T @")
    Path("wrong.py").write_text(without_slope, encoding="utf-8")
    assert bptt("verify", "right.py", "--cell", "lstm", "-q").out == "right.py: pass\n"
    said = bptt("verify", "wrong.py", "--cell", "lstm", "--json")
    data = said.data
    assert said.status == 1
    assert "of what it allows" not in bptt("verify", "wrong.py", "--cell", "lstm").out
    assert data["status"] == "fail"
    assert data["gradients"]["params.W_fh"]["status"] == "fail"
    assert data["gradients"]["params.W_oh"]["status"] == "pass"
    assert data["counterexample"]["T"] >= 1


def test_verify_checks_a_network_in_every_style(bptt: Any) -> None:
    said = bptt("verify", "rnn", "--loss", "squared_error", "--loss-at", "last", "--json")
    data = said.data
    assert said.status == 0
    assert data["schema"] == "bptt.verify/1"
    assert (data["status"], data["cell"]) == ("pass", "rnn")
    assert (data["network"]["readout"], data["network"]["loss_at"]) == ("linear", "last")
    assert {*data["styles"]} == {*STYLES}
    assert {*data["gradients"]} == {
        "params.layer0.W", "params.layer0.U", "params.layer0.b", "params.readout.V",
        "params.readout.c", "inputs.x", "initial.layer0.h",
    }  # fmt: skip
    assert data["checks"]["padding"]["status"] == "pass"


@pytest.mark.long
def test_verify_checks_final_states(bptt: Any) -> None:
    data = bptt("verify", "rnn", "--final-states", "--json").data
    assert data["status"] == "pass"
    assert data["network"]["final_states"] is True
    source = compile_network(Network(catalogue["rnn"], final=True), "textbook").source
    Path("wrong.py").write_text(source.replace("h_all[-1]", "h_all[0]"), encoding="utf-8")
    plain = compile_network(Network(catalogue["rnn"]), "textbook").source
    Path("plain.py").write_text(plain, encoding="utf-8")
    words = ("--cell", "rnn", "--final-states")
    said = bptt("verify", "wrong.py", *words)
    assert said.status == 1
    assert "final['layer0.h']" in said.out
    said = bptt("verify", "plain.py", *words)
    assert said.status == 4
    assert "not judged: final states: loss_and_gradient takes no final_cotangents" in said.out


@pytest.mark.long
@needs_compiler
def test_verify_checks_final_states_in_c(bptt: Any) -> None:
    data = bptt("verify", "rnn", "--final-states", "--target", "c", "--json").data
    assert data["status"] == "pass"
    assert data["network"]["final_states"] is True


@pytest.mark.long
def test_verify_tells_a_right_network_from_a_wrong_one(bptt: Any) -> None:
    source = compile_network(Network(catalogue["rnn"], 2), "textbook").source
    held = "layer0_h_bar = layer1_x_bar_inside[t] + layer0_h_bar_carry"
    assert held in source
    Path("right.py").write_text(source, encoding="utf-8")
    without = source.replace(held, "layer0_h_bar = layer0_h_bar_carry")
    Path("wrong.py").write_text(without, encoding="utf-8")
    words = ("--cell", "rnn", "--layers", 2)
    assert bptt("verify", "right.py", *words, "-q").out == "right.py: pass\n"
    said = bptt("verify", "wrong.py", *words, "--json")
    assert said.status == 1
    wrong = {n for n, found in said.data["gradients"].items() if found["status"] == "fail"}
    assert wrong == {
        "params.layer0.W", "params.layer0.U", "params.layer0.b", "inputs.x", "initial.layer0.h"
    }  # fmt: skip
    assert said.data["counterexample"]["lengths"] is None or said.data["counterexample"]["T"] <= 2
    said = bptt("verify", "right.py", "--cell", "rnn")
    assert is_refusal(said)
    assert "forward: expected a function of this name" in said.err


@needs_compiler
def test_verify_takes_c_and_all_targets(bptt: Any) -> None:
    data = bptt("verify", "rnn", "--target", "c", "--json").data
    assert data["status"] == "pass"
    assert [*data["styles"]] == ["c fused", "c stable"]
    assert data["checks"]["exact"]["status"] == "not_applicable"
    assert "the C code takes float32 or float64" in data["checks"]["exact"]["reason"]
    data = bptt("verify", "rnn", "--target", "all", "--json").data
    assert data["status"] == "pass"
    ours = ["textbook", "fused", "stable", "c fused", "c stable"]
    assert [name for name in data["styles"] if not name.startswith(("jax", "torch"))] == ours
    for target in {*TARGETS} - {"numpy", "c"}:
        there = any(name.startswith(target) for name in data["styles"])
        assert there != (target in data.get("not_run", {}))
