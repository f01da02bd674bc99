"""`bptt same`: a map with its proof, or a counterexample, for people and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reports.cli import main


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["same", *words])
    return status, capsys.readouterr().out


def test_one_function_in_two_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = said(capsys, "keras_gru", "gru", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["schema"] == "bptt.same/1"
    assert found["status"] == "same"
    assert found["map"]["parameters"]["W_zh"] == "−recurrent_z.T"
    assert found["inverse"]["parameters"]["kernel_z"] == "−W_zx.T"
    assert found["proof"]["map"]["error_probability"] < 1e-20
    assert found["counterexample"] is None
    status, out = said(capsys, "tf_block_lstm", "lstm")
    assert "b_f   = b_f + 1\n" in out
    assert re.search(r"w_f\[:m, :n\] += W_fx\.T", out)


def test_cells_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = said(capsys, "gru", "gru_reset_after", "--json")
    found = json.loads(out)
    assert status == 1
    assert found["status"] == "different"
    assert found["map"] is None
    assert found["least_difference"] > 1e-3
    ends = (found["counterexample"][end]["states"] for end in ("source", "target"))
    assert next(ends) != next(ends)
    assert "transposed" in found["searched"]
    status, out = said(capsys, "rnn", "irnn")
    assert status == 1
    assert "counterexample" in out


def test_kinks_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = said(capsys, "irnn", "irnn")
    assert status == 0
    assert "relu: equal on the pieces" in out


def test_kinks_of_maxima_are_said_and_slopes_that_are_declared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(
        '[rectified]\nequations = "h = maximum(W @ x + U @ h_prev, 0)"\n'
        '[one]\nequations = "h = step(W @ x + U @ h_prev, slope=triangle)"\n'
        '[other]\nequations = "h = step(W @ x + U @ h_prev, slope=arctan)"\n'
    )
    status, out = said(capsys, f"{path}:rectified", f"{path}:rectified")
    assert status == 0
    assert "maximum: equal on the pieces" in out
    status, out = said(capsys, f"{path}:one", f"{path}:other")
    assert status == 0
    assert "declared slopes of step (arctan, triangle) are not compared" in out


def test_where_nothing_was_searched_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = said(capsys, "mlstm", "lstm")
    assert status == 3
    assert "no map was searched for" in out
    assert "searched: " not in out
    assert json.loads(said(capsys, "mlstm", "lstm", "--json")[1])["searched"] is None
    assert "searched: maps" in said(capsys, "lstm", "gru")[1]


@pytest.mark.parametrize(("pair", "says"), [
    (("torch_gru", "gru_reset_after"), "同一个函数"), (("rnn", "gru"), "反例"),
    (("gru", "mut1"), "不能对应"), (("mlstm", "lstm"), "没有结论"), (("lstm", "rnn"), "不同"),
])  # fmt: skip
def test_every_word_is_of_the_language(
    capsys: pytest.CaptureFixture[str], pair: tuple[str, str], says: str
) -> None:
    _, out = said(capsys, *pair, "--language", "zh")
    assert says in out
    assert re.findall(r"[A-Za-z]{2,} [a-z]{2,}", out) == []
    assert re.findall(r"[A-Za-z]{2,} [a-z]{2,}", said(capsys, *pair)[1])
