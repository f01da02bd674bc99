"""Stages and parts of a cell: what a file may say, and what is refused with its place."""

from __future__ import annotations

import pytest

from derive import Cell, CellError, catalogue
from derive.cell import load
from derive.language.stages import Stage

EQUATIONS = "f = sigmoid(W @ h_prev + U @ x)\nh = f * h_prev + (1 - f) * tanh(V @ x)"
GOOD = {"name": "keep", "equations": ["f"], "says": "How much is kept."}


def cell(stages=(), parts=None):
    return Cell.parse(name="some", equations=EQUATIONS, stages=stages, parts=parts)


def test_stages_are_read_from_a_file(tmp_path):
    path = tmp_path / "some.toml"
    path.write_text(
        f'name = "some"\nequations = """\n{EQUATIONS}\n"""\nparts = {{ f = "forget gate" }}\n'
        '[[stages]]\nname = "keep"\nequations = ["f"]\nsays = "How much is kept."\n'
    )
    found = load(path)["some"]
    assert found.stages == (Stage("keep", ("f",), "How much is kept."),)
    assert found.parts == {"f": "forget gate"}


def test_stages_are_no_part_of_the_mathematics():
    assert cell([GOOD]).digest == cell().digest
    assert cell([GOOD]) != cell()
    assert hash(cell([GOOD])) != hash(cell())


@pytest.mark.parametrize(("change", "said"), [
    ({"equations": ["g"]}, "no equation assigns 'g'; assigned are f, h"),
    ({"equations": []}, "expected targets"), ({"name": " "}, "expected a name"),
    ({"name": "x" * 61}, "1 to 60 characters"), ({"title": "x"}, "unknown key 'title'"),
    ({"equations": "f"}, "'equations' must be a list, came str"),
    ({"says": 1}, "'says' must be a str"),
])  # fmt: skip
def test_a_stage_that_cannot_be_is_refused_with_its_place(change, said):
    with pytest.raises(CellError) as problem:
        cell([{"name": "h", "equations": ["h"]}, GOOD | change])
    assert "'stages', entry 2" in str(problem.value)
    assert said in str(problem.value)


def test_an_equation_has_one_stage_and_a_part_is_a_target():
    with pytest.raises(CellError, match="'f' is in the stage 'keep' already"):
        cell([GOOD, GOOD])
    with pytest.raises(CellError, match="expected a table, came str"):
        cell(["keep"])
    with pytest.raises(CellError, match="'parts' names 'x'"):
        cell(parts={"x": "input"})
    with pytest.raises(CellError, match="'parts' of 'f'"):
        cell(parts={"f": ""})


def test_the_known_cells_say_their_stages():
    assert [stage.name for stage in catalogue["lstm"].stages] == [
        "forget", "select", "update", "output"]  # fmt: skip
    assert catalogue["lstm"].parts["f"] == "forget gate"
    for name, found in catalogue.items():
        told = {target for stage in found.stages for target in stage.equations}
        assert not told or {state.name for state in found.states} <= told, name
