"""What a report's sections may draw on: the derivation, what was measured, what was verified.

In: values of `derive` and `numeric`. Out: `Facts`, with the cell's notation ready to use.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property

from sympy import Basic, preorder_traversal

from derive.calculus.through_time import Derivation
from derive.theorems.claims import Theorem as Claim
from derive.theorems.letters import Letters
from derive.theorems.theorems import theorems
from derive.typeset.boxes import Box, Symbol
from derive.typeset.layout import Layout
from derive.typeset.letters import spelled
from numeric.bounds.one_sequence.measured import Measurement
from numeric.verification.verdict import Verdict
from reports.document.words import Speaker


@dataclass(frozen=True)
class Facts:
    """Everything a section may draw on; `flags` are those of the network it is a layer of."""

    derivation: Derivation
    listing: str = ""
    verdict: Verdict | None = None
    measurement: Measurement | None = None
    flags: str = ""
    language: str = "en"

    @cached_property
    def layout(self) -> Layout:
        """How this cell's symbols are written."""
        return Layout(self.derivation.notation)

    @cached_property
    def say(self) -> Speaker:
        """The cell's speaker."""
        return Speaker(self.layout, self.number, self.language)

    @property
    def title(self) -> str:
        """What the cell is called."""
        return self.say.phrase(self.derivation.cell.title)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The theorems on the cell's gradients; Theorem k of the report is the k-th."""
        return theorems(self.derivation)

    def number(self, name: str) -> int:
        """The number of a theorem by its name.

        Raises:
            ValueError: if the cell has no such theorem.
        """
        return [claim.name for claim in self.claims].index(name) + 1

    @property
    def claim(self) -> Claim:
        """The first of them."""
        return self.claims[0]

    @property
    def earlier(self) -> Box:
        """The letter of a time before t."""
        return Symbol(self.layout.notation.earlier)

    @property
    def loss(self) -> Box:
        """The letter of the loss."""
        return Symbol(self.layout.notation.loss)

    @property
    def length(self) -> Box:
        """The letter of the last time."""
        return Symbol(self.layout.notation.length)

    @cached_property
    def letters(self) -> Letters:
        """Letters of the report's own, beside those of the cell."""
        return Letters(self.derivation)

    @property
    def jacobian(self) -> Box:
        """The letter of the step Jacobian."""
        factor = self.derivation.chain.value.args[0]
        several = len(self.derivation.cell.states) > 1
        return spelled(factor.args[0].name if several else self.letters("J", "F", "G"))

    @property
    def gain(self) -> Box:
        """The letter of the factor on all recurrent weights."""
        return spelled(self.letters("g", "omega", "gain"))

    @property
    def whole(self) -> Box:
        """The whole state: the letter of all states together, of one its own."""
        return self.symbol(self.derivation.chain.target.args[0].args[0].name)

    def symbol(self, name: str) -> Box:
        """A symbol of the cell by its name, without time."""
        return self.layout.plain(name)

    def claims_use(self, kind: type) -> bool:
        """Whether a theorem on the cell's gradients holds such a node."""

        def held(value: object) -> bool:
            if isinstance(value, Basic):
                return any(isinstance(node, kind) for node in preorder_traversal(value))
            if isinstance(value, tuple):
                return any(map(held, value))
            parts = fields(value) if is_dataclass(value) else ()
            return any(held(getattr(value, part.name)) for part in parts)

        return held(self.claims)

    def uses(self, *kinds: type) -> bool:
        """Whether an equation of the derivation holds one of these nodes."""
        return any(
            isinstance(node, kinds)
            for step in self.derivation.steps
            for node in preorder_traversal(step.equation.value)
        )
