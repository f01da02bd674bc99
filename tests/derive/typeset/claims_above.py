"""The theorems of a report with numbers for their letters, those that bound from above.

In: a cell. Out: `UpperBounds`: each theorem's printed parts; what it claims is computed along a
trajectory of the printed equations, with Jacobians by small steps through them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np

from derive import Cell, differentiate
from reports.document.html import html
from reports.sections.cell import build
from tests.derive.typeset.as_text import report_parts
from tests.derive.typeset.cell_page import CHAIN, STEPS, Page, nfd, target
from tests.derive.typeset.claim_reader import matrix_of, number, read_claim
from tests.derive.typeset.printed_names import Known, join_name, split_name
from tests.derive.typeset.printed_values import UnreadableError, dense, sized

Array = Any
Parts = list[tuple[str, ...]]
SLACK: Final = 1e-6
ROUGH: Final = 3e-9  # what small steps lose of a state of the size 1
_THEOREM: Final = re.compile(r'<section class="theorem".*?</section>', flags=re.DOTALL)


@cache
def printed_theorems(cell: Cell) -> dict[str, Parts]:
    """The parts of each theorem of a cell's report, by its title."""
    page = html(build(differentiate(cell)))
    made = {}
    for source in _THEOREM.findall(page):
        (title,), *parts = ([*map(nfd, part)] for part in report_parts(source))
        found = re.fullmatch(r"Theorem \d+ \((.*)\)\.", title)
        assert found is not None, title
        made[found[1]] = [tuple(part) for part in parts]
    return made


class UpperBounds:
    """The theorems that bound from above, along one trajectory."""

    def __init__(
        self, cell: Cell, seed: int = 0, change: Callable[[Page], None] = lambda page: None,
        alter: Callable[[str], str] = lambda text: text,
    ) -> None:  # fmt: skip
        self.page = Page(cell, seed=seed, change=change)
        self.cell, self.known = cell, self.page.known
        self.theorems = {
            title: [tuple(map(alter, part)) for part in parts]
            for title, parts in printed_theorems(cell).items()
        }
        self.states = [self.page.printed[s.name] for s in cell.states]
        self.whole = self.page.whole or self.states[0]
        self.checked = 0
        sizes = [np.abs(value).max(initial=1.0) for state in self.states
                 for value in self.known.timed[state].values()]  # fmt: skip
        self.rough = ROUGH * max(sizes)
        if any(left.startswith("J") for _, left, _ in self.page.of(CHAIN)):
            for t in range(1, STEPS + 1):
                self.known.put("J", t, self.jacobian(self.whole, t, self.whole, t - 1))

    def jacobian(self, of: str, t: int, by: str, k: int) -> Array:
        """∂u_t/∂v_k of states; those of one step are independent of each other."""
        if t == k:
            rows, columns = (np.size(self.known.timed[name][t]) for name in (of, by))
            return np.eye(rows) if of == by else np.zeros((rows, columns))
        return self.page.partial(of, t, by, k)

    def copy(self) -> Known:
        """Numbers to which a theorem's own letters are added."""
        known = self.known.copy()
        known.parsed = {}
        return known

    # ---- parts -----------------------------------------------------------------------------

    def rows(self, title: str) -> list[tuple[str, str]]:
        """The displayed relations of a theorem."""
        return [(part[0], part[1]) for part in self.theorems[title] if len(part) == 2]

    def told(self, title: str) -> str:
        """Its sentences."""
        return "\n".join(part[0] for part in self.theorems[title] if len(part) == 1)

    def definitions(self, title: str) -> list[tuple[str, str]]:
        """The rows after "with"."""
        parts = self.theorems[title]
        start = next((i for i, part in enumerate(parts) if part == ("with",)), len(parts))
        made = []
        for part in parts[start + 1 :]:
            if len(part) != 2:
                break
            made.append((part[0], part[1].removeprefix("=").strip()))
        return made

    def define(self, title: str, known: Known) -> None:
        """The letters of a theorem by its own rows, in whatever order they need each other."""
        left = self.definitions(title)
        while left:
            waiting, last = [], None
            for name, value in left:
                try:
                    self.put(name, value, known)
                except (UnreadableError, KeyError) as error:
                    waiting.append((name, value))
                    last = error
            if len(waiting) == len(left):
                raise UnreadableError(f"{waiting} in {title}") from last
            left = waiting

    def put(self, name: str, value: str, known: Known) -> None:
        """A letter's value, at each step where it has a time; an equation is checked."""
        known.parsed = {}
        if not re.match(r"\w", name) or "(" in name:
            for j in range(1, STEPS + 1):
                now = known.at(j=j, t=j, k=j - 1)
                left = matrix_of(read_claim(name, now))
                right = read_claim(value, now)
                self.compare(left, "=", sized(right, left.shape), name)
            return
        base, *below = split_name(name)
        if below[-1:] == ["t"]:
            for t in range(1, STEPS + 1):
                known.put(join_name(base, below[:-1]), t, read_claim(value, known.at(t=t)))
        else:
            known.put(join_name(base, below), None, dense(read_claim(value, known)))

    # ---- what holds --------------------------------------------------------------------------

    def compare(self, left: Array, sign: str, right: Array, what: str) -> None:
        """A relation of numbers, to within what small steps can tell."""
        left, right = (np.asarray(matrix_of(side), dtype=float) for side in (left, right))
        slack = SLACK * (1e-3 + np.maximum(np.abs(left), np.abs(right))) + self.rough
        holds = {"≤": left <= right + slack, "≥": left >= right - slack, "<": left < right + slack,
                 ">": left > right - slack, "=": np.abs(left - right) <= slack}[sign]  # fmt: skip
        self.checked += 1
        assert np.all(holds), f"{what} of {self.cell.name}: {left} {sign} {right}"

    def pairs(self, same: bool = False) -> Iterator[tuple[int, int]]:
        """Every k < t, or every k ≤ t."""
        for t in range(1, STEPS + 1):
            yield from ((t, k) for k in range(t + same))

    def bound(self, title: str, known: Known, row: int = 0, same: bool = False) -> None:
        """The first displayed relation, for all pairs of times."""
        left, right = self.rows(title)[row]
        earlier = self.earlier(left)
        for t, k in self.pairs(same):
            now = known.at(t=t, T=STEPS, **{earlier: k})
            self.compare(read_claim(left, now), right[0], read_claim(right[1:], now), title)

    def earlier(self, left: str) -> str:
        """The letter of the earlier time, k or τ."""
        return "τ" if "τ" in left else "k"

    def check(self) -> int:
        """Every theorem; the number of relations that were computed."""
        for title in self.theorems:
            getattr(self, "of_" + re.sub(r"\W", "_", title.lower()))(title)
        return self.checked

    def of_contraction(self, title: str) -> None:
        """‖∂h_t/∂h_k‖ ≤ (γ ‖W‖)^{t−k}, γ as it is said."""
        known = self.copy()
        found = re.search(r"here ⟦(\S+) = (.*?)⟧", self.told(title))
        assert found is not None
        known.put(found[1], None, read_claim(found[2], known))
        self.bound(title, known, same=True)

    def of_step_by_step(self, title: str) -> None:
        """A number for each step bounds its factor."""
        known = self.copy()
        self.define(title, known)
        self.bound(title, known)

    def of_block_domination(self, title: str) -> None:
        """A matrix for each step bounds each block, and the whole."""
        known = self.copy()
        self.define(title, known)
        name = split_name(self.definitions(title)[0][0])[0]
        order, flat = self.states, [state.replace("_", "") for state in self.states]
        for t in range(1, STEPS + 1):
            rows = [[np.squeeze(known.timed[f"{name}_{a}{b}"][t]) for b in flat] for a in flat]
            known.put(name, t, np.array(rows))
        self.bound(title, known)
        for t, k in self.pairs():
            made = np.linalg.multi_dot(
                [np.eye(len(order)), *(known.timed[name][j] for j in range(t, k, -1)),
                 np.eye(len(order))])  # fmt: skip
            for (i, a), (j, b) in product(enumerate(order), repeat=2):
                block = np.linalg.norm(self.jacobian(a, t, b, k), 2)
                self.compare(block, "≤", made[i, j], title)

    def rate(self, known: Known) -> Array:
        """N of the certified rate, among the letters."""
        title = "Certified rate"
        self.define(title, known)
        return dense(known.still[self.definitions(title)[0][0]])

    def of_certified_rate(self, title: str) -> None:
        """N^{t−k}, or with N v ≤ r v for every pair of states."""
        known = self.copy()
        N = self.rate(known)
        if len(self.states) == 1:
            self.bound(title, known)
            return
        found = re.search(
            r"Let ⟦(\S+)⟧ have positive entries, and let ⟦\S+ \S+≤(\S+) ", self.told(title)
        )
        assert found is not None, self.told(title)
        v, r = found[1], found[2]
        left, right = self.rows(title)[0]
        found = re.search(r"∂(.*?)/∂(.*?)\)", left)
        assert found is not None, left
        a, b = (target(x, known.at(t=1, k=0, τ=0))[0] for x in found.groups())
        v_a, v_b = (f"{v}_{name.replace('_', '')}" for name in (a, b))
        known.parsed = {}
        radius = np.abs(np.linalg.eigvals(N)).max()
        for trial in range(3):
            column = np.random.default_rng(trial).uniform(0.1, 3, size=(len(N), 1))
            if not trial:  # near the eigenvector
                scaled = N / (1.001 * radius + 1e-6)
                column = np.linalg.solve(np.eye(len(N)) - scaled, np.ones((len(N), 1)))
            known.put(r, None, number(np.max(N @ column / column)))
            for (i, p), (j, q) in product(enumerate(self.states), repeat=2):
                known.put(v_a, None, number(column[i]))
                known.put(v_b, None, number(column[j]))
                if a == b:
                    continue
                for t, k in self.pairs():
                    now = known.at(t=t, **{self.earlier(left): k})
                    if p == q:
                        known.put(v_a, None, number(1.0))
                        known.put(v_b, None, number(1.0))
                    block = np.linalg.norm(self.jacobian(p, t, q, k), 2)
                    whole = read_claim(right[1:], now)
                    self.compare(block, right[0], whole, title)
                    power = np.linalg.matrix_power(N, t - k)[i, j]  # what is proved of the block
                    self.compare(power, right[0], whole, title)
        self.condition(title, known, N)

    def condition(self, title: str, known: Known, N: Array) -> None:
        """ρ(N) < 1 if and only if what is said: for this N, and for others of the same letters."""
        rows = [row for row in self.rows(title)[1:] if row[1][:1] == "<"]
        roots = [row for row in self.rows(title)[1:] if row[1].replace(" ", "") == "=0"]
        radius = float(np.abs(np.linalg.eigvals(N)).max())
        for left, _ in roots:
            letter = re.match(r"\w", left)
            assert letter is not None
            for value in np.linalg.eigvals(N):
                if abs(value.imag) < 1e-12:
                    known.parsed = {}
                    known.put(letter[0], None, number(value.real))
                    self.compare(read_claim(left, known), "=", 0.0, title)
        if rows and abs(radius - 1) > 1e-3:
            known.parsed = {}
            holds = all(np.all(read_claim(a, known) < read_claim(b[1:], known)) for a, b in rows)
            self.checked += 1
            assert holds == (radius < 1), f"{title} of {self.cell.name}: {radius}"

    def of_one_scaled_norm(self, title: str) -> None:
        """Matrices of any kind: where the printed norm is at most 1, so is the bound kept."""
        rows, told = self.rows(title), self.told(title)
        found = re.search(r"⟦(\S+)>0⟧", told)
        marked = re.search(r"diag\((.)\)", rows[2][1])
        assert found is not None
        assert marked is not None
        n, r = 3, found[1]
        A, v, B, _ = rows[0][1].removeprefix("= ").replace(" + ", " ").split(" ")
        C, _, D, _ = rows[1][1].removeprefix("= ").replace(" + ", " ").split(" ")
        P, S = re.findall(r"[Ll]et ⟦(\S+)⟧ be invertible", told)
        for seed, scale in enumerate((0.1, 1.0, 100.0)):
            rng = np.random.default_rng(seed)
            known = Known(still={name: 0.01 * rng.normal(size=(n, n)) for name in (A, D)})
            turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
            known.still |= {S: np.diag(rng.uniform(0.9, 1.1, size=n)), r: number(1.0)}
            other = np.linalg.qr(rng.normal(size=(n, n)))[0]
            known.still |= {P: scale * other @ np.diag([1.0, 0.1, 5.0]) @ turn}
            known.still |= {C: known.still[P], B: np.linalg.inv(known.still[P])}  # nearly sharp
            self.grow(rows[3], known, r, B)
            for signs in product((-1.0, 1.0), repeat=n):
                known.still[marked[1]] = np.array(signs).reshape(-1, 1)
                J = self.closed(rows, known, v, np.diag(signs), title)
                for lag in (1, 3, 40):
                    made = np.linalg.norm(np.linalg.matrix_power(J, lag), 2)
                    right = read_claim(rows[4][1][1:], known.at(t=lag, k=0, τ=0))
                    self.compare(made, rows[4][1][0], right, title)

    def grow(self, row: tuple[str, str], known: Known, r: str, B: str) -> None:
        """A small r, and the largest B, for which a printed norm is at most 1."""
        known.still[r] = number(1e6)
        for by, below in ((1.02, True), (1 / 1.02, False)):
            while (read_claim(row[0], known) <= 0.95) == below:
                known.still[B] = by * known.still[B]
        while read_claim(row[0], known) <= float(row[1][1:]):
            known.still[r] = known.still[r] / 1.02
        known.still[r] = 1.02 * known.still[r]

    def closed(
        self, rows: list[tuple[str, str]], known: Known, v: str, delta: Array, title: str
    ) -> Array:  # fmt: skip
        """What three printed equations make of each change v, two of which need each other."""
        letters, made = [split_name(row[0])[0] for row in rows[:3]], []
        for change in np.eye(len(known.still[rows[0][1].split(" ")[1]])):
            now = known.copy()
            now.functions = {"diag": lambda a: np.diag(np.ravel(a))}
            now.parsed = {}
            now.still[v] = change.reshape(-1, 1)
            q = np.zeros((len(delta), 1))
            for _ in range(12):
                now.put(letters[2], None, delta @ q)
                q = read_claim(rows[1][1][1:], now)
            now.put(letters[1], None, q)
            now.parsed = {}
            self.compare(now.still[letters[2]], "=", read_claim(rows[2][1][1:], now), title)
            made.append(np.ravel(read_claim(rows[0][1][1:], now)))
        return np.stack(made, axis=1)

    def of_total_gradient_and_truncation(self, title: str) -> None:
        """The gradient of a parameter, and what is left out beyond K lags."""
        known = self.copy()
        N = self.rate(known)
        if np.abs(np.linalg.eigvals(N)).max() >= 1:
            return
        told = self.told(title)
        hats = [split_name(x)[0] for x in re.findall(r"≤(\S+?)⟧", told)[:2]]
        found = re.search(r"at most ⟦(\w)⟧ steps", told)
        assert found is not None
        assert len(hats) == 2
        each = {s: self.known.timed["∂L/∂" + s] for s in self.states}
        of_loss = [max(np.linalg.norm(each[s][t]) for t in self.known.steps) for s in self.states]
        (whole, cut) = self.rows(title)
        for name in [*self.page.params][:: max(1, len(self.page.params) - 1)]:
            once = {t: self.by_parameter(name, t) for t in self.known.steps}
            of_step = [max(np.linalg.norm(once[t][s], 2) for t in once) for s in self.states]
            known.put(hats[0], None, np.array([of_loss]))
            known.put(hats[1], None, np.array([of_step]).T)
            shares = {
                (t, k): sum(np.ravel(each[a][t]) @ self.jacobian(a, t, b, k) @ once[k][b]
                            for a in self.states for b in self.states)
                for t in self.known.steps for k in range(1, t + 1)
            }  # fmt: skip
            total = sum(shares.values())
            if not self.cell.outputs:
                direct = self.by_parameter(name)
                self.compare(total, "=", sum(np.ravel(each[s][t]) @ direct[s][t]
                                             for s in self.states for t in self.known.steps),
                             f"{title}: its chain rule")  # fmt: skip
            for lags in (0, 1, 2):
                known.parsed = {}
                known.put(found[1], None, number(lags))
                now = known.at(T=STEPS, **{found[1]: lags})
                now.still["T"] = number(STEPS)
                right = read_claim(whole[1][1:], now)
                self.compare(np.linalg.norm(total), whole[1][0], right, title)
                kept = sum(v for (t, k), v in shares.items() if t - k <= lags)
                error = np.linalg.norm(total - kept)
                self.compare(error, cut[1][0], read_claim(cut[1][1:], now), title)

    def by_parameter(self, name: str, step: int = 0, h: float = 1e-5) -> dict[str, Any]:
        """∂⁺s_t/∂θ of one step, the states before it held; without one, ∂s_t/∂θ of all."""
        key, base = self.page.printed[name], self.known
        held = np.asarray(base.still[key], dtype=float)
        made: list[dict[tuple[str, int], Array]] = []
        for change in np.eye(held.size).reshape((-1, *held.shape)):
            ends = []
            for sign in (h, -h):
                moved = base.copy()
                moved.still[key] = held + sign * change
                self.page.compute(moved, step or 1)
                ends.append(moved)
            made.append({(s, t): np.ravel(ends[0].timed[s][t] - ends[1].timed[s][t]) / (2 * h)
                         for s in self.states for t in base.steps})  # fmt: skip
        by = {s: {t: np.stack([m[s, t] for m in made], axis=1) for t in base.steps}
              for s in self.states}  # fmt: skip
        return {s: by[s][step] for s in self.states} if step else by
