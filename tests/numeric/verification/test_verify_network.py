"""Verification of networks: every kind passes, and every oracle rejects each single mistake."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from profiles import NIGHTLY, by_day

from derive import Cell, catalogue
from derive.language.syntax import CellError
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import load
from numeric.compiler.targets import STYLES
from numeric.verification import verify as verification
from numeric.verification.compare import differences
from numeric.verification.exact import exact_check
from numeric.verification.oracles import autograd_answer, precise_answer
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, Misbehaviour, subject_of

OUTPUTS = (
    ("softmax", "cross_entropy"), ("linear", "squared_error"), ("softmax", "squared_error"),
)  # fmt: skip
RNN, LSTM = catalogue["rnn"], catalogue["lstm"]
OTHERS = {
    "three layers, embedded, dropout": Network(RNN, 3, True, embedding=True, dropout=True),
    "lstm, both ways": Network(LSTM, 1, True),
    "lstm, two layers, embedded": Network(LSTM, 2, embedding=True, loss_at="last"),
    "gru, three layers, dropout": Network(
        catalogue["gru"], 3, readout="linear", loss="squared_error", dropout=True
    ),
    "memory handed upward": Network(catalogue["depth_gated_lstm"], 2),
    "a clock": Network(catalogue["clockwork_rnn"], 2, dropout=True),
    "a clock, both ways": Network(catalogue["clockwork_rnn"], 1, True, loss_at="last"),
}


def kinds() -> Iterator[tuple[Network, str]]:
    """Every kind on the RNN, by day one in five; other cells where they matter; styles in turn."""
    settings = itertools.product((1, 2), (False, True), OUTPUTS, ("all", "last"))
    networks = [Network(RNN, *how, *out, at) for *how, out, at in settings]
    shown = networks if NIGHTLY else networks[::9]
    yield from zip([*shown, *OTHERS.values()], itertools.cycle(STYLES), strict=False)


def cell(equations: str, **settings: object) -> Cell:
    return Cell.parse(name="made_up", equations=equations, **settings)


@pytest.mark.by_default("rnn_1l_bi_linear_squared_error_last")
@pytest.mark.parametrize(
    ("network", "style"), by_day(kinds(), 4, 1), ids=lambda part: getattr(part, "name", part)
)
def test_every_kind_passes_every_check(network: Network, style: str) -> None:
    verdict = verify(compile_network(network, style))
    assert verdict.status == "pass", verdict.summary()
    assert {*verdict.checks} == {
        "derivation", "interface", "arguments", "padding", "autograd", "high_precision",
        "exact",
    }  # fmt: skip
    assert {check.status for check in verdict.checks.values()} == {"pass"}
    assert verdict.checks["exact"].figures["error_probability"] < 1e-9
    assert verdict.checks["high_precision"].figures["share_of_bound"] < 1
    assert verdict.network == network.name
    json.dumps(verdict.to_dict(), allow_nan=False)


@pytest.mark.by_default("way0")
@pytest.mark.parametrize("way", [{}, {"bidirectional": True}, {"layers": 3, "loss_at": "all"}])
def test_masks_between_layers_that_hand_up_one_number(way: dict[str, Any]) -> None:
    verdict = verify(compile_network(replace(SUMMED, **way)))
    assert verdict.status == "pass", verdict.summary()


def test_the_verdict_names_every_gradient_as_the_interface_does() -> None:
    verdict = verify(compile_network(Network(RNN, 1, True, embedding=True)))
    layer = [f"{way}{name}" for way in ("", "reverse.") for name in "WUb"]
    assert {*verdict.gradients} == {
        *(f"params.layer0.{name}" for name in layer),
        "params.embedding.E", "params.readout.V", "params.readout.c",
        "initial.layer0.h", "initial.layer0.reverse.h",
    }  # fmt: skip


# ---- mutants ---------------------------------------------------------------------------------

DEEP = Network(RNN, 2, True, embedding=True, dropout=True)
LAST = Network(RNN, 1, True, loss_at="last")
SQUARED = Network(RNN, 1, True, "softmax", "squared_error")
UPWARD = Network(cell("h = tanh(W @ h_prev + U @ x + D @ h_below)", inputs=("x", "h_below")), 2)
SUMMED = Network(
    cell("h = tanh(W @ x + U @ h_prev)\no = sum(h_prev)", outputs=("o",)), 2,
    readout="linear", loss="squared_error", loss_at="last", dropout=True,
)  # fmt: skip
MUTANTS = {
    "gradient of the reverse direction missing": (
        DEEP, "layer1_input_bar = layer1_x_bar + layer1_reverse_x_bar",
        "layer1_input_bar = layer1_x_bar"),
    "readout's gradient paired with the wrong layer": (
        DEEP, "layer1_both_inside = inside(layer1_both", "layer1_both_inside = inside(layer0_both"),
    "error not handed to the layer below": (
        DEEP, "layer0_h_bars[t] + layer0_h_bar_carry", "layer0_h_bar_carry"),
    "halves of the readout's cotangent swapped": (
        DEEP, "layer1_h_bars = top_bar[..., :n]", "layer1_h_bars = top_bar[..., n:]"),
    "dropout's mask not on the way back": (
        DEEP, "layer0_kept_bar = layer1_input_bar_inside * layer0_dropout",
        "layer0_kept_bar = layer1_input_bar_inside"),
    "a mask of one number not on the way back": (
        SUMMED, "layer0_kept_bar = layer1_x_bar_inside * layer0_dropout",
        "layer0_kept_bar = layer1_x_bar_inside"),
    "embedding's gradient overwritten": (
        DEEP, "np.add.at(total, places, rows)", "total[places] = rows"),
    "mean for sum": (
        DEEP, "return picked.sum(keepdims=True)",
        "return (1 / max(1, picked.shape[1])) * picked.sum(keepdims=True)"),
    "mean for sum in the gradient": (
        DEEP, "return slope\n", "return slope / max(1, slope.shape[1])\n"),
    "reverse layer carried from the wrong side": (
        DEEP, re.compile(r"(layer1_reverse_h_bar_carry = .*\n    for t in )range\(T\)"),
        r"\1reversed(range(T))"),
    "reverse layer paired with the step after": (
        DEEP, "inside(layer1_reverse_h_prev[t]", "inside(layer1_reverse_h[t]"),
    "padding moves a state": (
        DEEP, "np.where(outside[t], layer1_reverse_h_prev[t], np.tanh(layer1_reverse_a))",
        "np.tanh(layer1_reverse_a)"),
    "padding in the loss": (
        DEEP, "if outside is not None:\n        picked", "if False:\n        picked"),
    "padding in the loss and its gradient": (DEEP, "if outside is not None:", "if False:"),
    "padding in the carry": (
        DEEP, "np.where(outside[t], layer1_reverse_h_bar_carry, "
        "layer1_reverse_a_bar @ layer1_reverse_W)", "layer1_reverse_a_bar @ layer1_reverse_W"),
    "padding in a parameter's gradient": (
        DEEP, "inside(layer1_reverse_a_bar, outside[t], ragged)", "layer1_reverse_a_bar"),
    "slope without the one-hot target": (
        DEEP, "np.take_along_axis(slope, place, axis=-1) - 1",
        "np.take_along_axis(slope, place, axis=-1)"),
    "the last step of the batch, not of the sample": (
        LAST, "ends = lengths - 1", "ends = np.full(B, T - 1)"),
    "the loss at the last step spread over all": (
        LAST, "spread[ends, np.arange(shape[1])] = rows", "spread[:] = rows"),
    "squared error without its half": (SQUARED, "0.5 * error", "1.0 * error"),
    "softmax's mean left out": (SQUARED, "error_inside - tmp_mean", "error_inside"),
    "state handed upward without its gradient": (
        UPWARD, "layer0_h_bars_bars = layer1_x_bar_inside + layer1_h_below_bar_inside",
        "layer0_h_bars_bars = layer1_x_bar_inside"),
}  # fmt: skip


def mutant(name: str) -> tuple[Network, object]:
    network, old, new = MUTANTS[name]
    source = compile_network(network, "textbook").source
    pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
    assert pattern.search(source), f"{pattern.pattern!r} is not in the code"
    changed = pattern.sub(new if isinstance(old, re.Pattern) else lambda match: new, source)
    return network, load(changed, "mutant")


@pytest.mark.by_default("a mask of one number not on the way back", "softmax's mean left out")
@pytest.mark.parametrize("name", by_day(MUTANTS, 5))
def test_both_oracles_reject_a_wrong_term(name: str) -> None:
    network, module = mutant(name)
    problem = NetworkProblem(network)
    sizes = problem.ordinary_sizes()
    guard = Guard(subject_of(module, problem.functions))

    def right(seed: int) -> bool:
        return exact_check(problem, guard, sizes, steps=4, batch=3, seed=seed).right

    def off(seed: int) -> float:
        case = problem.case(sizes, steps=4, batch=3, seed=seed)
        found = differences(problem.call(guard, case), autograd_answer(problem, case))
        return max(difference.scaled for difference in found)

    assert not all(map(right, range(1, 4)))
    assert any(off(seed) > 1e-6 for seed in range(1, 4))


@pytest.mark.long
@pytest.mark.parametrize("name", by_day([*MUTANTS][::3], 4))
def test_a_wrong_term_fails_with_a_small_example(name: str, monkeypatch: Any) -> None:
    monkeypatch.delitem(verification._CHECKS, "high_precision")  # the slowest to shrink
    network, module = mutant(name)
    verdict = verify(module, network=network)
    assert verdict.status == "fail"
    found = {check: held.status for check, held in verdict.checks.items()}
    assert {found[check] for check in ("autograd", "exact")} == {"fail"}, verdict.summary()
    assert verdict.counterexample["T"] <= 3


@pytest.mark.long
def test_only_the_wrong_gradients_are_called_wrong() -> None:
    network, module = mutant("readout's gradient paired with the wrong layer")
    verdict = verify(module, network=network)
    assert [n for n, g in verdict.gradients.items() if g.status == "fail"] == ["params.readout.V"]
    network, module = mutant("mean for sum")
    verdict = verify(module, network=network)
    assert "loss: got" in verdict.checks["autograd"].reason


@pytest.mark.parametrize(
    ("changes", "says", "status"),
    [
        ({"x = x[nearest]": "pass", "rows) if ragged": "rows) if False"},
         "padding in inputs", "fail"),
        ({"~outside[:, :, 0]": "outside[:, :, 0] | True"}, "targets", "partial"),
    ],
)  # fmt: skip
def test_padding_may_hold_anything(changes: dict[str, str], says: str, status: str) -> None:
    network = Network(RNN)
    source = compile_network(network, "textbook").source
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    verdict = verify(load(source, "mutant"), network=network)
    assert verdict.checks["padding"].status == status
    assert says in verdict.checks["padding"].reason


def test_a_wrong_argument_that_is_accepted_fails() -> None:
    kernel = compile_network(Network(RNN))

    def lenient(params, inputs, targets, initial=None, constants=None, lengths=None):
        known = {name: value for name, value in params.items() if name in kernel.module.PARAMETERS}
        return kernel.loss_and_gradient(known, inputs, targets, initial, constants, lengths)

    module = SimpleNamespace(
        network=kernel.network, module=kernel.module, loss_and_gradient=lenient
    )  # fmt: skip
    verdict = verify(module)
    assert verdict.checks["arguments"].status == "fail"
    assert "no_such_name" in verdict.checks["arguments"].reason


@pytest.mark.long
def test_a_file_is_judged_in_its_own_process(tmp_path: Path) -> None:
    network = Network(RNN, 2, embedding=True)
    source = compile_network(network, "textbook").source
    path = tmp_path / "mine.py"
    for old, new, status in (
        ("", "", "pass"),
        ("np.add.at(total, places, rows)", "total[places] = rows", "fail"),
        ("return loss, {", "raise SystemExit\n    return loss, {", "inconclusive"),
    ):
        path.write_text(source.replace(old, new) if old else source, encoding="utf-8")
        with Sandbox(path, network=True) as sandbox:
            verdict = verify(sandbox.subject, network=network)
        assert verdict.status == status, verdict.summary()
    with Sandbox(path) as sandbox, pytest.raises(Misbehaviour, match="forward: expected a fun"):
        assert sandbox.subject


# ---- the oracles -----------------------------------------------------------------------------


@pytest.mark.parametrize("network", [DEEP, LAST, SQUARED, UPWARD], ids=lambda n: n.name)
def test_two_oracles_agree_and_a_length_is_the_sample_alone(network: Network) -> None:
    problem = NetworkProblem(network)
    sizes = dict.fromkeys(problem.ordinary_sizes(), 2)
    case = problem.case(sizes, steps=3, batch=2, seed=1)
    case = replace(case, lengths=np.array([3, 1]))
    one, other = autograd_answer(problem, case), precise_answer(problem, case)
    assert one.states["L"] == pytest.approx(other.states["L"], rel=1e-14)
    for group, arrays in other.gradients.items():
        for name, want in arrays.items():
            got = one.gradients[group][name]
            assert np.max(np.abs(got - want)) <= 1e-12 * np.max(np.abs(want)), name


# ---- cells that a network must join with care --------------------------------------------------

CELLS = {
    "output is not called h": cell("z = tanh(W @ z_prev + U @ x + b)"),
    "the last state is handed up": cell(
        "u = tanh(W @ u_prev + U @ x)\ns = tanh(V @ s_prev + Q @ u)"),
    "two inputs": cell("h = tanh(W @ h_prev + U @ x + Y @ y)", inputs=("x", "y")),
    "state and input of one size": cell("h = tanh(W @ h_prev + x)"),
    "sizes of other names": cell("h = tanh(W @ h_prev + U @ x)", sizes={"x": "d", "h": "k"}),
    "h handed up twice": cell(
        "h = tanh(W @ h_prev + U @ (x + h_below))", inputs=("x", "h_below")),
    "names of the network": cell(
        "h = tanh(q @ h_prev + U @ loss + ends + c * v)", inputs=("loss",),
        constants=("ends[t]", "c")),
    "a name of another direction": cell("h = tanh(W @ h_prev + reverse_W @ targets)",
                                        inputs=("targets",)),
}  # fmt: skip


DEEP_OR_BOTH_WAYS = ({"layers": 2}, {"layers": 1, "bidirectional": True, "loss_at": "last"})


@pytest.mark.by_default("state and input of one size")
@pytest.mark.parametrize(
    ("name", "settings"),
    by_day(zip(CELLS, itertools.cycle(DEEP_OR_BOTH_WAYS), strict=False), 3),
)
def test_networks_of_unusual_cells(name: str, settings: dict) -> None:
    verdict = verify(compile_network(Network(CELLS[name], **settings), "fused"))
    assert verdict.status == "pass", verdict.summary()


@pytest.mark.parametrize(
    ("equations", "settings"),
    [
        ("h = tanh(W @ h_prev + U @ (x * y))", {"inputs": ("x", "y")}),
        ("h = tanh(W @ h_prev + U @ (k * x))", {"constants": ("k",)}),
        ("h = tanh(W @ h_prev + x)", {"sizes": {"h": "m"}}),
        ("h = tanh(w * x + U @ h_prev)", {"scalars": ("x",)}),
        ("h = tanh(W @ h_prev + U @ (x + h_below))", {"inputs": ("x", "h_below")}),
    ],
)
def test_layers_that_would_not_fit_are_refused(equations: str, settings: dict) -> None:
    found = cell(equations, **settings)
    Network(found, 1, True)
    with pytest.raises(CellError, match="cannot be stacked"):
        Network(found, 2, True)


def test_integers_of_any_kind_and_lists_are_taken() -> None:
    kernel = compile_network(Network(LSTM, 1, embedding=True))
    problem = NetworkProblem(kernel.network)
    case = problem.case(problem.ordinary_sizes(), steps=4, batch=3, seed=1)
    params, inputs, targets = case.params, case.inputs, case.targets
    initial, lengths = case.initial, case.lengths
    wanted, _ = kernel.loss_and_gradient(params, inputs, targets, initial, None, lengths)
    for kind in (np.uint8, np.uint64, np.int16):
        indices = {"x": inputs["x"].astype(kind)}
        found, _ = kernel.loss_and_gradient(
            params, indices, targets.astype(kind), initial, None, lengths.astype(kind)
        )
        assert found == wanted
    found, _ = kernel.loss_and_gradient(
        params, inputs, targets.tolist(), initial, None, lengths.tolist()
    )
    assert found == wanted


PREDICTIONS = {
    "a gate": ("layer0_i * layer0_c_tilde", "layer0_c_tilde"),
    "an order of time": ("for t in reversed(range(T))", "for t in range(T)"),
    "an end": ("= inside(outputs, outside, ragged)", "= outputs"),
    "a bias": (" + readout_c", ""),
    "probabilities": ("= softmax(logits)", "= logits"),
    "a shape": ("return outputs_inside", "return outputs_inside[0]"),
    "no array": ("return outputs_inside", "return None"),
    "an error": ("return outputs_inside", "raise KeyError"),
}


@pytest.mark.by_default("probabilities")
@pytest.mark.parametrize("name", by_day(PREDICTIONS, 4))
def test_a_wrong_forward_pass_is_refused_beside_right_gradients(
    name: str, monkeypatch: Any
) -> None:
    monkeypatch.delitem(verification._CHECKS, "high_precision")  # the slowest to shrink
    network = Network(LSTM, 1, True)
    source = compile_network(network, "textbook").source
    before, after = source.split("def predict(")
    old, new = PREDICTIONS[name]
    assert old in after, after
    kernel = SimpleNamespace(**vars(load(f"{before}def predict({after.replace(old, new)}", "m")))
    verdict = verify(kernel, network=network)
    assert verdict.status == ("partial" if name in {"no array", "an error"} else "fail")
    assert {held.status for held in verdict.gradients.values()} == {"pass"}
    said = [*verdict.unjudged.values(), *(c.reason for c in verdict.checks.values() if c.reason)]
    assert any("predict" in reason for reason in said), said


@pytest.mark.long
def test_a_predict_of_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    network = Network(RNN, 1)
    source = compile_network(network, "textbook").source
    ours = source.replace("def predict(params, inputs,", "def predict(model, x,")
    for number, text in enumerate((ours, source, source.replace(" + readout_c", ""))):
        (tmp_path / "one.py").write_text(text)
        with Sandbox(tmp_path / "one.py", network=True) as sandbox:
            assert ("predict" in sandbox.subject.functions) == (number > 0)
            assert verify(sandbox, network=network).status == ("fail" if number > 1 else "pass")


@pytest.mark.parametrize("cell", [RNN, LSTM])
def test_in_one_call_a_late_loss_shows_at_the_first_step(cell: Cell) -> None:
    """Code that goes back a fixed number of steps is wrong there, and nowhere shorter."""
    problem = NetworkProblem(Network(cell, loss_at="last"))
    long = [c for c in problem.unusual_cases() if c.steps > 30 and c.regime == "ordinary"]
    (case,) = long
    assert case.lengths is None
    x_bar = autograd_answer(problem, case).gradients["inputs"]["x"]
    assert np.max(np.abs(x_bar[0])) > 1e3 * verification.TOLERANCES["float64"]
