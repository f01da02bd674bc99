"""A network → document: one layer's derivation once, then how layers, directions, readout join.

In: a network, the code of its module, what was verified. Out: `Document`. Equations come from
the cell's derivation and from `derive.calculus.joins`; numbers go on where the cell's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import MatrixSymbol, Symbol

from derive.calculus.joins import REVERSE, TURNED
from derive.calculus.through_time import LENGTH, TIME, derivation_of
from derive.language.expr import At
from derive.network import Network
from derive.typeset.boxes import Box, Fenced, Fraction, Large, Number, Row, Sum, row, sub, sup
from derive.typeset.boxes import Symbol as Letter
from derive.typeset.layout import Layout, size_box, space_of
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
)
from reports.document.words import listed
from reports.sections.cell import AUTHOR
from reports.sections.derivation import derived
from reports.sections.facts import Facts
from reports.sections.growth import growth
from reports.sections.listing import network_loops, network_usage
from reports.sections.literature import sources
from reports.sections.network_facts import NetworkFacts, flags, network_table
from reports.sections.page_one import conventions, given
from reports.sections.verified import summary, verified

READOUTS = {"softmax": "a softmax readout", "linear": "a linear readout"}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LOSSES = {"cross_entropy": "cross-entropy", "squared_error": "squared error"}


def build_network(network: Network, listing: str = "", verdict: Verdict | None = None) -> Document:
    """The report of a network."""
    cell = Facts(derivation_of(network.cell), "", verdict, flags=flags(network))
    facts = NetworkFacts(network, cell, listing)
    layer = tuple(replace(part, title=f"One layer: {part.title[0].lower()}{part.title[1:]}")
                  for part in derived(cell))  # fmt: skip
    made = (
        _glance(facts), *layer, growth(cell), _forward(facts), _errors(facts), _down(facts),
        _table_gradients(facts), _reverse(facts), _lengths(facts), _code(facts), verified(cell),
        sources(cell),
    )  # fmt: skip
    return Document(
        name=network.name,
        title=f"{network.cell.title}: {_layers(network)}",
        subtitle=_described(network),
        author=AUTHOR,
        keywords=(network.cell.name, "back-propagation through time", "deep recurrent network"),
        sections=tuple(section for section in made if section is not None),
    )


def _layers(network: Network) -> str:
    both = " of two directions" if network.bidirectional else ""
    count = NUMBERS[network.layers] if network.layers < len(NUMBERS) else str(network.layers)
    return f"{count} layer{'s' * (network.layers > 1)}{both}"


def _described(network: Network) -> str:
    where = "at every step" if network.loss_at == "all" else "at the last step"
    return f"With {READOUTS[network.readout]} and {LOSSES[network.loss]} {where}"


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
    box = conventions(cell)
    bullets = box.content[0]
    more = tuple(_letters(facts))
    if isinstance(bullets, Bullets):
        box = replace(box, content=(Bullets((*bullets.items, *more)),))
    return Section("glance", "At a glance", (
        *((Paragraph(say("{0}.", source.rstrip(".")), "Source."),) if source else ()),
        Paragraph(cell.say("One step of a layer that runs from 1 to {0}:", row("T")), "A layer."),
        Equations(authored),
        Paragraph(say("How the layers and the readout join:"), "The network."),
        Equations((*joining, *_loss_rows(facts))),
        network_table(facts),
        *given(cell),
        Paragraph((*cell.say.line(*cell.claim.verdict),
                   *say(" This speaks of one layer and direction through time.")),
                  "Its gradients."),
        Paragraph(summary(cell), "Verified."),
        box,
    ))  # fmt: skip


def _letters(facts: NetworkFacts) -> Iterator[Inlines]:
    """What marks of layers and directions mean."""
    network, say = facts.network, facts.say
    h = facts.cell.symbol(network.output.name)
    if network.layers > 1:
        yield say(
            "A superscript in parentheses counts layers from the lowest, {0}; what bears none "
            "belongs to any layer.", sup(h, Fenced(Number("1"))))  # fmt: skip
    if network.bidirectional:
        yield say("A prime after a letter marks the direction from {0} to 1, which has parameters "
                  "of its own: {1}. A prime after a function is its slope.",
                  row("T"), sup(h, row("′")))  # fmt: skip
    if network.loss_at == "last":
        yield say("The loss is taken at the last step: {0}, the other {1} are 0.",
                  row("L", "=", sub("L", "T")), sub("L", "t"))  # fmt: skip


def _loss_rows(facts: NetworkFacts) -> Iterator[EquationRow]:
    """The loss, as it is defined."""
    network, layout, free = facts.network, facts.layout, facts.joined.free
    now = LENGTH if network.loss_at == "last" else TIME
    time = Letter("T") if network.loss_at == "last" else Letter("t")
    out = free["p" if network.readout == "softmax" else "o"]
    y, made = layout.of(At(free["y"], now)), layout.of(At(out, now))
    if network.loss == "cross_entropy":
        log = row("log", sub(made, "i"))
        value: Box = Sum((("−", Row((Large("∑", Letter("i")), sub(y, "i"), log))),))
    else:
        norm = sup(sub(Fenced(Sum((("+", made), ("−", y))), "‖", "‖"), "2"), "2")
        value = row(Fraction(Number("1"), Number("2")), norm)
    yield EquationRow(sub("L", time), value, space=Letter("ℝ"))
    total: Box = sub("L", "T")
    if network.loss_at == "all":
        total = row(Large("∑", row("t", "=", "1"), Letter("T")), sub("L", "t"))
    yield EquationRow(Letter("L"), total, space=Letter("ℝ"))


def _forward(facts: NetworkFacts) -> Section:
    """What each layer receives, what the readout makes of the top one, and the loss."""
    say, network, part = facts.say, facts.network, facts.joined.part
    blocks: list[Block] = []
    first = network.cell.inputs[0]
    if network.embedding:
        blocks += [
            Paragraph(say("The input is an index at each step. {0} is the row of the table {1} "
                          "that it chooses: {2} is a column, 1 at the index and 0 elsewhere.",
                          At(first, TIME), facts.joined.free["E"],
                          At(facts.joined.free["e"], TIME))),
            facts.rows(part("table")),
        ]  # fmt: skip
    if network.layers > 1:
        which = "" if network.layers == 2 else f" For {{1}} from 2 to {network.layers},"
        stacked = (
            ", one direction below the other; the matrices applied to it have {2} columns"
            if network.bidirectional else ""
        )  # fmt: skip
        blocks += [
            Paragraph(say("The lowest layer receives the input {0}. Every other layer receives "
                          f"what the layer below hands up{stacked}." + which,
                          At(first, TIME), Letter("l"), size_box(network.width))),
            facts.rows(part("up")),
        ]  # fmt: skip
        if network.dropout:
            blocks.append(Paragraph(say(
                "{0} is a mask of dropout: given at each step, not differentiated, the same on the "
                "way back.", facts.joined.free["r"])))  # fmt: skip
    others = [s for s in network.cell.states if s != network.output]
    if others:
        kept = listed([say("{0}", s) for s in others])
        blocks.append(Paragraph(say(
            "A layer hands up {0}; its other states, here {1}, stay within it.",
            network.output, kept)))  # fmt: skip
    blocks += [
        Paragraph(say("The readout reads the top layer"
                      + (", both directions" if network.bidirectional else "")
                      + ("." if network.loss_at == "all" else ", at the last step {0} alone."),
                      row("T"))),
        facts.rows(part("readout")),
        Paragraph(say("With the target {0}" + (", a column that is 1 at the right class and 0 "
                      "elsewhere" if network.loss == "cross_entropy" else "") + ", the loss is",
                      At(facts.joined.free["y"], LENGTH if network.loss_at == "last" else TIME))),
        Equations(tuple(_loss_rows(facts))),
    ]  # fmt: skip
    return Section("network", "The network", tuple(blocks))


def _errors(facts: NetworkFacts) -> Section:
    """The cotangents of the loss, the readout and the top layer."""
    say, network, part = facts.say, facts.network, facts.joined.part
    others = [s for s in network.cell.states if s != network.output]
    top = [facts.number(join) for join in part("top")]
    where = say("{0}", row("t", "<", "T")) if network.loss_at == "last" else ()
    tail = listed([say("({0})", k) for k in top])
    blocks: list[Block] = [
        Paragraph(say("The loss starts the way back, through the readout:")),
        facts.rows(part("loss")),
        facts.rows(part("readout gradients")),
        Paragraph(say("What the readout sends to the top layer is the loss term of its "
                      "cotangents:")),
        facts.rows(part("top")),
    ]  # fmt: skip
    if others or where:
        zero = [say("those of the layer's other states")] if others else []
        zero += [say("those at the steps {0}", where)] if where else []
        blocks.append(Paragraph(say("Beside {0} all loss terms are 0: {1}.", tail,
                                    listed(zero))))  # fmt: skip
    blocks.append(Paragraph(say("The top layer's cotangents follow from it by the equations of one "
                                "layer, step after step.")))  # fmt: skip
    return Section("errors", "From the loss to the top layer", tuple(blocks))


def _down(facts: NetworkFacts) -> Section | None:
    """The cotangent of a layer's input is the loss term of the layer below."""
    network, say = facts.network, facts.say
    if network.layers == 1:
        return None
    rows = facts.joined.part("down")
    which = "" if network.layers == 2 else f", for {{0}} from {network.layers} down to 2"
    both = (
        " Both directions of a layer read the same input, so their cotangents of it add. Its "
        "upper rows go to the forward direction below, its lower rows to the reverse one."
        if network.bidirectional else ""
    )  # fmt: skip
    return Section("down", "From a layer to the layer below", (
        Paragraph(say(
            "A layer knows of the loss only what arrives from above. The cotangent of its input, "
            "at every step, takes in the layer below the place of the loss term" + which + "."
            + both, Letter("l"))),
        facts.rows(rows),
        Paragraph(say("The cotangent of an input already counts the losses of all steps that the "
                      "layer's output at this step reaches through the layer above. The layers "
                      "are therefore walked one after the other, the highest first, each over all "
                      "steps. Parameter gradients are those of one layer, with each layer's "
                      "values.")),
    ))  # fmt: skip


def _table_gradients(facts: NetworkFacts) -> Section | None:
    """The cotangent of the lowest layer's input is summed into the rows it came from."""
    say, joined = facts.say, facts.joined
    rows = joined.part("table gradients")
    if not rows:
        return None
    table, index = joined.free["E"], joined.free["e"]
    return Section("table", "From the lowest layer to the table", (
        Paragraph(say("The cotangent of the lowest layer's input goes to the row of {0} that was "
                      "read. Each row sums what arrives at the steps whose {1} chooses it; the "
                      "indices have no gradient.", table, At(index, TIME))),
        facts.rows(rows),
    ))  # fmt: skip


def _reverse(facts: NetworkFacts) -> Section | None:
    """The equations of a layer that runs from T to 1."""
    if not facts.turned:
        return None
    say, state = facts.say, facts.network.output
    now = At(MatrixSymbol(state.name + TURNED + REVERSE, *state.shape), Symbol("T") + 1)
    return Section("reverse", "The reverse direction", (
        Paragraph(say(
            "The reverse direction reads the same inputs from {0} to 1. Step {1} is its step "
            "{2}, so {3} and {4} change places, and its initial state is {5}. What it hands back "
            "in the backward pass runs from 1 to {0} and starts from zero before the first step. "
            "The equations of one layer that time enters become:",
            row("T"), row("t"), row("T", "+", "1", "−", "t"), row("t", "−", "1"),
            row("t", "+", "1"), now)),
        facts.turned_rows(),
        Paragraph(say("The equations within one step stay as they are, with the letters of this "
                      "direction.")),
    ))  # fmt: skip


def _lengths(facts: NetworkFacts) -> Section:
    """What happens where sequences of a batch differ in length."""
    say, network = facts.say, facts.network
    text = (
        "Sequences of a batch may have lengths {0} of their own. After its end a sequence's states "
        "are held, its inputs and losses count as 0, and on the way back its cotangents pass "
        "unchanged: padding contributes nothing to states, loss or gradients."
    )
    if network.bidirectional:
        text += (
            " The reverse direction holds its initial state until it meets {1}, and starts there."
        )
    if network.loss_at == "last":
        text += " The last step of a sequence is its own."
        text += (
            " There the reverse direction has read one input only." if network.bidirectional else ""
        )
    return Section("lengths", "Sequences of unequal length", (
        Paragraph(say(text, row(sub("ℓ", "b"), "≤", "T"), row("t", "=", sub("ℓ", "b")))),
    ))  # fmt: skip


def _code(facts: NetworkFacts) -> Section | None:
    if not facts.listing:
        return None
    say, network = facts.say, facts.network
    first = network.cell.parameters[0].name if network.cell.parameters else ""
    command = f"bptt emit {network.cell.name} {flags(network)} --style textbook"
    names = [f"`layer0.{first}`"] if first else []
    names += [f"`layer0.reverse.{first}`"] * (network.bidirectional and bool(first))
    names += ["`readout.V`", "`readout.c`"]
    return Section("code", "The code", (
        Paragraph(say(
            f"The module of `{command}`, from the first loop to the last; checks and allocation "
            "are left out, and a loop that repeats another for a further layer is one line. The "
            "number at the end of a line is that of the equation it computes, in a reverse layer "
            f"of the equation turned. Parameters are named {', '.join(names)} there: layers count "
            "from 0.")),
        Listing(network_loops(facts.listing)),
        Paragraph(say("To use it:")),
        Listing(network_usage(network)),
    ))  # fmt: skip
