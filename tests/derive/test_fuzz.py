"""Any file is a cell or our error, in bounded time: nothing else comes out of the parser.

A few hundred files; with HYPOTHESIS_PROFILE=nightly ten thousand, and what is a cell is derived
and emitted.
"""

import signal
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from cell_files import KINDS, cell_file, example_files
from profiles import NIGHTLY

from derive import CellError, differentiate
from derive.cell import Cell, load
from derive.language.syntax import MAX_DIGITS, MAX_NAME
from numeric import compile_cell

COUNT = 10_000 if NIGHTLY else 300
SECONDS = 10


@contextmanager
def bounded(what):
    """Stop what hangs, where the system can."""

    def stop(*_):
        raise TimeoutError(what)

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_any_file_is_a_cell_or_our_error(tmp_path):
    came = Counter()
    for seed, path in example_files(tmp_path, COUNT):
        began = time.process_time()
        with bounded(f"seed {seed}"):
            try:
                cells = load(path)
            except CellError as problem:
                came["error", KINDS[seed % len(KINDS)].__name__] += 1
                said = str(problem)
                assert said.count("\n") <= 2, f"seed {seed}"
                assert len(said) <= 1000, f"seed {seed}"
                assert said.replace("\n", "").isprintable(), f"seed {seed}: {said!r}"
                continue
        assert time.process_time() - began < SECONDS / 2, f"seed {seed}"
        came["cell", KINDS[seed % len(KINDS)].__name__] += 1
        assert all(isinstance(cell, Cell) for cell in cells.values()), f"seed {seed}"
        if NIGHTLY:
            for cell in cells.values():
                differentiate(cell)
                compile_cell(cell, "textbook")
    assert sum(came.values()) == COUNT
    kinds = {kind.__name__ for kind in KINDS}
    assert {kind for what, kind in came if what == "error"} == kinds
    assert {kind for what, kind in came if what == "cell"} >= kinds - {
        "tokens",
        "mistyped",
        "mangled",
    }


def test_the_same_seed_is_the_same_file():
    assert [cell_file(seed) for seed in range(16)] == [cell_file(seed) for seed in range(16)]


# ---- what it found ---------------------------------------------------------------------------

DOUBLED = "\n".join(f"a{k + 1} = concat(a{k}, a{k})" for k in range(30))
CHAINED = "\n".join(f"a{k + 1} = a{k} * b{k}" for k in range(1200))
FOUND = {
    "an integer of thousands of digits": ("sizes = " + "9" * 5000, "not a cell file"),
    "a name that is one": (
        "equations = 'h = h_prev + x'\nname = 0x" + "f" * 6000, "'name' must be a str"),
    "a number of many digits": (f"equations = 'h = h_prev + {'9' * 5000} * x'", "characters"),
    "a number no float is": ("equations = 'h = h_prev + 1e999 * x'", "below 1e-100"),
    "numbers that together are none": (
        "equations = 'h = h_prev + 1e60 * 1e60 * x'", "more than 100 digits"),
    "digits of another script": ("equations = 'h = h_prev + ٣ * x'", "unexpected '٣'"),
    "sizes that double": (
        f"equations = '''\na0 = concat(x, h_prev)\n{DOUBLED}\nh = W @ a30 + h_prev\n'''",
        "more than 60 parts"),
    "LaTeX inside itself": (
        "equations = 'h = h_prev + x'\nlatex = { h = '" + "{" * 3000 + "' }", "at most 100"),
    "a long function": (f"equations = 'h = {'f' * 900}(h_prev) + x'", "longer than 40 letters"),
    "signs that steer a terminal": (
        "equations = 'h = h_prev + x + \u009b31m'", "unexpected"),
    "a megabyte": ("# " + "x" * 1_000_000, "longer than 1000000 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), FOUND.values(), ids=FOUND.keys())
def test_what_it_found_stays_an_error(tmp_path, text, says):
    path = tmp_path / "cell.toml"
    path.write_text(text, encoding="utf-8")
    with bounded(says), pytest.raises(CellError) as caught:
        load(path)
    assert says in str(caught.value)


def test_sizes_tied_in_a_long_row_are_found():
    equations = f"a0 = x + h_prev\n{CHAINED[:15_000].rsplit(chr(10), 1)[0]}"
    last = equations.rsplit("\n", 1)[1].split(" ")[0]
    cell = Cell.parse(name="chained", equations=f"{equations}\nh = {last} + b")
    assert len({parameter.shape for parameter in cell.parameters}) == 1


def test_a_long_line_is_shown_around_the_place():
    with pytest.raises(CellError) as caught:
        Cell.parse(name="long", equations="h = h_prev + x" + " + x" * 25 + "  + ?" + " + x" * 3000)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "?"
    assert len(shown) <= 104


def test_limits_are_those_that_are_said():
    digits = "1" * (MAX_DIGITS - 2)
    assert Cell.parse(name="n" * MAX_NAME, equations=f"h = h_prev + 0.{digits} * x")
    with pytest.raises(CellError, match="at most"):
        Cell.parse(name="n" * (MAX_NAME + 1), equations="h = h_prev + x")
