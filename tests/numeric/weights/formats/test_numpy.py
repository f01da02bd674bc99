"""Archives of NumPy that are damaged or packed in another way end in one line."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numeric.weights.formats import numpy as format_of_numpy
from numeric.weights.formats.numpy import read
from numeric.weights.formats.stored import Unread


def packed(path: Path) -> tuple[bytearray, int]:
    """A compressed archive, and where its first array begins."""
    np.savez_compressed(path, W=np.random.default_rng(0).normal(size=(40, 40)))
    with zipfile.ZipFile(path) as archive:
        return bytearray(path.read_bytes()), archive.getinfo("W.npy").header_offset


@pytest.mark.parametrize("span", [(36, 80), (3000, 3600)])
def test_a_damaged_stream_is_said(tmp_path: Path, span: tuple[int, int]) -> None:
    path = tmp_path / "w.npz"
    held, start = packed(path)
    held[start + span[0] : start + span[1]] = b"\xff" * (span[1] - span[0])
    path.write_bytes(held)
    with pytest.raises(ValueError, match=r"w\.npz"):
        np.asarray(read(path)["W"])


def test_an_archive_under_a_password_is_said(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, W=np.ones((2, 2)))
    held = bytearray(path.read_bytes())
    held[6] |= 1
    held[held.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(held)
    with pytest.raises(ValueError, match=r"w\.npz"):
        read(path)


@pytest.mark.parametrize("text", ["'shape': (2,", "'shape': (2,)}\n  x\n y"])
def test_a_header_that_is_no_python_is_said(tmp_path: Path, text: str) -> None:
    head = ("{'descr': '<f4', 'fortran_order': False, " + text).ljust(118).encode() + b"\n"
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        lead = b"\x93NUMPY\1\0" + struct.pack("<H", len(head))
        archive.writestr("W.npy", lead + head + bytes(8))
    with pytest.raises(ValueError, match=r"w\.npz"):
        read(tmp_path / "w.npz")


def test_an_array_that_unpacks_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays: dict[str, Any] = {"W": np.zeros((9, 9)), "b": np.zeros(9)}
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    np.savez(tmp_path / "v.npz", **arrays)
    monkeypatch.setattr(format_of_numpy, "LARGEST", 100)
    held = read(tmp_path / "w.npz")
    assert isinstance(held["W"], Unread)
    assert np.asarray(held["b"]).size == 9
    assert np.asarray(read(tmp_path / "v.npz")["W"]).size == 81
