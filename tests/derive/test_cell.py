"""A cell is frozen data, checked when made; the catalogue and cell files give cells."""

import dataclasses

import pytest
from sympy import MatrixSymbol

from derive.cell import Cell, Equation, build, catalogue, load, previous
from derive.cells import read_tables
from derive.language.expr import add, product, size
from derive.language.syntax import CellError

n, m = size("n"), size("m")
h, x, W, U = (MatrixSymbol(*s) for s in (("h", n, 1), ("x", m, 1), ("W", n, n), ("U", n, m)))
STEP = Equation(h, add(product(W, previous(h)), product(U, x)))
GOOD = {"name": "trial", "inputs": (x,), "states": (h,), "parameters": (W, U),
        "equations": (STEP,)}  # fmt: skip


def test_a_cell_can_be_made_from_expressions():
    cell = Cell(**GOOD)
    assert cell.previous_states == (MatrixSymbol("h_prev", n, 1),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.name = "other"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inputs": ()}, "no inputs"),
        ({"parameters": (W, U, W)}, "declared twice"),
        ({"parameters": (W,)}, "before it is defined"),
        ({"equations": (STEP, STEP)}, "assigned twice"),
        ({"states": (h, MatrixSymbol("c", n, 1))}, "needs one equation"),
        ({"inputs": (MatrixSymbol("x", n, 1),)}, "with another shape"),
        ({"latex": {"q": "q"}}, "'latex' names 'q'"),
        ({"latex": {"h": r"\\input{a}"}}, "'latex' of 'h'"),
    ],
)
def test_a_broken_promise_is_refused(change, says):
    with pytest.raises(CellError, match=says):
        Cell(**(GOOD | change))


def test_an_equation_of_unequal_shapes_is_refused():
    with pytest.raises(CellError, match="but its value is"):
        Equation(x, product(W, previous(h)))


def test_a_matrix_that_changes_with_time_is_refused():
    with pytest.raises(CellError, match="changes with time"):
        Cell.parse(name="trial", equations="h = M @ h_prev + x",
                   constants=("M[t]",))  # fmt: skip


def test_the_digest_changes_with_the_mathematics_alone():
    cell = Cell.parse(name="trial", equations="h = tanh(W @ h_prev + U @ x)")
    spaced = Cell.parse(name="trial", equations="h = tanh( W@h_prev + U@x )  # same", source="y")
    swapped = Cell.parse(name="trial", equations="h = tanh(U @ x + W @ h_prev)")
    assert cell.digest == spaced.digest != swapped.digest


@pytest.mark.parametrize("name", list(catalogue))
def test_every_catalogue_cell_parses_and_names_its_source(name):
    assert catalogue[name].source
    assert catalogue[name].name == name


FILE = """
name = "mgu"
source = "Zhou et al. 2016"
inputs = ["x"]
equations = '''
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
g = tanh(W_h @ x + U_h @ (f * h_prev) + b_h)
h = (1 - f) * h_prev + f * g
'''
"""


def test_a_cell_file_is_read(tmp_path):
    path = tmp_path / "mgu.toml"
    path.write_text(FILE, encoding="utf-8")
    (cell,) = load(path).values()
    assert (cell.name, cell.source) == ("mgu", "Zhou et al. 2016")


def test_a_cell_without_a_name_has_that_of_its_file(tmp_path):
    path = tmp_path / "my cell-2.toml"
    path.write_text("equations = 'h = h_prev + x'", encoding="utf-8")
    assert [*load(path)] == ["my_cell_2"]


def test_the_mark_that_editors_put_before_utf8_is_no_part_of_a_cell_file(tmp_path):
    path = tmp_path / "mgu.toml"
    path.write_text(FILE, encoding="utf-8-sig")
    assert list(load(path)) == ["mgu"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("equations = ", "not a cell file"),
        ("name = 'a'", "expected the key 'equations'"),
        ("", "expected the key 'equations'"),
        ("equations = 3", "must be a str"),
        ("equations = 'h = h_prev + x'\ncolour = 'red'", "unknown key 'colour'"),
        ("equations = 'h = h_prev + x'\ninputs = [1]", "strings only"),
        ("[a]\nsource = 'b'", "has no 'equations'"),
        ("equations = 'h = h_prev + x'\nname = 'two words'", "letters, digits and _"),
    ],
)
def test_a_wrong_cell_file_is_refused(tmp_path, text, says):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CellError, match=says):
        load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CellError, match="not a cell file"):
        read_tables(path)


def test_build_names_the_file():
    with pytest.raises(CellError, match=r"cells\.toml: unknown key"):
        build("a", {"equation": "h = h_prev + x"}, "cells.toml")
