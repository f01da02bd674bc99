"""Numbers for all inputs: the net, the set its states stay in, and N worked out.

In: `Pages`. Out: a section. Upper bounds are printed rounded up, lower ones down; a sentence that
says "certified" speaks of a number that is proved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from derive.language.expr import size
from derive.language.norms import Radius
from derive.theorems.claims import Line
from derive.theorems.scaled_norm import SCALINGS
from derive.typeset.boxes import Fenced, Grid, Number, Operator, row, sub, sup
from derive.typeset.latex import Latex
from derive.typeset.layout import size_box
from numeric.bounds.all_inputs.box_pieces import NAME as PIECES
from numeric.bounds.all_inputs.certify import Certificate
from numeric.bounds.all_inputs.closed_condition import Condition, Worked
from numeric.bounds.all_inputs.fractional_norm import NAME as FRACTIONAL
from numeric.bounds.all_inputs.gain_scan import CLOSED, Scan, recurrent
from numeric.bounds.drawn import drawn_at_gain, drawn_by_states, multipliers
from numeric.bounds.study import INPUT_SCALE
from reports.document.bound_figures import certified_region, critical_gains, rates_by_module
from reports.document.method_names import METHODS, method_name
from reports.document.model import (
    Block,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
    Table,
    Words,
)
from reports.document.numerals import DOWN, UP, below, figures, inside, label, rate
from reports.sections.facts import Facts
from reports.sections.growth import drawn_columns, drawn_matrices
from reports.sections.numbering import Pages

_LONG: Final = 12


def all_inputs(pages: Pages) -> Section:
    """What is certified for all inputs in a box, in numbers."""
    blocks: list[Block] = [*_setting(pages), *_worked(pages)]
    for made in (critical(pages), sizes_of_gates(pages), modules(pages)):
        blocks += made
    return Section("all-inputs", pages.facts.say.words("all_inputs.title"), tuple(blocks))


def _setting(pages: Pages) -> Iterator[Block]:
    facts, study = pages.facts, pages.study
    say = facts.say
    yield Paragraph(say.sentence("all_inputs.certified"))
    layers = study.stack.layers
    shown = Words(layers[study.place].prefix.rstrip("."), "code")
    words = [say.sentence("all_inputs.given") if study.given
             else say.sentence("all_inputs.as_above", pages.above) if pages.above
             else drawn_words(pages)]  # fmt: skip
    if len(layers) > 1:
        key = "all_inputs.decides" if study.given else "all_inputs.decides_drawn"
        words.append(say.sentence(key, shown))
    yield Paragraph(say.together(words), say.words("all_inputs.net"))
    one = study.one
    box = one.setting.input_box if one.setting else study.box
    deep = layers[study.place].prefix and study.stack.network.stack[study.place].depth
    key = "all_inputs.layer_box" if deep else "all_inputs.input_box"
    words = [say.sentence(key, inside(float(box[0]), float(box[1])))]
    if study.given and one.run is not None:
        words.append(say.sentence("all_inputs.range"))
    words.append(_states(pages))
    yield Paragraph(say.together(words), say.words("all_inputs.sequences"))


def drawn_words(pages: Pages) -> Inlines:
    """How the weights were drawn."""
    say, study = pages.facts.say, pages.study
    cell = pages.facts.derivation.cell
    varied = bool(recurrent(cell))
    gain = pages.facts.gain if varied else Number("1")
    square, scale = sup(gain, "2") if varied else gain, sup(Number(f"{INPUT_SCALE:g}"), "2")
    words = [drawn_matrices(pages.facts, square, scale),
             *drawn_columns(pages.facts, square, gain)]  # fmt: skip
    sizes = say.listed([say("{0}", row(size_box(size(name)), "=", Number(str(count))))
                    for name, count in study.sizes.items()], "words.pause")  # fmt: skip
    words.append(say.sentence("all_inputs.seed", str(study.seed), sizes, pages.at(1.0)) if varied
                 else say.sentence("all_inputs.seed_alone", str(study.seed), sizes))  # fmt: skip
    return say.listed(words, "words.semicolon")


def _states(pages: Pages) -> Inlines:
    """The invariant set, as the largest entry of each state."""
    say, facts, found = pages.facts.say, pages.facts, pages.study.one.certificate
    if found is None:
        return say.sentence("all_inputs.too_long")
    if found.box is None:
        return say.sentence("all_inputs.no_set")
    parts = []
    for state in facts.derivation.cell.states:
        size = float(found.box[state.name].magnitude.max(initial=0.0))
        name = sub(Fenced(facts.symbol(state.name), "‖", "‖"), "∞")
        parts.append(say("{0}", row(name, "≤", figures(size, UP))))
    return say.sentence("all_inputs.stays", say.listed(parts))


# ---- N in numbers ------------------------------------------------------------------------------


def _worked(pages: Pages) -> Iterator[Block]:
    facts, study = pages.facts, pages.study
    say = facts.say
    where = say.reference("certified_rate")
    symbol = study.worked[0][1].certificate.symbol
    many = study.worked[0][1].certificate.order > 1
    yield Paragraph(
        say.sentence("all_inputs.needs_matrix", where) if many
        else say.sentence("all_inputs.needs_number", symbol, where),
        say.words("all_inputs.lead_numbers"))  # fmt: skip
    if any(worked.quantities for _, worked in study.worked):
        yield _quantities(pages)
    for factor, worked in study.worked:
        yield from _evaluated(pages, factor, worked)
    best = study.one.certificate
    if best is not None and best.methods and math.isfinite(best.rate):
        by = best.best.name.startswith(("states", "modules", "units"))
        name = Words(pages.method(best.best.name), "" if by else "emphasis")
        key = "all_inputs.sharpest_by" if by else "all_inputs.sharpest"
        words = [say.sentence(key, pages.at(1.0), name, rate(best.rate))]
        yield Paragraph(say.together([*words, *_proof(facts, best)]))
    elif best is not None:
        yield Paragraph(say.sentence("all_inputs.no_rate", pages.at(1.0)))


def _proof(facts: Facts, found: Certificate) -> Iterator[Inlines]:
    """What proves the rate where it is a norm of scaled matrices, of the box or of its pieces."""
    say, scaled, pieces, name = facts.say, found.scaled, found.pieces, found.best.name
    if name == FRACTIONAL and scaled is not None and scaled.form.unknowns:
        yield say.sentence(
            "all_inputs.certificate", say.reference("scaled_norm"),
            str(len(scaled.form.unknowns)), str(scaled.form.order), rate(scaled.rate),
            figures(scaled.condition, UP),
        )  # fmt: skip
    elif name == PIECES and pieces is not None:
        claim = next(claim for claim in facts.claims if claim.name == "scaled_norm")
        metric, scaling = next(line.slots for line in claim.consequences
                               if isinstance(line, Line) and line.key == SCALINGS)  # fmt: skip
        yield say.sentence(
            "all_inputs.certificate_pieces", say.reference("scaled_norm"), str(len(pieces.boxes)),
            scaling, metric, rate(pieces.rate), figures(pieces.condition, UP),
        )  # fmt: skip


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
    head: list[Inlines] = [
        say.sentence("all_inputs.at_most"),
        *(say("{0}", pages.at(f)) for f, _ in study.worked),
    ]
    align = "l" + "r" * len(study.worked)
    if len(cells) > _LONG:
        half = -(-len(cells) // 2)
        empty: tuple[Inlines, ...] = ((),) * len(head)
        right = [*cells[half:], *[empty] * (2 * half - len(cells))]
        cells = [(*a, *b) for a, b in zip(cells[:half], right, strict=True)]
        head, align = head * 2, align * 2
    caption = [say.sentence("all_inputs.letters", study.worked[0][1].certificate.symbol)]
    if study.given:
        caption.append(what_is_scaled(pages))
    return pages.table(say.together(caption), head, cells, align)


def _evaluated(pages: Pages, factor: float, worked: Worked) -> Iterator[Block]:
    say, layout = pages.facts.say, pages.facts.layout
    if worked.unbounded:
        names = say.listed([say("{0}", layout.of(name)) for name in worked.unbounded])
        key = "all_inputs.unbounded_many" if len(worked.unbounded) > 1 else "all_inputs.unbounded"
        yield Paragraph(say.sentence(key, pages.at(factor), names, worked.certificate.symbol))
        return
    symbol = layout.of(worked.certificate.symbol)
    entries = [[figures(entry, UP) for entry in line] for line in worked.matrix]
    value = Grid(tuple(map(tuple, entries))) if len(entries) > 1 else entries[0][0]
    where = say.sentence("all_inputs.where", pages.at(factor))
    rows = [_condition(pages, condition) for condition in worked.conditions]
    if worked.certificate.order == 1 and rows:
        rows = [replace(rows[0], note=say.sentence("all_inputs.where_it", where, rows[0].note))]
    else:
        rows.insert(0, EquationRow(symbol, value, sign="≤", note=where))
    if worked.certificate.order > 1:
        rows.append(EquationRow(layout.of(Radius(worked.certificate.symbol)), rate(worked.rate),
                                sign="≤"))  # fmt: skip
    yield Equations(tuple(rows))
    if worked.rate < 1:
        yield Paragraph(say.sentence("all_inputs.vanishes", pages.at(factor), rate(worked.rate)))
    else:
        symbol, many = worked.certificate.symbol, worked.certificate.order > 1
        growth = layout.of(Radius(symbol) if many else symbol)
        key, sign = "all_inputs.open", "<"
        if worked.rate == 1:
            key, sign = "all_inputs.bounded", "≤"
        yield Paragraph(say.sentence(key, pages.at(factor), row(growth, sign, "1")))


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
                           note=say.sentence("all_inputs.holds"))  # fmt: skip
    high = Number(str(right)) if right.denominator == 1 else figures(right, DOWN)
    return EquationRow(layout.of(found.relation.left), figures(left, UP), sign="≤",
                       note=say.sentence("all_inputs.not_below", row(high) if whole else row(
                           high, "≤", named)))  # fmt: skip


def critical(pages: Pages) -> Iterator[Block]:
    """At which gain each certificate's rate passes 1."""
    say, found = pages.facts.say, pages.study.scan
    if found is None:
        held = recurrent(pages.study.one.cell)
        yield Paragraph(say.sentence("all_inputs.long_state" if held else "all_inputs.no_gain"))
        return
    names = labels_of(pages, found)
    some = [name for name in names if found.certified(name) is not None]
    explodes = found.explodes
    given = pages.study.given
    if not some:
        least = Number(f"{found.factors[0]:g}")
        key = "all_inputs.none_by_factor" if given else "all_inputs.none_by_gain"
        words = [say.sentence(key, least)]
        if explodes is not None:
            words.append(say.sentence("all_inputs.explodes_from", pages.at(explodes)))
        yield Paragraph(say.together(words), say.words("all_inputs.critical"))
        return
    best = max(some, key=lambda name: (found.certified(name), found.crossing(name) or math.inf))
    most = pages.at(found.certified(best) or found.factors[0])
    words = [say.sentence("all_inputs.decay", most, names[best]), say.sentence(
        "all_inputs.bars_by_factor" if given else "all_inputs.bars_by_gain")]  # fmt: skip
    if explodes is not None:
        words.append(say.sentence("all_inputs.hatched"))
    if given:
        words.append(what_is_scaled(pages))
    words_of_figure = pages.labels
    yield pages.figure(
        "critical", critical_gains(
            found, {name: _plain(method_name(name, words_of_figure)) for name in names},
            given, words_of_figure),
        say.together(words), say.words("all_inputs.critical_described"),
    )  # fmt: skip


def what_is_scaled(pages: Pages) -> Inlines:
    """What the gain multiplies: the recurrent weights, or by name where others are among them."""
    facts, cell = pages.facts, pages.study.one.cell
    if drawn_by_states(cell) or not drawn_at_gain(cell):
        return facts.say.sentence("all_inputs.scaled", facts.gain)
    names = facts.say.listed([facts.say("{0}", facts.symbol(p)) for p in recurrent(cell)])
    return facts.say.sentence("all_inputs.scaled_named", facts.gain, names)


def _plain(label: str) -> str:
    return label.replace("∞", r"$\infty$")


def labels_of(pages: Pages, found: Scan) -> Mapping[str, str]:
    """The methods to show; the closed form alone where the norms of states give the same."""
    same = "states, 2-norm"
    twins = all(
        a == b or abs(a - b) < 1e-9
        for a, b in zip(found.upper[CLOSED], found.followed(same), strict=False)
    )
    return {name: pages.method(name) for name in METHODS
            if name in found.upper and not (twins and name == same)}  # fmt: skip


def sizes_of_gates(pages: Pages) -> Iterator[Block]:
    """Which sizes of the gate and of the weights are certified together."""
    say, found = pages.facts.say, pages.study.region
    if found is None:
        return
    gate = pages.facts.symbol(found.gate)
    words = [say.sentence("all_inputs.smaller_gate")]
    if found.ratio is not None:
        symbol = pages.study.worked[0][1].certificate.symbol
        words = [say.sentence("all_inputs.region_ratio", symbol, label(found.ratio, 1, DOWN))]
        if found.holds_theirs:
            words.append(say.sentence("all_inputs.region_holds"))
    factors = any(multipliers(pages.facts.derivation.cell).values())
    key = "all_inputs.region_factors" if factors else "all_inputs.region"
    words.append(say.sentence(key, gate))
    if found.ratio is not None:
        words.append(say.sentence("all_inputs.region_hatched"))
    yield pages.figure("region", certified_region(found, Latex()(gate).strip(), pages.labels),
                       say.together(words), say.words("all_inputs.region_described"))  # fmt: skip


def modules(pages: Pages) -> Iterator[Block]:
    """The rates of modules."""
    say, found = pages.facts.say, pages.study.modules
    if found is None:
        return
    key, between = "all_inputs.whole", [say.sentence("all_inputs.between")]
    if found.triangular:
        symbol = pages.study.worked[0][1].certificate.symbol
        key, between = "all_inputs.slowest", [say.sentence("all_inputs.triangular", symbol)]
    yield pages.figure(
        "modules", rates_by_module(found, pages.labels),
        say.together([say.sentence(key, pages.at(1.0), rate(found.whole)),
                      say.sentence("all_inputs.bars_modules", str(found.period)), *between]),
        say.words("all_inputs.modules_described"),
    )  # fmt: skip
