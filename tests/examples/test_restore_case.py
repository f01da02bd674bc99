"""examples/restore_case.py: the tagger learns, and sees both sides."""

import re
from math import inf

import numpy as np
import pytest
from scripts import looks, run

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_network


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.by_default("lower")
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


@pytest.mark.by_default("stable")
@pytest.mark.parametrize("style", ["fused", "textbook", "stable"])
def test_a_module_in_a_file_is_trained(tagger, capsys, style):
    assert tagger(module_source("lstm", style)) == 0
    assert re.search(r"module .*f\.py$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.long
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
