"""`bptt parallel`: its table and its JSON."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from reports.cli import main


def spoken(capsys, *words: str) -> tuple[int, str, str]:
    status = main(["parallel", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_json_has_what_the_page_promises(capsys) -> None:
    status, out, _ = spoken(capsys, "gru", "--size", "4", "--steps", "20", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["schema"] == "bptt.parallel/1"
    assert found["structure"] == "dense"
    assert found["iterations"][0]["certified"] is None
    assert found["iterations"][0]["reason"]
    last = found["iterations"][-1]
    assert 0 < last["certified"] < 1e-11
    assert {"residual", "measured", "adjoint"} <= {*last}
    assert found["certified_at"] is not None
    assert "predicted" in found


def test_text_says_the_first_certified_iterate(capsys) -> None:
    status, out, _ = spoken(capsys, "rnn", "--size", "4", "--steps", "20", "--gain", "0.2")
    assert status == 0
    assert "is the first that is certified" in out
    assert "predicted before the first: " in out


def test_evaluations_before_the_first_iteration(capsys) -> None:
    """Said where there is more than one; a bound of the guess where all inputs contract."""
    words = "rnn", "--size", "4", "--steps", "60", "--gain", "0.3"
    found = json.loads(spoken(capsys, *words, "--json")[1])
    count, text = found["evaluations"], spoken(capsys, *words)[1]
    assert count > 1
    assert f"first guess: {count} evaluations of the step at all times at once" in text
    assert f"in emitted code set EVALUATIONS to {count}" in " ".join(text.split())
    first = found["iterations"][0]
    assert first["measured"] <= found["guess_within"] < 1e-2
    assert found["predicted"] == len(found["iterations"]) - 1
    words = "rnn", "--size", "4", "--steps", "20", "--gain", "3"
    found = json.loads(spoken(capsys, *words, "--json")[1])
    assert (found["evaluations"], found["guess_within"]) == (1, None)
    assert "evaluations" not in spoken(capsys, *words)[1]


def test_the_whole_state_is_called_as_in_the_bounds(capsys, tmp_path) -> None:
    """Of a cell with a state s among others, s_t is not all of it."""
    mine = tmp_path / "mine.toml"
    lines = "s = tanh(W @ s_prev + x)\nw = 0.5 * w_prev + s\n"
    mine.write_text(f'name = "mine"\nequations = """\n{lines}"""\nsizes = {{ x = "n" }}\n')
    for cell, letter in (("gru", "h"), ("lstm", "s"), (str(mine), "ss")):
        status, out, _ = spoken(capsys, cell, "--size", "3", "--steps", "4")
        assert status == 0
        assert f"‖{letter}_t − exact {letter}_t‖₂" in out


def test_weights_and_inputs_of_ones_own(capsys, tmp_path) -> None:
    rng = np.random.default_rng(0)
    weights, signal = tmp_path / "w.npz", tmp_path / "x.npy"
    np.savez(weights, W=0.4 * rng.normal(size=(3, 3)), U=rng.normal(size=(3, 2)), b=np.zeros(3))
    np.save(signal, rng.normal(size=(15, 2)))
    status, out, _ = spoken(
        capsys, "rnn", "--weights", str(weights), "--inputs", str(signal), "--json"
    )
    assert status == 0
    assert json.loads(out)["converged"]
    np.save(signal, rng.normal(size=(15, 5)))
    status, _, err = spoken(capsys, "rnn", "--weights", str(weights), "--inputs", str(signal))
    assert status == 2
    assert "5 entries a step" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("--size", "0"), ("--steps", "0"), ("--sweeps", "-1")])
def test_numbers_that_cannot_be_are_refused(capsys, words) -> None:
    status, _, err = spoken(capsys, "rnn", *words)
    assert status == 2
    assert words[0] in err


def test_a_kink_is_a_reason(capsys) -> None:
    status, out, _ = spoken(capsys, "irnn", "--size", "4", "--steps", "8", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["certified_at"] is None
    assert all("kink" in one["reason"] for one in found["iterations"])


def test_code_for_it_is_for_numpy_and_jax(capsys) -> None:
    status = main(["emit", "rnn", "--parallel", "--target", "c"])
    _, err = capsys.readouterr()
    assert status == 2
    assert "expected target numpy or jax, came c" in err


@pytest.mark.by_default("words0", "words2", "words3")
@pytest.mark.parametrize("words", [
    ("rnn", "--size", "4", "--steps", "20"), ("gru", "--size", "4", "--steps", "30", "--gain", "3"),
    ("indrnn", "--size", "4", "--steps", "10"), ("scrn", "--size", "4", "--steps", "40"),
    ("rnn", "--size", "4", "--steps", "60", "--gain", "0.3"),
])  # fmt: skip
def test_every_word_is_of_the_language(capsys, words) -> None:
    status, out, _ = spoken(capsys, *words, "--language", "zh")
    assert status == 0
    assert "牛顿迭代" in out
    assert re.findall(r"[A-Za-z]{2,} [a-z]{2,}", out) == []
    assert re.findall(r"[A-Za-z]{2,} [a-z]{2,}", spoken(capsys, *words)[1])
