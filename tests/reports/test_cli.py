"""The command: what it says, where it says it, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, command, is_refusal
from profiles import NIGHTLY

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.targets import STYLES
from numeric.verification.verify import PROFILES
from numeric.weights.formats.readers import READERS
from reports import cli
from reports.arguments.command_list import COMMANDS
from reports.arguments.command_list import PROFILES as PROFILES_ASKED
from reports.arguments.command_list import STYLES as STYLES_ASKED
from reports.terminal import console
from reports.write import FORMATS


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["list", "--json"]])
def test_help_and_list_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom reports.cli import main\n"
        f"assert main({words!r}) == 0\n"
        "heavy = {'sympy', 'numpy', 'matplotlib', 'autograd', 'hypothesis', 'rich'}\n"
        "found = sorted(heavy & set(sys.modules))\n"
        "assert not found, found\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_a_command_that_draws_nothing_imports_no_matplotlib_and_no_dask() -> None:
    code = (
        "import sys\n"
        "from importlib import import_module\n"
        "for name in ('show', 'bounds', 'verify', 'emit'):\n"
        "    import_module(f'reports.commands.{name}')\n"
        "    print(name, *{'matplotlib', 'distributed', 'dask'} & {*sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "show\nbounds\nverify\nemit\n", found.stderr


@pytest.mark.parametrize("made", COMMANDS, ids=lambda made: made.name)
def test_the_help_of_each_command_has_one_example(made: cli.Command, bptt: Any) -> None:
    said = bptt(made.name, "--help")
    assert said.status == 0
    assert said.out.count("example: bptt ") == 1
    assert f"example: bptt {made.name}" in said.out
    assert "--json" in said.out
    assert "--quiet" in said.out


def test_the_help_names_every_format_of_reports_and_of_weights(bptt: Any) -> None:
    said = " ".join(bptt("report", "--help").out.split())
    assert f"some of {','.join(FORMATS)} " in said
    assert [ending for ending in READERS if ending not in said] == []


def test_the_help_of_verify_warns_that_the_file_is_run(bptt: Any) -> None:
    said = " ".join(bptt("verify", "--help").out.split())
    assert "your own code" in said
    assert "with your rights" in said


def test_every_command_has_a_module_of_its_own() -> None:
    """And may have a second, called after it: `emit_onnx` of `emit`."""
    held = {path.stem for path in (ROOT / "reports" / "commands").glob("*.py")} - {"__init__"}
    homes = {made.home.split(".")[-1] for made in COMMANDS}
    second = {stem for stem in held - homes if stem.rsplit("_", 1)[0] in homes}
    assert held - second == homes


def test_choices_are_those_of_the_tables_they_stand_for() -> None:
    assert tuple(STYLES) == STYLES_ASKED
    assert tuple(PROFILES) == PROFILES_ASKED


def test_the_version_is_the_distribution_s(bptt: Any) -> None:
    assert bptt("--version").out == f"{console.DISTRIBUTION} {console.toolkit_version()}\n"


USAGE = {
    "unknown cell": ("show", "lsm"),
    "unknown command": ("shwo", "lstm"),
    "no cell": ("emit",),
    "unknown style": ("emit", "rnn", "--style", "fast"),
    "no such cell file": ("show", "nowhere.toml"),
    "check without a file": ("emit", "rnn", "--check"),
    "check of no file": ("emit", "rnn", "--check", "-o", "nowhere.py"),
    "unwritable file": ("emit", "rnn", "-o", "occupied/rnn.py"),
    "file without its cell": ("verify", "mine.py"),
    "no such file": ("verify", "mine.py", "--cell", "rnn"),
    "cell with a cell": ("verify", "rnn", "--cell", "lstm"),
    "a file that does not load": ("verify", "broken.py", "--cell", "rnn"),
    "a file that is no module of ours": ("verify", "empty.py", "--cell", "rnn"),
    "no layers": ("emit", "rnn", "--layers", "0"),
    "a loss without its readout": (
        "verify",
        "rnn",
        "--readout",
        "linear",
        "--loss",
        "cross_entropy",
    ),
    "a cell's file for a network's": ("verify", "cell.py", "--cell", "rnn", "--layers", "1"),
    "a negative seed": ("verify", "rnn", "--seed", "-1"),
    "unwritable folder": ("report", "rnn", "-o", "occupied/out", "--formats", "html"),
    "the folder is a file": ("report", "rnn", "-o", "occupied", "--formats", "html"),
    "unknown format": ("report", "rnn", "-o", "out", "--formats", "html,doc"),
    "a report on nothing": ("report", "-o", "out"),
    "everything and a cell": ("report", "rnn", "--all", "-o", "out"),
    "everything as a network": ("report", "--all", "--layers", "2", "-o", "out"),
    "no layer": ("show", "rnn", "--layers", "0"),
    "a loss that its readout lacks": (
        "show",
        "rnn",
        "--readout",
        "linear",
        "--loss",
        "cross_entropy",
    ),
    "no format": ("report", "rnn", "-o", "out", "--formats", ","),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_refused_in_a_line_or_two(name: str, bptt: Any) -> None:
    Path("occupied").write_text("")
    Path("broken.py").write_text("1 +\n")
    Path("empty.py").write_text("")
    Path("cell.py").write_text(compile_cell(catalogue["rnn"]).source, encoding="utf-8")
    before = {*Path().rglob("*")}
    assert is_refusal(said := bptt(*USAGE[name])), said
    assert {path for path in Path().rglob("*") if "__pycache__" not in path.parts} == before


def test_an_unknown_option_is_refused_by_its_own_command(bptt: Any) -> None:
    said = bptt("bounds", "rnn", "--steps", "500")
    assert is_refusal(said)
    assert "--steps 500; see `bptt bounds --help`" in said.err


def test_an_error_is_an_object_too(bptt: Any) -> None:
    said = bptt("show", "lsm", "--json")
    assert said.status == 2
    assert said.data["schema"] == "bptt.show/1"
    assert said.data["status"] == "error"
    assert said.data["error"] == said.err.rstrip("\n")


def test_a_fault_of_ours_is_one_line_and_101(bptt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from reports.commands import show

    def fault(word: str) -> None:
        raise ZeroDivisionError("of\nours")

    monkeypatch.setattr(show, "checked_cell", fault)
    said = bptt("show", "rnn")
    assert said.status == 101
    assert said.err.count("\n") == 1
    assert "ZeroDivisionError" in said.err
    assert "BPTT_DEBUG=1" in said.err
    monkeypatch.setenv("BPTT_DEBUG", "1")
    assert "Traceback" in bptt("show", "rnn").err


def test_the_process_hands_on_the_exit_status(tmp_path: Path) -> None:
    found = command("show", "lsm", cwd=tmp_path)
    assert found.returncode == 2
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    found = command("list", "rnn", "--json", cwd=tmp_path)
    assert found.returncode == 0
    assert found.stderr == ""
    assert json.loads(found.stdout)["status"] == "ok"
    assert [*tmp_path.iterdir()] == []


@pytest.mark.long
def test_output_survives_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    found = command("show", "rnn", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert found.returncode == 0, found.stderr


@pytest.mark.long
def test_a_reader_that_stops_early_is_no_error_message(tmp_path: Path) -> None:
    code = "import sys; from reports.cli import main; sys.exit(main(['show', 'lstm']))"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        found = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=closed, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
    assert found.stderr == ""
    assert found.returncode == 2


@pytest.mark.long
@pytest.mark.parametrize("name", catalogue if NIGHTLY else ["cfc"])
def test_every_cell_goes_the_whole_road(name: str, bptt: Any) -> None:
    """Shown, bounded, reported; solved in parallel, or refused with the reason."""
    assert bptt("show", name, "-q").status == 0
    assert bptt("bounds", name, "--size", 3, "--lag", 4, "-q").status == 0
    assert bptt("report", name, "--short", "--formats", "html", "-o", "out", "-q").status == 0
    solved = bptt("parallel", name, "--size", 3, "--steps", 5, "-q")
    assert solved.status == 0 or is_refusal(solved), solved
