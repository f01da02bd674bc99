"""The examples train and report; the benchmark compares what computes the same gradients."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from math import inf, log2
from pathlib import Path

import numpy as np
import pytest

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network

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
        timeout=600,  # a loaded machine is slow; what is asked is counted in updates
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
def recurrent(monkeypatch):
    return module_at("examples/recurrent.py", monkeypatch)


@pytest.fixture
def restore_case(monkeypatch):
    return module_at("examples/restore_case.py", monkeypatch)


@pytest.fixture
def char_rnn(monkeypatch):
    return module_at("examples/char_rnn.py", monkeypatch)


@pytest.fixture
def speed(monkeypatch):
    return module_at("benchmarks/speed.py", monkeypatch)


# ---- examples/recurrent.py: the networks of both examples -----------------------------------

SIZES = {"vocabulary": 7, "outputs": 7, "size": 5, "width": 3}
EMBEDDED = {"layers": 2, "embedding": True}  # as in char_rnn.py
BOTH_SIDES = {"layers": 2, "bidirectional": True}  # as in restore_case.py
NETWORKS = pytest.mark.parametrize("settings", [EMBEDDED, BOTH_SIDES], ids=["up", "both"])


def example_model(recurrent, settings, cell="lstm"):
    network = Network(catalogue[cell], **settings)
    return recurrent.Model(network, compile_network(network, "fused").module, **SIZES)


def example_data(model):
    """Parameters, characters, targets and lengths, (5, 4) with one sample a character long."""
    rng = np.random.default_rng(1)
    params = model.initial_params(rng, "float64")
    ids, targets = rng.integers(7, size=(2, 5, 4))
    return params, ids, targets, np.array([5, 1, 4, 2])


def slope_errors(model, gradients_of):
    """Per parameter: |directional derivative − gradient · direction| / (‖gradient‖ ‖direction‖)."""
    params, ids, targets, lengths = example_data(model)
    rng = np.random.default_rng(2)
    state = {name: rng.normal(size=s.shape) for name, s in model.initial_state(4).items()}
    given = (ids, targets, state, lengths)
    gradients = gradients_of(model, params, *given)
    errors = {}
    for name, value in params.items():
        direction, width = rng.normal(size=value.shape), 1e-5
        ahead, behind = (
            model.loss_and_gradient({**params, name: moved}, *given)[0]
            for moved in (value + width * direction, value - width * direction)
        )
        slope, claimed = (ahead - behind) / (2 * width), np.vdot(gradients[name], direction)
        scale = np.linalg.norm(gradients[name]) * np.linalg.norm(direction)
        errors[name] = abs(slope - claimed) / scale
    return errors


def model_gradients(model, *given):
    return model.loss_and_gradient(*given)[1]


@NETWORKS
def test_the_examples_descend_their_own_loss(recurrent, settings):
    errors = slope_errors(example_model(recurrent, settings), model_gradients)
    assert {"embedding.E", "readout.V", "readout.c", "layer1.W_fh"} < errors.keys()
    assert max(errors.values()) < 1e-8


@NETWORKS
@pytest.mark.parametrize("name", ["embedding.E", "readout.V", "layer0.b_i"])
def test_a_wrong_gradient_of_the_examples_is_seen(recurrent, settings, name):
    def doubled(model, *given):
        gradients = model_gradients(model, *given)
        return {**gradients, name: 2 * gradients[name]}

    errors = slope_errors(example_model(recurrent, settings), doubled)
    assert errors[name] > 1e-3


@NETWORKS
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_forward_code_has_the_loss_of_the_module(recurrent, settings, cell):
    model = example_model(recurrent, settings, cell)
    params, ids, targets, lengths = example_data(model)
    assert model.disagreement(params, ids, targets, lengths) < 1e-14
    assert model.disagreement(params, ids, targets) < 1e-14


def swapped(params):
    """The parameters of the two directions of the lower layer, each in the other's place."""
    ahead = {name for name in params if name.startswith("layer0.W")}
    pairs = {name: name.replace("layer0.", "layer0.reverse.") for name in ahead}
    pairs |= {back: name for name, back in pairs.items()}
    return {name: params[pairs.get(name, name)] for name in params}


def test_forward_code_that_ignores_lengths_or_directions_disagrees(recurrent, monkeypatch):
    model = example_model(recurrent, BOTH_SIDES)
    params, ids, targets, lengths = example_data(model)
    run = recurrent.Model.run
    with monkeypatch.context() as changed:
        changed.setattr(recurrent.Model, "run", lambda *given: run(*given[:3]))  # no lengths
        assert model.disagreement(params, ids, targets, lengths) > 1e-4
    with monkeypatch.context() as changed:
        changed.setattr(
            recurrent.Model, "run", lambda model, given, *rest: run(model, swapped(given), *rest)
        )
        assert model.disagreement(params, ids, targets, lengths) > 1e-4
    assert model.disagreement(params, ids, targets, lengths) < 1e-14


def test_states_carried_on_are_those_of_one_long_run(recurrent):
    model = example_model(recurrent, EMBEDDED)
    params, ids, _, _ = example_data(model)
    whole, last = model.run(params, ids)
    _, middle = model.run(params, ids[:2])
    rest, end = model.run(params, ids[2:], middle)
    np.testing.assert_allclose(rest, whole[2:], rtol=1e-13)
    assert end.keys() == last.keys() == model.module.STATES.keys()
    for name, value in last.items():
        np.testing.assert_allclose(end[name], value, rtol=1e-13)
    assert not np.allclose(model.run(params, ids[2:])[0], whole[2:], rtol=1e-4)


def counted_updates(recurrent, monkeypatch, plan):
    """The updates of a training on a machine so slow that a thousand seconds pass at each look."""
    now, params = iter(range(0, 10**9, 1000)), {"a": np.ones(2)}
    monkeypatch.setattr(recurrent.time, "perf_counter", lambda: next(now))
    steps = []
    recurrent.train(plan, params, lambda: (steps.append(1) or 0.5, {"a": np.ones(2)}), str)
    return len(steps), params["a"]


def test_a_plan_of_updates_heeds_no_clock(recurrent, monkeypatch, capsys):
    plan = recurrent.Plan(seconds=inf, updates=6, rate=0.1, pause=inf)
    count, slow = counted_updates(recurrent, monkeypatch, plan)
    assert count == 6
    monkeypatch.undo()
    quick = {"a": np.ones(2)}
    recurrent.train(plan, quick, lambda: (0.5, {"a": np.ones(2)}), str)
    assert slow.tolist() == quick["a"].tolist()
    assert len(capsys.readouterr().out.splitlines()) == 4  # the first and the last look, twice


def test_a_plan_of_seconds_ends_on_a_slow_machine(recurrent, monkeypatch):
    plan = recurrent.Plan(seconds=60, updates=inf, rate=0.1)
    assert counted_updates(recurrent, monkeypatch, plan)[0] < 2


# ---- examples/char_rnn.py -------------------------------------------------------------------


def looks(output, column):
    """The numbers of a column of the progress lines: time, updates, training, held out."""
    lines = re.findall(r"^ *[\d.]+s +\d+ .*", output, re.MULTILINE)
    return [float(line.split()[column].rstrip("%")) for line in lines]


QUICK = ("--quick", "--size", "32", "--sample", "20")


@pytest.mark.parametrize(
    "options", [("--cell", "rnn"), ("--layers", "2", "--readout", "softmax")], ids=["rnn", "deep"]
)
def test_the_character_model_learns_and_reports(options):
    done = run("examples/char_rnn.py", *QUICK, *options)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    unigram, bigram = (
        float(re.search(rf"^{name} +([\d.]+) bits", done.stdout, re.MULTILINE)[1])
        for name in ("unigram", "bigram")
    )
    assert 4 < unigram < 5.5
    assert 3 < bigram < 4
    assert looks(done.stdout, 1) == [0, 60]
    first, last = looks(done.stdout, 3)
    assert last < unigram < first
    assert "sample at temperature" in done.stdout
    verdict = done.stdout.strip().splitlines()[-1]
    assert verdict.startswith(f"verdict: held-out loss {last:.3f} bits a character")


def test_a_quick_run_is_60_updates_on_any_machine(char_rnn, recurrent, monkeypatch, capsys):
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(char_rnn, "bits", lambda *_: 5.0)
    monkeypatch.setattr(recurrent.time, "perf_counter", lambda: next(clock))
    assert char_rnn.main(["--quick", "--size", "2", "--sample", "0"]) == 0
    assert looks(capsys.readouterr().out, 1) == [0, 60]


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


# ---- examples/restore_case.py ---------------------------------------------------------------


def test_the_case_tagger_learns_and_reports():
    done = run("examples/restore_case.py", "--quick", "--size", "16")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lower, bar, own = (
        [float(number) for number in re.search(rf"^{name} +([\d.]+)% +([\d.]+)%", done.stdout,
                                               re.MULTILINE).groups()]
        for name in ("all lower", "guess", "own guess")
    )  # fmt: skip
    assert lower[1] == 0
    assert 90 < lower[0] < bar[0] < own[0] < 100
    assert 0 < bar[1] < own[1] < 100
    assert looks(done.stdout, 1) == [0, 20]
    reached = looks(done.stdout, 3)[-1]
    assert reached > 90
    verdict = done.stdout.strip().splitlines()[-1]
    assert verdict.startswith(f"verdict: {reached:.2f}% of the held-out letters right, ")


def far_sighted(rng, count):
    """Paragraphs where a letter is upper case two places after a ? and two places before a !."""
    found = []
    for length in rng.integers(3, 20, size=count):
        text = "".join(rng.choice(list("abcd?!"), size=length, p=[0.2] * 4 + [0.1] * 2))
        sides = zip(f"  {text}", text, f"{text[2:]}  ", strict=False)
        found.append("".join(c.upper() if a == "?" or b == "!" else c for a, c, b in sides))
    return "\n\n".join(found)


def trained(restore_case, text, updates, **settings):
    network = Network(catalogue["lstm"], **settings)
    module = compile_network(network, "fused").module
    alphabet = restore_case.numbered(text.lower())
    model = restore_case.Model(network, module, len(alphabet), 2, 12, 8)
    rng = np.random.default_rng(0)
    params = model.initial_params(rng)
    source = restore_case.batches(restore_case.pieces(text), alphabet, rng)

    def step():
        batch = next(source)
        return model.loss_and_gradient(params, batch.ids, batch.upper, None, batch.lengths)

    plan = restore_case.Plan(inf, updates, rate=0.02, pause=inf)
    restore_case.train(plan, params, step, str)
    return lambda part: restore_case.restore(model, params, part, alphabet)


def test_only_a_tagger_of_both_sides_sees_beyond_the_neighbours(restore_case, monkeypatch):
    monkeypatch.setattr(restore_case, "CHARACTERS", 600)
    rng = np.random.default_rng(3)
    text, held_out = far_sighted(rng, 400), far_sighted(rng, 100)
    counted = restore_case.Score.of(
        restore_case.guess(restore_case.votes(text), held_out), held_out
    )
    scores = {
        both: restore_case.Score.of(
            trained(restore_case, text, 400, bidirectional=both)(held_out), held_out
        )
        for both in (True, False)
    }
    assert counted.letters < 0.9
    assert scores[True].letters > 0.97
    assert scores[False].letters < 0.95


@pytest.mark.parametrize(
    ("restored", "status", "verdict"),
    [(str.lower, 1, "% of the held-out letters right, not more than"),
     (str, 0, "100.00% of the held-out letters right, more than")],
)  # fmt: skip
def test_the_exit_status_says_whether_the_guess_is_beaten(
    restore_case, monkeypatch, capsys, restored, status, verdict
):
    monkeypatch.setattr(restore_case, "restore", lambda _, __, text, ___: restored(text))
    assert restore_case.main(["--seconds", "0.001", "--size", "2"]) == status
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("verdict: ")
    assert f"{verdict} by the guess from both neighbours, " in last


def test_pieces_make_up_the_text_and_are_short(restore_case):
    text = restore_case.read_text()[:30000] + "x" * 250 + "\n\nend"
    parts = restore_case.pieces(text)
    assert "".join(parts) == text
    assert max(map(len, parts)) == restore_case.LONGEST
    assert len({len(part) for part in parts}) > 50
    assert restore_case.pieces("") == []


def test_every_piece_is_in_one_batch_of_bounded_size(restore_case):
    parts = restore_case.pieces(restore_case.read_text()[:30000])
    groups = restore_case.groups(parts, np.arange(len(parts)))
    assert sorted(place for group in groups for place in group) == list(range(len(parts)))
    lengths = [[len(parts[place]) for place in group] for group in groups]
    assert all(max(found) * len(found) <= restore_case.CHARACTERS for found in lengths)
    assert all(len(set(found)) > 1 for found in lengths[:-1])


def test_the_guess_is_the_most_frequent_case_between_the_neighbours(restore_case):
    counted = restore_case.votes("a Bc a Bc a bc dd D")
    assert restore_case.guess(counted, "a bc") == "a Bc"
    assert restore_case.guess(counted, "abc") == "aBc"  # new between a and c: as b mostly is
    assert restore_case.guess(counted, "dz") == "dz"
    score = restore_case.Score.of("a bC 1", "A bC 1")
    assert (score.letters, score.capitals) == (pytest.approx(2 / 3), 0.5)


def test_a_letter_without_an_upper_case_of_its_own_stays(restore_case):
    assert restore_case.in_case("straße1", np.ones(7)) == "STRAßE1"
    assert restore_case.marked("ab\ncd", "ab\nCD") == "ab\ncd\n^^"


@pytest.fixture
def tagger(restore_case, recurrent, monkeypatch, tmp_path):
    """The command with a module in a file, in this process, in one update."""
    monkeypatch.setattr(restore_case, "QUICK_UPDATES", 1)
    monkeypatch.setattr(restore_case, "restore", lambda _, __, text, ___: text.lower())

    def command(source, *options):
        path = tmp_path / "f.py"
        path.write_text(source, encoding="utf-8")
        return restore_case.main(["--quick", "--size", "4", "--module", str(path), *options])

    return command


def module_source(cell, style="fused", **settings):
    settings = {"layers": 2, "bidirectional": True, **settings}
    return compile_network(Network(catalogue[cell], **settings), style).source


@pytest.mark.parametrize("style", ["fused", "textbook", "stable"])
def test_a_module_in_a_file_is_trained(tagger, capsys, style):
    assert tagger(module_source("lstm", style)) == 0
    assert re.search(r"module .*f\.py$", capsys.readouterr().out, re.MULTILINE)


def test_a_module_that_is_not_the_taggers_is_refused(tagger, capsys):
    swapped = module_source("lstm").replace("np.tanh(a, out=out)", "np.sin(a, out=out)")
    cases = {
        "the forward code of 'lstm' are": swapped,
        "PARAMETERS: layer0.W_ch: expected ('n', 'n'), came none": module_source("gru"),
        "PARAMETERS: layer1.W_ch: expected": module_source("lstm", layers=1),
        "expected an emitted module, came SyntaxError": "def",
    }
    for message, source in cases.items():
        assert tagger(source) == 2
        error = capsys.readouterr().err
        assert error.startswith("restore_case: ")
        assert message in error
        assert len(error.splitlines()) == 1
    assert tagger(module_source("gru"), "--cell", "gru") == 0


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
