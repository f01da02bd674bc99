"""What a report alone prints of a derivation is read back, and true in numbers.

That is several gradients on one line, the determinant of a step, the first factors of sums over
pairs of times, and the gradient of a loss at the third step written out.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue, differentiate
from derive.calculus.surrogates import surrogate_note
from reports.document.html import html
from reports.sections.cell import build
from tests.derive.typeset.as_text import report_parts
from tests.derive.typeset.cell_page import STEPS, Page, nfd
from tests.derive.typeset.claim_reader import matrix_of, read_claim
from tests.derive.typeset.network_letters import apart
from tests.derive.typeset.printed_names import BAR, join_name
from tests.derive.typeset.printed_values import UnreadableError, sized

_NUMBERED = re.compile(r"(\w[\w\u0300-\u036f]*_\{(?:(?:[^{}]|\{[^{}]*\})*,)?)([123])\}")


@cache
def rows(cell: Cell) -> tuple[tuple[str, str], ...]:
    """The equations of a report outside its theorems, as two sides."""
    page = html(build(differentiate(cell)))
    page = re.sub(r'<section class="theorem".*?</section>', "", page, flags=re.DOTALL)
    parts = (tuple(map(nfd, part)) for part in report_parts(page) if len(part) == 2)
    return tuple((left, right[1:].strip()) for left, right in parts if right.startswith("="))


class Rows:
    """The lines of a report with numbers; `old` is altered to `new`."""

    def __init__(self, cell: Cell, old: str = "", new: str = "") -> None:
        self.page = Page(cell)
        self.page.backward()
        self.known = self.page.known
        self.lines = [(left, right.replace(nfd(old), nfd(new)) if old else right)
                      for left, right in rows(cell)]  # fmt: skip
        self.checked = 0

    def same(self, what: str, expected: np.ndarray, right: str, **times: int) -> None:
        """The value of a right side."""
        value = read_claim(right, self.known.at(**times))
        self.page.same(what, expected, sized(value, np.shape(expected)))
        self.checked += 1

    def check(self) -> int:
        """Every line of these kinds."""
        for left, right in self.lines:
            if left.startswith("["):
                self.several(left, right)
            elif left.startswith("det"):
                self.determinant(left, right)
            elif found := re.fullmatch(r"\(∂\w+_\{3\}/∂(.*)\)", left):
                self.third(found[1], right)
            elif re.match(r"\(∂\S+_\{[kτ]\}/∂\S+,[kτ]\}\)$", left):
                letter = left[-3]
                for k in range(1, STEPS + 1):
                    value = matrix_of(read_claim(left, self.known.at(**{letter: k})))
                    self.same(left, value, right, **{letter: k})
        return self.checked

    def several(self, left: str, right: str) -> None:
        """[W̄, Ū, b̄] = … [hᵀ, xᵀ, 1]: the last bracket has a factor for each."""
        found = re.fullmatch(r"(.*) \[(.*)\]", right)
        assert found is not None, right
        for name, factor in zip(left.strip("[]").split(", "), found[2].split(", "), strict=True):
            base, below = apart(name)
            key = join_name(base.replace(BAR, "", 1), below)
            if key in self.page.gradients:  # not what is made of parameters alone
                body = found[1] if factor == "1" else f"{found[1]} {factor}"
                self.same(left, self.page.gradients[key], body, T=STEPS)

    def determinant(self, left: str, right: str) -> None:
        """A product over units, and determinants of matrices beside it."""
        for t in range(1, STEPS + 1):
            at = self.known.at(t=t)
            if "J" in left:
                whole = self.page.whole or self.page.printed[self.page.cell.states[0].name]
                self.known.put("J", t, self.page.partial(whole, t, whole, t - 1))
            expected = read_claim(left, at)
            found = re.fullmatch(r"(∏.*?\)_\{\w\}) (det .*)", right)
            product = [read_claim(part, at) for part in (found.groups() if found else (right,))]
            self.page.same(left, expected, np.prod(product, axis=0))
            self.checked += 1

    def third(self, name: str, right: str) -> None:
        """∂L₃/∂W in three terms, the loss's own step first."""

        def alone(page: Page) -> None:
            for value in page.loss.values():
                value[:-1] = 0

        base, below = apart(name)
        expected = Page(self.page.cell, change=alone).gradients[join_name(base, below)]
        self.same(name, expected, _NUMBERED.sub(self.timed, right), T=STEPS)

    def timed(self, found: re.Match[str]) -> str:
        """A symbol at the step 3, 2 or 1 as one at T, T − 1, T − 2; a parameter β₁ as it is."""
        base, below = apart(found[0])
        if join_name(base, below) in self.known.still:
            return found[0]
        return f"{found[1]}{('T−2', 'T−1', 'T')[int(found[2]) - 1]}}}"


LEFT_OUT = {name for name in catalogue if surrogate_note(catalogue[name])}
"""Small steps through the equations know nothing of a declared slope."""


@pytest.mark.by_default("rnn", "lstm", "peephole_lstm", "mut1")
@pytest.mark.parametrize("name", [name for name in catalogue if name not in LEFT_OUT])
def test_what_a_report_alone_prints_is_true(name):
    Rows(catalogue[name]).check()


def test_there_is_something_to_read():
    assert Rows(catalogue["rnn"]).check() == 11
    assert Rows(catalogue["lstm"]).check() > 40


ALTERED = [
    ("rnn", "[h_{t−1}ᵀ, x_{t}ᵀ, 1]", "[x_{t}ᵀ, h_{t−1}ᵀ, 1]"), ("rnn", "det W", "det Wᵀ det W"),
    ("rnn", "diag(tanh′(a_{2})) ((∂h_{3}/∂h_{2}))ᵀ", "diag(tanh′(a_{2}))"),
    ("rnn", "h_{2}ᵀ", "h_{3}ᵀ"), ("lstm", "h_{0}ᵀ", "h_{1}ᵀ"),
    ("lstm", "diag(c_{k−1} ⊙ σ′(a_{f,k}))", "diag(c_{k} ⊙ σ′(a_{f,k}))"),
    ("lstm", "(f_{t} ⊙ tanh(c_{t}) ⊙ σ′(a_{o,t}))_{", "(tanh(c_{t}) ⊙ σ′(a_{o,t}))_{"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new"), by_day(ALTERED, 3))
def test_a_false_line_is_seen(name, old, new):
    page = Rows(catalogue[name], old, new)
    assert page.lines != list(rows(catalogue[name]))
    with pytest.raises((AssertionError, UnreadableError)):
        page.check()
