"""`bptt list`: the catalogue."""

from __future__ import annotations

from typing import Any

from derive import catalogue


def test_list_holds_the_catalogue(bptt: Any) -> None:
    data = bptt("list", "--json").data
    assert data["schema"] == "bptt.list/1"
    assert data["status"] == "ok"
    assert {cell["name"] for cell in data["cells"]} == {*catalogue}
    for found in data["cells"]:
        cell = catalogue[found["name"]]
        assert found["states"] == [state.name for state in cell.states]
        assert found["source"] == cell.source
    assert bptt("list", "-q").out.split() == list(catalogue)


def test_list_takes_names_families_and_words(bptt: Any) -> None:
    assert bptt("list", "lstm", "rnn", "-q").out.split() == ["lstm", "rnn"]
    gru = bptt("list", "--family", "gru", "--json").data["cells"]
    assert {cell["family"] for cell in gru} == {"gru"}
    assert "gru_reset_after" in {cell["name"] for cell in gru}
    found = bptt("list", "--match", "rusch", "--match", "2022", "-q").out.split()
    assert found == ["lem"]
    for wrong in (["lstn"], ["--family", "grus"]):
        said = bptt("list", *wrong)
        assert said.status == 2
        assert wrong[-1] in said.err


def test_list_keeps_whole_lines_within_80_columns(bptt: Any) -> None:
    text = bptt("list").out
    assert max(map(len, text.split("\n"))) <= 80
    joined = " ".join(text.split())
    for cell in catalogue.values():
        assert f"{cell.title}; states {', '.join(s.name for s in cell.states)}" in joined
        assert cell.source in joined
