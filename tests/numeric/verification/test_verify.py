"""Verification passes what is right and rejects each single mistake, by the check that sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.compiler.targets import STYLES
from numeric.numbers.rounding import Double, Single
from numeric.verification import session
from numeric.verification.compare import difference, differences, rounding_bounds
from numeric.verification.oracles import precise_answer
from numeric.verification.problems.of_cell import CellProblem, call, make_case
from numeric.verification.verdict import KINDS, Check, Gradient, Verdict, conclude
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, Misbehaviour, subject_of

HERE = Path(__file__).parents[1]
ORACLES = KINDS | {"autograd", "high_precision", "complex_step", "exact"}

TRANSPOSED = "h_carry = sum(a_bar[:, k * n : k * n + n] @ W[k * n : k * n + n].T for k in range(4))"
MUTANTS = {
    ("rnn", "slope dropped"): ("h_bar * (1 - h[t] * h[t])", "h_bar"),
    ("rnn", "slope of the step before"): ("(1 - h[t] * h[t])", "(1 - h[t - 1] * h[t - 1])"),
    ("rnn", "matrix transposed"): ("h_bar = a_bar @ W", "h_bar = a_bar @ W.T"),
    ("rnn", "wrong time"): ("a_bar.T @ h[t - 1]", "a_bar.T @ h[t]"),
    ("rnn", "overwritten, not summed"): ("W_bar += ", "W_bar[:] = "),
    ("rnn", "no carry"): ("h_bar = h_bar + h_bars[t - 1]", "h_bar = h_bars[t - 1]"),
    ("rnn", "first step left out"): ("range(T, 0, -1)", "range(T, 1, -1)"),
    ("rnn", "batch mean"): ("a_bar.sum(axis=0)", "a_bar.sum(axis=0) / max(1, len(a_bar))"),
    ("rnn", "starts from the weights"): ("np.zeros_like(b)", "b.copy()"),
    ("rnn", "sign"): ("b_bar += ", "b_bar -= "),
    ("rnn", "other function"): ("np.tanh(", "np.sin("),
    ("lstm", "slope dropped"): ("h_bar * o * (1 - s * s)", "h_bar * o"),
    ("lstm", "carry of c missing"): (" + c_carry\n", "\n"),
    ("lstm", "matrix transposed"): ("h_carry = a_bar @ W", TRANSPOSED),
    ("lstm", "wrong time"): ("a_bar.T @ h[t]", "a_bar.T @ h[t + 1]"),
    ("lstm", "overwritten, not summed"): ("U_bar += ", "U_bar[:] = "),
    ("lstm", "other gate in ⊙"): ("f_bar = c_bar * c[t]", "f_bar = c_bar * i"),
    ("lstm", "current c for the previous"): ("f_bar = c_bar * c[t]", "f_bar = c_bar * c[t + 1]"),
    ("lstm", "factor 2"): ("g_bar = c_bar * i", "g_bar = 2 * c_bar * i"),
}  # fmt: skip


def source_of(name: str) -> str:
    return (HERE / f"handwritten_{name}.py").read_text(encoding="utf-8")


def module_of(name: str, old: str = "", new: str = "") -> object:
    source = source_of(name)
    assert not old or old in source
    return load(source.replace(old, new) if old else source, name)


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_right_module_by_hand_passes_every_check(name: str) -> None:
    verdict = verify(module_of(name), cell=catalogue[name])
    assert verdict.status == "pass", verdict.summary()
    assert {check for check, found in verdict.checks.items() if found.status == "pass"} == {
        "derivation", "interface", *ORACLES,
    }  # fmt: skip
    assert verdict.counterexample is None
    json.dumps(verdict.to_dict(), allow_nan=False)


@pytest.mark.by_default("rnn")
@pytest.mark.whole_profile
@pytest.mark.parametrize(
    ("name", "style"), by_day([(n, s) for n in ("rnn", "lstm") for s in STYLES], 4, 1)
)
def test_emitted_code_passes(name: str, style: str) -> None:
    verdict = verify(compile_cell(catalogue[name], style))
    assert verdict.status == "pass", verdict.summary()
    assert verdict.checks["arguments"].figures["examples"] > 30
    assert verdict.checks["exact"].status == "pass"
    assert verdict.checks["exact"].figures["error_probability"] < 1e-15
    assert verdict.checks["high_precision"].figures["share_of_bound"] < 1
    assert all(gradient.status == "pass" for gradient in verdict.gradients.values())


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize(("name", "what"), by_day(MUTANTS, 9))
def test_every_oracle_rejects_a_wrong_term(name: str, what: str) -> None:
    verdict = verify(module_of(name, *MUTANTS[name, what]), cell=catalogue[name])
    assert verdict.status == "fail"
    if verdict.checks["interface"].status == "pass":
        rejecting = {check for check, found in verdict.checks.items() if found.status == "fail"}
        assert rejecting == ORACLES, verdict.summary()
        small = verdict.counterexample
        assert (small["T"], small["B"], small["n"], small["m"]) <= (3, 3, 2, 2)


@pytest.mark.long
def test_only_the_wrong_gradient_is_called_wrong() -> None:
    verdict = verify(module_of("lstm", "U_bar += ", "U_bar[:] = "), cell=catalogue["lstm"])
    wrong = {name for name, gradient in verdict.gradients.items() if gradient.status == "fail"}
    assert wrong == {f"params.W_{gate}x" for gate in "fico"}
    assert verdict.gradients["params.W_fh"].scaled_error < 1e-4


def test_an_error_of_a_few_roundings_is_seen() -> None:
    wrong = module_of("lstm", "x_bar[t] = a_bar @ U", "x_bar[t] = (1 + 1e-13) * (a_bar @ U)")
    verdict = verify(wrong, cell=catalogue["lstm"])
    assert verdict.checks["autograd"].status == "pass"
    assert verdict.checks["high_precision"].status == "fail"
    assert verdict.checks["exact"].status == "inconclusive" or verdict.status == "fail"
    assert [n for n, g in verdict.gradients.items() if g.status == "fail"] == ["inputs.x"]


def test_a_gradient_of_tiny_size_is_held_to_its_own_size() -> None:
    cell = Cell.parse(name="tiny", equations="h = tanh(W @ (s * h_prev) + s * x)", scalars=("s",))

    def backward(kernel, wrong):
        def run(params, tape, cotangents):
            gradients = kernel.backward(params, tape, cotangents)
            gradients["inputs"]["x"] = gradients["inputs"]["x"] * wrong
            return gradients

        return run

    kernel = compile_cell(cell, "stable")
    tiny = make_case(cell, {"n": 3}, steps=3, batch=2, seed=1)
    tiny.params["s"][...] = 1e-100
    want = precise_answer(CellProblem(cell), tiny)
    for wrong, right in ((1, True), (2, False), (-1, False), (0, False)):
        module = SimpleNamespace(
            **{name: getattr(kernel.module, name) for name in ("PARAMETERS", "INPUTS", "STATES")},
            forward=kernel.forward, backward=backward(kernel, wrong),
        )  # fmt: skip
        got = call(Guard(subject_of(module)), tiny)
        found = {d.label: d for d in differences(got, want)}
        assert float(np.max(np.abs(want.gradients["inputs"]["x"]))) < 1e-99
        assert found["inputs.x"].right(1e-12) is right


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_the_stable_style_keeps_its_digits_where_gates_are_shut(name: str) -> None:
    cell = catalogue[name]
    case = make_case(cell, {"n": 2, "m": 2}, steps=3, batch=1, seed=3)
    for value in case.params.values():
        if value.ndim == 1:
            value[...] = 30.0
    want = precise_answer(CellProblem(cell), case)
    assert min(np.max(np.abs(a)) for a in want.gradients["params"].values()) < 1e-20

    def worst(style):
        got = call(Guard(subject_of(compile_cell(cell, style))), case)
        return max(difference.scaled for difference in differences(got, want))

    assert worst("stable") < 1e-12
    assert worst("textbook") > 1e-3


def test_not_a_number_fails() -> None:
    wrong = module_of("rnn", "b_bar += a_bar", "b_bar += np.nan * a_bar")
    verdict = verify(wrong, cell=catalogue["rnn"])
    assert verdict.status == "fail"
    assert verdict.to_dict()["gradients"]["params.b"]["scaled_error"] is None
    json.dumps(verdict.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("old", "new", "status", "says"),
    [
        ('"b": ("n",)', '"b": ("m",)', "partial", r"PARAMETERS\['b'\]: expected \('n',\)"),
        ("W_bar, U_bar, b_bar = ", "W *= 1.0001; W_bar, U_bar, b_bar = ", "fail",
         "writes to its argument"),
        ('"initial": {"h": h_bar}', '"initial": {"h": h_bar[:1]}', "fail",
         r"expected shape \(3, 3\)"),
        ('"initial": {"h": h_bar}', '"initial": {}', "partial", r"returns no initial\['h'\]"),
        ('"x": x_bar}', '"x": x_bar.tolist()}', "pass", ""),
        ('"W": W_bar', '"W": W_bar.astype(np.float32)', "partial", "expected dtype float64"),
        ("x, h = tape", "x, h = tape; h *= 0.5", "fail", "called again with the same tape"),
        ('{"h": h[1:].copy()}', '{"h": h[1:].copy(), "a": h}', "partial",
         "expected a dict with the keys h"),
        ("(x.copy(), h)", "(x.copy(), h), 1", "inconclusive", r"expected \(states, tape\)"),
        ("x_bar, h_bar = np.z", "raise SystemExit; x_bar, h_bar = np.z", "inconclusive",
         "raised SystemExit"),
        ("h_first is None:", "h_first is None and False:", "partial", "AttributeError"),
        ("x_bar, h_bar = np.z", "cotangents['h'][...] = 0; x_bar, h_bar = np.z", "fail",
         "writes to"),
        ('cotangents.get("h", np', 'cotangents.get("h", 1 + np', "partial", "without cotangents"),
        ("np.zeros_like(W), np.zeros_like(U), ", "W.copy(), np.zeros_like(U), ", "fail",
         "not zero at T"),
        ('"x": x_bar}', '"x": cotangents["h"]} if x.shape == h.shape else {"x": x_bar}', "pass",
         ""),
    ],
)  # fmt: skip
def test_misbehaviour_is_told_and_hides_no_gradient(
    old: str, new: str, status: str, says: str
) -> None:
    verdict = verify(module_of("rnn", old, new), cell=catalogue["rnn"])
    assert verdict.status == status, verdict.summary()
    if status == "pass":
        assert not verdict.unjudged
        return
    if status != "fail":
        assert verdict.checks["interface"].status == "partial"
        assert verdict.unjudged
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(verdict.summary())


def test_results_that_change_later_are_noticed() -> None:
    module = module_of("rnn")
    buffer = {}

    def forward(params, inputs, initial=None, constants=None):
        states, tape = module.forward(params, inputs, initial, constants)
        kept = buffer.setdefault((states["h"].shape, states["h"].dtype), states["h"])
        kept[...] = states["h"]
        return {"h": kept}, tape

    guard = Guard(subject_of(SimpleNamespace(
        PARAMETERS=module.PARAMETERS, INPUTS=module.INPUTS, STATES=module.STATES,
        forward=forward, backward=module.backward,
    )))  # fmt: skip
    for seed in (1, 2):
        case = make_case(catalogue["rnn"], {"n": 3, "m": 2}, steps=2, batch=2, seed=seed)
        if seed == 1:
            call(guard, case)
        else:
            with pytest.raises(Misbehaviour, match="changed states"):
                call(guard, case)


def test_arrays_shared_with_the_arguments_are_noticed() -> None:
    cell = Cell.parse(name="copy", equations="h = 0 * h_prev + x")
    module = SimpleNamespace(
        PARAMETERS={}, INPUTS={"x": ("n",)}, STATES={"h": ("n",)},
        forward=lambda params, inputs, initial=None, constants=None: (
            {"h": inputs["x"]}, inputs["x"].shape
        ),
        backward=lambda params, tape, cotangents: {},
    )  # fmt: skip
    verdict = verify(module, cell=cell)
    assert "shares memory with the argument inputs['x']" in verdict.checks["interface"].reason


@pytest.mark.long
def test_a_result_that_differs_from_call_to_call_fails() -> None:
    rng = np.random.default_rng(0)
    module = module_of("rnn")

    def backward(params, tape, cotangents):
        gradients = module.backward(params, tape, cotangents)
        if tape[0].shape[0] > 3:
            gradients["params"]["b"] *= 1 + 1e-3 * rng.random()
        return gradients

    verdict = verify_module(module, backward)
    assert verdict.status == "fail"


def verify_module(module: object, backward: object) -> Verdict:
    noisy = SimpleNamespace(
        PARAMETERS=module.PARAMETERS, INPUTS=module.INPUTS, STATES=module.STATES,
        forward=module.forward, backward=backward,
    )  # fmt: skip
    return verify(noisy, cell=catalogue["rnn"])


def test_code_that_casts_to_float_is_judged_by_the_other_oracles() -> None:
    old, new = 'W, U, b, x = params["W"]', 'W, U, b, x = 1.0 * params["W"].astype(float)'
    for wrong, status in (("h_bar", "pass"), ("2 * h_bar", "fail")):
        source = source_of("rnn").replace(old, new).replace("check(name, array, shape, x", "(x")
        source = source.replace("a_bar = h_bar *", f"a_bar = {wrong} *")
        source = source.replace("x[t] @ U.T + b)", "x[t] @ U.T + b).astype(x.dtype)")
        verdict = verify(load(source, "casting"), cell=catalogue["rnn"])
        assert verdict.checks["exact"].status == "not_applicable"
        assert "TypeError" in verdict.checks["exact"].reason
        assert verdict.status == status, verdict.summary()


def test_another_form_of_exp_is_a_doubt_and_no_failure() -> None:
    source = source_of("lstm").replace(
        "return 1 / (1 + np.exp(-a))", "return 1 / (1 + np.exp(-0.25 * a) * np.exp(-0.75 * a))"
    )
    verdict = verify(load(source, "split"), cell=catalogue["lstm"])
    assert verdict.status == "inconclusive"
    assert verdict.checks["exact"].status == "inconclusive"
    assert "every floating-point oracle agrees" in verdict.checks["exact"].reason
    assert all(gradient.status == "pass" for gradient in verdict.gradients.values())


def test_oracles_that_disagree_are_a_doubt_and_are_said(monkeypatch) -> None:
    right = session.precise_answer

    def off(cell, case):
        answer = right(cell, case)
        W = answer.gradients["params"]["W"]
        return replace(answer, gradients={
            **answer.gradients, "params": {**answer.gradients["params"], "W": W * (1 + 1e-11)},
        })  # fmt: skip

    monkeypatch.setattr(session, "precise_answer", off)
    verdict = verify(module_of("rnn"), cell=catalogue["rnn"])
    assert verdict.status == "inconclusive"
    assert "autograd and fifty digits differ by 1.0e-11 in params.W" in (
        verdict.checks["high_precision"].reason
    )
    assert {gradient.status for gradient in verdict.gradients.values()} == {"pass"}


@pytest.mark.long
def test_abs_in_the_forward_code_is_no_matter_of_the_complex_step() -> None:
    source = source_of("rnn").replace("np.tanh(h[t]", "np.sign(1.0) * np.tanh(h[t]")
    source = source.replace("+ b)", "+ 0 * np.abs(b) + b)")
    verdict = verify(load(source, "abs"), cell=catalogue["rnn"])
    assert verdict.status == "pass"
    stable = verify(compile_cell(catalogue["lstm"], "stable"))
    assert stable.checks["complex_step"].status in {"pass", "not_applicable"}


@pytest.mark.long
def test_a_size_that_one_array_alone_shows_may_be_any() -> None:
    text = "h = tanh(W @ h_prev + b * mean(x) + c * mean(p) + V @ y)"
    verdict = verify(compile_cell(Cell.parse(name="own", equations=text, inputs=("x", "y"))))
    assert verdict.checks["arguments"].status == "pass", verdict.summary()


def test_a_wrong_argument_that_is_accepted_fails() -> None:
    kernel = compile_cell(catalogue["rnn"], "textbook")
    lenient = SimpleNamespace(
        cell=kernel.cell, module=kernel.module, backward=kernel.backward,
        forward=lambda params, inputs, initial=None, constants=None: kernel.forward(
            {n: value for n, value in params.items() if n in "WUb"}, inputs, initial, constants
        ),
    )  # fmt: skip
    verdict = verify(lenient)
    assert verdict.checks["arguments"].status == "fail"
    assert "no_such_name" in verdict.checks["arguments"].reason


@pytest.mark.parametrize(("kind", "dtype"), [(Double, np.float64), (Single, np.float32)])
def test_a_bound_holds_and_is_not_idle(kind: type, dtype: type) -> None:
    for a in (0.3, 2.0, 6.0, 8.5):
        h = kind(float(dtype(a)), 0.0).tanh()
        by_output, got = 1 - h * h, dtype(1) - np.tanh(dtype(a)) ** 2
        exact = 1 / np.cosh(np.float64(dtype(a))) ** 2
        assert abs(float(got) - exact) <= by_output.error
        assert by_output.error <= 40 * kind.unit
        e = kind(-2 * float(dtype(a)), 0.0).exp()
        by_input = 4 * e / ((1 + e) * (1 + e))
        assert by_input.error <= 60 * kind.unit * exact


@pytest.mark.parametrize("style", STYLES)
def test_saturated_float32_stays_within_what_rounding_explains(style: str) -> None:
    cell = catalogue["lstm"]
    guard = Guard(subject_of(compile_cell(cell, style)))
    for seed in range(5):
        case = make_case(cell, {"n": 2, "m": 1}, steps=3, batch=1, seed=seed, regime="saturated",
                         dtype="float32")  # fmt: skip
        bounds, clear = rounding_bounds(CellProblem(cell), guard, case)
        assert clear
        want = precise_answer(CellProblem(cell), case)
        for found in differences(call(guard, case), want, bounds, 2**-52):
            assert found.explained <= 1, found.entry


def test_an_exact_zero_is_matched_exactly() -> None:
    zero, tiny = np.zeros(2), np.array([0.0, 1e-300])
    assert difference("params", "b", zero, zero).scaled == 0
    assert difference("params", "b", tiny, zero).scaled == np.inf
    assert not difference("params", "b", tiny, zero, np.ones(2)).right(1e-12)
    assert difference("params", "b", zero, tiny).scaled == 1


def test_a_verdict_cannot_say_more_than_its_checks() -> None:
    passed, failed = Check("pass"), Check("fail", "because")
    right = {"params.W": Gradient("pass", 0.0)}
    one, two = {"autograd": passed}, {"autograd": passed, "exact": passed}
    assert conclude(one, right) == "inconclusive"
    assert conclude({**one, "interface": passed}, right) == "inconclusive"
    assert conclude(two, right) == "pass"
    assert conclude({**two, "interface": failed}, right) == "fail"
    assert conclude({**two, "complex_step": Check("inconclusive", "?")}, right) == "inconclusive"
    assert conclude({**two, "complex_step": Check("not_applicable", "?")}, right) == "pass"
    with pytest.raises(ValueError, match="the checks say 'inconclusive'"):
        Verdict("rnn", "pass", one, right, None, 0, "dev", {})
    with pytest.raises(ValueError, match="needs a reason"):
        Check("fail")


def test_unknown_profile_and_missing_cell_are_refused() -> None:
    with pytest.raises(ValueError, match="profile: expected one of dev, ci, nightly"):
        verify(compile_cell(catalogue["rnn"]), profile="weekly")
    with pytest.raises(ValueError, match="cell"):
        verify(module_of("rnn"))
