"""Numbers along one sequence: norms over the lag with every bound, over times, by path, beside.

In: `Facts` and a `Study`. Out: a section and its figures. What is certified along a sequence is
the product of the exact step Jacobians at the float64 states that were stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from derive.calculus.paths import Route
from derive.typeset.boxes import Box, Fenced, Number, Operator, Symbol, row, sub
from numeric.bounds.diagnosis import EXPLODES, UNDECIDED, VANISHES
from reports.document.bound_figures import (
    best_window,
    bounds_over_lag,
    leaves_the_frame,
    norms_over_times,
)
from reports.document.model import Block, Inlines, Paragraph, Section, Words
from reports.document.numerals import DOWN, NEAR, UP, figures, places, power_of_ten, rate, signed
from reports.sections.beside import beside
from reports.sections.facts import Facts
from reports.sections.numbering import Pages
from reports.sections.parameters import parameters

_PATHS: Final = 8
_ALL: Final = "one_sequence.all_inputs"
_HERE: Final = "one_sequence.here"
_FIRST: Final = "one_sequence.first_steps"
_VERDICTS: Final = {
    VANISHES: "verdict.vanishes", EXPLODES: "verdict.explodes", UNDECIDED: "verdict.undecided",
}  # fmt: skip


def one_sequence(pages: Pages, norm: str) -> Section:
    """What is measured and certified along one sequence; `norm` is LaTeX for an axis."""
    return Section("one-sequence", pages.facts.say.words("one_sequence.title"), (
        *_verdict(pages), *_layers(pages), *_lag(pages, norm), *_bounds(pages), *_blocks(pages),
        *parameters(pages), *(() if pages.study.given else times_figure(pages, norm)),
        *_paths(pages), *beside(pages),
    ))  # fmt: skip


def _verdict(pages: Pages) -> Iterator[Block]:
    study, say = pages.study, pages.facts.say
    one, last = study.one, Number(str(study.one.lags[-1]))
    run = (say.sentence("all_inputs.as_above", pages.above) if pages.above
           else say.sentence("one_sequence.steps", inputs_said(pages), last))  # fmt: skip
    yield Paragraph(say.together([run, say.sentence("one_sequence.setting")]),
                    say.words("one_sequence.lead_sequence"))  # fmt: skip
    upper, lower = one.at_most[0], one.at_least[0]
    between = say.sentence("one_sequence.at_most", last, power_of_ten(upper, UP))
    if math.isinf(upper) and upper < 0:
        between = say.sentence("one_sequence.zero", last)
    elif math.isfinite(lower):
        between = say.sentence("one_sequence.between", last, power_of_ten(upper, UP),
                               power_of_ten(lower, DOWN))  # fmt: skip
    key = {
        VANISHES: "one_sequence.vanishes",
        EXPLODES: "one_sequence.explodes",
        UNDECIDED: "one_sequence.undecided",
    }[one.verdict]
    yield Paragraph(say.sentence(key, between), say.words("one_sequence.lead_verdict"))


def inputs_said(pages: Pages) -> Inlines:
    """Where the inputs of the sequence come from."""
    study, say, seed = pages.study, pages.facts.say, str(pages.study.seed + 1)
    if not study.drawn_inputs:
        return say.sentence("one_sequence.inputs_given")
    if study.given:
        return say.sentence("one_sequence.inputs_normal", seed)
    ends = Fenced(row(signed(Number("1"), negative=True), ",", "1"), "[", "]")
    return say.sentence("one_sequence.inputs_uniform", ends, seed)


# ---- layers ------------------------------------------------------------------------------------


def _layers(pages: Pages) -> Iterator[Block]:
    stack, say = pages.study.stack, pages.facts.say
    if len(stack.found) < 2:
        return
    rows = []
    for layer, one in zip(stack.layers, stack.found, strict=True):
        upper, lower = one.at_most[0], one.at_least[0]
        seen = one.log10_measured[-1] if one.log10_measured else math.nan
        path = one.shares.most if one.shares else None
        carried = (
            ()
            if path is None
            else say.sentence(
                "one_sequence.by_path", path_words(pages.facts, path.route), f"{path.share:.0%}"
            )
        )
        rows.append((
            say("{0}", Words(layer.prefix.rstrip("."), "code")),
            say.sentence(_VERDICTS[one.verdict]),
            _decimal(pages, seen, NEAR), _decimal(pages, upper, UP), _decimal(pages, lower, DOWN),
            () if one.rate is None else say("{0}", rate(one.rate)), carried,
        ))  # fmt: skip
    head = say.heads("one_sequence.layer", "one_sequence.verdict", "growth.measured",
                     "all_inputs.at_most", "one_sequence.at_least", "one_sequence.rate",
                     "one_sequence.carried")  # fmt: skip
    both = any(layer.reverse for layer in stack.layers)
    caption = say.sentence("one_sequence.layers_both" if both else "one_sequence.layers")
    yield pages.table(caption, head, rows, "llrrrrl")


def _decimal(pages: Pages, value: float, way: str) -> Inlines:
    return pages.facts.say("{0}", places(value, 2, way))


# ---- over the lag ------------------------------------------------------------------------------


def _lag(pages: Pages, norm: str) -> Iterator[Block]:
    one, facts = pages.study.one, pages.facts
    if not one.log10_upper or one.log10_measured is None:
        return
    say, exact = facts.say, one.log10_measured[-1]
    window = best_window(one, 10)
    message = say.sentence("one_sequence.bounds_differ")
    if window is not None and math.isfinite(exact):
        gap = one.log10_upper[window][-1] - exact
        single = one.log10_upper.get("window_1", (math.nan,))[-1] - exact
        message = say.sentence(
            "one_sequence.bounds_within", places(gap, 1, UP), places(single, 1, UP))  # fmt: skip
    said = [message, say.sentence("one_sequence.bounds_read")]
    if leaves_the_frame(one, pages.labels):
        said.append(say.sentence("one_sequence.bounds_arrow"))
    yield pages.figure("bounds", bounds_over_lag(one, norm, pages.labels), say.together(said),
                       say.words("one_sequence.bounds_described"))  # fmt: skip


def _bounds(pages: Pages) -> Iterator[Block]:
    """Every bound at the last lag, the loosest first."""
    one, say = pages.study.one, pages.facts.say
    exact = one.log10_measured[-1] if one.log10_measured else math.nan
    rows: list[tuple[float, str, str]] = []
    found = one.certificate
    if found is not None:
        short = _ALL if found.unlimited else _FIRST
        rows += [(m.log10_upper[-1], pages.method(m.name), short) for m in found.methods]
        by_step = say.words("one_sequence.step_by_step")
        rows += [(m.log10_upper[-1], by_step.format(pages.method(m.name)), _FIRST)
                 for m in found.finite]  # fmt: skip
    rows += [(values[-1], pages.method(name), _HERE) for name, values in one.log10_upper.items()
             if not name.startswith("a_priori")]  # fmt: skip
    rows.sort(key=lambda item: -item[0])
    best = rows[-1][0] if rows else math.nan
    shown = [
        (say("{0}", Words(name, "emphasis" if value == best else "")), _decimal(pages, value, UP),
         _decimal(pages, value - exact, UP), say.sentence(holds))
        for value, name, holds in rows
    ]  # fmt: skip
    for name, values in sorted(one.log10_lower.items(), key=lambda item: -item[1][-1]):
        holds = _HERE if name == "direction" else _ALL
        shown.append((say.sentence("one_sequence.at_least_by", pages.method(name)),
                      _decimal(pages, values[-1], DOWN), _decimal(pages, exact - values[-1], UP),
                      say.sentence(holds)))  # fmt: skip
    if not shown:
        return
    caption = [say.sentence("one_sequence.bounds", str(one.lags[-1]), places(exact))]
    if any(holds == _FIRST for _, _, holds in rows):
        caption.append(say.sentence("one_sequence.first_means"))
    yield pages.table(
        say.together(caption),
        say.heads("growth.bound", "one_sequence.logarithm", "one_sequence.off",
                  "one_sequence.holds_for"),
        shown, "lrrl",
    )  # fmt: skip


def _blocks(pages: Pages) -> Iterator[Block]:
    """Measured norms of the blocks, state by state."""
    one, facts = pages.study.one, pages.facts
    names = [state.name for state in facts.derivation.cell.states]
    if one.track is None or len(names) < 2:
        return
    say, last = facts.say, Symbol("t")
    first = row("t", "−", str(one.lags[-1]))
    rows: list[tuple[Inlines, ...]] = [
        (say("{0}", row("∂", sub(facts.symbol(a), last))),
         *(_decimal(pages, one.track.blocks[a, b], NEAR) for b in names))
        for a in names
    ]  # fmt: skip
    head: list[Inlines] = [say.sentence("one_sequence.of_by")]
    head += [say("{0}", row("∂", sub(facts.symbol(b), first))) for b in names]
    yield pages.table(say.sentence("one_sequence.blocks", str(one.lags[-1])),
                      head, rows, "l" + "r" * len(names))  # fmt: skip


def times_figure(pages: Pages, norm: str) -> Iterator[Block]:
    """Norms over pairs of times, where there are some."""
    study, say = pages.study, pages.facts.say
    held = [v for v in study.heat.ravel() if math.isfinite(v)]
    if len(study.times) < 3 or not held:
        return
    picture = norms_over_times(study.times, study.heat, norm, pages.labels)
    yield pages.figure("times", picture,
                       say.sentence("one_sequence.times", pages.facts.earlier, Symbol("t")),
                       say.words("one_sequence.times_described"))  # fmt: skip


# ---- paths -------------------------------------------------------------------------------------


def path_words(facts: Facts, route: Route) -> Inlines:
    """The path in the cell's letters."""
    parts: list[Box | str] = [facts.symbol(route.by)]
    ends = [facts.symbol(name) for name in (*route.via, route.of)]
    if route.factors:
        factors = [facts.symbol(name) for name in route.factors]
        ends[0] = row(ends[0], Operator("×"), *factors)
    for end in ends:
        parts += ["→", end]
    return facts.say("{0}", row(*parts))


def _paths(pages: Pages) -> Iterator[Block]:
    shares, say = pages.study.one.shares, pages.facts.say
    if shares is None or len(shares.paths) < 2:
        return
    shown = shares.paths[:_PATHS]
    rows = [
        (path_words(pages.facts, path.route), say("{0}", _percent(path.share)),
         say("{0}", figures(path.growth)))
        for path in shown
    ]  # fmt: skip
    if left := shares.paths[_PATHS:]:
        rest = sum(path.share for path in left)
        rows.append((say.sentence("one_sequence.more", str(len(left))),
                     say("{0}", _percent(rest)), ()))  # fmt: skip
    caption = [say.sentence("one_sequence.paths", str(shares.lag), row("1", "+", "ε"))]
    if any(path.route.factors for path in shown):
        caption.append(say.sentence("one_sequence.factors"))
    yield pages.table(
        say.together(caption),
        say.heads("one_sequence.path", "one_sequence.share", "one_sequence.alone"), rows, "lrr",
    )  # fmt: skip
    named = [(name, share) for name, share in shares.by_name().items() if abs(share) >= 0.005]
    if named:
        parts = [say.sentence("one_sequence.of_it", pages.facts.symbol(name), _percent(share))
                 for name, share in named[:6]]  # fmt: skip
        yield Paragraph(say.sentence("one_sequence.through", say.listed(parts)))


def _percent(share: float) -> Box:
    return places(100 * share, 1)
