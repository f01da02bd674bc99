"""FlatBuffers by hand: fields, defaults, and offsets that lead anywhere."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from tflite_models import flat

from numeric.weights.formats.flatbuffer import Flat, Table

FIELDS: dict[int, Any] = {
    0: ("f", 0.5), 2: ("b", -3), 3: "naïve", 4: np.array([1, -2, 3], "<i4"), 5: {1: ("Q", 1 << 40)},
    6: [{0: ("I", 7)}, {}, {0: ("I", 9)}], 9: ("H", 5),
}  # fmt: skip


def root(held: bytes) -> Table:
    return Flat(np.frombuffer(held, np.uint8)).root()


def test_fields_are_what_was_written_and_absent_ones_their_defaults() -> None:
    table = root(flat(FIELDS))
    assert table.number(0, "f") == 0.5
    assert table.number(2, "b") == -3
    assert table.text(3) == "naïve"
    assert table.numbers(4, "<i4") == [1, -2, 3]
    inner = table.table(5)
    assert inner is not None
    assert inner.number(1, "Q") == 1 << 40
    assert [one.number(0, "I", 4) for one in table.tables(6)] == [7, 4, 9]
    assert table.number(9, "H") == 5
    for absent in (1, 7, 8, 10, 99):
        assert not table.has(absent)
        assert table.number(absent, "i", 11) == 11
        assert table.table(absent) is None
        assert [*table.tables(absent)] == []
        assert table.text(absent) == ""


def read_all(held: bytes) -> None:
    table = root(held)
    table.number(0, "f"), table.text(3), table.numbers(4, "<i4"), table.array(4, "<i4")
    for one in (table.table(5), *table.tables(6)):
        if one is not None:
            one.number(0, "I"), one.number(1, "Q")


def test_every_file_cut_short_is_refused_or_read() -> None:
    whole = flat(FIELDS)
    refused = 0
    for length in range(len(whole)):
        try:
            read_all(whole[:length])
        except ValueError:
            refused += 1
    assert refused > 0.9 * len(whole)


@pytest.mark.parametrize("number", [1 << 31, (1 << 32) - 1, 1 << 20])
def test_offsets_that_lead_out_of_the_file_are_refused(number: int) -> None:
    """Also those that lead before its beginning, where an index would count from behind."""
    whole = flat(FIELDS)
    refused = 0
    for place in range(0, len(whole) - 3, 4):
        held = bytearray(whole)
        struct.pack_into("<I", held, place, number)
        try:
            read_all(bytes(held))
        except ValueError:
            refused += 1
    assert refused


@pytest.mark.long
def test_lists_without_end_are_not_read_to_their_end() -> None:
    """A list of tables says that it is as long as a file of zeros, and each is the same."""
    held = bytearray(flat({0: [{}]}))
    at = held.index(struct.pack("<I", 1), 8)
    struct.pack_into("<I", held, at, 1 << 24)
    data = np.zeros(1 << 27, np.uint8)
    data[: len(held)] = np.frombuffer(bytes(held), np.uint8)
    found = Flat(data)
    with pytest.raises(ValueError, match="more than a model's, or lead to one another"):
        sum(1 for _ in found.root().tables(0))
    assert found.left == -1
