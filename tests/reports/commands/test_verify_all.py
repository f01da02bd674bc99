"""`bptt verify --all`: a status for each cell, the worst of all, and nothing beside it."""

from __future__ import annotations

import json

import pytest
from samples import verdict

from derive import catalogue
from reports.cli import main
from reports.commands import verify, verify_all


@pytest.fixture(autouse=True)
def two_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue has two cells, and verification gives fixed values."""
    held = {name: catalogue[name] for name in ("rnn", "mgu")}
    monkeypatch.setattr(verify_all, "catalogue", held)
    monkeypatch.setattr(verify, "verify", lambda kernel, **settings: verdict(kernel.cell.name))


def test_every_cell_has_its_status(capsys) -> None:
    assert main(["verify", "--all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["status"]) == ("bptt.verify/1", "pass")
    assert {name: cell["status"] for name, cell in found["cells"].items()} == {
        "rnn": "pass", "mgu": "pass"}  # fmt: skip
    assert set(found["cells"]["rnn"]["checks"].values()) <= {"pass", "not_applicable"}
    assert main(["verify", "--all", "--language", "zh"]) == 0
    assert "2 个单元，其中 2 个通过" in capsys.readouterr().out


def test_the_worst_counts_and_what_falls_over_is_inconclusive(capsys, monkeypatch) -> None:
    def judged(job):
        if job.cell == "mgu":
            return {
                "status": "fail",
                "checks": {},
                "gradients": {"params.W": {"status": "fail", "diagnosis": "a factor is missing"}},
            }
        return {"status": "inconclusive", "reason": "died"}

    monkeypatch.setattr(verify, "judged", judged)
    assert main(["verify", "--all"]) == 1
    out = capsys.readouterr().out
    assert "mgu: fail" in out
    assert "params.W: a factor is missing" in out
    assert "2 cells, of which 0 pass" in out


@pytest.mark.parametrize("words", [("rnn",), ("--cell", "rnn"), ("--layers", "2")])
def test_nothing_goes_beside_it(words: tuple[str, ...], capsys) -> None:
    assert main(["verify", "--all", *words]) == 2
    assert "--all means every cell of the catalogue" in capsys.readouterr().err


def test_without_a_cell_there_is_nothing_to_verify(capsys) -> None:
    assert main(["verify"]) == 2
    assert "expected a CELL" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("verify", "--all"), ("report", "--all", "-o", "x"),
                                     ("search", "-o", "x")])  # fmt: skip
@pytest.mark.parametrize("count", ["-1", "300", "many"])
def test_the_number_of_workers_is_a_number(command: tuple[str, ...], count: str, capsys) -> None:
    assert main([*command, f"--workers={count}"]) == 2
    assert "expected a whole number from 0 to 256" in capsys.readouterr().err
