"""benchmarks/speed.py: it compares what computes the same gradients."""

import json
import sys

import numpy as np
import pytest
from c_code import needs_compiler
from profiles import NIGHTLY, by_day
from scripts import module_at, run

C_PEAK, C_LIMIT = "the cores' peak", "the peak, then functions"
TINY = ("--steps", "6", "--batch", "3", "--inputs", "4", "--size", "5", "--rounds", "2")


@pytest.fixture
def speed(monkeypatch):
    return module_at("benchmarks/speed.py", monkeypatch)


def at_hand(speed):
    """The module of the contenders, as the benchmark has it."""
    return sys.modules[speed.contenders_here.__module__]


def everyone(speed):
    return at_hand(speed).contenders


@pytest.mark.by_default("float64")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everyone_in_the_benchmark_computes_the_same_gradients(dtype, speed, capsys):
    assert speed.main([*TINY, "--dtype", dtype, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "bptt.speed/1"
    assert found["machine"]["versions"]["numpy"] == np.__version__
    for cell, names in {"lstm": {"hand-written"}, "rnn": set()}.items():
        result = found["cells"][cell]
        assert result["gradients_agree"]
        assert {"fused", "textbook", "stable", "autograd"} | names <= result["contenders"].keys()
        for name in {"textbook", "stable", "autograd"} | names:
            assert result["contenders"][name]["scaled_error"] < {"float32": 1e-5}.get(dtype, 1e-12)


@pytest.mark.long
def test_the_benchmark_prints_a_table():
    done = run("benchmarks/speed.py", *TINY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gradients agree") == 2
    assert "fused is " in done.stdout
    assert "required: at most 1.3" in done.stdout


def test_the_requirements_can_be_missed(speed):
    def met(row, **seconds):
        seconds = {name.replace("_", " "): times for name, times in seconds.items()}

        def ratio(a, b):
            return speed.ratios(seconds[a], seconds[b])[1]

        return [requirement.met for requirement in speed.required(row, ratio, seconds)]

    row = speed.Row("lstm", (100, 32, 64, 128), "float32")
    assert met(row, fused=[1, 1, 9], autograd=[4, 4, 36], **{"hand-written": [1, 1, 9]}) == [
        True,
        True,
    ]
    assert met(row, fused=[1, 1, 9], autograd=[2, 2, 36], **{"hand-written": [1, 1, 9]}) == [
        False,
        True,
    ]
    assert met(row, fused=[1.4] * 3, autograd=[9] * 3, **{"hand-written": [1, 1, 9]}) == [
        True,
        False,
    ]
    assert met(row, C=[1, 1, 1], PyTorch=[1.4, 1.4, 1.2], JAX=[3, 2.9, 2.9]) == [True, False]
    assert met(row, C=[1], PyTorch=[1.2]) == [False]
    double = speed.Row("gru_reset_after", (100, 32, 64, 128), "float64")
    assert met(double, C=[1], PyTorch=[2.5]) == [True]
    assert met(double, C=[1], PyTorch=[2.3]) == [False]
    none = speed.Row("mut1", (100, 32, 128, 128), "float32")
    seconds = {"PyTorch, a loop": [9.9], "C, products alone": [0.7]}
    assert met(none, C=[1], **seconds) == [False, True]
    assert met(none, C=[1.2], **{**seconds, "PyTorch, a loop": [20]}) == [True, False]


def test_what_is_missed_is_told_beside_what_the_cores_allow(speed):
    seconds = {"C": 20.0, "PyTorch": 25.0, "JAX": 61.0, C_PEAK: 12.0, C_LIMIT: 16.0}

    def ratio(a, b):
        return seconds[a] / seconds[b]

    row = speed.Row("lstm", (100, 32, 64, 128), "float32")
    layer, jax = (r.text for r in speed.required(row, ratio, seconds))
    assert layer.endswith(
        "(required: at least 1.3); the cores' peak would be 2.08, the peak, then functions 1.56"
    )
    assert jax.endswith("(required: at least 3)")  # met


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peak_multiplies_as_much_as_the_products(dtype, speed):
    task = speed.Task("lstm", 20, 4, 16, 32, dtype=dtype)
    names = ("C, prepared", "C, products alone", C_PEAK, C_LIMIT)
    runs = {name: everyone(speed)(task, "c")[name] for name in names}
    whole, products, peak, limit = (min(t) for t in speed.measure(runs, 5, "processor").values())
    assert 0.05 * products < peak < min(products, limit)
    assert max(products, limit) < whole


def test_a_wrong_or_missing_gradient_is_an_error(speed):
    want = {"params.W": np.array([1e-9, -4e-9]), "params.b": np.zeros(2)}
    assert speed.scaled_error(want, want) == 0
    assert speed.scaled_error({**want, "params.W": 1.5 * want["params.W"]}, want) > 0.1
    assert speed.scaled_error({"params.W": want["params.W"]}, want) == float("inf")
    assert speed.scaled_error({**want, "params.b": np.full(2, 1e-9)}, want) == float("inf")
    assert speed.scaled_error({**want, "params.W": np.full(2, np.nan)}, want) == float("inf")


def test_a_wrong_gradient_fails_the_benchmark(speed, monkeypatch, capsys):
    by_hand = at_hand(speed).by_hand

    def negated(task):
        return lambda: {**(found := by_hand(task)()), "params.b_o": -found["params.b_o"]}

    monkeypatch.setattr(at_hand(speed), "by_hand", negated)
    assert speed.main([*TINY]) == 1
    assert "gradients DISAGREE" in capsys.readouterr().out


@pytest.mark.long
@needs_compiler
def test_c_is_measured_beside_its_rivals_and_drawn(speed, monkeypatch, capsys, tmp_path):
    cells = speed.STEPS if NIGHTLY else ["lstm", "mut1"]
    words = ("--target", "c", "--cells", ",".join(cells), "--json", "--clock", "processor")
    assert speed.main([*TINY, *words]) == 0
    found = tmp_path / "speed.json"
    found.write_text(capsys.readouterr().out)
    for result in json.loads(found.read_text())["cells"].values():
        assert result["gradients_agree"]
        assert result["over"] == "C"
        names = result["contenders"].keys()
        assert {"fused", "C", "C, prepared", "C, products alone", C_PEAK, C_LIMIT} <= names
    figure = module_at("benchmarks/speed_figure.py", monkeypatch)
    assert figure.main([str(found), str(tmp_path / "speed.svg")]) == 0
    assert "<svg" in (tmp_path / "speed.svg").read_text()


@pytest.mark.long
def test_contenders_apart_are_those_of_one_process(speed):
    task = speed.Task("rnn", 6, 3, 4, 5, dtype="float64")
    here = everyone(speed)(task, "numpy")
    with speed.contenders_apart(task, "numpy") as found:
        assert found.keys() == here.keys()
        for name, run in found.items():
            if run is not None:
                got, want = run(), here[name]()  # None where products alone are timed
                assert got is want is None or speed.scaled_error(got, want) == 0
                assert 0 < speed.seconds_of(run, 2, "wall") < 60


def test_every_cell_of_the_benchmark_is_the_catalogues(speed):
    for cell in by_day(speed.STEPS, 3, 2):
        task = speed.Task(cell, 4, 2, 3, 5, dtype="float64")
        found = everyone(speed)(task, "numpy")
        want = found[speed.FUSED]()
        assert speed.scaled_error(found["autograd"](), want) < 1e-12
        assert task.work == pytest.approx(
            3e-9 * 8 * sum(v.size for v in task.params.values() if v.ndim == 2)
        )


def test_the_floor_of_c_keeps_the_products(speed):
    text = at_hand(speed).compile_cell("mgu", "fused", "c").source
    hand = at_hand(speed).floor_in_c.__globals__
    bare = hand["without"](hand["_ENTRYWISE"], text)
    whole, bare = (text.split("void NAME(forward_part)(")[1] for text in (text, bare))
    assert "vtanh(" in whole
    assert "vtanh(" not in bare
    assert bare.count("product(") == whole.count("product(") > 0
