"""Which weights are certified: critical gains, sizes of a gate, modules with clocks of their own.

In: `Pages`. Out: figures with their captions, or a sentence where there is nothing to draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from derive.boxes import Number, Symbol, row
from numeric.gains import CLOSED, REST, Scan, recurrent
from reports.bound_figures import certified_region, critical_gains, rates_by_module
from reports.document import Block, Paragraph
from reports.numerals import figures, rate
from reports.pages import METHODS, Pages, at


def critical(pages: Pages) -> Iterator[Block]:
    """At which gain each certificate's rate passes 1."""
    say, found = pages.facts.say, pages.study.scan
    if found is None:
        words = "No weight multiplies a state, so there is no gain to vary."
        if recurrent(pages.study.one.cell):
            words = "The state is too long to try other weights here."
        yield Paragraph(say(words))
        return
    labels = labels_of(found)
    first = found.factors[0]
    some = [name for name in labels if found.certified(name) is not None]
    explodes = found.crossing(REST) if REST in found.lower else None
    if not some:
        words = f"No method certifies decay at any {pages.factor}: {{0}} is the smallest tried."
        if explodes is not None:
            words += " From about {1} on the zero state, a fixed point for zero inputs, has a "
            words += "Jacobian whose spectral radius is above 1: gradients explode along it."
        yield Paragraph(say(words, Number(f"{first:g}"), row("g", "=", figures(
            explodes or 1.0, digits=2))), "Critical gain.")  # fmt: skip
        return
    best = max(some, key=lambda name: (found.certified(name), found.crossing(name) or math.inf))
    message = say(f"Decay for all inputs is certified at {{0}} ({labels[best]}).",
                  at(found.certified(best) or first))  # fmt: skip
    bars = " Each bar is a certificate. Dark: up to the largest {0} tried of an unbroken series at "
    bars += "which it proves decay. Light: on to where its rate passes 1, read off between two "
    bars += "values tried; the number there."
    bars = bars.replace("{0}", pages.factor)
    if explodes is not None:
        bars += " Hatched: from about there on the zero state, a fixed point for zero inputs, has "
        bars += "a Jacobian whose spectral radius is above 1, so gradients explode along it."
    if pages.study.given:
        bars += " All recurrent weights are multiplied with {0}."
    yield pages.figure(
        "critical", critical_gains(found, {k: _plain(v) for k, v in labels.items()},
                                   pages.study.given),
        (*message, *say(bars, Symbol("g"))),
        "The gain up to which each certificate proves decay.",
    )  # fmt: skip


def _plain(label: str) -> str:
    return label.replace("∞", r"$\infty$")


def labels_of(found: Scan) -> Mapping[str, str]:
    """The methods to show; the closed form alone where the norms of states give the same."""
    same = "states, 2-norm"
    twins = all(
        a == b or abs(a - b) < 1e-9
        for a, b in zip(found.upper[CLOSED], found.upper.get(same, ()), strict=False)
    )
    return {name: METHODS[name] for name in METHODS
            if name in found.upper and not (twins and name == same)}  # fmt: skip


def sizes_of_gates(pages: Pages) -> Iterator[Block]:
    """Which sizes of the gate and of the weights are certified together."""
    say, found = pages.facts.say, pages.study.region
    if found is None:
        return
    gate = pages.facts.symbol(found.gate)
    words = "If {0} never exceeds the value on the axis, and each matrix that multiplies a state "
    words += "has the ∞-norm {1} or less, as has what multiplies one entry by entry, gradients "
    words += "vanish below the line, whatever the other weights, biases and inputs are, from the "
    words += "zero state on."
    message = say("A smaller gate admits larger weights. ")
    if found.ratio is not None:
        times = f"{math.floor(found.ratio * 10) / 10:g}"
        inside = " It holds all of it." if found.holds_theirs else ""
        message = say(f"The region of {{0}} is {times} times as large as that of Miller and "
                      f"Hardt.{inside} ", pages.study.worked[0][1].certificate.symbol)  # fmt: skip
        words += " Hatched: the conditions of Miller and Hardt with all norms equal."
    letter = found.gate if len(found.gate) == 1 else r"\mathrm{" + found.gate.replace("_", "") + "}"
    yield pages.figure("region", certified_region(found, letter),
                       (*message, *say(words, gate, Symbol("g"))),
                       "Which sizes of gate and weights are certified.")  # fmt: skip


def modules(pages: Pages) -> Iterator[Block]:
    """The rates of modules."""
    say, found = pages.facts.say, pages.study.modules
    if found is None:
        return
    one = "At {0}, the slowest to forget of the modules decides the rate of the whole state: "
    one += "certified {1} a step. "
    words = "Bars: certified bounds of the growth a step of each module's own block, taken over a "
    words += "period of {0} steps. "
    words += ("Blocks between modules do not change the rate, since the product of {1} over a "
              "period is triangular." if found.triangular else
              "Blocks between modules act as well.")  # fmt: skip
    yield pages.figure(
        "modules", rates_by_module(found),
        (*say(one, at(1.0), rate(found.whole)),
         *say(words, str(found.period), pages.study.worked[0][1].certificate.symbol)),
        "The rates of the modules and of the whole state.",
    )  # fmt: skip
