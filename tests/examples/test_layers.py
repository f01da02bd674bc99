"""The backward passes of examples/torch_layers.py and jax_layers.py: right, and each mistake named.

What needs neither framework is tested with autograd in their place, in
tests/numeric/verification/frameworks/test_code.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from profiles import by_day

from numeric.testing import verify_framework
from reports.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RIGHT = [
    ("torch", "MinimalGRU", "minimal_gru.toml"), ("torch", "Recurrence", "rnn"),
    ("torch", "LSTM", "lstm"), ("jax", "recurrence", "rnn"),
]  # fmt: skip
WRONG = [
    ("torch", "ForgottenGate", "minimal_gru.toml", "params.W_f", "the term ū_{g,t} ⊙ h_{t−1} miss"),
    ("torch", "NoInitialGradient", "rnn", "initial.h", "the first step hands nothing back"),
    ("torch", "DroppedFinalLSTM", "lstm", "initial.c", "the term ∂L_t/∂c_t missing"),
    ("jax", "final_state_dropped", "rnn", "params.W", "h_T by itself, and drops what comes back"),
    ("jax", "slope_at_value", "rnn", "inputs.x", "tanh′ taken of the output h_t as if it were"),
]  # fmt: skip


def needs(framework: str) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")


def cell_at(cell: str) -> str:
    return str(EXAMPLES / cell) if cell.endswith(".toml") else cell


def bptt(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bptt", "verify", *words], cwd=EXAMPLES, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("framework", "name", "cell"), by_day(RIGHT, 2))
def test_right_ones_pass(framework: str, name: str, cell: str) -> None:
    needs(framework)
    code = f"{EXAMPLES / framework}_layers.py:{name}"
    assert verify_framework(cell_at(cell), code, framework=framework).status == "pass"


@pytest.mark.parametrize(("framework", "name", "cell", "gradient", "said"), by_day(WRONG, 2, 1))
def test_wrong_ones_are_named(
    framework: str, name: str, cell: str, gradient: str, said: str
) -> None:
    needs(framework)
    words = ("--framework", framework, f"{framework}_layers.py:{name}", "--cell", cell, "--json")
    found = bptt(*words)
    data = json.loads(found.stdout)
    assert (found.returncode, data["status"]) == (1, "fail")
    assert data["name"] == name
    assert said in data["gradients"][gradient]["diagnosis"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("torch_layers.py:nosuch",), "no 'nosuch' in it; expected one of LSTM, MinimalGRU"),
        (("torch_layers.py:FinalState",), "no argument stands for W, U, b"),
    ],
)
def test_what_cannot_be_called_is_refused_in_a_line(words: tuple[str, ...], said: str) -> None:
    needs("torch")
    found = bptt("--framework", "torch", *words, "--cell", "rnn")
    assert found.returncode == 2
    assert said in found.stderr
    assert found.stderr.count("\n") == 1


@pytest.mark.long
@pytest.mark.parametrize("framework", by_day(["torch", "jax"], 2))
def test_a_framework_that_is_missing_is_an_error_that_says_what_to_install(framework: str) -> None:
    if find_spec(framework) is not None:
        pytest.skip(f"{framework} is installed")
    found = bptt("--framework", framework, f"{framework}_layers.py:x", "--cell", "rnn")
    assert found.returncode == 2
    assert f"{framework} is not installed; install it where bptt is" in found.stderr
    assert found.stderr.count("\n") == 1
    with pytest.raises(ImportError, match="pip install"):
        verify_framework("rnn", print, framework=framework)


def test_the_flag_asks_for_a_name_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--framework", "torch", str(EXAMPLES / "torch_layers.py"), "--cell", "rnn"]
    assert main(["verify", *words]) == 2
    assert "--framework goes with FILE.py:NAME" in capsys.readouterr().err
    with pytest.raises(ValueError, match="expected one of torch, jax"):
        verify_framework("rnn", print, framework="tinygrad")
