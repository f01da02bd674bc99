"""CELL on the command line: a name, a file, a Python object, or a refusal that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import MGU, is_refusal

from derive.cell import cell_of

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


def test_a_cell_of_a_file_needs_none_of_the_others(bptt: Any) -> None:
    Path("two.toml").write_text(
        '[right]\nequations = "h = h_prev + x"\n[wrong]\nequations = "h = h_prev + tanh"\n'
    )
    assert bptt("show", "two.toml:right", "--json").data["cell"] == "right"
    assert cell_of("two.toml:right").name == "right"
    exec(bptt("write-test", "two.toml:right").out, {})
    assert "two.toml: cell 'wrong', line 1" in bptt("show", "two.toml:wrong").err
    for said in (bptt("show", "two.toml").err, bptt("show", "two.toml:other").err):
        assert "NAME one of right, wrong" in said


def test_an_unknown_cell_is_met_with_near_names(bptt: Any) -> None:
    assert "did you mean lstm" in bptt("show", "LSMT").err
    assert "bptt list" in bptt("show", "qqqqqq").err


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


IN_A_SUM = "z = W @ concat(h_prev, c_prev)\nh = h_prev + sum(z) + sum(x)\nc = c_prev + sum(z)"


@pytest.mark.parametrize("command", ["verify", "emit", "bounds", "report", "parallel"])
@pytest.mark.parametrize("equations", ["h = tanh(h_prev) * sum(x)", IN_A_SUM])
def test_a_size_that_nothing_shows_is_refused_by_what_computes(
    command: str, equations: str, bptt: Any
) -> None:
    Path("bare.toml").write_text(f'equations = """\n{equations}\n"""\n', encoding="utf-8")
    more = ("-o", "out") if command == "report" else ()
    said = bptt(command, "bare.toml", *more)
    assert said.status == 2
    assert "shows the size n of the state h" in said.err
    assert bptt("show", "bare.toml").status == 0


@pytest.mark.long
def test_a_sum_of_sizes_shows_the_last_that_nothing_else_does(bptt: Any) -> None:
    equations = IN_A_SUM.replace("c_prev +", "c_prev + b +")
    Path("shown.toml").write_text(f'equations = """\n{equations}\n"""\n', encoding="utf-8")
    assert bptt("verify", "shown.toml").status == 0
