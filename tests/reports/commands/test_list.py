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
