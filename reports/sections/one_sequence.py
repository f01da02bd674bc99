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
    norms_over_times,
    window_length,
)
from reports.document.model import Block, Inlines, Paragraph, Section, Words
from reports.document.numerals import DOWN, NEAR, UP, figures, places, power_of_ten, rate, signed
from reports.document.words import listed
from reports.sections.beside import beside
from reports.sections.facts import Facts
from reports.sections.numbering import METHODS, Pages

_PATHS: Final = 8
_ALL: Final = "all inputs"
_HERE: Final = "this sequence"


def one_sequence(pages: Pages, norm: str) -> Section:
    """What is measured and certified along one sequence; `norm` is LaTeX for an axis."""
    return Section("one-sequence", "Numbers along one sequence", (
        *_verdict(pages), *_layers(pages), *_lag(pages, norm), *_bounds(pages), *_blocks(pages),
        *(() if pages.study.given else times_figure(pages, norm)), *_paths(pages), *beside(pages),
    ))  # fmt: skip


def _verdict(pages: Pages) -> Iterator[Block]:
    study, say = pages.study, pages.facts.say
    one, last = study.one, Number(str(study.one.lags[-1]))
    inputs = "Inputs are drawn uniformly from {0}, seed {1}"
    if study.given:
        inputs = "Inputs are standard normal, seed {1}"
    if not study.drawn_inputs:
        inputs = "The inputs are given ones"
    upper, lower = one.at_most[0], one.at_least[0]
    yield Paragraph(say(
        inputs + "; {2} steps from the zero state. What is certified along the sequence is the "
        "product of the exact step Jacobians at the stored states, each enclosed in an interval.",
        Fenced(row(signed(Number("1"), negative=True), ",", "1"), "[", "]"),
        str(study.seed + 1), last),
        "The sequence.")  # fmt: skip
    between = say("at lag {0} the norm is certified to be at most {1}", last,
                  power_of_ten(upper, UP))  # fmt: skip
    if math.isinf(upper) and upper < 0:
        between = say("at lag {0} the norm is 0", last)
    elif math.isfinite(lower):
        between = (*between, *say(" and at least {0}", power_of_ten(lower, DOWN)))
    words = {
        VANISHES: "Along this sequence the gradient *vanishes*: ",
        EXPLODES: "Along this sequence the gradient *explodes*: ",
        UNDECIDED: "Along this sequence it is *undecided*: ",
    }[one.verdict]
    yield Paragraph((*say(words), *between, Words(".")), "The verdict.")


# ---- layers ------------------------------------------------------------------------------------


def _layers(pages: Pages) -> Iterator[Block]:
    stack, say = pages.study.stack, pages.facts.say
    if len(stack.found) < 2:
        return
    rows = []
    for layer, one in zip(stack.layers, stack.found, strict=True):
        upper, lower = one.at_most[0], one.at_least[0]
        seen = one.log10_measured[-1] if one.log10_measured else math.nan
        path = one.shares.paths[0] if one.shares and one.shares.paths else None
        carried = () if path is None else (
            *path_words(pages.facts, path.route), Words(f" ({path.share:.0%})"))  # fmt: skip
        rows.append((
            say("{0}", Words(layer.prefix.rstrip("."))), say(one.verdict),
            _decimal(pages, seen, NEAR), _decimal(pages, upper, UP), _decimal(pages, lower, DOWN),
            () if one.rate is None else say("{0}", rate(one.rate)), carried,
        ))  # fmt: skip
    head = [say(word) for word in ("layer", "verdict", "measured", "at most", "at least",
                                   "a step, all inputs", "most carried by")]  # fmt: skip
    yield pages.table(say(
        "Each layer and direction on what the layers below hand up, at the last lag, as decimal "
        "logarithms. The Jacobian of the stack is block triangular with those of its layers on "
        "the diagonal, so its growth a step is the largest of theirs."), head, rows, "llrrrrl",
    )  # fmt: skip


def _decimal(pages: Pages, value: float, way: str) -> Inlines:
    return pages.facts.say("{0}", places(value, 2, way))


# ---- over the lag ------------------------------------------------------------------------------


def _lag(pages: Pages, norm: str) -> Iterator[Block]:
    one, facts = pages.study.one, pages.facts
    if not one.log10_upper or one.log10_measured is None:
        return
    say, exact = facts.say, one.log10_measured[-1]
    window = best_window(one, 10)
    message = say("The bounds differ by what they multiply norms of: single steps, or products of "
                  "several steps.")  # fmt: skip
    if window is not None and math.isfinite(exact):
        gap = one.log10_upper[window][-1] - exact
        single = one.log10_upper.get("window_1", (math.nan,))[-1] - exact
        message = say("Products of at most ten steps come within {0} decades of the measured norm "
                      "at the last lag; single steps within {1}.", places(gap, 1, UP),
                      places(single, 1, UP))  # fmt: skip
    yield pages.figure("bounds", bounds_over_lag(one, norm), (
        *message, *say(
            " All bounds are certified. *All inputs* holds for every sequence in the box, the "
            "others for this one; *windows* are the norms of products of as many steps, "
            "multiplied; *at least* is the length of the product's image of one unit vector. "
            "An arrow stands for a bound that leaves the frame, with its value at the last lag."),
    ), "Measured norms and certified bounds over the lag.")  # fmt: skip


def _bounds(pages: Pages) -> Iterator[Block]:
    """Every bound at the last lag, the loosest first."""
    one, say = pages.study.one, pages.facts.say
    exact = one.log10_measured[-1] if one.log10_measured else math.nan
    rows: list[tuple[float, str, str]] = []
    found = one.certificate
    if found is not None:
        short = _ALL if found.unlimited else "first steps"
        rows += [(m.log10_upper[-1], METHODS.get(m.name, m.name), short) for m in found.methods]
        rows += [(m.log10_upper[-1], f"{METHODS.get(m.name, m.name)}, step by step",
                  "first steps") for m in found.finite]  # fmt: skip
    rows += [(values[-1], _named(name), _HERE) for name, values in one.log10_upper.items()
             if not name.startswith("a_priori")]  # fmt: skip
    rows.sort(key=lambda item: -item[0])
    best = rows[-1][0] if rows else math.nan
    shown = [
        (say(f"*{name}*" if value == best else name), _decimal(pages, value, UP),
         _decimal(pages, value - exact, UP), say(holds))
        for value, name, holds in rows
    ]  # fmt: skip
    for name, values in sorted(one.log10_lower.items(), key=lambda item: -item[1][-1]):
        holds = _HERE if name == "direction" else _ALL
        shown.append((say(f"at least: {_named(name)}"), _decimal(pages, values[-1], DOWN),
                      _decimal(pages, exact - values[-1], UP), say(holds)))  # fmt: skip
    if not shown:
        return
    first = any(holds == "first steps" for _, _, holds in rows)
    more = " *First steps* means sequences that start at step 0 and are no longer than this one."
    more = more if first else ""
    yield pages.table(
        say("All certified bounds at lag {0}, as decimal logarithms, the loosest first; measured "
            "is {1}. The smallest upper bound is in italics." + more, str(one.lags[-1]),
            places(exact)),
        [say(word) for word in ("bound", "logarithm", "decades off", "holds for")],
        shown, "lrrl",
    )  # fmt: skip


def _named(name: str) -> str:
    """A method along a sequence in words."""
    length = window_length(name)
    if length:
        scaled = ", scaled" if name.endswith("scaled") else ""
        return ("single steps" if length == 1 else f"windows of {length}") + scaled
    return {
        "trajectory": "N of each step, multiplied", "product": "whole product",
        "direction": "image of one vector", "carousel": "cone of the kept state",
        "sigma_min": "smallest singular values",
    }.get(name, name)  # fmt: skip


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
    head: list[Inlines] = [say("of, by")]
    head += [say("{0}", row("∂", sub(facts.symbol(b), first))) for b in names]
    yield pages.table(say("State by state: measured norms of the blocks of the product at lag {0}, "
                          "as decimal logarithms.", str(one.lags[-1])),
                      head, rows, "l" + "r" * len(names))  # fmt: skip


def times_figure(pages: Pages, norm: str) -> Iterator[Block]:
    """Norms over pairs of times, where there are some."""
    study, say = pages.study, pages.facts.say
    held = [v for v in study.heat.ravel() if math.isfinite(v)]
    if len(study.times) < 3 or not held:
        return
    yield pages.figure("times", norms_over_times(study.times, study.heat, norm), say(
        "Along a diagonal the lag is the same: if its shade changes, the steps differ. Measured "
        "norms of the Jacobian between step {0} and step {1} on a grid; lines join equal decimal "
        "logarithms.",
        Symbol("k"), Symbol("t")), "Measured norms over pairs of times.")  # fmt: skip


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
        rows.append((say(f"{len(left)} more"), say("{0}", _percent(sum(p.share for p in left))),
                     ()))  # fmt: skip
    yield pages.table(
        say("What carries the norm at lag {0}: the paths through one step, from a state before it "
            "to a state after it. If the path's term grows by a small factor {1} at every step, "
            "the norm grows by that factor to the power of share times lag. Shares sum to 100 %; "
            "one below 0 works against the others. Measured.", str(shares.lag),
            row("1", "+", "ε")),
        (say("path"), say("share, %"), say("alone, a step")), rows, "lrr",
    )  # fmt: skip
    named = [(name, share) for name, share in shares.by_name().items() if abs(share) >= 0.005]
    if named:
        parts = [say("{0} {1} %", pages.facts.symbol(name), _percent(share))
                 for name, share in named[:6]]  # fmt: skip
        yield Paragraph(say("By what the paths go through: {0}. A path may count more than once.",
                            listed(parts)))  # fmt: skip


def _percent(share: float) -> Box:
    return places(100 * share, 1)
