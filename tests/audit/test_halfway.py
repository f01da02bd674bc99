"""Code that does not do all of the interface is judged as far as it goes, and told how far."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from corpus import right
from profiles import by_day, night_alone

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.testing import verify_gradients
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verdict import Verdict
from numeric.verification.verify import verify

LSTM = load(right("lstm"), "right")
CARRY = "dh * o[t] * (1 - tanh_c**2) + dc_next"
WRONG_LSTM = load(right("lstm").replace(CARRY, CARRY.replace(" + dc_next", "")), "wrong")
Change = Callable[[Any], tuple[Callable[..., Any], Callable[..., Any]]]


def gradients(change: Callable[[dict[str, Any]], Any]) -> Change:
    """The code with its gradients changed."""

    def changed(m: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return m.forward, lambda *a: change(m.backward(*a))

    return changed


def cotangents(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """The code with the cotangents that it takes changed."""

    def changed(m: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return m.forward, lambda p, tape, bars: m.backward(p, tape, change(bars))

    return changed


def forwards(change: Callable[[Any], Callable[..., Any]]) -> Change:
    """The code with its forward pass changed."""
    return lambda m: (change(m.forward), m.backward)


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda arrays: {name: a for name, a in arrays.items() if name not in names}


def cast(kind: Any, back: bool) -> Change:
    """The code computing in one dtype whatever it is given; `back`: it returns what was given."""

    def low(arrays: Any) -> Any:
        return None if arrays is None else {n: a.astype(kind) for n, a in arrays.items()}

    def changed(m: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        def forward(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
            dtype = inputs["x"].dtype if back else kind
            states, tape = m.forward(low(params), low(inputs), low(initial))
            return {n: a.astype(dtype) for n, a in states.items()}, (tape, dtype)

        def backward(params: Any, tape: Any, bars: Any) -> Any:
            found = m.backward(low(params), tape[0], low(bars))
            return {g: {n: a.astype(tape[1]) for n, a in d.items()} for g, d in found.items()}

        return forward, backward

    return changed


def no_state_c(forward: Callable[..., Any]) -> Callable[..., Any]:
    def changed(*arguments: Any) -> Any:
        states, tape = forward(*arguments)
        return {"h": states["h"]}, tape

    return changed


def never_empty(forward: Callable[..., Any]) -> Callable[..., Any]:
    def changed(params: Any, inputs: Any, *rest: Any) -> Any:
        if not inputs["x"].size:
            raise ValueError("nothing to do")
        return forward(params, inputs, *rest)

    return changed


def from_c_zero(forward: Callable[..., Any]) -> Callable[..., Any]:
    def changed(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
        return forward(params, inputs, without("c")(initial or {}))

    return changed


def only_params_and_inputs(forward: Callable[..., Any]) -> Callable[..., Any]:
    return lambda params, inputs: forward(params, inputs)


def spoiled(m: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def backward(params: Any, tape: Any, bars: Any) -> Any:
        found = m.backward(params, tape, bars)
        for bar in bars.values():
            bar += 0.1
        return found

    return m.forward, backward


def remembering(m: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    latest: list[Any] = []

    def forward(*arguments: Any) -> Any:
        states, latest[:] = m.forward(*arguments)
        return states, None

    return forward, lambda params, tape, bars: m.backward(params, latest, bars)


def last_alone(bars: dict[str, Any]) -> dict[str, Any]:
    def last(bar: Any) -> Any:
        kept = 0 * bar
        kept[-1:] = bar[-1:]
        return kept

    return {name: last(bar) for name, bar in bars.items()}


HALF: dict[str, tuple[Change, dict[str, str]]] = {
    "no gradient of c_0": (
        gradients(lambda g: {**g, "initial": without("c")(g["initial"])}),
        {"initial.c": "backward returns no initial['c']"},
    ),
    "parameters alone": (
        gradients(lambda g: {"params": g["params"]}),
        {"inputs.x": "backward returns no inputs['x']",
         "initial.h": "backward returns no initial['h']"},
    ),
    "None for a gradient": (
        gradients(lambda g: {**g, "inputs": {"x": None}}),
        {"inputs.x": "backward returns no inputs['x']"},
    ),
    "c not returned": (forwards(no_state_c), {"states.c": "forward returns no states['c']"}),
    "a loss on h alone": (
        cotangents(without("c")), {"∂L/∂c": "backward makes nothing of cotangents['c']"},
    ),
    "a loss at the last step": (
        cotangents(last_alone),
        {"∂L/∂s_t at t < T": "backward takes the cotangents of the last step alone"},
    ),
    "c_0 is zero": (forwards(from_c_zero), {"c_0": "forward starts from c_0 = 0"}),
    "no initial states": (
        forwards(only_params_and_inputs),
        {"c_0": "forward starts from c_0 = 0", "h_0": "forward starts from h_0 = 0"},
    ),
    "float64 alone": (cast(np.float64, back=False), {"float32": "came float64"}),
    "float32 alone": (cast(np.float32, back=False), {"float64": "came float32"}),
    "float32 inside": (cast(np.float32, back=True), {"float64": "computes in float32"}),
    "never empty": (
        forwards(never_empty),
        {"T = 0": "forward with T = 0 raised ValueError: nothing to do",
         "B = 0": "forward with B = 0 raised ValueError: nothing to do"},
    ),
    "cotangents written to": (
        spoiled, {"the interface": "backward writes to its argument cotangents["},
    ),
    "the tape of the last call": (
        remembering, {"later calls with the same tape": "after another forward and backward"},
    ),
    "clipped": (
        gradients(lambda g: {
            **g, "params": {n: np.clip(a, -5, 5) for n, a in g["params"].items()},
        }),
        {"params.W_fh": "each entry is clipped to ±5"},
    ),
}  # fmt: skip
NOTHING_LACKING: dict[str, Change] = {
    "lists": gradients(lambda g: {**g, "inputs": {"x": g["inputs"]["x"].tolist()}}),
    "lists of arrays": gradients(lambda g: {**g, "inputs": {"x": [*g["inputs"]["x"]]}}),
}


def judged(change: Change, module: Any = LSTM, **more: Any) -> Verdict:
    """The verdict on the changed code; it declares no names."""
    forward, backward = change(module)
    return verify(
        SimpleNamespace(forward=forward, backward=backward, **more), cell=catalogue["lstm"]
    )


@pytest.mark.by_default("float32 inside")
@pytest.mark.parametrize("what", by_day(HALF, 5))
def test_right_code_is_judged_as_far_as_it_goes(what: str) -> None:
    change, expected = HALF[what]
    verdict = judged(change)
    assert verdict.status == "partial", verdict.summary()
    for thing, why in expected.items():
        assert why in verdict.unjudged[thing]
        assert f"{thing}" in verdict.summary()
    told = {label for label in verdict.gradients if label in verdict.unjudged}
    passed = {label for label, g in verdict.gradients.items() if g.status == "pass"}
    assert passed >= {*verdict.gradients} - told
    assert verdict.to_dict()["unjudged"] == verdict.unjudged


@pytest.mark.long
@pytest.mark.parametrize("what", by_day(HALF, 7, 1))
def test_wrong_code_fails_beside_what_it_lacks(what: str) -> None:
    verdict = judged(HALF[what][0], WRONG_LSTM)
    assert verdict.status == "fail", verdict.summary()
    assert verdict.gradients["params.W_fh"].status == "fail"


@pytest.mark.long
@pytest.mark.parametrize("what", by_day(NOTHING_LACKING, 2))
def test_lists_are_arrays(what: str) -> None:
    verdict = judged(NOTHING_LACKING[what])
    assert verdict.status in {"pass", "partial"}, verdict.summary()
    assert verdict.gradients["inputs.x"].status == "pass"
    assert judged(NOTHING_LACKING[what], WRONG_LSTM).status == "fail"


@pytest.mark.long
def test_names_need_not_be_declared() -> None:
    assert judged(lambda m: (m.forward, m.backward)).status == "pass"


@pytest.mark.by_default("clockwork_rnn")
@pytest.mark.parametrize("name", ["delta_net", "clockwork_rnn"])
def test_names_of_outputs_and_constants_need_not_be_declared_either(name: str) -> None:
    assert catalogue[name].outputs or catalogue[name].constants
    kernel = compile_cell(name)
    plain = SimpleNamespace(forward=kernel.forward, backward=kernel.backward)
    verdict = verify(plain, cell=catalogue[name])
    assert verdict.status == "pass", verdict.summary()


def test_what_is_declared_wrongly_is_told() -> None:
    verdict = judged(lambda m: (m.forward, m.backward), STATES={"h": ("n",)})
    assert verdict.status == "partial"
    assert "STATES['c']: expected ('n',), it is missing" in verdict.unjudged["names declared"]


@pytest.mark.long
def test_a_gradient_of_another_shape_is_wrong_and_hides_no_other() -> None:
    turned = gradients(lambda g: {**g, "params": {**g["params"], "b_f": g["params"]["b_f"][None]}})
    verdict = judged(turned)
    assert verdict.status == "fail"
    assert [n for n, g in verdict.gradients.items() if g.status == "fail"] == ["params.b_f"]
    assert "expected shape (3,), came (1, 3)" in str(verdict.gradients["params.b_f"].reason)


def test_code_that_cannot_be_called_is_not_judged() -> None:
    verdict = judged(gradients(lambda g: 1 / 0))
    assert verdict.status == "inconclusive"
    assert {g.status for g in verdict.gradients.values()} == {"not_applicable"}
    assert "ZeroDivisionError" in verdict.unjudged["params.W_fh"]


def test_nothing_is_passed_by_leaving_it_out() -> None:
    """Without gradients nothing is right; with cotangents that are all dropped all is wrong."""
    assert judged(gradients(lambda g: {"params": {}})).status == "inconclusive"
    nothing = cotangents(lambda bars: {name: 0 * bar for name, bar in bars.items()})
    assert judged(nothing).status == "fail"


SLOW = (
    "\n\nimport time\n\nright = backward\n\n\n"
    "def backward(*a):\n    time.sleep({})\n    return right(*a)\n"
)


@night_alone
def test_a_slow_file_is_judged_in_the_time_there_is(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text(right("rnn") + SLOW.format(1.5), encoding="utf-8")
    with Sandbox(path, total=4.0) as sandbox:
        verdict = verify(sandbox.subject, cell=catalogue["rnn"])
    assert verdict.status == "partial", verdict.summary()
    assert "the 4 s for this file are used up" in verdict.unjudged["further calls"]
    path.write_text(right("rnn").replace("da = dh *", "da = 2 * dh *") + SLOW.format(1.5))
    with Sandbox(path, total=4.0) as sandbox:
        assert verify(sandbox.subject, cell=catalogue["rnn"]).status == "fail"
    path.write_text(right("rnn") + SLOW.format(9.0), encoding="utf-8")
    with Sandbox(path, total=4.0) as sandbox:
        assert verify(sandbox.subject, cell=catalogue["rnn"]).status == "inconclusive"


def test_the_batch_may_come_first(tmp_path: Path) -> None:
    def turn(arrays: Any) -> Any:
        return {name: np.swapaxes(a, 0, 1).copy() for name, a in arrays.items()}

    def forward(params: Any, inputs: Any, initial: Any = None, constants: Any = None) -> Any:
        states, tape = LSTM.forward(params, turn(inputs), initial)
        return turn(states), tape

    def backward(params: Any, tape: Any, bars: Any) -> Any:
        found = LSTM.backward(params, tape, turn(bars))
        return {**found, "inputs": turn(found["inputs"])}

    assert verify_gradients("lstm", forward, backward, batch_first=True).status == "pass"
    with pytest.raises(AssertionError, match="forward raised ValueError: could not broadcast"):
        verify_gradients("lstm", forward, backward)


@pytest.mark.long
def test_a_cell_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nequations = "h = tanh(W @ h_prev + U @ x + b)"\n')
    module = load(right("rnn"), "right")
    for named in (path, str(path), f"{path}:own"):
        assert verify_gradients(named, module.forward, module.backward).status == "pass"
    with pytest.raises(KeyError, match="no such cell"):
        verify_gradients(f"{path}:other", module.forward, module.backward)
    partial = gradients(lambda g: {**g, "initial": {}})(module)
    assert verify_gradients(path, *partial, partial=True).status == "partial"
    with pytest.raises(AssertionError, match=r"not judged: initial\.h"):
        verify_gradients(path, *partial)
