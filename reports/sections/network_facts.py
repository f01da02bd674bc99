"""What the sections of a network's report draw on: letters, numbers, the parameters counted.

In: a network and the facts of one layer. Out: rows of equations, the table of parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sympy import MatrixSymbol

from derive.calculus.joins import Join, Joined
from derive.calculus.through_time import derivation_of
from derive.cell import Equation
from derive.network import Network
from derive.typeset.boxes import Box
from derive.typeset.layout import Layout, space_of
from numeric.verification.verdict import Verdict
from reports.document.model import EquationRow, Equations, Inlines, Table
from reports.document.words import Speaker, listed
from reports.sections.derivation import rule_words
from reports.sections.facts import Facts
from reports.sections.page_one import count


def flags(network: Network) -> str:
    """The flags of the command line that ask for this network."""
    words = [f"--layers {network.layers}", *(["--bidirectional"] * network.bidirectional)]
    words += ["--embedding"] * network.embedding + ["--dropout"] * network.dropout
    words += [f"--readout {network.readout}", f"--loss {network.loss}"]
    return " ".join([*words, f"--loss-at {network.loss_at}"])


def facts_of_layer(network: Network, verdict: Verdict | None = None, language: str = "en") -> Facts:
    """The facts of one layer, whose own letters are none of the network's."""
    joined = Joined(network)
    counted = {"q", *"v" * network.embedding, *"l" * (network.layers > 2)}  # rows, layers
    others = frozenset({*counted, *(symbol.name for symbol in joined.free.values())})
    return Facts(derivation_of(network.cell), "", verdict, flags=flags(network),
                 language=language, others=others)  # fmt: skip


@dataclass(frozen=True)
class NetworkFacts:
    """What the sections of a network's report draw on; `cell` holds the facts of one layer."""

    network: Network
    cell: Facts
    listing: str = ""

    @cached_property
    def joined(self) -> Joined:
        """How its parts join."""
        return Joined(self.network)

    @cached_property
    def layout(self) -> Layout:
        """How the symbols of its layers are written."""
        return Layout(self.joined.notation)

    @cached_property
    def say(self) -> Speaker:
        """Says sentences in its letters."""
        return Speaker(self.layout, language=self.cell.language)

    @cached_property
    def turned(self) -> tuple[tuple[int, Equation], ...]:
        """The equations of the reverse direction, with the numbers of the cell's steps."""
        return tuple((step.number, equation) for step, equation in self.joined.turned())

    def number(self, join: Join) -> int:
        """The number of a join: they follow the cell's steps."""
        return len(self.cell.derivation.steps) + 1 + self.joined.joins.index(join)

    def rows(self, joins: Sequence[Join]) -> Equations:
        """Joins as numbered equations."""
        return Equations(tuple(
            EquationRow(
                self.layout.of(join.equation.target), self.layout.of(join.equation.value),
                self.number(join), self._note(join), space_of(join.equation.target),
            )
            for join in joins
        ))  # fmt: skip

    def turned_rows(self) -> Equations:
        """The equations of the reverse direction; their numbers follow those of the joins."""
        start = len(self.cell.derivation.steps) + len(self.joined.joins) + 1
        return Equations(tuple(
            EquationRow(self.layout.of(e.target), self.layout.of(e.value), start + place,
                        self.say.sentence("reverse.turned", number), space_of(e.target))
            for place, (number, e) in enumerate(self.turned)
        ))  # fmt: skip

    def _note(self, join: Join) -> Inlines:
        rule = rule_words(self.say, join.rule)
        if join.step is None:
            return rule
        return self.say.sentence("rules.source", rule, self.say("({0})", join.step))


def network_table(facts: NetworkFacts) -> Table:
    """The parameters of every part, their spaces, and their number as a formula."""
    network, say, joined = facts.network, facts.say, facts.joined
    directions = 1 + network.bidirectional
    rows: list[tuple[Inlines, ...]] = []
    if network.embedding:
        table = joined.free["E"]
        rows.append((say.sentence("network.table"), say("{0}", table), say("{0}", space_of(table)),
                     say("{0}", count((table,)))))  # fmt: skip
    for depth in range(min(network.layers, 2)):
        groups: dict[tuple[object, ...], list[MatrixSymbol]] = {}
        for parameter in network.cell.parameters:
            shape = joined.sizes_of(parameter, depth)
            groups.setdefault(shape, []).append(MatrixSymbol(parameter.name, *shape))
        name = say.sentence("network.layer_one") if not depth else _above(facts)
        for place, group in enumerate(groups.values()):
            number = say("{0}", count(tuple(group * directions)))
            rows.append((
                name if not place else (), listed([facts.cell.say("{0}", facts.cell.symbol(s.name))
                                                   for s in group], ", "),
                say("{0}", space_of(group[0])), number,
            ))  # fmt: skip
    readout = (joined.free["V"], joined.free["c"])
    for place, symbol in enumerate(readout):
        rows.append((say.sentence("network.readout") if not place else (), say("{0}", symbol),
                     say("{0}", space_of(symbol)), say("{0}", count((symbol,)))))  # fmt: skip
    caption = [say.sentence("glance.table", network_count(facts))]
    caption += [say.sentence("network.both_counted")] * network.bidirectional
    head = say.heads("network.part", "glance.parameters", "glance.space", "glance.numbers")
    return Table(1, say.together(caption), head, tuple(rows), "llll")


def network_count(facts: NetworkFacts) -> Box:
    """How many numbers all parameters of the network hold, as a formula."""
    network, joined = facts.network, facts.joined
    return count((
        *([joined.free["E"]] * network.embedding),
        *(MatrixSymbol(parameter.name, *joined.sizes_of(parameter, layer.depth))
          for layer in network.stack for parameter in network.cell.parameters),
        joined.free["V"], joined.free["c"],
    ))  # fmt: skip


def _above(facts: NetworkFacts) -> Inlines:
    layers, say = facts.network.layers, facts.say
    if layers == 2:
        return say.sentence("network.layer_two")
    if layers == 3:
        return say.sentence("network.layers_two_three")
    return say.sentence("network.layers_from_two", str(layers))
