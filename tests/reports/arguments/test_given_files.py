"""Weights of a file for a cell of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from library_files import FOLDER

from derive import Cell, catalogue
from derive.cell import cell_of
from derive.cells import tables
from reports.arguments.given_files import read_layers
from reports.cli import main

GRU = tables()["gru"]["equations"]


def test_a_frameworks_weights_are_not_those_of_another_cell_of_its_name(tmp_path: Path) -> None:
    path = FOLDER / "gru_before.onnx"
    layers, _ = read_layers(catalogue["gru"], path)
    turned = GRU.replace("(1 - z) * h_prev + z *", "z * h_prev + (1 - z) *")
    assert turned != GRU
    other = Cell.parse(name="gru", equations=turned)
    with pytest.raises(ValueError, match="is called gru but computes another function"):
        read_layers(other, path)
    again = Cell.parse(name="gru", equations=GRU.replace("z = ", "z = 0 * b_z + "))
    assert len(read_layers(again, path)[0]) == len(layers)
    np.savez(tmp_path / "own.npz", **layers[0].parameters)
    assert len(read_layers(other, tmp_path / "own.npz")[0]) == 1


@pytest.mark.parametrize("command", ["bounds", "parallel", "report"])
def test_numbers_drawn_that_have_no_value_are_said_to_be_drawn(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logged.toml"
    path.write_text('equations = "h = log(W @ h_prev + U @ x + b)"\n')
    flags = ["-o", str(tmp_path / "out")] if command == "report" else []
    assert main([command, str(path), *flags]) == 2
    told = capsys.readouterr().err
    assert f"{command}: of the drawn numbers logged has no value: in the equation of h" in told
    assert "give --weights and --inputs" in told


def test_a_frameworks_own_cell_has_weights_too() -> None:
    """An LSTM of Keras 2 that was converted is a cell that the catalogue has not."""
    path = FOLDER / "two_lstms.tflite"
    cell = cell_of("tflite_lstm_clip_10")
    assert len(read_layers(cell, path)[0]) == 2
    other = replace_in(cell, "10)", "11)")
    with pytest.raises(ValueError, match="is called tflite_lstm_clip_10 but computes another"):
        read_layers(other, path)


def replace_in(cell: Cell, old: str, new: str) -> Cell:
    assert old in cell.text
    return Cell.parse(name=cell.name, equations=cell.text.replace(old, new))
