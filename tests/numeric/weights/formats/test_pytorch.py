"""PyTorch's archives by hand: dictionaries in many places, views, and claims of many numbers."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numeric.weights.formats import pytorch
from numeric.weights.formats.pytorch import read
from numeric.weights.formats.pytorch_writing import _ORDERED, _integer, _text, _tuple
from numeric.weights.formats.stored import Unread

SIZES = (2, 3)


def archive(path: Path, program: bytes, numbers: int = 6) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", program)
        file.writestr("a/data/0", np.arange(numbers, dtype="f4").tobytes())
    return path


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], last: bytes = b"") -> bytes:
    """A state dictionary of one tensor W, with a seventh argument of its rebuilding."""
    made = b"\x80\x02" + _ORDERED + b"(" + _text("W") + b"ctorch._utils\n_rebuild_tensor_v2\n(("
    made += _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + _integer(6)
    made += b"tQ" + _integer(0) + _tuple(shape) + _tuple(strides) + b"\x89" + _ORDERED + last
    return made + b"tRu."


def test_a_tensor_is_read(tmp_path: Path) -> None:
    found = read(archive(tmp_path / "w.pt", tensor(SIZES, (3, 1))))
    assert np.array_equal(found["W"], np.arange(6).reshape(SIZES))
    plain = read(archive(tmp_path / "v.pt", tensor(SIZES, (3, 1), b"}")))
    assert np.array_equal(plain["W"], found["W"])


def test_a_view_whose_sign_is_put_off_is_not_read_as_its_storage(tmp_path: Path) -> None:
    last = b"}" + _text("neg") + b"\x88s"
    with pytest.raises(ValueError, match="no tensors"):
        read(archive(tmp_path / "w.pt", tensor(SIZES, (3, 1), last)))


def test_a_parameter_with_attributes_is_its_tensor(tmp_path: Path) -> None:
    program = tensor(SIZES, (3, 1))
    lead, rest = program.split(_text("W"))
    wrapped = lead + _text("W") + b"ctorch._utils\n_rebuild_parameter_with_state\n(" + rest[:-2]
    found = read(archive(tmp_path / "w.pt", wrapped + b"\x88" + _ORDERED + b"}tRu."))
    assert not isinstance(found["W"], Unread)
    assert np.array_equal(found["W"], np.arange(6).reshape(SIZES))


def test_one_number_is_not_spread_over_more_than_memory_holds(tmp_path: Path) -> None:
    assert read(archive(tmp_path / "w.pt", tensor((100, 3), (0, 1))))["W"].shape == (100, 3)
    with pytest.raises(ValueError, match="of 6 numbers in the archive"):
        read(archive(tmp_path / "w.pt", tensor((1 << 29, 3), (0, 1))))


def test_a_dictionary_in_many_places_is_not_walked_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch, "MOST", 100)
    program = b"\x80\x02}q\x00" + _text("x") + b"K\x01s"
    for depth in range(1, 9):  # each holds the last twice
        program += b"}q" + bytes([depth])
        program += b"".join(_text(key) + b"h" + bytes([depth - 1]) + b"s" for key in "ab")
    with pytest.raises(ValueError, match="more than 100 entries"):
        read(archive(tmp_path / "w.pt", program + b"."))


def test_a_key_that_is_no_name_is_not_written_out(tmp_path: Path) -> None:
    doubled = b"K\x01\x85q\x000"
    for depth in range(1, 12):  # written out, a tuple of 2¹² entries
        doubled += (b"h" + bytes([depth - 1])) * 2 + b"\x86q" + bytes([depth]) + b"0"
    dictionary = tensor(SIZES, (3, 1))[2:-1]
    program = b"\x80\x02}" + doubled + b"h\x0b" + dictionary + b"s."
    found = read(archive(tmp_path / "w.pt", program))
    assert all(len(name) < 100 for name in found)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([{}, {}], "it is a list of 2, and no state dictionary"),
        ({"W": np.ones(2)}, "no tensors that are read; W is of _reconstruct"),
        ({"epoch": 3}, "no tensors in it; save a state dictionary"),
    ],
)
def test_what_is_there_in_place_of_tensors_is_named(tmp_path: Path, held: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(archive(tmp_path / "w.pt", pickle.dumps(held, 2)))
