"""examples/char_rnn.py: the character model learns and reports."""

import re
from math import log2

import pytest
from c_code import needs_compiler
from profiles import by_day
from scripts import looks, run

QUICK = ("--quick", "--size", "32", "--sample", "20")


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    by_day(
        [
            pytest.param(("--cell", "rnn"), id="rnn"),
            pytest.param(("--layers", "2", "--readout", "softmax"), id="deep"),
            pytest.param(("--cell", "rnn", "--target", "c"), marks=needs_compiler, id="c"),
        ],
        2,
        1,
    ),
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


@pytest.mark.long
def test_a_loss_above_the_bigram_entropy_is_exit_status_1():
    done = run("examples/char_rnn.py", "--seconds", "0.01", "--size", "4", "--sample", "5")
    assert done.returncode == 1
    assert "not below the bigram entropy" in done.stdout


def test_an_unknown_cell_is_refused_in_one_line(char_rnn, capsys):
    assert char_rnn.main(["--cell", "lstmm"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("char_rnn: no cell 'lstmm'; expected ")
    assert len(said.splitlines()) == 1


def test_a_cell_with_two_inputs_is_refused(char_rnn, capsys, tmp_path):
    path = tmp_path / "two.toml"
    equations = 'equations = "h = tanh(W @ h_prev + U @ x + V @ y)"\n'
    path.write_text(f'name = "two"\ninputs = ["x", "y"]\n{equations}', encoding="utf-8")
    assert char_rnn.main(["--cell", str(path)]) == 2
    said = capsys.readouterr().err
    assert "expected one input and no constants, came inputs x, y" in said


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
