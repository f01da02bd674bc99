"""The command: what it says, where it says it, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network, same_code
from numeric.compiler.to_numpy.functions import STYLES
from numeric.verification.verify import PROFILES
from reports import cli
from reports.cli import COMMANDS, main
from reports.terminal import console
from reports.terminal.console import CommandError, as_json, write_whole

ROOT = Path(__file__).parents[2]
MGU = '''
name = "mgu"
source = "Zhou et al. 2016"
equations = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
g = tanh(W_h @ x + U_h @ (f * h_prev) + b_h)
h = (1 - f) * h_prev + f * g
"""
'''


class Said(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


@pytest.fixture
def bptt(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command, run in an empty folder; its exit status and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPTT_DEBUG", raising=False)

    def run(*words: object) -> Said:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return run


def command(*words: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    code = "import sys; from reports.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def wrong(name: str, term: str, instead: str) -> str:
    """The textbook code of a cell with one wrong term."""
    right = compile_cell(catalogue[name], "textbook").source
    assert right.count(term) == 1
    return right.replace(term, instead)


# ---- it answers at once, and says how it is used --------------------------------------------


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


@pytest.mark.parametrize("made", COMMANDS, ids=lambda made: made.name)
def test_the_help_of_each_command_has_one_example(made: cli.Command, bptt: Any) -> None:
    said = bptt(made.name, "--help")
    assert said.status == 0
    assert said.out.count("example: bptt ") == 1
    assert f"example: bptt {made.name}" in said.out
    assert "--json" in said.out
    assert "--quiet" in said.out


def test_the_help_of_verify_warns_that_the_file_is_run(bptt: Any) -> None:
    said = " ".join(bptt("verify", "--help").out.split())
    assert "your own code" in said
    assert "with your rights" in said


def test_every_command_has_a_module_of_its_own() -> None:
    held = {path.stem for path in (ROOT / "reports" / "commands").glob("*.py")}
    assert held - {"__init__", "cells", "given", "network"} == {
        made.home.split(".")[-1] for made in COMMANDS
    }


def test_choices_are_those_of_the_tables_they_stand_for() -> None:
    assert tuple(STYLES) == cli.STYLES
    assert tuple(PROFILES) == cli.PROFILES


def test_the_version_is_the_distribution_s(bptt: Any) -> None:
    assert bptt("--version").out == f"{console.DISTRIBUTION} {console.toolkit_version()}\n"


# ---- list, show, doctor ---------------------------------------------------------------------


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


@pytest.mark.parametrize("form", ["text", "latex"])
def test_show_prints_what_was_derived(form: str, bptt: Any) -> None:
    said = bptt("show", "rnn", "--format", form)
    assert said.status == 0
    assert said.err == ""
    assert "tanh" in said.out
    data = bptt("show", "rnn", "--format", form, "--json").data
    assert data["schema"] == "bptt.show/1"
    assert data["cell"] == "rnn"
    assert data["text"].strip() == said.out.strip()


def test_doctor_knows_where_the_packages_are(bptt: Any) -> None:
    data = bptt("doctor", "--json").data
    assert data["schema"] == "bptt.doctor/1"
    packages = ("derive", "numeric", "reports", "bptt")
    assert data["packages"] == {name: str(ROOT / name) for name in packages}
    assert {"python", "numpy", "sympy", "hypothesis"} <= {*data["versions"]}


# ---- emit -----------------------------------------------------------------------------------


def test_emit_prints_the_module_and_says_what_was_verified(bptt: Any) -> None:
    said = bptt("emit", "rnn", "--style", "textbook")
    assert said.status == 0
    assert said.err == ""
    source = compile_cell(catalogue["rnn"], "textbook").source
    assert same_code(said.out, source)
    assert "\nVerified: " in said.out
    assert "exact" in said.out.split("Verified: ")[1].split("\n")[0]
    assert catalogue["rnn"].digest in said.out


def test_emit_writes_the_same_file_each_time_and_check_sees_any_change(bptt: Any) -> None:
    assert bptt("emit", "rnn", "-o", "rnn.py").status == 0
    path = Path("rnn.py")
    first = path.read_bytes()
    assert bptt("emit", "rnn", "-o", "rnn.py").status == 0
    assert path.read_bytes() == first
    assert bptt("emit", "rnn", "-o", "rnn.py", "--check").status == 0

    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Made by ", "Made by another "), encoding="utf-8")
    assert bptt("emit", "rnn", "-o", "rnn.py", "--check").status == 0
    path.write_text(text.replace("np.tanh", "np.sinh"), encoding="utf-8")
    said = bptt("emit", "rnn", "-o", "rnn.py", "--check", "--json")
    assert said.status == 1
    assert said.data["status"] == "stale"
    assert "np.sinh" in path.read_text(encoding="utf-8")
    assert [p.name for p in Path().iterdir()] == ["rnn.py"]


def test_emit_writes_nothing_that_is_not_verified(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reports.commands import emit

    def broken(cell: Any, style: str, verified: str = "") -> Any:
        kernel = compile_cell(cell, style, verified)
        source = kernel.source.replace("return 1 / (1 +", "return 1 / (2 +")
        return type(kernel)(cell, style, source)

    monkeypatch.setattr(emit, "compile_cell", broken)
    said = bptt("emit", "lstm", "--style", "textbook", "-o", "lstm.py")
    assert said.status == 1
    assert not Path("lstm.py").exists()


# ---- verify and write-test ------------------------------------------------------------------


def test_verify_checks_every_style(bptt: Any) -> None:
    said = bptt("verify", "rnn", "--seed", 3, "--json")
    data = said.data
    assert said.status == 0
    assert data["schema"] == "bptt.verify/1"
    assert (data["status"], data["cell"], data["seed"]) == ("pass", "rnn", 3)
    assert {*data["styles"]} == {*STYLES}
    assert {*data["gradients"]} == {"params.W", "params.U", "params.b", "inputs.x", "initial.h"}
    for gradient in data["gradients"].values():
        assert gradient["status"] == "pass"
        assert gradient["diagnosis"] is None
        assert gradient["scaled_error"] >= 0
    assert data["checks"]["exact"]["examples"] > 0
    assert data["counterexample"] is None
    assert data["versions"]["numpy"]


def test_verify_tells_a_right_file_from_a_wrong_one(bptt: Any) -> None:
    right = compile_cell(catalogue["lstm"], "textbook").source
    Path("right.py").write_text(right, encoding="utf-8")
    without_slope = wrong("lstm", "W_fh_bar += a_f_bar.T @", "W_fh_bar += f_bar.T @")
    Path("wrong.py").write_text(without_slope, encoding="utf-8")
    assert bptt("verify", "right.py", "--cell", "lstm", "-q").out == "right.py: pass\n"
    said = bptt("verify", "wrong.py", "--cell", "lstm", "--json")
    data = said.data
    assert said.status == 1
    assert data["status"] == "fail"
    assert data["gradients"]["params.W_fh"]["status"] == "fail"
    assert data["gradients"]["params.W_oh"]["status"] == "pass"
    assert data["counterexample"]["T"] >= 1


# ---- networks -------------------------------------------------------------------------------


def test_emit_writes_a_network_verified(bptt: Any) -> None:
    words = ("emit", "rnn", "--layers", 2, "--bidirectional", "--readout", "softmax", "-o", "f.py")
    data = bptt(*words, "--json").data
    assert data["network"] == {
        "name": "rnn_2l_bi_softmax_cross_entropy_all", "layers": 2, "bidirectional": True,
        "readout": "softmax", "loss": "cross_entropy", "loss_at": "all",
        "embedding": False, "dropout": False,
    }  # fmt: skip
    text = Path("f.py").read_text(encoding="utf-8")
    assert same_code(text, compile_network(Network(catalogue["rnn"], 2, True)).source)
    assert "\nVerified: interface, arguments, padding, autograd" in text
    assert bptt(*words, "--check").status == 0
    Path("f.py").write_text(text.replace("np.tanh", "np.sinh"), encoding="utf-8")
    said = bptt(*words, "--check")
    assert said.status == 1
    assert "bptt emit rnn --bidirectional --layers 2 --readout softmax --style" in said.out
    assert bptt("emit", "rnn", "-o", "f.py", "--check").status == 1


def test_a_network_can_have_an_embedding_and_dropout(bptt: Any) -> None:
    words = ("emit", "rnn", "--layers", 2, "--embedding", "--dropout", "-o", "f.py")
    assert bptt(*words).status == 0
    network = Network(catalogue["rnn"], 2, embedding=True, dropout=True)
    text = Path("f.py").read_text(encoding="utf-8")
    assert same_code(text, compile_network(network).source)
    assert network.name in text
    Path("f.py").write_text("", encoding="utf-8")
    assert "--embedding --dropout --layers 2" in bptt(*words, "--check").out
    assert "Ē = ∑_{t=1}^{T} e_t x̄_tᵀ" in bptt("show", "rnn", "--embedding").out
    assert bptt("bounds", "rnn", "--embedding").status == 2


def test_emit_writes_no_network_that_is_not_verified(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reports.commands import emit

    def broken(network: Any, style: str, verified: str = "") -> Any:
        kernel = compile_network(network, style, verified)
        source = kernel.source.replace("axis=-1) - 1, axis=-1)", "axis=-1) - 2, axis=-1)")
        return type(kernel)(network, style, source)

    monkeypatch.setattr(emit, "compile_network", broken)
    said = bptt("emit", "rnn", "--layers", 1, "-o", "f.py")
    assert said.status == 1
    assert "rnn_1l_softmax_cross_entropy_all" in said.out
    assert not Path("f.py").exists()


def test_verify_checks_a_network_in_every_style(bptt: Any) -> None:
    said = bptt("verify", "rnn", "--loss", "squared_error", "--loss-at", "last", "--json")
    data = said.data
    assert said.status == 0
    assert data["schema"] == "bptt.verify/1"
    assert (data["status"], data["cell"]) == ("pass", "rnn")
    assert (data["network"]["readout"], data["network"]["loss_at"]) == ("linear", "last")
    assert {*data["styles"]} == {*STYLES}
    assert {*data["gradients"]} == {
        "params.layer0.W", "params.layer0.U", "params.layer0.b", "params.readout.V",
        "params.readout.c", "inputs.x", "initial.layer0.h",
    }  # fmt: skip
    assert data["checks"]["padding"]["status"] == "pass"


def test_verify_tells_a_right_network_from_a_wrong_one(bptt: Any) -> None:
    source = compile_network(Network(catalogue["rnn"], 2), "textbook").source
    held = "layer0_h_bar = layer1_x_bar_inside[t] + layer0_h_bar_carry"
    assert held in source
    Path("right.py").write_text(source, encoding="utf-8")
    without = source.replace(held, "layer0_h_bar = layer0_h_bar_carry")
    Path("wrong.py").write_text(without, encoding="utf-8")
    words = ("--cell", "rnn", "--layers", 2)
    assert bptt("verify", "right.py", *words, "-q").out == "right.py: pass\n"
    said = bptt("verify", "wrong.py", *words, "--json")
    assert said.status == 1
    wrong = {n for n, found in said.data["gradients"].items() if found["status"] == "fail"}
    assert wrong == {
        "params.layer0.W", "params.layer0.U", "params.layer0.b", "inputs.x", "initial.layer0.h"
    }  # fmt: skip
    assert said.data["counterexample"]["lengths"] is None or said.data["counterexample"]["T"] <= 2
    said = bptt("verify", "right.py", "--cell", "rnn")
    assert is_refusal(said)
    assert "forward: expected a function of this name" in said.err


def test_write_test_prints_a_file_that_passes_or_fails_with_the_code(bptt: Any) -> None:
    Path("mgu.toml").write_text(MGU, encoding="utf-8")
    Path("right.py").write_text(compile_cell(catalogue["rnn"]).source, encoding="utf-8")
    wrong_bias = wrong("rnn", "b_bar += a_bar.sum(axis=0)", "b_bar += h_bar.sum(axis=0)")
    Path("wrong.py").write_text(wrong_bias, encoding="utf-8")
    for name, *words in (
        ("mgu", "mgu.toml"),
        ("right", "right.py", "--cell", "rnn"), ("wrong", "wrong.py", "--cell", "rnn"),
    ):  # fmt: skip
        said = bptt("write-test", *words)
        assert said.status == 0
        Path(f"test_{name}.py").write_text(said.out, encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 1, found.stdout
    assert "4 passed" in found.stdout  # the cell in three styles, and the right file
    assert "1 failed" in found.stdout
    assert "FAILED test_wrong.py" in found.stdout
    assert 'verify_cell(catalogue["rnn"]' in bptt("write-test", "rnn").out


def test_a_cell_comes_from_a_file_or_from_python(bptt: Any) -> None:
    Path("mgu.toml").write_text(MGU, encoding="utf-8")
    Path("mine_for_cli.py").write_text(
        "from derive import Cell\n"
        "MINE = Cell.parse(name='mine', equations='h = tanh(W @ h_prev + x)')\nNONE = 1\n"
    )
    assert bptt("show", "mgu.toml", "--json").data["cell"] == "mgu"
    assert bptt("show", "mgu.toml:mgu", "--json").data["cell"] == "mgu"
    assert bptt("show", "mine_for_cli:MINE", "--json").data["cell"] == "mine"
    for word in ("mine_for_cli:NONE", "mine_for_cli:OTHER", "no_such_module:X", "mgu.toml:gru"):
        said = bptt("show", word)
        assert said.status == 2
        assert word.split(":")[0] in said.err


# ---- report ---------------------------------------------------------------------------------


def test_report_writes_what_was_asked_for(bptt: Any) -> None:
    said = bptt("report", "rnn", "-o", "out", "--formats", "tex,html", "--json")
    assert said.status == 0
    data = said.data
    assert data["schema"] == "bptt.report/1"
    assert {Path(file).name for file in data["files"]} >= {"rnn.tex", "rnn.html"}
    for file in data["files"]:
        assert Path(file).is_file()
    assert not list(Path("out").glob("*.part"))


# ---- errors ---------------------------------------------------------------------------------

BAD = {
    "no_toml": "name = [",
    "no_equations": 'name = "a"',
    "unknown_key": 'equations = "h = tanh(h_prev + x)"\ncode = "1"',
    "unknown_function": 'equations = "h = tanhh(W @ h_prev + x)"',
    "clash": 'equations = """\na = U @ x\nb = U @ h_prev\nh = W @ a + V @ b\ng = a + h\n"""',
    "never_assigned": 'equations = "h = tanh(W @ h_prev + c_prev + x)"',
    "twice": 'equations = """\nh = tanh(h_prev + x)\nh = tanh(x)\n"""',
    "not_text": "equations = 3",
}
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


def is_refusal(said: Said) -> bool:
    """Exit status 2, nothing on standard output, one or two lines on standard error."""
    lines = said.err.rstrip("\n").split("\n")
    assert "Traceback" not in said.err
    return said.status == 2 and not said.out and 1 <= len(lines) <= 2 and bool(lines[0])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_cell_file_is_refused_with_its_name(name: str, bptt: Any) -> None:
    Path(f"{name}.toml").write_text(BAD[name], encoding="utf-8")
    said = bptt("show", f"{name}.toml")
    assert is_refusal(said), said
    assert f"{name}.toml" in said.err


@pytest.mark.parametrize("name", ["unknown_function", "clash", "never_assigned", "twice"])
def test_a_bad_equation_is_refused_with_line_and_column(name: str, bptt: Any) -> None:
    Path(f"{name}.toml").write_text(BAD[name], encoding="utf-8")
    assert "line " in (error := bptt("emit", f"{name}.toml").err)
    assert ", column " in error


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_refused_in_a_line_or_two(name: str, bptt: Any) -> None:
    Path("occupied").write_text("")
    Path("broken.py").write_text("1 +\n")
    Path("empty.py").write_text("")
    Path("cell.py").write_text(compile_cell(catalogue["rnn"]).source, encoding="utf-8")
    before = {*Path().rglob("*")}
    assert is_refusal(said := bptt(*USAGE[name])), said
    assert {path for path in Path().rglob("*") if "__pycache__" not in path.parts} == before


def test_an_unknown_cell_is_met_with_near_names(bptt: Any) -> None:
    assert "did you mean lstm" in bptt("show", "LSMT").err
    assert "bptt list" in bptt("show", "qqqqqq").err


def test_a_missing_engine_is_refused_before_anything_is_written(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Path("empty")
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    said = bptt("report", "rnn", "-o", "out", "--formats", "html,pdf")
    assert is_refusal(said)
    assert "latexmk" in said.err
    assert not Path("out").exists()


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

    monkeypatch.setattr(show, "find_cell", fault)
    said = bptt("show", "rnn")
    assert said.status == 101
    assert said.err.count("\n") == 1
    assert "ZeroDivisionError" in said.err
    assert "BPTT_DEBUG=1" in said.err
    monkeypatch.setenv("BPTT_DEBUG", "1")
    assert "Traceback" in bptt("show", "rnn").err


# ---- as a process ---------------------------------------------------------------------------


def test_the_process_hands_on_the_exit_status(tmp_path: Path) -> None:
    found = command("show", "lsm", cwd=tmp_path)
    assert found.returncode == 2
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    found = command("emit", "rnn", "--json", cwd=tmp_path)
    assert found.returncode == 0
    assert found.stderr == ""
    assert json.loads(found.stdout)["status"] == "ok"
    assert [*tmp_path.iterdir()] == []


def test_output_survives_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    found = command("show", "rnn", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert found.returncode == 0, found.stderr


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


# ---- the parts ------------------------------------------------------------------------------


def test_json_is_strict() -> None:
    held = json.loads(as_json("verify", "fail", {"a": {"scaled_error": float("inf")}, "b": [1.5]}))
    assert held["a"]["scaled_error"] is None
    assert held["a"]["reason"] == "scaled_error is inf"
    assert held["b"] == [1.5]


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.painted("params.W  pass") == "params.W  \x1b[32mpass\x1b[0m"
    assert console.painted("password, passes") == "password, passes"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.painted("params.W  pass") == "params.W  pass"


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "first")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(CommandError, match=r"a\.txt: cannot be written: No space left"):
        write_whole(path, "second")
    assert path.read_text() == "first"
    assert [*tmp_path.iterdir()] == [path]
