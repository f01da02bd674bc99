"""Numbers for all inputs: the net, the set its states stay in, and N worked out.

In: `Pages`. Out: a section. Upper bounds are printed rounded up, lower ones down; a sentence that
says "certified" speaks of a number that is proved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from derive.language.norms import Radius
from derive.typeset.boxes import Box, Fenced, Grid, Number, Operator, Symbol, row, sub, sup
from numeric.bounds.all_inputs.closed_condition import Condition, Worked
from numeric.bounds.all_inputs.gain_scan import CLOSED, REST, Scan, recurrent
from numeric.bounds.drawn import multipliers
from numeric.bounds.study import INPUT_SCALE
from reports.document.bound_figures import certified_region, critical_gains, rates_by_module
from reports.document.model import Block, EquationRow, Equations, Inlines, Paragraph, Section, Table
from reports.document.numerals import DOWN, UP, below, figures, inside, label, rate
from reports.document.words import listed
from reports.sections.numbering import METHODS, Pages, at

_LONG: Final = 12


def all_inputs(pages: Pages) -> Section:
    """What is certified for all inputs in a box, in numbers."""
    blocks: list[Block] = [*_setting(pages), *_worked(pages)]
    for made in (critical(pages), sizes_of_gates(pages), modules(pages)):
        blocks += made
    return Section("all-inputs", "Numbers for all inputs", tuple(blocks))


def _setting(pages: Pages) -> Iterator[Block]:
    facts, study = pages.facts, pages.study
    say = facts.say
    yield Paragraph(say(
        "A number is *certified* here if it is proved: every rounding goes outwards, and the claim "
        "holds for the equations in real numbers with exactly the weights in use. A *measured* "
        "number is computed in floating point and proves nothing."))  # fmt: skip
    layers = study.stack.layers
    many = len(layers) > 1
    shown = layers[study.place].prefix.rstrip(".")
    if study.given:
        words = "The weights are given ones." + (
            f" Of the layers, {shown} decides, and is shown." if many else ""
        )
        yield Paragraph(say(words), "The net.")
    else:
        yield Paragraph(drawn_words(pages) + (
            say(f" Of the layers, each drawn anew, {shown} decides, and is shown.") if many else ()
        ), "The net.")  # fmt: skip
    one = study.one
    box = one.setting.input_box if one.setting else study.box
    deep = layers[study.place].prefix and study.stack.network.stack[study.place].depth
    what = "what this layer is given" if deep else "the inputs"
    yield Paragraph((*say(f"Each entry of {what} lies in {{0}}, and the initial state is 0. ",
                          inside(float(box[0]), float(box[1]))),
                     *_states(pages)), "The sequences.")  # fmt: skip


def drawn_words(pages: Pages) -> Inlines:
    """How the weights were drawn."""
    say, study = pages.facts.say, pages.study
    cell = pages.facts.derivation.cell
    square, letters = sup("g", "2"), multipliers(cell)
    words = "Matrices that multiply a state are drawn from a normal distribution of variance {0}, "
    words += "other matrices of variance {1} over the number of columns, and vectors are 0"
    if any(letters.values()):
        words += "; what multiplies a state entry by entry has variance {2}, or is {3} if it is a "
        words += "single number"
    if not all(letters.values()):
        words += "; other factors of ⊙ are 1"
    words += "; seed {4}, {5}. Unless it is said otherwise, {6}."
    sizes = listed([say("{0}", row(_size(name), "=", Number(str(count))))
                    for name, count in study.sizes.items()], ", ")  # fmt: skip
    return say(words, row(square, "/", "n"), sup(Number(f"{INPUT_SCALE:g}"), "2"), square,
               Symbol("g"), str(study.seed), sizes, row("g", "=", "1"))  # fmt: skip


def _size(name: str) -> Box:
    head, *rest = name.split("_")
    return sub(Symbol(head), *rest) if rest else Symbol(head)


def _states(pages: Pages) -> Inlines:
    """The invariant set, as the largest entry of each state."""
    say, facts, found = pages.facts.say, pages.facts, pages.study.one.certificate
    if found is None:
        return say("The state is too long for bounds that hold for all inputs.")
    if found.box is None:
        return say("No set was found that the states never leave, so what follows holds for any "
                   "states, where it holds.")  # fmt: skip
    parts = []
    for state in facts.derivation.cell.states:
        size = float(found.box[state.name].magnitude.max(initial=0.0))
        name = sub(Fenced(facts.symbol(state.name), "‖", "‖"), "∞")
        parts.append(say("{0}", row(name, "≤", figures(size, UP))))
    return say("Then {0} at every step: certified, since one step maps this set into itself.",
               listed(parts))  # fmt: skip


# ---- N in numbers ------------------------------------------------------------------------------


def _worked(pages: Pages) -> Iterator[Block]:
    facts, study = pages.facts, pages.study
    say = facts.say
    where = f" of {say.reference('certified_rate')}"
    yield Paragraph(say(
        f"The matrix{where} needs a bound of each supremum over all these sequences, and the norm "
        "of each weight." if study.worked[0][1].certificate.order > 1 else
        f"The number {{0}}{where} needs a bound of each supremum over all these sequences, and "
        "the norm of each weight.", study.worked[0][1].certificate.symbol),
        "N in numbers.")  # fmt: skip
    yield _quantities(pages)
    for factor, worked in study.worked:
        yield from _evaluated(pages, factor, worked)
    best = study.one.certificate
    if best is not None and best.methods and math.isfinite(best.rate):
        yield Paragraph(say(
            f"Of all methods the sharpest at {{0}} is that {METHODS[best.best.name]}: it certifies "
            "a growth of at most {1} a step." if best.best.name.startswith(("states", "modules",
            "units")) else f"Of all methods the sharpest at {{0}} is *{METHODS[best.best.name]}*: "
            "it certifies a growth of at most {1} a step.",
            at(1.0), rate(best.rate)))  # fmt: skip
    elif best is not None:
        yield Paragraph(say("No method gives a rate that holds at all lags here: no a-priori rate "
                            "is certified at {0}.", at(1.0)))  # fmt: skip


def _quantities(pages: Pages) -> Table:
    """Letters and their values, in two columns where they are many."""
    say, study = pages.facts.say, pages.study
    plain = pages.facts.layout
    names = list(dict.fromkeys(n for _, worked in study.worked for n, _ in worked.quantities))
    held = [dict(worked.quantities) for _, worked in study.worked]
    cells = [
        (say("{0}", plain.of(name)),
         *(say("{0}", figures(values.get(name, math.nan), UP)) for values in held))
        for name in names
    ]  # fmt: skip
    head: list[Inlines] = [say("at most"), *(say("{0}", at(f)) for f, _ in study.worked)]
    align = "l" + "r" * len(study.worked)
    if len(cells) > _LONG:
        half = -(-len(cells) // 2)
        empty: tuple[Inlines, ...] = ((),) * len(head)
        right = [*cells[half:], *[empty] * (2 * half - len(cells))]
        cells = [(*a, *b) for a, b in zip(cells[:half], right, strict=True)]
        head, align = head * 2, align * 2
    scaled = " The recurrent weights are multiplied with {0}." if study.given else ""
    return pages.table(
        say("Certified bounds of the letters of {1} and of the norms in it." + scaled,
            Symbol("g"), study.worked[0][1].certificate.symbol), head, cells, align,
    )  # fmt: skip


def _evaluated(pages: Pages, factor: float, worked: Worked) -> Iterator[Block]:
    say, layout = pages.facts.say, pages.facts.layout
    if worked.unbounded:
        names = listed([say("{0}", layout.of(name)) for name in worked.unbounded])
        many = len(worked.unbounded) > 1
        yield Paragraph(say(
            "At {0}, " + ("the suprema {1} are" if many else "the supremum {1} is") + " not known "
            "to be finite, so {2} is no number there, and this theorem says nothing.",
            at(factor), names, worked.certificate.symbol))  # fmt: skip
        return
    symbol = layout.of(worked.certificate.symbol)
    entries = [[figures(entry, UP) for entry in line] for line in worked.matrix]
    value = Grid(tuple(map(tuple, entries))) if len(entries) > 1 else entries[0][0]
    where = say("at {0}", at(factor))
    rows = [_condition(pages, condition) for condition in worked.conditions]
    if worked.certificate.order == 1 and rows:
        rows = [replace(rows[0], note=(*where, *say(": "), *rows[0].note))]
    else:
        rows.insert(0, EquationRow(symbol, value, sign="≤", note=where))
    if worked.certificate.order > 1:
        rows.append(EquationRow(layout.of(Radius(worked.certificate.symbol)), rate(worked.rate),
                                sign="≤"))  # fmt: skip
    yield Equations(tuple(rows))
    if worked.rate < 1:
        yield Paragraph(say(
            "So at {0} the gradient *vanishes*, for all inputs in the box, at a rate of {1} a step "
            "or faster: certified.", at(factor), rate(worked.rate)))  # fmt: skip
    else:
        yield Paragraph(say("So at {0} this decides nothing: {1} is not certified.",
                            at(factor), row(layout.of(Radius(worked.certificate.symbol)),
                                                    "<", "1")))  # fmt: skip


def _condition(pages: Pages, found: Condition) -> EquationRow:
    """A relation with its numbers, each rounded to its own side."""
    say, layout = pages.facts.say, pages.facts.layout
    left, right = found.left, found.right
    assert left is not None
    assert right is not None
    named = layout.of(found.relation.right)
    whole = found.relation.right.is_number
    tail = () if whole else (Operator("≤"), named)
    if found.holds:
        low, high = below(left, right)
        return EquationRow(layout.of(found.relation.left), row(low, "<", high, *tail), sign="≤",
                           note=say("holds"))  # fmt: skip
    high = Number(str(right)) if right.denominator == 1 else figures(right, DOWN)
    return EquationRow(layout.of(found.relation.left), figures(left, UP), sign="≤",
                       note=say("not below {0}", row(high) if whole else row(
                           high, "≤", named)))  # fmt: skip


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
    bars += "which it proves decay; the number there. Light: on to the next value tried, at which "
    bars += "it does not."
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
        times = label(found.ratio, 1, DOWN)
        whole = " It holds all of it." if found.holds_theirs else ""
        message = say(f"The region of {{0}} is {times} times as large as that of Miller and "
                      f"Hardt.{whole} ", pages.study.worked[0][1].certificate.symbol)  # fmt: skip
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
