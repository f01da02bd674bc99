"""Sequences from files: every format and layout gives the same numbers, the rest is refused."""

from __future__ import annotations

import numpy as np
import pytest

from derive import catalogue
from reports.arguments.sequences import read_sequences

RNN, TWO = catalogue["rnn"], catalogue["depth_gated_lstm"]


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 3, 2))


def test_every_format_holds_the_same_sequences(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", anything=x)
    for name in ("x.npy", "x.npz"):
        assert np.array_equal(read_sequences(RNN, tmp_path / name)["x"], x)
    np.save(tmp_path / "b.npy", x.swapaxes(0, 1))
    assert np.array_equal(read_sequences(RNN, tmp_path / "b.npy", batch_first=True)["x"], x)
    assert not np.array_equal(read_sequences(RNN, tmp_path / "b.npy")["x"].shape, x.shape)


def test_one_sequence_is_a_batch_of_one(tmp_path, x):
    one = x[:, 0]
    np.save(tmp_path / "x.npy", one)
    np.savetxt(tmp_path / "x.csv", one, delimiter=",", fmt="%.17g")
    np.savetxt(tmp_path / "h.csv", one, delimiter=",", fmt="%.17g", header="a,b", comments="")
    for name in ("x.npy", "x.csv", "h.csv"):
        for first in (False, True):
            assert np.array_equal(read_sequences(RNN, tmp_path / name, first)["x"], one[:, None])


def test_several_inputs_are_told_by_name(tmp_path, x):
    np.savez(tmp_path / "two.npz", x=x, c_below=2 * x)
    assert np.array_equal(read_sequences(TWO, tmp_path / "two.npz")["c_below"], 2 * x)
    np.savez(tmp_path / "one.npz", x=x)
    with pytest.raises(ValueError, match="came none for c_below"):
        read_sequences(TWO, tmp_path / "one.npz")
    np.savez(tmp_path / "odd.npz", x=x, c_below=x[:-1])
    with pytest.raises(ValueError, match="the same T and B"):
        read_sequences(TWO, tmp_path / "odd.npz")


@pytest.mark.parametrize(("value", "said"), [
    (np.zeros(3), "expected the shape (T, m) or (T, B, m), came (3,)"),
    (np.zeros((2, 2), complex), "expected numbers, came complex128"),
    (np.full((2, 2), np.nan), "holds NaN"), (np.zeros((0, 2)), "expected the shape"),
])  # fmt: skip
def test_what_is_no_sequence_is_refused(tmp_path, value, said):
    np.save(tmp_path / "x.npy", value)
    with pytest.raises(ValueError) as problem:  # noqa: PT011
        read_sequences(RNN, tmp_path / "x.npy")
    assert said in str(problem.value)


@pytest.mark.parametrize("text", ["1,2\n3\n", "1,2\n3,b\n"])
def test_a_line_that_does_not_fit_is_named(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=r"expected 2 numbers between commas.*at step 2"):
        read_sequences(RNN, tmp_path / "x.csv")


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueError, match="another kind of file"):
        read_sequences(RNN, tmp_path / "x.npy")


def test_a_damaged_archive_is_said(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(40, 40)))
    held = bytearray(path.read_bytes())
    held[36:80] = b"\xff" * 44
    path.write_bytes(held)
    with pytest.raises(ValueError, match="came another kind of file"):
        read_sequences(catalogue["rnn"], path)
