"""Whatever a file under audit does, it passes only with right gradients, and nobody waits long."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from corpus import right
from profiles import NIGHTLY, by_day

from derive import catalogue
from numeric.compiler.target import load
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verify import verify

LIMIT = 2.0
RNN = right("rnn")
DOUBLED = RNN.replace("da = dh * (1 - h[t] ** 2)", "da = 2 * dh * (1 - h[t] ** 2)")
START = "    x, h = tape\n"
YES = "lambda *arguments, **named: True"

# what is put at the top of a file whose gradients are wrong
AT_IMPORT = {
    "comparisons of NumPy always agree": f"np.allclose = np.array_equal = np.isfinite = {YES}",
    "NumPy's largest difference is none": "np.max = np.abs = lambda a, *r, **n: 0 * a",
    "the guard of the checker looks away": (
        "import numeric.verification.watch\n"
        "numeric.verification.watch.Guard._check = lambda self, group, found, *rest: dict(found)\n"
        "numeric.verification.watch._same = lambda *arguments: True"
    ),
    "the verdict is replaced": (
        "import numeric.verification.verdict, numeric.verification.compare, numeric\n"
        "numeric.verification.verdict.conclude = lambda *arguments: 'pass'\n"
        "numeric.verify = lambda *arguments, **named: 'pass'\n"
        "same = numeric.verification.compare.Difference\n"
        "numeric.verification.compare.difference = lambda g, n, *r: same(g, n, 0, 0, '')"
    ),
    "it talks without end": "print('pass ' * 4_000_000)",
    "it claims to have passed": "import sys\nsys.stderr.write('status: pass')\nstatus = 'pass'",
    "equality is overloaded": (
        "class Agreeing(np.ndarray):\n"
        "    def __eq__(self, other): return np.ones(self.shape, bool)\n"
        "    def __sub__(self, other): return np.zeros(self.shape)\n"
        "    __hash__ = None"
    ),
}
# what a right file does in its backward pass
IN_BACKWARD = {
    "infinity in one entry": "params = dict(params, b=np.inf * params['b'])\n    h = h * np.inf\n",
    "NaN in one entry": "params = dict(params, b=np.nan * params['b'])\n    h = h * np.nan\n",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n",
    "interrupted": "raise KeyboardInterrupt\n",
    "without end": "return backward(params, tape, cotangents)\n",
    "noise on every pipe": (
        "import os\n"
        "    for fd in range(3, 12):\n"
        "        try: os.write(fd, bytes(range(64)))\n"
        "        except OSError: pass\n"
    ),
    "silence on every pipe": (
        "import os\n"
        "    for fd in range(3, 12):\n"
        "        try: os.close(fd)\n"
        "        except OSError: pass\n"
    ),
    "a message of a terabyte": (
        "import os, struct\n"
        "    for fd in range(3, 12):\n"
        "        try: os.write(fd, struct.pack('<QQ', 2**40, 2**40))\n"
        "        except OSError: pass\n"
    ),
    "huge arrays": "return {'params': {n: np.zeros((900, 900)) for n in 'WUb'}, "
    "'inputs': {'x': x}, 'initial': {'h': h[0]}}\n",
    "the tape is used up": "h[...] = 0\n",
    "the inputs returned": "return {'params': params, 'inputs': {'x': x}, "
    "'initial': {'h': h[0]}}\n",
}  # fmt: skip


def status_of(folder: Path, source: str) -> str:
    path = folder / "file.py"
    path.write_text(source, encoding="utf-8")
    begin = time.monotonic()
    with Sandbox(path, time_limit=LIMIT) as sandbox:
        try:
            verdict = verify(sandbox.subject, cell=catalogue["rnn"])
        finally:
            sandbox.close()
    assert time.monotonic() - begin < 20 * LIMIT
    return verdict.status


@pytest.mark.by_default("comparisons of NumPy always agree")
@pytest.mark.parametrize("what", by_day(AT_IMPORT, 4))
def test_a_wrong_file_that_tampers_with_its_process_fails(tmp_path: Path, what: str) -> None:
    source = DOUBLED.replace("import numpy as np\n", f"import numpy as np\n{AT_IMPORT[what]}\n", 1)
    if "Agreeing" in source:
        source = source.replace('{"W": dW,', '{"W": dW.view(Agreeing),')
    assert status_of(tmp_path, source) == "fail"


WRONG = {
    "infinity in one entry",
    "NaN in one entry",
    "huge arrays",
    "the tape is used up",
    "the inputs returned",
}


@pytest.mark.by_default("a message of a terabyte")
@pytest.mark.parametrize("what", by_day(IN_BACKWARD, 6, 1))
def test_a_file_that_does_not_answer_rightly_is_no_pass(tmp_path: Path, what: str) -> None:
    """A wrong gradient fails; where none came there is nothing to judge."""
    assert START in RNN
    source = RNN.replace(START, START + "    " + IN_BACKWARD[what], 1)
    assert status_of(tmp_path, source) == ("fail" if what in WRONG else "inconclusive")


def test_the_file_without_tricks_passes(tmp_path: Path) -> None:
    assert status_of(tmp_path, RNN) == "pass"


def module_with(**changed: object) -> SimpleNamespace:
    module = load(RNN, "right")
    names = ("PARAMETERS", "INPUTS", "STATES", "forward", "backward")
    return SimpleNamespace(**{**{name: getattr(module, name) for name in names}, **changed})


def test_views_that_change_later_are_told_and_judged_as_they_were() -> None:
    kept: dict[tuple[int, ...], np.ndarray] = {}
    module = load(RNN, "right")

    def backward(params, tape, cotangents):
        found = module.backward(params, tape, cotangents)
        W = found["params"]["W"]
        buffer = kept.setdefault((W.shape, W.dtype.str), np.empty_like(W))
        buffer[...] = W
        found["params"]["W"] = buffer
        return found

    verdict = verify(module_with(backward=backward), cell=catalogue["rnn"])
    assert verdict.status == "partial"
    assert "backward changed params['W'], returned by an earlier call" in verdict.summary()


def test_arrays_that_lie_about_themselves_fail() -> None:
    class Agreeing(np.ndarray):
        def __eq__(self, other):
            return np.ones(self.shape, bool)

        def __array_function__(self, function, types, arguments, named):
            return np.zeros(self.shape)

        __hash__ = None

    module = load(DOUBLED, "wrong")

    def backward(params, tape, cotangents):
        found = module.backward(params, tape, cotangents)
        return {g: {n: a.view(Agreeing) for n, a in v.items()} for g, v in found.items()}

    assert verify(module_with(backward=backward), cell=catalogue["rnn"]).status != "pass"


def test_arrays_that_are_the_arguments_fail() -> None:
    module = load(RNN, "right")

    def backward(params, tape, cotangents):
        found = module.backward(params, tape, cotangents)
        return {**found, "params": {**found["params"], "b": params["b"]}}

    assert verify(module_with(backward=backward), cell=catalogue["rnn"]).status == "fail"


def doubled_if(condition):
    """A backward pass whose gradient of W is twice too large where the condition holds."""

    def backward(right, params, tape, cotangents):
        found = right(params, tape, cotangents)
        if condition(params["W"], tape[0], cotangents):
            found["params"]["W"] = 2 * found["params"]["W"]
        return found

    return backward


def claiming(error):
    """Twice too large in float32; run on numbers with error bounds, it claims that error."""

    def backward(right, params, tape, cotangents):
        found = doubled_if(lambda W, x, cotangents: W.dtype == np.float32)(
            right, params, tape, cotangents
        )
        for entry in found["params"]["W"].flat if params["W"].dtype == object else ():
            if hasattr(entry, "error"):
                entry.error = error
        return found

    return backward


def below_a_threshold(right, params, tape, cotangents):
    """What is small is left out."""
    keep = {n: np.where(np.abs(c) < 1e-9, 0 * c, c) for n, c in cotangents.items()}
    return right(params, tape, keep)


def clipped(right, params, tape, cotangents):
    """Gradients clipped at norm 1e3, on the way."""
    found = right(params, tape, cotangents)
    W = found["params"]["W"]
    norm = 0 if W.dtype == object else np.sqrt(np.sum(np.abs(W) ** 2, dtype=float))
    found["params"]["W"] = W if norm < 1e3 else (W / norm * 1e3).astype(W.dtype)
    return found


SLIPS = {
    "errors claimed to be huge": claiming(1e30),
    "errors claimed to be negative": claiming(-1.0),
    "wrong with many units": doubled_if(lambda W, x, cotangents: len(W) > 30),
    "wrong with many samples": doubled_if(lambda W, x, cotangents: x.shape[1] > 30),
    "wrong with many steps": doubled_if(lambda W, x, cotangents: len(x) > 60),
    "wrong for inputs of zero": doubled_if(
        lambda W, x, cotangents: W.dtype == float and not x.any()
    ),
    "cotangents below a threshold": below_a_threshold,
}


@pytest.mark.by_default("errors claimed to be huge")
@pytest.mark.parametrize("what", by_day(SLIPS, 4))
def test_what_is_wrong_in_some_calls_only_fails(what: str) -> None:
    right_one = load(RNN, "right").backward

    def backward(params, tape, cotangents):
        return SLIPS[what](right_one, params, tape, cotangents)

    assert verify(module_with(backward=backward), cell=catalogue["rnn"]).status == "fail"


def test_clipped_gradients_are_no_pass_and_it_is_said() -> None:
    right_one = load(RNN, "right").backward

    def backward(params, tape, cotangents):
        return clipped(right_one, params, tape, cotangents)

    verdict = verify(module_with(backward=backward), cell=catalogue["rnn"])
    assert verdict.status == "partial"
    assert "the norm of the array is at most 1000" in verdict.unjudged["params.W"]
    assert verdict.gradients["params.W"].status == "pass"


def test_a_tape_that_the_next_call_overwrites_fails() -> None:
    module, latest = load(RNN, "right"), []

    def forward(*arguments):
        states, tape = module.forward(*arguments)
        latest[:] = tape
        return states, None

    def backward(params, tape, cotangents):
        return module.backward(params, latest, cotangents)

    verdict = verify(module_with(forward=forward, backward=backward), cell=catalogue["rnn"])
    assert "after another forward" in verdict.checks["interface"].reason


def test_numbers_of_another_call_fail() -> None:
    module, kept = load(RNN, "right"), {}

    def backward(params, tape, cotangents):
        found = module.backward(params, tape, cotangents)
        if params["W"].dtype == object:
            found["params"]["W"] = kept.setdefault(params["W"].shape, found["params"]["W"]).copy()
        return found

    assert verify(module_with(backward=backward), cell=catalogue["rnn"]).status != "pass"


def test_initial_states_may_be_left_out() -> None:
    module = load(RNN, "right")

    def forward(params, inputs, initial=None, constants=None):
        return module.forward(params, inputs, dict(initial), constants)

    verdict = verify(module_with(forward=forward), cell=catalogue["rnn"])
    assert "TypeError" in verdict.checks["interface"].reason


@pytest.mark.by_default("0")
@pytest.mark.parametrize("seed", range(8 if NIGHTLY else 2))
def test_what_is_wrong_only_where_every_unit_is_at_the_end_of_its_range_is_found(seed: int) -> None:
    start = "    dh_out = cotangents.get("
    trapdoor = RNN.replace(
        start, "    dh_out = (1 + (abs(h[1:]).mean() > 0.998)) * cotangents.get("
    )
    assert trapdoor != RNN
    verdict = verify(load(trapdoor, "trapdoor"), cell=catalogue["rnn"], seed=seed)
    assert verdict.status == "fail"
    assert verdict.checks["autograd"].status == "pass"


@pytest.mark.long
def test_a_failing_case_is_made_smaller_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numeric.verification.counterexample.SMALLER", 0.0)
    verdict = verify(load(DOUBLED, "doubled"), cell=catalogue["rnn"])
    assert verdict.status == "fail"
    assert verdict.counterexample is not None
