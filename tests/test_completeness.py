"""Every node and function has its place in every interpretation; what is missing is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_code import needs_compiler
from complete_functions import ABSENT_FUNCTIONS, FUNCTION_COLUMNS, RISING
from complete_nodes import ABSENT_NODES, NODE_COLUMNS, nodes
from completeness import gaps, name
from profiles import NIGHTLY
from sympy import Identity, Interval, MatrixExpr, Max, Min, Piecewise, S, Si, sin

from derive import Cell
from derive.calculus.rules import JACOBIAN_RULES, VJP_RULES, Rule
from derive.language.expr import VECTOR_FUNCTIONS, VectorFunction, product
from derive.language.functions import FUNCTIONS, ElementwiseFunction, X
from numeric import compile_cell, verify
from numeric.compiler.operations import EXPRESSIONS, OPERATIONS
from numeric.compiler.to_c.runtime import ALL_HELPERS
from numeric.meaning.interpret import NODES, of_argument
from reports.cli import main


class Reversed(VectorFunction):
    """The entries in reverse order; of a matrix, the rows."""

    name = "reversed"


class Odd(MatrixExpr):  # type: ignore[misc]
    """A node that nobody knows."""


ERROR = ElementwiseFunction(
    "error", Si(X), sin(X) / X, None, Interval(-2, 2), Interval(-1, 1),
    r"\operatorname{error}",
)  # fmt: skip
BENT = ElementwiseFunction(
    "bent", Max(Min(X, 1), X / 3),
    Piecewise((1, (X > 0) & (X < 1)), (S.One / 3, (X < 0)), (S.One / 3, X > 3), (0, True)), None,
    S.Reals, Interval(0, 1), r"\operatorname{bent}", kink=("0", "0", "1", "3"),
)  # fmt: skip


REVERSED_IN_C = """
static void reversed(
    real *c, ptrdiff_t c_row, const real *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = a[i * a_row + columns - 1 - j];
}
"""


def places(found: list[str]) -> set[str]:
    """The row and column of each gap."""
    return {line.split(": ")[0] for line in found}


def test_every_function_has_a_place_in_every_column() -> None:
    found = gaps(FUNCTIONS.values(), FUNCTION_COLUMNS, ABSENT_FUNCTIONS)
    assert not found, "\n".join(found)


def test_every_node_has_a_place_in_every_column_or_a_reason_why_not() -> None:
    found = gaps(nodes(), NODE_COLUMNS, ABSENT_NODES)
    assert not found, "\n".join(found)


def test_a_reason_speaks_of_a_row_and_a_column_that_exist() -> None:
    for absent, rows, columns in (
        (ABSENT_FUNCTIONS, FUNCTIONS.values(), FUNCTION_COLUMNS),
        (ABSENT_NODES, nodes(), NODE_COLUMNS),
    ):
        assert {row for row, _ in absent} <= {name(row) for row in rows}
        assert {column for _, column in absent} <= columns.keys()
        assert all(absent.values())


def test_a_function_that_numpy_does_not_know_is_named_with_its_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FUNCTIONS, "error", ERROR)
    found = gaps([ERROR], FUNCTION_COLUMNS, {})
    assert places(found) == {f"error × {column}" for column in FUNCTION_COLUMNS} - {
        "error × letters"
    }
    assert any("no interval for the function Si" in line for line in found)
    assert any("no NumPy source for the function Si" in line for line in found)


def test_comparisons_and_powers_of_any_kind_are_written_in_every_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FUNCTIONS, "rising", RISING)
    assert gaps([RISING], FUNCTION_COLUMNS, {}) == []


def test_a_function_that_cannot_be_typeset_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    row = dataclasses.replace(FUNCTIONS["arctan"], latex=r"\arcus")
    assert places(gaps([row], FUNCTION_COLUMNS, {})) == {"arctan × letters"}


def test_a_wrong_slope_shows_in_every_column_that_has_a_slope() -> None:
    wrong = dataclasses.replace(FUNCTIONS["arctan"], slope=1 / (2 + X**2))
    found = places(gaps([wrong], FUNCTION_COLUMNS, {}))
    assert found >= {f"arctan × {column}" for column in
                     ("autograd", "complex step", "fifty digits", "prime field")}  # fmt: skip
    assert any("numpy" in place for place in found)


def test_a_range_that_is_too_small_shows_in_the_intervals() -> None:
    wrong = dataclasses.replace(FUNCTIONS["arctan"], range=Interval(-1, 1))
    assert places(gaps([wrong], FUNCTION_COLUMNS, {})) == {"arctan × intervals"}


def test_a_node_that_nobody_knows_is_named_with_its_columns() -> None:
    missing = places(gaps([Reversed], NODE_COLUMNS, {}))
    assert missing == {f"Reversed × {column}" for column in NODE_COLUMNS} - {
        "Reversed × shape", "Reversed × letters",
    }  # fmt: skip
    assert all("give it an expression in SAMPLES" in line for line in gaps([Odd], NODE_COLUMNS, {}))


def test_an_entry_that_is_there_though_said_to_be_absent_is_named() -> None:
    (found,) = gaps([FUNCTIONS["tanh"]], {"letters": lambda row: None}, {("tanh", "letters"): "?"})
    assert found == "tanh × letters: is there, but said to be absent"


# ---- a made-up function and a made-up node, complete, all the way -------------------------------


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bent` is a row, `reversed` a class, two rules, a meaning in columns and one in rows."""
    monkeypatch.setitem(FUNCTIONS, "bent", BENT)
    monkeypatch.setitem(VECTOR_FUNCTIONS, "reversed", Reversed)
    pullback = Rule("reverse order", lambda y_bar, y, node: (Reversed(y_bar),))
    monkeypatch.setitem(VJP_RULES, Reversed, pullback)
    monkeypatch.setitem(
        JACOBIAN_RULES, Reversed,
        lambda y, node, parts: product(Reversed(Identity(node.shape[0])), parts[0]),
    )  # fmt: skip
    monkeypatch.setitem(NODES, Reversed, of_argument(lambda a: a[..., ::-1, :]))
    monkeypatch.setitem(EXPRESSIONS, "reversed", "{}[..., ::-1]")
    monkeypatch.setitem(OPERATIONS, "reversed", lambda operands, settings: operands[0][..., ::-1])


TEXT = """
c = reversed(0.5 * c_prev) + U @ x * sigmoid(p * c_prev)
h = tanh(arctan(W @ reversed(h_prev + c)) * relu6(V @ x) + 0.5 * bent(M @ reversed(x)))
"""


@pytest.mark.usefixtures("made_up")
def test_what_is_complete_is_derived_verified_and_bounded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {key: probe for key, probe in NODE_COLUMNS.items() if "operations" not in key}
    assert gaps([Reversed], columns, {}) == []
    assert gaps([BENT], FUNCTION_COLUMNS, {}) == []
    cell = Cell.parse(name="made_up", equations=TEXT, sizes={"c": "n"})
    verdict = verify(compile_cell(cell, "fused"))
    assert verdict.status == "pass", verdict
    path = tmp_path / "made_up.toml"
    path.write_text(f'name = "made_up"\nsizes = {{c = "n"}}\nequations = """{TEXT}"""\n')
    assert main(["bounds", str(path), "--json", "--lag", "3", "--size", "3"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    measured = np.array(said["log10_measured"])
    for method, upper in said["log10_upper"].items():
        assert np.all(np.array(upper, float) >= measured - 1e-9), method
    if NIGHTLY:
        assert main(["report", str(path), "-o", str(tmp_path), "--formats", "tex,html"]) == 0
        assert "bent" in (tmp_path / "made_up.tex").read_text(encoding="utf-8")


@pytest.mark.usefixtures("made_up")
def test_a_target_that_has_no_code_of_a_node_says_so_and_a_file_that_carries_it_does_without() -> (
    None
):
    cell = Cell.parse(name="without", equations="h = tanh(W @ reversed(h_prev) + U @ x)")
    said = "target c: no code for 'reversed'; target numpy writes this cell"
    with pytest.raises(ValueError, match=said):
        compile_cell(cell, "fused", "c")
    assert f"Computed in NumPy: {said}." in compile_cell(cell, "fused", "torch").source


@needs_compiler
@pytest.mark.usefixtures("made_up")
def test_a_node_has_its_code_in_c_by_a_helper_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALL_HELPERS, "reversed", (REVERSED_IN_C, ()))
    cell = Cell.parse(
        name="with", equations="h = tanh(W @ reversed(reversed(h_prev) * h_prev) + U @ x)"
    )
    verdict = verify(compile_cell(cell, "fused", "c"))
    assert verdict.status == "pass", verdict


@pytest.mark.usefixtures("made_up")
def test_a_meaning_that_mixes_samples_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NODES, Reversed, of_argument(lambda a: a[::-1]))
    columns = {key: NODE_COLUMNS[key] for key in ("numbers", "numbers of many samples")}
    assert places(gaps([Reversed], columns, {})) == {"Reversed × numbers of many samples"}


@pytest.mark.usefixtures("made_up")
def test_a_wrong_rule_of_a_made_up_node_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VJP_RULES, Reversed, Rule("wrong", lambda y_bar, y, node: (y_bar,)))
    cell = Cell.parse(name="wrong", equations="h = tanh(W @ reversed(h_prev) + U @ x)")
    assert verify(compile_cell(cell, "textbook")).status == "fail"
