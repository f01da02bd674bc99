"""Cells in neutral names, and the same cells in an author's letters: a letter has one meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from derive import Cell, differentiate
from derive.typeset.boxes import Symbol

NEUTRAL = ("foo", "bah", "qux", "zed", "wam", "vox", "lum", "gab", "pip")
CELLS = {
    "plain": "foo = tanh(qux @ foo_prev + zed @ bah + wam)",
    "product": "vox = sigmoid(qux @ bah)\nfoo = vox * (zed @ foo_prev)",
    "mean": (
        "vox = sigmoid(zed @ bah + wam @ foo_prev)\n"
        "foo = (1 - vox) * foo_prev + vox * tanh(qux @ foo_prev + bah)"
    ),
    "kept": (
        "vox = sigmoid(zed @ bah)\n"
        "pip = 0.5 * vox * pip_prev + tanh(qux @ foo_prev + wam @ bah)\n"
        "foo = vox * tanh(pip)"
    ),
    "three": "foo = tanh(qux @ pip_prev + bah)\npip = tanh(wam @ vox_prev)\nvox = foo_prev * zed",
    "matrix": (
        "vox = sigmoid(wam @ bah)\n"
        "foo = foo_prev + outer(vox * (qux @ bah - foo_prev @ (zed @ bah)), zed @ bah)"
    ),
}
# Letters that a theorem asks for, three by three so that several give way at once, and all others.
ASKED = ("ABM", "dDL", "RHy", ("L", "J", "E"), "bul", "vwe", "gGK", "rqp", "TSC", "ijk", "NZP",
         ("alpha", "beta", "omega"), ("zeta", "gamma", "delta"), ("eta", "tau", "phi"),
         ("theta", "w", "epsilon"), "XYV", "sxF")  # fmt: skip


def symbols(box):
    """The letters of a formula, in the order in which they stand."""
    if isinstance(box, Symbol):
        yield box.name
    elif isinstance(box, tuple):
        for part in box:
            yield from symbols(part)
    elif is_dataclass(box):
        for one in fields(box):
            yield from symbols(getattr(box, one.name))


def of(text, names):
    for old, new in names.items():
        text = re.sub(rf"(?<![A-Za-z]){old}(?![A-Za-z])", new, text)
    given = names.get("bah", "bah")
    return differentiate(Cell.parse(name="c", equations=text, inputs=(given,)))


@cache
def _plain(
    kind: str, written: Callable[[Any], Mapping[str, Sequence[str]]]
) -> Mapping[str, Sequence[str]]:
    return written(of(CELLS[kind], {}))


def one_meaning(
    kind: str, asked: Sequence[str], written: Callable[[Any], Mapping[str, Sequence[str]]]
) -> None:
    """Letter for letter the pages of a cell in neutral names correspond to those in these letters.

    `written` gives the letters of each page of a derivation.
    """
    text = CELLS[kind]
    used = [name for name in NEUTRAL if name in text]
    shift = len("".join(asked)) % len(used)  # not always the same symbols
    chosen = (*used[shift:], *used[:shift])
    plain = _plain(kind, written)
    renamed = written(of(text, dict(zip(chosen, asked, strict=False))))
    assert plain.keys() == renamed.keys()
    for name, letters in plain.items():
        pairs = set(zip(letters, renamed[name], strict=True))
        for side in (0, 1):
            ends = sorted(pair[side] for pair in pairs)
            doubled = {end for end in ends if ends.count(end) > 1}
            assert not doubled, (name, [pair for pair in pairs if pair[side] in doubled])
