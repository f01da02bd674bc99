"""The example trains and reports; the benchmark compares what computes the same gradients."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from math import log2
from pathlib import Path

import numpy as np
import pytest

from derive import catalogue
from numeric import compile_cell

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # others share the machine
TINY = ("--steps", "6", "--batch", "3", "--inputs", "4", "--size", "5", "--rounds", "2")


def run(script, *arguments):
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **ONE_THREAD},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def module_at(script, monkeypatch):
    path = ROOT / script
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def char_rnn(monkeypatch):
    return module_at("examples/char_rnn.py", monkeypatch)


@pytest.fixture
def speed(monkeypatch):
    return module_at("benchmarks/speed.py", monkeypatch)


# ---- examples/char_rnn.py -------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_the_character_model_learns_and_reports(cell):
    done = run("examples/char_rnn.py", "--cell", cell, "--quick", "--sample", "80")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    unigram, bigram = (
        float(re.search(rf"^{name} +([\d.]+) bits", done.stdout, re.MULTILINE)[1])
        for name in ("unigram", "bigram")
    )
    assert 4 < unigram < 5.5
    assert 3 < bigram < 4
    looks = re.findall(r"^ *[\d.]+s +\d+ +[\d.]+ +([\d.]+)", done.stdout, re.MULTILINE)
    assert float(looks[-1]) < unigram
    assert "sample at temperature" in done.stdout
    verdict = done.stdout.strip().splitlines()[-1]
    assert verdict.startswith(f"verdict: held-out loss {looks[-1]} bits a character")


def test_a_loss_above_the_bigram_entropy_is_exit_status_1():
    done = run("examples/char_rnn.py", "--seconds", "0.01", "--size", "4", "--sample", "5")
    assert done.returncode == 1
    assert "not below the bigram entropy" in done.stdout


def test_an_unknown_cell_is_refused_in_one_line():
    done = run("examples/char_rnn.py", "--cell", "lstmm")
    assert done.returncode == 2
    assert done.stderr.startswith("char_rnn: no cell 'lstmm'; expected ")
    assert len(done.stderr.splitlines()) == 1


def test_a_cell_with_two_inputs_is_refused(tmp_path):
    path = tmp_path / "two.toml"
    equations = 'equations = "h = tanh(W @ h_prev + U @ x + V @ y)"\n'
    path.write_text(f'name = "two"\ninputs = ["x", "y"]\n{equations}', encoding="utf-8")
    done = run("examples/char_rnn.py", "--cell", str(path))
    assert done.returncode == 2
    assert "expected one input and no constants, came inputs x, y" in done.stderr


def test_entropies_of_texts_that_one_can_reckon(char_rnn):
    unigram, bigram = char_rnn.entropies("ab" * 500 + "a")
    assert unigram == pytest.approx(1)
    assert bigram == pytest.approx(0)
    unigram, bigram = char_rnn.entropies("aabb" * 500 + "a")
    assert (unigram, bigram) == pytest.approx((1, 1))
    text = "aab" * 400 + "a"  # after a: a or b alike, two times in three; after b: a
    third = 1 / 3 * log2(3) + 2 / 3 * log2(3 / 2)
    assert char_rnn.entropies(text) == pytest.approx((third, 2 / 3))


def test_no_paragraph_is_both_trained_on_and_held_out(char_rnn):
    text = char_rnn.read_text()
    training, held_out = char_rnn.split(text)
    paragraphs = [{p.strip() for p in part.split("\n\n")} for part in (training, held_out)]
    assert not paragraphs[0] & paragraphs[1]
    assert text.startswith(training)
    assert len(held_out) > 0.05 * len(text)


def slope_errors(char_rnn, gradients_of):
    """Per parameter: |directional derivative − gradient · direction| over their size."""
    kernel = compile_cell(catalogue["lstm"], "fused")
    model = char_rnn.CharacterModel(kernel, vocabulary=7, size=5, width=3)
    rng = np.random.default_rng(1)
    params = model.initial_params(rng, "float64")
    ids = rng.integers(7, size=(6, 4))
    state = {name: rng.normal(size=s.shape) for name, s in model.initial_state(4).items()}
    gradients = gradients_of(model, params, ids, state)
    errors = {}
    for name, value in params.items():
        direction, width = rng.normal(size=value.shape), 1e-5
        ahead, behind = (
            model.loss_and_gradient({**params, name: moved}, ids[:-1], ids[1:], state)[0]
            for moved in (value + width * direction, value - width * direction)
        )
        slope, claimed = (ahead - behind) / (2 * width), np.vdot(gradients[name], direction)
        errors[name] = abs(slope - claimed) / max(abs(slope), abs(claimed))
    return errors


def model_gradients(model, params, ids, state):
    return model.loss_and_gradient(params, ids[:-1], ids[1:], state)[1]


def test_the_example_descends_its_own_loss(char_rnn):
    errors = slope_errors(char_rnn, model_gradients)
    assert {"embedding.E", "readout.V", "readout.c", "W_fh"} < errors.keys()
    assert max(errors.values()) < 1e-6


@pytest.mark.parametrize("name", ["embedding.E", "readout.V", "b_i"])
def test_a_wrong_gradient_of_the_example_is_seen(char_rnn, name):
    def doubled(model, *arguments):
        gradients = model_gradients(model, *arguments)
        return {**gradients, name: 2 * gradients[name]}

    errors = slope_errors(char_rnn, doubled)
    assert errors[name] > 0.1


# ---- benchmarks/speed.py --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everyone_in_the_benchmark_computes_the_same_gradients(dtype):
    done = run("benchmarks/speed.py", *TINY, "--dtype", dtype, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "bptt.speed/1"
    assert found["machine"]["versions"]["numpy"] == np.__version__
    for cell, names in {"lstm": {"hand-written"}, "rnn": set()}.items():
        result = found["cells"][cell]
        assert result["gradients_agree"]
        assert {"fused", "textbook", "stable", "autograd"} | names <= result["contenders"].keys()
        for name in {"textbook", "stable", "autograd"} | names:
            assert result["contenders"][name]["scaled_error"] < {"float32": 1e-5}.get(dtype, 1e-12)


def test_the_benchmark_prints_a_table():
    done = run("benchmarks/speed.py", *TINY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gradients agree") == 2
    assert "fused is " in done.stdout
    assert "required: at most 1.3" in done.stdout


def test_the_requirements_can_be_missed(speed):
    def met(fused, by_hand, autograd):
        seconds = {"fused": fused, "hand-written": by_hand, "autograd": autograd}
        return [requirement.met for requirement in speed.requirements(seconds)]

    assert met([1, 1, 9], [1, 1, 9], [4, 4, 36]) == [True, True]
    assert met([1, 1, 9], [1, 1, 9], [2, 2, 36]) == [False, True]
    assert met([1.4, 1.4, 9], [1, 1, 9], [9, 9, 9]) == [True, False]


def test_a_wrong_or_missing_gradient_is_an_error(speed):
    want = {"params.W": np.array([1e-9, -4e-9]), "params.b": np.zeros(2)}
    assert speed.scaled_error(want, want) == 0
    assert speed.scaled_error({**want, "params.W": 1.5 * want["params.W"]}, want) > 0.1
    assert speed.scaled_error({"params.W": want["params.W"]}, want) == float("inf")
    assert speed.scaled_error({**want, "params.b": np.full(2, 1e-9)}, want) == float("inf")
    assert speed.scaled_error({**want, "params.W": np.full(2, np.nan)}, want) == float("inf")


def test_a_wrong_gradient_fails_the_benchmark(speed, monkeypatch, capsys):
    by_hand = speed.by_hand

    def negated(task):
        return lambda: {**(found := by_hand(task)()), "params.b_o": -found["params.b_o"]}

    monkeypatch.setattr(speed, "by_hand", negated)
    assert speed.main([*TINY]) == 1
    assert "gradients DISAGREE" in capsys.readouterr().out
