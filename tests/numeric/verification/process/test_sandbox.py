"""Somebody's file in its own process: right ones pass, and none can hang, crash or cheat."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.target import load
from numeric.numbers.degree import Degree, DegreeArray
from numeric.numbers.prime_field import Dual, DualArray, random_duals
from numeric.numbers.random_functions import PRIME, random_functions
from numeric.numbers.rounding import Double, DoubleArray
from numeric.verification.problems.of_cell import call, make_case
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.process.wire import _LENGTHS, decode, encode
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, Misbehaviour, subject_of

HERE = Path(__file__).parents[2]
RNN = (HERE / "handwritten_rnn.py").read_text(encoding="utf-8")
START = "x, h = tape\n"

CHEATS = {
    "endless loop": (START, START + "    while True: pass\n", "no answer within 1 s"),
    "exit": (START, START + "    raise SystemExit(0)\n", "raised SystemExit"),
    "hard exit": (
        START,
        START + "    import os; os._exit(0)\n",
        r"ended by itself \(exit status 0",
    ),
    "exception": (START, START + "    1 / 0\n", r"ZeroDivisionError: .*line \d+ of file.py"),
    "garbage": ('"params": {"W": W_bar', '"params": {"W": object()', "expected an array"),
    "other objects": (START, START + "    return 3\n", "backward returned int"),
    "writes": (START, START + "    W[:] = 0\n", r"writes to its argument params\['W'\]"),
    "no such import": ("import numpy as np", "import numpy as np, no_such", "importing the file"),
    "bad syntax": ("import numpy as np", "import numpy as", "SyntaxError"),
    "exit on import": ("import numpy as np", "raise SystemExit(0)", "SystemExit"),
    "no backward": ("def backward", "def backwards", "backward: expected a function"),
    "no dict of names": ("STATES = ", "STATES = 3  # ", "STATES: expected a dict"),
}


def written(folder: Path, source: str) -> Path:
    path = folder / "file.py"
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_a_right_file_passes(name: str) -> None:
    with Sandbox(HERE / f"handwritten_{name}.py") as sandbox:
        verdict = verify(sandbox, cell=catalogue[name])
    assert verdict.status == "pass", verdict.summary()
    assert verdict.checks["exact"].status == "pass"
    assert verdict.checks["high_precision"].figures["share_of_bound"] < 1


def test_a_file_with_one_wrong_term_fails(tmp_path: Path) -> None:
    path = written(tmp_path, RNN.replace("h_bar * (1 - h[t] * h[t])", "h_bar"))
    with Sandbox(path) as sandbox:
        verdict = verify(sandbox, cell=catalogue["rnn"])
    failed = {name for name, check in verdict.checks.items() if check.status == "fail"}
    assert failed == {"autograd", "high_precision", "complex_step", "exact"}


@pytest.mark.parametrize("what", by_day(CHEATS, 3))
def test_whatever_a_file_does_is_no_pass_and_has_a_reason(tmp_path: Path, what: str) -> None:
    old, new, says = CHEATS[what]
    assert old in RNN
    with Sandbox(written(tmp_path, RNN.replace(old, new)), time_limit=1) as sandbox:
        verdict = verify(sandbox, cell=catalogue["rnn"])
    expected = {"garbage": "inconclusive", "writes": "fail"}.get(what, "inconclusive")
    assert verdict.status == expected
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(f"{verdict.unjudged} {verdict.checks['interface'].reason}")


def test_a_loop_at_some_sizes_only_is_found(tmp_path: Path) -> None:
    source = RNN.replace(START, START + "    while W.dtype == float and len(x) == 5: pass\n")
    with Sandbox(written(tmp_path, source), time_limit=1) as sandbox:
        verdict = verify(sandbox, cell=catalogue["rnn"])
    assert verdict.status == "partial"
    assert re.match("with T = 5, .*: no answer within 1 s", verdict.unjudged["further calls"])


def test_what_a_file_prints_and_reads_goes_nowhere(tmp_path: Path, capfd) -> None:
    talk = "print('hello'); import sys; sys.stdout.flush(); assert sys.stdin.read() == ''\n"
    path = written(tmp_path, RNN.replace(START, START + "    " + talk) + "\nprint('loaded')\n")
    case = make_case(catalogue["rnn"], {"n": 3, "m": 2}, steps=3, batch=2)
    with Sandbox(path) as sandbox:
        got = call(Guard(subject_of(sandbox)), case)
    want = call(Guard(subject_of(load(RNN, "rnn"))), case)
    np.testing.assert_array_equal(got[1]["params"]["W"], want[1]["params"]["W"])
    assert capfd.readouterr() == ("", "")


def test_a_file_may_import_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("import numpy as np\ntanh = np.tanh\n", encoding="utf-8")
    source = RNN.replace("import numpy as np", "import numpy as np\nfrom neighbour import tanh")
    with Sandbox(written(tmp_path, source.replace("np.tanh(", "tanh("))) as sandbox:
        assert sandbox.subject.declared["STATES"] == {"h": ("n",)}


def test_after_the_block_the_process_is_gone() -> None:
    with Sandbox(HERE / "handwritten_rnn.py") as sandbox:
        subject = sandbox.subject
    with pytest.raises(Misbehaviour, match="ended"):
        subject.functions["backward"]({}, 0, {})


def test_a_missing_file_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Sandbox(tmp_path / "absent.py")


def through(message: object) -> object:
    data = encode(message)
    head, body = _LENGTHS.unpack(data[: _LENGTHS.size])
    rest = data[_LENGTHS.size :]
    assert len(rest) == head + body
    return decode(rest[:head], rest[head:])


def test_a_message_arrives_as_it_was_sent() -> None:
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64, np.complex128):
        for shape in ((), (0, 3), (2, 3)):
            array = rng.normal(size=shape).astype(dtype)
            back = through({"a": [array, None, "text", 3, 2.5]})["a"]
            np.testing.assert_array_equal(back[0], array)
            assert (back[0].dtype, back[0].shape) == (array.dtype, array.shape)
            assert back[1:] == [None, "text", 3, 2.5]


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (DualArray.of([Dual(5, 2**61 - 2, 0.5), 0]), ("value", "tangent", "shadow")),
        (DoubleArray.of([Double(1.5, 1e-17, 3.0), 0]), ("value", "error", "mass")),
        (DegreeArray.of([Degree(2.0, 3.0, -1.0), 0]), ("top", "bottom", "shadow")),
    ],
)
def test_elements_arrive_as_they_were_sent(array, parts) -> None:
    for sent in (array, array.view(np.ndarray), array.reshape(2, 1)):
        back = through(sent)
        assert type(back) is type(array)
        assert back.shape == sent.shape
        for one, other in zip(back.ravel(), np.ravel(sent), strict=True):
            assert all(getattr(one, part) == getattr(other, part) for part in parts)


@pytest.mark.parametrize(
    "element", [Dual(5, 7, 0.5), Double(1.5, 1e-17, 3.0), Degree(2.0, 3.0, 1.0)]
)
def test_a_number_alone_arrives_as_an_array_of_no_axis(element) -> None:
    """What `loss = 0` and `loss = loss - picked.sum()` leave of an array."""
    back = through({"loss": element})["loss"]
    assert back.shape == ()
    assert type(back[()]) is type(element)
    parts = [part for kind in type(element).__mro__ for part in getattr(kind, "__slots__", ())]
    assert all(getattr(back[()], part) == getattr(element, part) for part in parts)


def test_what_has_no_plain_form_is_not_sent() -> None:
    for thing in (object(), np.array([object()]), np.array(["text"])):
        with pytest.raises(TypeError, match="cannot be sent"):
            encode({"a": thing})


@pytest.mark.parametrize("head", [b"[]", b"3", b'{"array": [["O", 0, 0]], "kind": "plain"}', b"{"])
def test_what_is_no_message_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(head, b"")


def test_constants_reach_the_file(tmp_path: Path) -> None:
    """Those of the cell, beside the numbers of it that the field is told."""
    cell = Cell.parse(name="masked", equations="h = tanh(0.3 * W @ h_prev + m * x)",
                      inputs=("x",), constants=("m",))  # fmt: skip
    source = compile_cell(cell, "textbook").source
    with Sandbox(written(tmp_path, source)) as sandbox:
        verdict = verify(sandbox, cell=cell)
    assert verdict.status == "pass", verdict.summary()


def test_the_process_starts_without_what_only_the_judging_side_needs() -> None:
    """Importing SymPy takes several times as long as all that the process itself does."""
    said = "import sys, numeric.verification.process.worker; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", said], text=True).split()
    assert not {"sympy", "autograd", "hypothesis", "mpmath", "torch", "jax"} & {*modules}
    assert "numeric.numbers.prime_field" in modules


def test_what_a_file_asks_of_the_random_functions_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "doubling.py"
    path.write_text(
        "import numpy as np\n"
        "def forward(params, inputs, initial=None, constants=None):\n"
        "    return {'h': np.exp(4 * inputs['x'])}, None\n"
        "def backward(params, tape, cotangents):\n    return {}\n",
        encoding="utf-8",
    )
    x = random_duals(np.random.default_rng(0), (1, 1, 1))
    with Sandbox(path) as sandbox, random_functions(0) as functions:
        states, _ = sandbox.subject.functions["forward"]({}, {"x": x})
        assert (functions.elsewhere, functions.doublings) == (3, 0)
        assert states["h"].item().value == np.exp(x).item().value ** 4 % PRIME
        assert functions.doublings == 2
