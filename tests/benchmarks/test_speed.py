"""benchmarks/speed.py: it compares what computes the same gradients."""

import json

import numpy as np
import pytest
from c_code import needs_compiler
from scripts import module_at, run

TINY = ("--steps", "6", "--batch", "3", "--inputs", "4", "--size", "5", "--rounds", "2")


@pytest.fixture
def speed(monkeypatch):
    return module_at("benchmarks/speed.py", monkeypatch)


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


@needs_compiler
def test_c_is_measured_beside_its_rivals():
    done = run("benchmarks/speed.py", *TINY, "--target", "c", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["cells"]["lstm"]
    assert result["gradients_agree"]
    assert result["over"] == "C"
    assert {"fused", "C", "C, prepared"} <= result["contenders"].keys()
