"""Page one of a report: equations, parameters, Jacobian, verdict, conventions.

In: `Facts`. Out: the first section.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from math import gcd
from typing import Final

from sympy import MatrixSymbol, expand

from derive.language.defaults import RULES
from derive.language.expr import Blocks, Columns, Concat, Quotient, Rows, size
from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Grid,
    Large,
    Number,
    Sum,
    Symbol,
    row,
    sub,
    sup,
    width,
)
from derive.typeset.layout import Layout, Notation, size_box, space_of
from reports.document.model import (
    Bullets,
    Callout,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
    Table,
)
from reports.document.words import listed
from reports.sections.facts import Facts
from reports.sections.verified import summary

SHORT: Final = 8.0
"""Up to this width in em a block of the step Jacobian is written out on page one."""


def glance(facts: Facts) -> Section:
    """Page one: equations, parameters, Jacobian, verdict, what was verified, conventions."""
    cell, say, layout = facts.derivation.cell, facts.say, facts.layout
    authored = tuple(
        EquationRow(layout.of(e.target), layout.of(e.value), space=space_of(e.target))
        for e in cell.equations
    )
    claim = facts.claim
    return Section("glance", "At a glance", (
        *((Paragraph(say("{0}.", cell.source.rstrip(".")), "Source."),) if cell.source else ()),
        Paragraph(say("For {0}, from {1} and {2}:", row("t", "=", "1", ", ", "…", ", ", "T"),
                      listed([say("{0}", s) for s in cell.previous_states]),
                      listed([say("{0}", s) for s in cell.inputs])), "One step."),
        Equations(authored),
        parameter_table(facts),
        *given(facts),
        Paragraph(say("It maps a small change of {0} to the change of {1} that it causes.",
                      *_state_pair(facts)), "The step Jacobian."),
        Equations((jacobian_row(facts),)),
        Paragraph(say.line(*claim.verdict), "Its gradients."),
        Paragraph(summary(facts), "Verified."),
        conventions(facts),
    ))  # fmt: skip


def _state_pair(facts: Facts) -> tuple[Box, Box]:
    fraction = facts.derivation.chain.target
    now, _ = fraction.args
    symbol = now.args[0].name
    timed = Layout(Notation(facts.derivation.cell.latex, frozenset({symbol})))
    return timed.symbol(symbol + "_prev"), timed.symbol(symbol)


def jacobian_row(facts: Facts) -> EquationRow:
    """The step Jacobian on one line; of several blocks the short ones are written out."""
    blocks, layout = facts.derivation.part("jacobian"), facts.layout
    whole = next(
        (
            s.equation
            for s in facts.derivation.part("chain")
            if isinstance(s.equation.value, Blocks)
        ),
        blocks[-1].equation,
    )
    value = layout.of(whole.value)
    if isinstance(value, Grid):
        short = {
            layout.of(step.equation.target): made for step in blocks
            if width(made := layout.of(step.equation.value)) <= SHORT
        }  # fmt: skip
        value = Grid(tuple(tuple(short.get(entry, entry) for entry in line) for line in value.rows))
    return EquationRow(layout.of(whole.target), value, space=space_of(whole.target))


def parameter_table(facts: Facts) -> Table:
    """The parameters by shape, and their number as a formula."""
    say, groups = facts.say, dict[tuple[object, ...], list[MatrixSymbol]]()
    for parameter in facts.derivation.cell.parameters:
        groups.setdefault(parameter.shape, []).append(parameter)
    rows = tuple(
        (listed([say("{0}", p) for p in group], ", "), say("{0}", space_of(group[0])),
         say("{0}", count(tuple(group))))
        for group in groups.values()
    )  # fmt: skip
    total = count(facts.derivation.cell.parameters)
    return Table(
        1, say("The parameters; together they hold {0} numbers.", total),
        (say("parameters"), say("space"), say("numbers")), rows, "lll",
    )  # fmt: skip


def given(facts: Facts) -> tuple[Paragraph, ...]:
    """The constants: what the cell is given and does not learn, and what they are by default."""
    cell, say = facts.derivation.cell, facts.say
    if not cell.constants:
        return ()
    many = len(cell.constants) > 1
    names = listed([say("{0}", row(facts.symbol(c.name), "∈", space_of(c)))
                    for c in cell.constants])  # fmt: skip
    words = say("{0} " + ("are" if many else "is") + " given, not learned: nothing is "
                "differentiated by " + ("them." if many else "it."), names)  # fmt: skip
    timed = [say("{0}", facts.symbol(name)) for name in sorted(cell.sequences)]
    if timed:
        words = (*words, *say(" {0} is given anew at each step.", listed(timed)))
    said_: list[Inlines] = []
    rules = any(isinstance(value, str) for value in cell.defaults.values())
    separators = ("; ", "; ") if rules else (" and ", ", ")
    for name, value in cell.defaults.items():
        letter = facts.symbol(name)
        if isinstance(value, str):
            said_.append(say("{0} is " + RULES[value], letter))
        elif not isinstance(value, list):
            said_.append(say("{0}", row(letter, "=", Number(_written(value)))))
    if said_:
        words = (*words, *say(" By default {0}.", listed(said_, *separators)))
    return (Paragraph(words, "Given."),)


def _written(value: float) -> str:
    """A number as its author wrote it, to its last digit."""
    return f"{Decimal(str(value)).normalize():f}"


def count(parameters: tuple[MatrixSymbol, ...]) -> Box:
    """How many numbers the parameters hold, as 4(n² + nm + n)."""
    found: Counter[tuple[str, ...]] = Counter()
    for parameter in parameters:
        product = expand(parameter.shape[0] * parameter.shape[1])
        for term in product.args if product.is_Add else (product,):
            number, rest = term.as_coeff_Mul()
            letters = [
                str(base)
                for power in (rest.args if rest.is_Mul else (rest,))
                for base in [power.as_base_exp()[0]] * int(power.as_base_exp()[1])
                if str(base) != "1"
            ]
            order = sorted(letters, key=lambda name: ("nm".find(name[0]) % 3, name))
            found[tuple(order)] += int(number)
    if not found:
        return Number("0")
    common = gcd(*found.values())
    terms = tuple(("+", _monomial(k // common, letters)) for letters, k in found.items())
    if len(terms) == 1:
        return _monomial(common * (found.most_common(1)[0][1] // common), next(iter(found)))
    whole = Sum(terms)
    return whole if common == 1 else row(Number(str(common)), Fenced(whole))


def _monomial(number: int, letters: tuple[str, ...]) -> Box:
    powers = Counter(letters)
    parts: list[Box] = [Number(str(number))] if number != 1 or not letters else []
    for letter, power in powers.items():
        symbol = size_box(size(letter))
        parts.append(sup(symbol, Number(str(power))) if power > 1 else symbol)
    return row(*parts)


def conventions(facts: Facts) -> Callout:
    """What the letters, marks and signs mean."""
    derivation, say = facts.derivation, facts.say
    cell = derivation.cell
    state = cell.states[0]
    h = facts.symbol(state.name)
    bar = sub(facts.symbol(state.name + "_bar"), "t")
    carried = sub(facts.symbol(state.name + "_bar_carry"), "t")
    names = [
        say("{0}", size_box(extent))
        for extent in dict.fromkeys(s.shape[0] for s in (*cell.states, *cell.inputs))
    ]
    shapes = [say("{0}", row(facts.symbol(s.name), "∈", space_of(s)))
              for s in (*cell.states, *cell.inputs)]  # fmt: skip
    loss = sub("L", "t")
    items: list[Inlines] = [
        say("Vectors are columns: {0}. The derivation holds for all {1}.", listed(shapes),
            listed([*names, say("{0}", row("T"))])),
        say("{0} has {1} in row {2} and column {3} (numerator layout). The derivative of the "
            "scalar {4} by a vector or a matrix has the shape of that vector or matrix.",
            _derivative("u", "v"), _derivative(sub("u", "i"), sub("v", "j")), row("i"), row("j"),
            row("L")),
        say("In a product over time the latest factor stands on the left: {0}. For {1} it is the "
            "identity {2}.", _chain_example(facts), row("k", "=", "t"), row("I")),
        say("The loss is {0}, and {1} depends on the states of step {2} alone.",
            _loss_sum(), loss, row("t")),
        say("A bar marks a cotangent: {0} is the derivative of {1} by {2}, by all paths. {3} is "
            "the part of it that arrives from step {4}.", bar, row("L"), sub(h, "t"), carried,
            Sum((("+", Symbol("t")), ("+", Number("1"))))),
        say("{0} multiplies entry by entry, {1} is the diagonal matrix of a vector, {2} is the "
            "slope of {3}, entry by entry. The subscript {4} counts steps.",
            row("⊙"), row("diag", Fenced(row("·"))), sup("φ", row("′")), row("φ"), row("t")),
    ]  # fmt: skip
    if facts.uses(Concat):
        items.append(say("Square brackets around a column put its parts one below the other."))
    if facts.uses(Rows, Columns):
        items.append(say("{0} are the rows 1 to {1} of {2}; {3} the columns.",
                         _part("v", ""), row("n"), row("v"), _part("M", ":")))  # fmt: skip
    if facts.uses(Quotient):
        items.append(say("A fraction of two vectors divides entry by entry."))
    return Callout("Conventions", (Bullets(tuple(items)),))


def _part(letter: str, lead: str) -> Box:
    head = (lead, ",") if lead else ()
    return sub(Fenced(row(letter), "[", "]"), *head, "1", ":", "n")


def _derivative(of: Box | str, by: Box | str) -> Box:
    return Fraction(row("∂", of), row("∂", by))


def _loss_sum() -> Box:
    return row("L", "=", Large("∑", row("t", "=", "1"), Symbol("T")), sub("L", "t"))


def _chain_example(facts: Facts) -> Box:
    one = Number("1")
    after = Sum((("+", Symbol("k")), ("+", one)))
    before = row("t", "−", one)
    return row(Large("∏", row("j", "=", "t"), after), sub("J", "j"), "=", sub("J", "t"),
               sub("J", before), "⋯", sub("J", after))  # fmt: skip
