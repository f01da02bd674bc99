"""The theorems of a report with numbers for their letters: for the reader.

In: a cell. Out: `Claims`: the bounds from above (`claims_above.py`), those from below, the zero
state and weighted means, each computed from what is printed.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from tests.derive.typeset.cell_page import Page
from tests.derive.typeset.claim_reader import matrix_of, number, read_claim, sides
from tests.derive.typeset.claims_above import UpperBounds
from tests.derive.typeset.network_letters import apart
from tests.derive.typeset.printed_names import Known, join_name, split_name
from tests.derive.typeset.printed_values import UnreadableError

Array = Any
_EIGENVALUES = re.compile(
    r"(?:Those|eigenvalues of ⟦\S+⟧) are ⟦([^⟧]*)⟧ for the eigenvalues ⟦(\S+)⟧ of ⟦(.*?)⟧(.*)$",
    flags=re.MULTILINE,
)


class Claims(UpperBounds):
    """The theorems of a cell along one trajectory."""

    def of_smallest_singular_value(self, title: str) -> None:
        """From below, for all pairs."""
        known = self.copy()
        self.define(title, known)
        self.bound(title, known, same=True)

    def of_volume(self, title: str) -> None:
        """The geometric mean of the singular values: between the smallest and the largest."""
        known = self.copy()
        self.define(title, known)
        self.bound(title, known, same=True)
        right = self.rows(title)[0][1]
        for t, k in self.pairs():
            now = known.at(t=t, k=k, τ=k)
            values = np.linalg.svd(self.jacobian(self.whole, t, self.whole, k))[1]
            mean = read_claim(right[1:], now)
            self.compare(mean, "≥", values.min(), title)
            if values.min() > 1e-4 * values.max():
                self.compare(mean, "=", np.exp(np.log(values).mean()), title)

    def holds(self, formulas: list[str], known: Known) -> bool:
        """Whether every printed condition holds, for every unit where an index stands."""
        for formula in formulas:
            left, sign, right = sides(formula)
            for index in ("", *re.findall(r"_\{?(?:min,)?([a-z])\}?", left)):
                now = known.at()
                now.index, now.parsed = index, {}
                try:
                    a, b = (matrix_of(read_claim(side, now)) for side in (left, right))
                    break
                except UnreadableError:
                    continue
            else:
                raise UnreadableError(formula)
            if not np.all({">": a > b, "≥": a >= b, "<": a < b}[sign]):
                return False
        return True

    def of_what_the_kept_state_carries(self, title: str) -> None:
        """σ_min from below, where the paths through the other state are weak."""
        known = self.copy()
        self.rate(known)
        self.define(title, known)
        told = self.told(title).splitlines()
        end = next(i for i, line in enumerate(told) if line.startswith("For all"))
        if not self.holds([re.findall(r"⟦(.*?)⟧", line)[0] for line in told[1:end]], known):
            return
        self.bound(title, known)
        right = self.rows(title)[0][1]
        for t, k in self.pairs():
            now = known.at(t=t, k=k, τ=k)
            norm = np.linalg.norm(self.jacobian(self.whole, t, self.whole, k), 2)
            self.compare(norm, "≥", read_claim(right[1:], now), title)

    def of_weighted_means(self, title: str) -> None:
        """In the ∞-norm, where every unit's new value has a weight."""
        known, told = self.copy(), self.told(title)
        weight, mean = re.findall(r"⟦(.*?)⟧", next(x for x in told.splitlines() if "weight" in x))[
            :2
        ]
        name, value = weight.split(" = ")
        self.put(name, value, known)
        new, of = mean.split(" = ")
        known.parsed = {}
        for t in known.steps:
            now = known.at(t=t)
            self.compare(read_claim(new, now), "=", read_claim(of, now), title)
        letter = split_name(name)[0]
        parts = self.theorems[title]
        self.theorems[title] = [
            tuple(re.sub(rf"inf {letter}_\{{\w\}}", f"inf {letter}_{{t}}",
                         re.sub(rf"^{letter}_\{{min,\w\}}$", f"{letter}_{{min}}", side))
                  for side in part)
            for part in parts
        ]  # fmt: skip
        self.define(title, known)
        line = next(x for x in told.splitlines() if x.startswith("For every unit"))
        conditions = re.findall(r"⟦(.*?)⟧", line)[1:]
        if not self.holds(conditions, known):
            return
        self.bound(title, known, same=True)
        last = re.findall(r"⟦(.*?)⟧", told.splitlines()[-1])
        left, sign, right = sides(last[1])
        earlier = self.earlier(left)
        known.sizes |= {"n": 3, **known.sizes}
        for t, k in self.pairs():
            now = known.at(t=t, **{earlier: k})
            self.compare(read_claim(left, now), sign, read_claim(right, now), title)

    def of_clockwork(self, title: str) -> None:
        """Left to `test_claims`: it speaks of many steps."""

    def of_no_certificate_of_growth_in_all_directions(self, title: str) -> None:
        """Left to `test_claims`: it speaks of many states."""

    def of_the_zero_state(self, title: str) -> None:
        """Along the zero trajectory, the biases that it names zero and every other one alike."""
        told = self.told(title)
        biases = re.search(r"^(.*) (is|are) zero\. The other", told, flags=re.MULTILINE)
        named_zero = re.findall(r"⟦(.*?)⟧", biases[1]) if biases else []
        zero = {join_name(*apart(name)) for name in named_zero}
        for alike, none in ((False, False), (True, False), (True, True)):
            change = partial(self.rest, zero=zero, alike=alike, none=none)
            self.at_rest(title, Page(self.cell, change=change), alike=alike, none=none)

    def rest(self, page: Page, zero: set[str], alike: bool, none: bool) -> None:
        """No inputs, no state, and of the vectors those that are named zero, or all."""
        for group in (page.inputs, page.initial):
            for name in group:
                group[name] = 0 * group[name]
        printed = self.page.printed
        for name, value in page.params.items():
            vector = np.ndim(value) < 2
            if printed[name] in zero or (none and vector and name.startswith("b")):
                page.params[name] = 0 * value
            elif alike and vector:
                page.params[name] = np.full_like(value, np.ravel(value)[0]) if value.size else value

    def at_rest(self, title: str, page: Page, *, alike: bool, none: bool) -> None:
        """What is said of the zero trajectory of a page."""
        other = object.__new__(Claims)
        other.__dict__ |= self.__dict__
        other.page, other.known = page, page.known
        known, told = other.copy(), self.told(title)
        for s in self.states:
            for t in known.steps:
                self.compare(known.timed[s][t], "=", 0.0, title)
        other.checked = 0
        other.define(title, known)
        name = re.findall(r"every step Jacobian is (?:the matrix )?⟦(\S+)⟧", told)[0]
        if (key := join_name(*apart(name))) not in known.still:  # its blocks were compared
            known.put(key, None, other.jacobian(self.whole, 1, self.whole, 0))
        J = matrix_of(known.still[key])
        for t in known.steps:
            self.compare(other.jacobian(self.whole, t, self.whole, t - 1), "=", J, title)
        other.bound(title, known, same=True)
        known.parsed = {}
        values = np.linalg.eigvals(J)
        of = J
        if found := re.search(r"eigenvalues of ⟦\S+⟧ are those of ⟦(.*?)⟧, and 0", told):
            of = matrix_of(read_claim(found[1], known))
            zeros = np.zeros(len(J) - len(of))
            self.compare(_sorted(values), "=", _sorted([*np.linalg.eigvals(of), *zeros]), title)
        for formula, letter, matrix, rest in _EIGENVALUES.findall(told):
            if "equal entries" in rest and not alike:
                continue
            mu = np.linalg.eigvals(matrix_of(read_claim(matrix, known)))
            formulas = [formula]
            if none and (zero := re.search(r"⟦(.*?)⟧ where all biases are zero", rest)):
                formulas.append(zero[1])
            for one in formulas:
                at = {}
                for x in (0.0, 1.0):
                    alone = known.copy()
                    alone.parsed = {}
                    alone.still |= {
                        self.page.printed[name]: number(value[0])
                        for name, value in page.params.items()
                        if np.ndim(value) == 1
                    }
                    alone.put(letter, None, number(x))
                    at[x] = np.ravel(read_claim(one, alone))[0]
                found_values = at[0.0] + (at[1.0] - at[0.0]) * mu
                self.compare(_sorted(np.linalg.eigvals(of)), "=", _sorted(found_values), title)
        if none and (last := re.search(r"With all biases zero ⟦(.*?)⟧, so", told)):
            left, sign, right = sides(last[1])
            known.parsed = {}
            self.compare(read_claim(left, known), sign, read_claim(right, known), title)
        self.checked += other.checked


def _sorted(values: Any) -> Array:
    """Real parts and absolute values of imaginary ones, in an order that small errors keep."""
    values = np.asarray(values, dtype=complex)
    return np.sort(np.abs(np.poly(values)))
