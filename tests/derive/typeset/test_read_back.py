"""Every line that `bptt show` prints of a cell is read back, and true in numbers.

The reader (`reader.py`) knows nothing of the typesetting. The printed forward equations give the
symbols their values; every other line is compared with them, with the gradients of the emitted
code, or with Jacobians by small steps through the printed equations (`cell_page.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import assume, given, settings
from profiles import NIGHTLY

from derive import Cell, catalogue, differentiate
from derive.language.functions import FUNCTIONS as FUNCTION_TABLE
from derive.language.functions import slope_name
from numeric.strategies import cells
from reports.terminal.derivation import show_latex, show_text
from tests.derive.typeset.as_text import latex_lines, lines, mathml_lines
from tests.derive.typeset.cell_page import Page, nfd
from tests.derive.typeset.printed_names import Known
from tests.derive.typeset.printed_values import AtKinkError, UnreadableError
from tests.derive.typeset.reader import read


@pytest.mark.by_default(
    "rnn",
    "lstm",
    "gru",
    "mut1",
    "clockwork_rnn",
    "lif",
    "ltc",
    "delta_net",
    "mlstm",
)
@pytest.mark.parametrize("name", catalogue)
def test_every_line_of_a_cell_is_true_in_text_latex_and_mathml(name):
    cell = catalogue[name]
    page = Page(cell)
    page.check()
    page.same_lines(latex_lines(show_latex(cell)))
    page.same_lines(mathml_lines(differentiate(cell)._repr_html_()))


@pytest.mark.parametrize(
    "name", [row.name for row in FUNCTION_TABLE.values() if row.name not in {"log", "sqrt"}]
)
def test_every_function_is_read_by_its_printed_name(name):
    call = f"step(a, slope={slope_name(FUNCTION_TABLE[name])})" if name.startswith("step") else (
        f"{name}(a)"
    )  # fmt: skip
    equations = f"a = W @ h_prev + U @ x\nh = {call} + 0.5 * h_prev"
    Page(Cell.parse(name="one", equations=equations)).check()


@settings(max_examples=2000 if NIGHTLY else 5)
@given(cells())
def test_every_line_of_a_drawn_cell_is_true(cell):
    try:
        Page(cell).check()
    except AtKinkError:
        assume(False)


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("15", "⊙ h_{t−1}", "⊙ h_t"), ("11", "h̃̄_t", "h̄_t"), ("18", "(1 − z_t)", "1 − z_t"),
        ("19", "r_{t+1}", "r_t"), ("20", "h_{t−1}ᵀ", "h_tᵀ"), ("24", "W̄_rx", "W̄_zx"),
        ("26", "_{t=1}", "_{t=2}"), ("29", "W_hxᵀ", "W_hx"),
        ("31", "h̃_t − h_{t−1}", "h_{t−1} − h̃_t"),
        ("32", "{j=t}^{k+1}", "{j=t}^{k}"), ("38", "_{k=1}^{t}", "_{k=2}^{t}"), ("12", "ᵀ", ""),
        ("10", " ⊙ ", " "), ("39", "u_{h̃,k}", "u_{h̃,t}"), ("13", "r̄_t", "r̄_{t−1}"),
    ],
)  # fmt: skip
def test_a_false_line_is_seen(number, old, new):
    seen = []

    def altered(cell: Cell) -> Iterable[tuple[str, str, str, str]]:
        for section, at, left, right in lines(show_text(cell)):
            if at == number:
                change = (nfd(side).replace(nfd(old), nfd(new)) for side in (left, right))
                seen.append((left, right) != (sides := tuple(change)))
                yield section, at, *sides
            else:
                yield section, at, left, right

    page = Page(catalogue["gru"], altered)
    assert seen == [True]
    with pytest.raises((AssertionError, UnreadableError, KeyError)):
        page.check()


def test_a_symbol_that_may_be_two_is_seen():
    known = Known(still={"q_z_0": 1.0}, timed={"q_z": {0: 2.0}}, times={"t": 0})
    with pytest.raises(UnreadableError, match="may be"):
        read("q_{z,0}", known)
