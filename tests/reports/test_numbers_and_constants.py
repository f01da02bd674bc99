"""Cells whose numbers have many digits, and cells whose weights or factors are given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from profiles import by_day
from sympy import Rational

from derive import Cell, Network, differentiate
from derive.typeset.latex import Latex
from derive.typeset.layout import Layout
from derive.typeset.text import Text
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.verification.derivation.check import examine
from numeric.verification.verify import verify
from reports.cli import main
from reports.write import write_report

DECIMALS = {
    "0.123456789": "0.123456789", "1.23456789": "1.23456789", "0.00001": "0.00001",
    "1e-7": "0.0000001", "123456.789012": "123456.789012", "0.1": "0.1", "0.125": "0.125",
    "1.41421356237309505": "1.41421356237309505",
}  # fmt: skip
GIVEN = {
    "a number a step": Cell.parse(
        name="scaled", equations="h = a * h_prev + tanh(W @ h_prev + U @ x)",
        constants=["a[t]"], scalars=["a"],
    ),
    "two numbers a step": Cell.parse(
        name="twice", equations="c = a * c_prev + g * h_prev\nh = tanh(W @ h_prev + a * x) - b * c",
        constants=["a[t]", "b[t]"], scalars=["a", "b", "g"], sizes={"x": "n", "c": "n"},
    ),
    "all weights": Cell.parse(
        name="reservoir", equations="h = tanh(W @ h_prev + U @ x)", constants=["W", "U"]
    ),
    "all weights and a vector a step": Cell.parse(
        name="driven", equations="h = m * tanh(W @ h_prev + U @ x + b)",
        constants=["W", "U", "b", "m[t]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("written", by_day(DECIMALS, 2))
def test_a_decimal_is_shown_to_its_last_digit(written: str) -> None:
    box = Layout().of(Rational(written))
    assert Text()(box) == Latex()(box) == DECIMALS[written]


def test_what_is_no_decimal_and_what_is_short_stays_a_fraction() -> None:
    assert [Text()(Layout().of(Rational(*pair))) for pair in ((1, 3), (1, 2), (3, 4))] == [
        "1/3", "1/2", "3/4",
    ]  # fmt: skip


@pytest.mark.long
def test_an_authors_numbers_and_their_products_are_not_rounded(tmp_path: Path) -> None:
    cell = Cell.parse(
        name="numbers", constants=["dt"], scalars=["dt"], defaults={"dt": 0.0421234567},
        equations="h = 0.123456789 * (h_prev + dt * (x + 1.23456789 * scaled_tanh(W @ h_prev, "
                  "1.71591234, 0.6666667))) + elu(x, 0.123456789)",
        sizes={"x": "n"},
    )  # fmt: skip
    write_report(cell, tmp_path, formats=["tex", "html"])
    product = "0.15241578750190521"  # of the first two, in ∂h_k/∂a_k
    for form in ("tex", "html"):
        text = (tmp_path / f"numbers.{form}").read_text(encoding="utf-8")
        for number in ("0.123456789", "1.23456789", "1.71591234", "0.6666667", "0.0421234567"):
            assert number in text, (form, number)
            assert f"{float(number):.6g}" not in text.replace(number, ""), (form, number)
        assert product in text


@pytest.mark.by_default("a number a step")
@pytest.mark.parametrize("name", by_day(GIVEN, 2))
def test_given_numbers_and_weights_pass_every_check(name: str) -> None:
    cell = GIVEN[name]
    assert examine(differentiate(cell)).wrong == ()
    for style in ("textbook", "fused"):
        verdict = verify(compile_cell(cell, style))
        assert verdict.status == "pass", verdict.summary()


@pytest.mark.by_default("numpy")
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_number_a_step_reaches_c_and_networks(target: str) -> None:
    """(T,) and (T, B), whole and cut to the lengths of samples."""
    cell = GIVEN["a number a step"]
    network = Network(cell, layers=2)
    made = compile_network(network, target=target)
    assert made.module.CONSTANTS == compile_cell(cell).module.CONSTANTS == {"a": ("T",)}
    verdict = verify(made)
    assert verdict.status == "pass", verdict.summary()
    verdict = verify(compile_cell(cell, target=target))
    assert verdict.status == "pass", verdict.summary()


@pytest.mark.long
@pytest.mark.parametrize("name", by_day(["a number a step", "all weights"], 2, 1))
def test_given_numbers_and_weights_have_reports_and_bounds(
    name: str, tmp_path: Path, capsys: Any
) -> None:
    cell = GIVEN[name]
    assert write_report(cell, tmp_path, formats=["tex"])
    constants = [f"{c.name}[t]" if c.name in cell.sequences else c.name for c in cell.constants]
    scalars = [c.name for c in cell.constants if c.shape == (1, 1)]
    path = tmp_path / "cell.toml"
    path.write_text(
        f'equations = """{cell.text}"""\nconstants = {constants}\nscalars = {scalars}\n'
        f'name = "{cell.name}"\n'
    )
    for word in ("show", "bounds"):
        assert main([word, str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["schema"] == f"bptt.{word}/1"
