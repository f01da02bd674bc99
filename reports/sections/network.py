"""A network → document: one layer's derivation once, then how layers, directions, readout join.

In: a network, the code of its module, what was verified. Out: `Document`. Equations come from
the cell's derivation and from `derive.calculus.joins`; numbers go on where the cell's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sympy import MatrixSymbol, Symbol

from derive.calculus.joins import REVERSE, TURNED
from derive.calculus.through_time import LENGTH, TIME
from derive.language.expr import At, Columns, Quotient, Rows
from derive.network import Network
from derive.typeset.boxes import Box, Fenced, Fraction, Large, Number, Row, Sum, row, sub, sup
from derive.typeset.boxes import Symbol as Letter
from derive.typeset.layout import Layout, size_box, space_of
from derive.typeset.letters import spelled
from numeric.verification.verdict import Verdict
from reports.document.model import (
    Block,
    Bullets,
    Document,
    EquationRow,
    Equations,
    Inlines,
    Listing,
    Paragraph,
    Section,
    Words,
)
from reports.sections.cell import AUTHOR
from reports.sections.derivation import derived
from reports.sections.glossary import glossary
from reports.sections.growth import growth, more_theory
from reports.sections.listing import network_loops, network_usage
from reports.sections.literature import sources
from reports.sections.network_facts import NetworkFacts, facts_of_layer, flags, network_table
from reports.sections.page_one import conventions, given, part_of
from reports.sections.verified import summary, verified

READOUTS: Final = {"softmax": "network.softmax", "linear": "network.linear"}
LOSSES: Final = {
    "cross_entropy": "network.cross_entropy", "squared_error": "network.squared_error",
}  # fmt: skip


def build_network(
    network: Network, listing: str = "", verdict: Verdict | None = None, language: str = "en"
) -> Document:
    """The report of a network."""
    cell = facts_of_layer(network, verdict, language)
    facts = NetworkFacts(network, cell, listing)
    words = facts.say.words
    one_layer = words("network.one_layer")
    layer = tuple(replace(part, title=one_layer.format(part.title[0].lower() + part.title[1:]))
                  for part in derived(cell))  # fmt: skip
    made = (
        _glance(facts), *layer, growth(cell), _forward(facts), _errors(facts), _down(facts),
        _table_gradients(facts), _reverse(facts), _lengths(facts), _code(facts), verified(cell),
        glossary(cell), sources(cell), more_theory(cell),
    )  # fmt: skip
    return Document(
        name=network.name,
        title=words("network.named").format(facts.cell.title, _layers(facts)),
        subtitle=_described(facts),
        author=AUTHOR,
        keywords=(network.cell.name, words("document.through_time"), words("document.deep")),
        sections=tuple(section for section in made if section is not None),
        language=language,
    )


def _layers(facts: NetworkFacts) -> str:
    network, words = facts.network, facts.say.words
    count = network.layers
    name = facts.say.counted(count)
    one, many = "network.layer", "network.layers"
    if network.bidirectional:
        one, many = "network.layer_both", "network.layers_both"
    return words(one if count == 1 else many).format(name)


def _described(facts: NetworkFacts) -> str:
    network, words = facts.network, facts.say.words
    key = "network.described" if network.loss_at == "all" else "network.described_last"
    return words(key).format(words(READOUTS[network.readout]), words(LOSSES[network.loss]))


def _glance(facts: NetworkFacts) -> Section:
    cell, layout = facts.cell, Layout(facts.cell.layout.notation)
    say, source = facts.say, facts.network.cell.source
    authored = tuple(
        EquationRow(layout.of(e.target), layout.of(e.value), space=space_of(e.target))
        for e in facts.network.cell.equations
    )
    ups = [j for j in facts.joined.joins if j.part in {"table", "up", "readout"}]
    joining = tuple(
        EquationRow(layout_row.left, layout_row.right, space=layout_row.space)
        for layout_row in facts.rows(ups).rows
    )
    box = conventions(cell, stacked=facts.network.layers > 1)
    bullets = box.content[0]
    more = tuple(_letters(facts))
    if isinstance(bullets, Bullets):
        box = replace(box, content=(Bullets((*bullets.items, *more)),))
    return Section("glance", say.words("glance.title"), (
        *((Paragraph(say("{0}", say.closed(say.phrase(source))), say.words("glance.source")),)
          if source else ()),
        Paragraph(cell.say.sentence("network.step", row(cell.length)),
                  say.words("network.lead_layer")),
        Equations(authored),
        Paragraph(say.sentence("network.joining"), say.words("network.lead_network")),
        Equations((*joining, *_loss_rows(facts))),
        network_table(facts),
        *given(cell),
        Paragraph(say.together([cell.say.line(*cell.claim.verdict),
                                say.sentence("network.one_direction")]),
                  say.words("glance.lead_gradients")),
        Paragraph(summary(cell), say.words("glance.lead_verified")),
        box,
    ))  # fmt: skip


def _letters(facts: NetworkFacts) -> Iterator[Inlines]:
    """What marks of layers and directions mean."""
    network, say = facts.network, facts.say
    h, loss = facts.cell.symbol(network.output.name), facts.cell.loss
    if network.layers > 1:
        yield say.sentence("network.superscript", sup(h, Fenced(Number("1"))))
        yield say.sentence("network.from_zero", Words("layer0", "code"), str(1))
    if network.bidirectional:
        yield say.sentence("network.prime", row(facts.cell.length), sup(h, row("′")))
        if not facts.cell.uses(Rows, Columns):
            column = spelled(facts.cell.letters("v", "z", "zeta", "w"))
            yield say.sentence("conventions.rows", part_of(column), row("n"), column)
    if network.loss == "cross_entropy" and not facts.cell.uses(Quotient):
        yield say.sentence("conventions.quotient")
    if network.loss_at == "last":
        yield say.sentence(
            "network.last", row(loss, "=", sub(loss, facts.cell.length)), sub(loss, "t")
        )


def _loss_rows(facts: NetworkFacts) -> Iterator[EquationRow]:
    """The loss, as it is defined."""
    network, layout, free = facts.network, facts.layout, facts.joined.free
    now = LENGTH if network.loss_at == "last" else TIME
    loss, length = facts.cell.loss, facts.cell.length
    time = length if network.loss_at == "last" else Letter("t")
    out = free["p" if network.readout == "softmax" else "o"]
    y, made = layout.of(At(free["y"], now)), layout.of(At(out, now))
    if network.loss == "cross_entropy":
        entry = Letter(facts.cell.letters("i", "j", "l"))
        log = row("log", sub(made, entry))
        value: Box = Sum((("−", Row((Large("∑", entry), sub(y, entry), log))),))
    else:
        norm = sup(sub(Fenced(Sum((("+", made), ("−", y))), "‖", "‖"), "2"), "2")
        value = row(Fraction(Number("1"), Number("2")), norm)
    yield EquationRow(sub(loss, time), value, space=Letter("ℝ"))
    total: Box = sub(loss, length)
    if network.loss_at == "all":
        total = row(Large("∑", row("t", "=", "1"), length), sub(loss, "t"))
    yield EquationRow(loss, total, space=Letter("ℝ"))


def _forward(facts: NetworkFacts) -> Section:
    """What each layer receives, what the readout makes of the top one, and the loss."""
    say, network, part = facts.say, facts.network, facts.joined.part
    blocks: list[Block] = []
    first = network.cell.inputs[0]
    if network.embedding:
        blocks += [
            Paragraph(say.sentence("network.index", At(first, TIME), facts.joined.free["E"],
                                   At(facts.joined.free["e"], TIME))),
            facts.rows(part("table")),
        ]  # fmt: skip
    if network.layers > 1:
        words = [say.sentence("network.lowest", At(first, TIME))]
        if network.bidirectional:
            words.append(say.sentence("network.others_both", size_box(network.width)))
        else:
            words.append(say.sentence("network.others"))
        if network.layers > 2:
            words.append(say.sentence("network.upwards", Letter("l"), str(network.layers)))
        blocks += [Paragraph(say.together(words)), facts.rows(part("up"))]
        if network.dropout:
            blocks.append(Paragraph(say.sentence("network.dropout", facts.joined.free["r"])))
    others = [s for s in network.cell.states if s != network.output]
    if others:
        kept = say.listed([say("{0}", s) for s in others])
        blocks.append(Paragraph(say.sentence("network.within", network.output, kept)))
    last = network.loss_at == "last"
    target = At(facts.joined.free["y"], LENGTH if last else TIME)
    one_of = network.loss == "cross_entropy"
    reads = say.sentence("network.reads_both" if network.bidirectional else "network.reads")
    if last:
        key = "network.reads_both_last" if network.bidirectional else "network.reads_last"
        reads = say.sentence(key, row(facts.cell.length))
    blocks += [
        Paragraph(reads),
        facts.rows(part("readout")),
        Paragraph(say.sentence("network.loss_of_class" if one_of else "network.loss_is", target)),
        Equations(tuple(_loss_rows(facts))),
    ]  # fmt: skip
    return Section("network", say.words("network.title"), tuple(blocks))


def _errors(facts: NetworkFacts) -> Section:
    """The cotangents of the loss, the readout and the top layer."""
    say, network, part = facts.say, facts.network, facts.joined.part
    others = [s for s in network.cell.states if s != network.output]
    top = [facts.number(join) for join in part("top")]
    last = network.loss_at == "last"
    tail = say.listed([say("({0})", k) for k in top])
    blocks: list[Block] = [
        Paragraph(say.sentence("errors.way_back")),
        facts.rows(part("loss")),
        facts.rows(part("readout gradients")),
        Paragraph(say.sentence("errors.to_top")),
        facts.rows(part("top")),
    ]  # fmt: skip
    if others or last:
        zero = [say.sentence("errors.other_states")] if others else []
        zero += (
            [say.sentence("errors.other_steps", row("t", "<", facts.cell.length))] if last else []
        )
        blocks.append(Paragraph(say.sentence("errors.zero", tail, say.listed(zero))))
    blocks.append(Paragraph(say.sentence("errors.follow")))
    return Section("errors", say.words("errors.title"), tuple(blocks))


def _down(facts: NetworkFacts) -> Section | None:
    """The cotangent of a layer's input is the loss term of the layer below."""
    network, say = facts.network, facts.say
    if network.layers == 1:
        return None
    words = [say.sentence("down.place")]
    if network.layers > 2:
        words = [say.sentence("down.place_of_each", Letter("l"), str(network.layers))]
    if network.bidirectional:
        words.append(say.sentence("down.both"))
    return Section("down", say.words("down.title"), (
        Paragraph(say.together(words)),
        facts.rows(facts.joined.part("down")),
        Paragraph(say.sentence("down.order")),
    ))  # fmt: skip


def _table_gradients(facts: NetworkFacts) -> Section | None:
    """The cotangent of the lowest layer's input is summed into the rows it came from."""
    say, joined = facts.say, facts.joined
    rows = joined.part("table gradients")
    if not rows:
        return None
    table, index = joined.free["E"], joined.free["e"]
    return Section("table", say.words("table.title"), (
        Paragraph(say.sentence("table.rows", table, At(index, TIME))),
        facts.rows(rows),
    ))  # fmt: skip


def _reverse(facts: NetworkFacts) -> Section | None:
    """The equations of a layer that runs from T to 1."""
    if not facts.turned:
        return None
    say, state, last = facts.say, facts.network.output, facts.cell.length
    now = At(MatrixSymbol(state.name + TURNED + REVERSE, *state.shape), Symbol("T") + 1)
    return Section("reverse", say.words("reverse.title"), (
        Paragraph(say.sentence(
            "reverse.opening",
            row(last), row("t"), row(last, "+", "1", "−", "t"), row("t", "−", "1"),
            row("t", "+", "1"), now)),
        facts.turned_rows(),
        Paragraph(say.sentence("reverse.within")),
    ))  # fmt: skip


def _lengths(facts: NetworkFacts) -> Section:
    """What happens where sequences of a batch differ in length."""
    say, network = facts.say, facts.network
    own = sub("ℓ", spelled(facts.cell.letters("b", "s", "nu")))  # of a sample
    words = [say.sentence("lengths.padding", row(own, "≤", facts.cell.length))]
    if network.bidirectional:
        words.append(say.sentence("lengths.reverse", row("t", "=", own)))
    if network.loss_at == "last":
        words.append(say.sentence("lengths.last"))
        words += [say.sentence("lengths.last_reverse")] * network.bidirectional
    return Section("lengths", say.words("lengths.title"), (Paragraph(say.together(words)),))


def _code(facts: NetworkFacts) -> Section | None:
    if not facts.listing:
        return None
    say, network = facts.say, facts.network
    first = network.cell.parameters[0].name if network.cell.parameters else ""
    asked = flags(network) + " --final-states" * network.final
    command = f"bptt emit {network.cell.name} {asked} --style textbook"
    names = [f"layer0.{first}"] if first else []
    names += [f"layer0.reverse.{first}"] * (network.bidirectional and bool(first))
    free = facts.joined.free
    own = {"embedding.E": "E"} if network.embedding else {}
    own |= {"readout.V": "V", "readout.c": "c"}
    told: list[Inlines] = [(Words(name, "code"),) for name in names]
    told += [say.sentence("code.letter", Words(name, "code"), free[role])
             for name, role in own.items()]  # fmt: skip
    listed_names = say.listed(told, "words.comma")
    return Section("code", say.words("code.title"), (
        Paragraph(say.sentence("code.network", Words(command, "code"), listed_names)),
        Listing(network_loops(facts.listing, say.words)),
        Paragraph(say.sentence("code.use")),
        Listing(network_usage(network, say.words)),
    ))  # fmt: skip
