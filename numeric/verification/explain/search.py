"""The search: which mistakes, put together, make the gradients that the code returns.

In: an audit and the gradients that are wrong. Out: for each gradient that could be explained the
mistakes that it takes. First one mistake for all gradients, then one set of mistakes for all: at
once, and step by step, with cotangents at t = 1 only (where nothing is handed on yet), at t = 2
only, at every step. Last, for each gradient by itself, one mistake or two.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Final

from derive.language.syntax import BAR, PREVIOUS
from numeric.verification.explain.anatomy import Anatomy, Labels, labelled
from numeric.verification.explain.audit import SEEDS, Audit, equal
from numeric.verification.explain.change import Mistake
from numeric.verification.explain.unknown_numbers import factor
from numeric.verification.watch import Misbehaviour

PAIRS: Final = 20_000  # of two mistakes, tried for one gradient
SECONDS: Final = 12.0  # of computing, for all pairs of one audit, and all mistakes in a network
AMONG: Final = 8  # pairs that do the same for one step, of which the best is taken
FURTHER: Final = 500  # pairs tried after the first that does
TOGETHER: Final = 8  # mistakes in one set
SHORT: Final = 2  # steps of a call that sorts out most mistakes
OF_THE_LOOP: Final = frozenset({"early", "late", "truncated"})

Chosen = dict[str, tuple[Mistake, ...]]


@dataclass
class Level:
    """The code's gradients for the losses of some steps, and the tapes for the same."""

    anatomy: Anatomy
    got: list[dict[str, Any]]
    tapes: list[Any]

    def of(self, made: Sequence[Mistake], number: int) -> Labels:
        """The gradients that code with these mistakes computes at that seed."""
        return self.anatomy.made_by(self.tapes[number], *made)

    def near(self, made: Sequence[Mistake], touched: set[str], before: set[str]) -> set[str]:
        """The gradients that are those of the mistakes, at the first seed.

        `before` are those without what was added last: what that does not touch is as it was.
        Where it makes no gradient of its own part, what that part hands down is not looked at.
        """
        found, got = self.of(made, 0), self.got[0]
        touched = touched & {*got}
        inside = (part for part in self.anatomy.parts if part.name in made[-1].parts)
        own = touched.intersection(*(part.targets for part in islice(inside, 1)))
        agreeing = {label for label in own if equal(got[label], found[label])}
        if agreeing or not own:
            rest = touched - own
            agreeing |= {label for label in rest if equal(got[label], found[label])}
        return agreeing | (before - touched)

    def matched(self, made: Sequence[Mistake], labels: Iterable[str]) -> set[str]:
        """The gradients that are those of the mistakes, at every seed."""
        left = {*labels}
        for number in range(SEEDS):
            found = self.of(made, number)
            left = {label for label in left if equal(self.got[number][label], found[label])}
        return left


@dataclass
class Search:
    """What is tried for one audit."""

    audit: Audit
    wrong: set[str]
    deadline: float = field(default_factory=lambda: time.thread_time() + SECONDS)

    def __post_init__(self) -> None:
        self.anatomy = self.audit.anatomy
        self.full = Level(self.anatomy, self.audit.got, self.audit.tapes)
        self.labels = self.audit.labels
        self.tried = self.audit.mistakes
        self.plain = [m for m in self.tried if m.derivation is None]
        self.short = None if self.anatomy.by_step else self._short()

    def explanations(self) -> Chosen:
        """For each wrong gradient that can be explained, the mistakes that make it."""
        if self.one is not None:
            return dict.fromkeys(self.wrong, (self.one,))
        alone, _ = self._singly
        # what makes no gradient alone makes none as the first of a set
        together = self._together([self.full], pairs=False) if alone else {}
        if self.anatomy.by_step and not {*together} >= self.wrong:
            steps = min(tape.case.steps for tape in self.audit.tapes)
            alone_at = [self._level(step) for step in (1, 2) if step <= steps]
            by_steps = self._together([*alone_at, self.full], pairs=True)
            together = max(together, by_steps, key=len)
        if {*together} >= self.wrong:
            return together
        chosen = {**together, **alone}
        used = list(dict.fromkeys(m for found in chosen.values() for m in found))
        for label in sorted(self.wrong - {*chosen}):
            if label not in chosen:
                chosen |= self._two(label, self.wrong - {*chosen}, used)
        return chosen

    @cached_property
    def one(self) -> Mistake | None:
        """The mistake that makes all of them, and no other, if it is one alone."""
        _, clean = self._singly
        return clean or factor(self.audit, self.wrong)

    @cached_property
    def _singly(self) -> tuple[Chosen, Mistake | None]:
        return self._alone()

    def _in_order(self) -> list[tuple[int, Mistake]]:
        """Each mistake with its place; of a network first those of the highest part that is wrong.

        Below it everything may be wrong for what that part hands down.
        """
        order = [*enumerate(self.tried)]
        if self.anatomy.by_step:
            return order
        heights = {part.name: height for height, part in enumerate(reversed(self.anatomy.parts))}
        top = next(
            (part.name for part in self.anatomy.parts if self.wrong.intersection(part.targets)), ""
        )

        def below(mistake: Mistake) -> int:
            if len(mistake.parts) > 1 or mistake.parts[0] not in heights:
                return 0
            return abs(heights[mistake.parts[0]] - heights.get(top, 0))

        return sorted(order, key=lambda pair: below(pair[1]))

    def _short(self) -> Level | None:
        """A short call: what is not the code's gradient there is not at full length, and is quick.

        None if the code cannot be called so.
        """
        case = self.audit.case(SHORT, self.audit.seed)
        try:
            got = labelled(self.audit.call(case)[1])
        except Misbehaviour:
            return None
        return Level(self.anatomy, [got], [self.audit.tape(case)])

    def _touched(self, mistake: Mistake) -> set[str]:
        """The gradients that the mistake may change."""
        change = mistake.change
        if mistake.slope is not None or mistake.arranged:
            return {*self.labels}
        changed = {name for name, _ in (*change.terms, *change.at_first)}
        names = changed | {f"{name}{BAR}" for name in change.reductions}
        names |= {f"{name}{PREVIOUS}{BAR}" for name in change.handed}
        changed = {name for name, _ in change.terms}  # at the first step nothing comes after
        throughout = any(change.of_time()) or mistake.derivation is not None
        touched = {*change.scaled}
        for part in self.anatomy.parts:
            if part.name in mistake.parts:
                everything = throughout or changed & part.loop
                touched |= self.anatomy.fed(part, part.loop | part.ends if everything else names)
        return touched

    def _level(self, step: int) -> Level:
        """The losses of one step alone."""
        got, tapes = [], []
        for tape in self.audit.tapes:
            case = dict(self.anatomy.alone(tape.case))[step]
            got.append(labelled(self.audit.call(case)[1]))
            tapes.append(self.audit.tape(case))
        return Level(self.anatomy, got, tapes)

    # ---- one mistake --------------------------------------------------------------------------

    def _alone(self) -> tuple[Chosen, Mistake | None]:
        """One mistake for as many gradients as possible, then one for as many of the rest.

        Of two for equally many, the one that leaves the other gradients as they are. The second
        result is the mistake that makes all of them, and no other. What is said of the whole
        loop has to be true of every gradient.
        """
        matches: dict[int, set[str]] = {}
        clashes: dict[int, int] = {}
        right = {*self.labels} - self.wrong
        for place, mistake in self._in_order():
            if not self.anatomy.by_step and time.thread_time() > self.deadline:
                break
            touched = self._touched(mistake)
            if self.short and not self.short.near([mistake], touched, set()) & self.wrong:
                continue
            agreeing = self.full.near([mistake], touched, right)
            if not (near := agreeing & self.wrong):
                continue
            count = len(self.labels) - len(agreeing)
            if count and mistake.family in OF_THE_LOOP:
                continue
            if explained := self.full.matched([mistake], near):
                matches[place], clashes[place] = explained, count
                if not count and explained == self.wrong:
                    return {}, mistake
        chosen: Chosen = {}
        while open_places := [place for place in matches if matches[place] - {*chosen}]:
            best = min(
                open_places,
                key=lambda place: (-len(matches[place] - {*chosen}), clashes[place], place),
            )
            chosen |= dict.fromkeys(matches[best] - {*chosen}, (self.tried[best],))
        return chosen, None

    # ---- one set of mistakes for all gradients ---------------------------------------------------

    def _together(self, levels: list[Level], *, pairs: bool) -> Chosen:
        """Mistakes put together one by one, each for as many more gradients as possible."""
        chosen: list[Mistake] = []
        for number, level in enumerate(levels):
            while len(chosen) < TOGETHER:
                more = self._next(level, levels[number + 1 :], chosen)
                if more is None and pairs:
                    more = self._next_two(level, levels[number + 1 :], chosen)
                if more is None:
                    break
                chosen += more
        return self._shares(chosen)

    def _next(
        self, level: Level, later: list[Level], chosen: list[Mistake]
    ) -> list[Mistake] | None:
        """The mistake with which most gradients of this level more are right, if there is one.

        Of equals, the one with which more are right at the later levels, then what is like one
        that is there already: the same slip in another place.
        """
        before = level.matched(chosen, self.labels)
        open_labels = {*self.labels} - before
        if not open_labels:
            return None
        scores: dict[int, int] = {}
        for place, mistake in enumerate(self.plain):
            both = _with(chosen, mistake)
            if both is None:
                continue
            agreeing = level.near(both, self._touched(mistake), before)
            if (score := len(agreeing) - len(before)) > 0:
                scores[place] = score
        for best in sorted({*scores.values()}, reverse=True):
            places = [place for place, score in scores.items() if score == best]
            families = {mistake.family for mistake in chosen}
            ranked: list[tuple[list[int], bool, int]] = []
            for place in places:
                both = [*chosen, self.plain[place]]
                if len(level.matched(both, self.labels)) - len(before) < best:
                    continue
                rest = [len(one.matched(both, self.labels)) for one in reversed(later)]
                other = self.plain[place].family not in families
                ranked.append(([-count for count in rest], other, place))
            if ranked:
                return [self.plain[min(ranked)[-1]]]
        return None

    def _next_two(
        self, level: Level, later: list[Level], chosen: list[Mistake]
    ) -> list[Mistake] | None:
        """Two mistakes that only together make a gradient right, and leave the right ones.

        Of the first few that do, those with which most are right at the later levels.
        """
        before = level.matched(chosen, self.labels)
        open_labels = {*self.labels} - before
        found: list[tuple[list[int], int, list[Mistake]]] = []
        for label in sorted(open_labels, key=lambda one: len(self._upstream(one))):
            last = PAIRS
            for number, (one, two) in enumerate(self._pairs(label)):
                if number > last or len(found) >= AMONG:
                    break
                both = _with([*chosen, one], two)
                if both is None or not equal(level.got[0][label], level.of(both, 0)[label]):
                    continue
                after = level.matched(both, self.labels)
                if label in after and len(after) > len(before):
                    rest = [-len(ahead.matched(both, self.labels)) for ahead in reversed(later)]
                    found.append((rest, number, [one, two]))
                    last = min(last, number + FURTHER)
            if found:
                return min(found, key=lambda item: item[:2])[2]
        return None

    def _shares(self, chosen: list[Mistake]) -> Chosen:
        """For each gradient that all of them make, those that it takes.

        One that takes none is right where all steps have a loss, and no mistake of terms.
        """
        found: Chosen = {}
        matched = self.full.matched(chosen, self.labels)
        if not {*self.labels} - self.wrong <= matched:
            return {}
        for label in self.wrong & matched:
            needed = list(chosen)
            for mistake in reversed(chosen):
                less = [m for m in needed if m is not mistake]
                if self.full.matched(less, [label]):
                    needed = less
            if needed:
                found[label] = tuple(needed)
        return found

    # ---- two mistakes for one gradient -----------------------------------------------------------

    def _two(self, label: str, others: set[str], used: list[Mistake]) -> Chosen:
        """Two mistakes that make the gradient together, and the others that they make as well."""
        pairs = [(one, two) for one in used if one.derivation is None for two in self.plain]
        for one, two in (*pairs, *self._pairs(label)):
            both = None if OF_THE_LOOP & {one.family, two.family} else _with([one], two)
            if both is None or not equal(self.full.got[0][label], self.full.of(both, 0)[label]):
                continue
            if label in (made := self.full.matched(both, others)):
                return dict.fromkeys(made, (one, two))
        return {}

    def _pairs(self, label: str) -> Iterator[tuple[Mistake, Mistake]]:
        """Of the major ones in what the gradient is computed from, until the time is over.

        First those of its own equation; in a network no others: those of the whole loop, in
        every layer, take minutes.
        """
        if (part := self.audit.part_of(label)) is None:
            return
        own = {part.targets[label]}
        near = part.near(label) if self.anatomy.by_step else own
        major = [m for m in self.plain
                 if m.major and m.parts == (part.name,) and {*m.targets} & near]  # fmt: skip
        major.sort(key=lambda m: not {*m.targets} <= own)
        count = 0
        for place, one in enumerate(major):
            for two in major[:place]:
                if count >= PAIRS or time.thread_time() > self.deadline:
                    return
                count += 1
                yield two, one

    def _upstream(self, label: str) -> set[str]:
        part = self.audit.part_of(label)
        return set() if part is None else part.near(label)


def _with(chosen: list[Mistake], mistake: Mistake) -> list[Mistake] | None:
    """All of them and one more; None where it meets one of them."""
    if any(mistake is one or mistake.meets(one) for one in chosen):
        return None
    return [*chosen, mistake]
