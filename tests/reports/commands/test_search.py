"""`bptt search`: its table, its JSON, its refusals, and what other commands make of its finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.cli import main
from reports.document.graph_layout import find_graphviz

SMALL = ("--tasks", "parity", "--lag", "4,5", "--candidates", "4", "--updates", "4", "--size", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("search") / "found"
    assert main(["search", *SMALL, "-o", str(found), "--start", "rnn", "-q"]) == 0
    return found


def test_text_names_the_best_and_how_to_emit_it(folder: Path, capsys) -> None:
    assert main(["search", *SMALL, "-o", str(folder), "--start", "rnn"]) == 0
    out = capsys.readouterr().out
    assert "4 candidates, 4 proved right" in out
    assert f"bptt emit {folder}:BEST" in out


def test_json_holds_the_records(folder: Path, capsys) -> None:
    assert main(["search", *SMALL, "-o", str(folder), "--start", "rnn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "bptt.search/1"
    assert found["candidates"] == found["right"] == 4
    assert found["wrong"] == []
    assert found["best"][0]["equations"]


def test_the_best_is_a_cell_for_every_command(folder: Path, capsys) -> None:
    assert main(["show", f"{folder}:BEST"]) == 0
    assert "Shapes" in capsys.readouterr().out
    assert main(["show", f"{folder}:nobody"]) == 2
    assert "found no 'nobody'" in capsys.readouterr().err


def test_comparison_with_what_was_found(folder: Path, capsys) -> None:
    words = ("--tasks", "parity", "--lag", "4", "--updates", "2", "--seeds", "1", "--parameters",
             "200")  # fmt: skip
    name = json.loads(sorted(folder.glob("chunk-*"))[-1].read_text())["records"][-1]["name"]
    assert main(["search", "--compare", f"rnn,{folder}:{name}", *words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["comparison"]
    assert [row["cell"] for row in rows] == ["rnn", name]


def test_a_search_starts_from_what_was_found(folder: Path, tmp_path: Path, capsys) -> None:
    words = ("--tasks", "parity", "--lag", "4", "--candidates", "1", "--updates", "2", "--size",
             "4", "-q")  # fmt: skip
    again = tmp_path / "again"
    assert main(["search", *words, "-o", str(again), "--start", f"{folder}:BEST"]) == 0
    assert main(["show", f"{again}:BEST"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tasks", "chess"), "expected some of adding"),
        (("--lag", "1"), "--lag"),
        (("--lag", "10,x"), "--lag"),
        (("--candidates", "0"), "--candidates"),
        (("--start", "clockwork_rnn"), "no constants"),
        (("--start", "fast_grnn"), "fast_grnn: expected a cell that its equations say alone"),
        (("--compare", "rnn,fast_grnn"), "a cell that its equations say alone"),
        (("--start", "lru"), "outputs, scalars, matrices or sizes declared beside them"),
        (("--start", "mut1"), "the size of its state"),
        (("--start", "lstmm"), "did you mean"),
        ((), "-o"),
    ],
)
def test_refusals(words, said: str, tmp_path, capsys) -> None:
    output = ("-o", str(tmp_path / "f")) if words else ()
    assert main(["search", *words, *output]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") <= 2


@pytest.mark.by_default("zh")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_report(folder: Path, tmp_path: Path, capsys, language: str) -> None:
    words = ("report", "--search", str(folder), "-o", str(tmp_path), "--formats", "html,tex")
    assert main([*words, "--language", language]) == 0
    page = (tmp_path / "search.html").read_text(encoding="utf-8")
    best = json.loads(next(folder.glob("chunk-*")).read_text())["records"][0]["name"]
    assert best in page
    assert "<svg" in page
    assert (tmp_path / "figures" / "search-scatter.pdf").exists()
    if find_graphviz() is not None:
        assert (tmp_path / "figures" / "search-pedigree.pdf").exists()
    assert ("搜索" in page) == (language == "zh")


def test_report_of_no_search_is_refused(tmp_path: Path, capsys) -> None:
    assert main(["report", "--search", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "expected the folder of a search" in capsys.readouterr().err
