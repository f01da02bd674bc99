"""Page one of a report: equations, parameters, Jacobian, verdict, conventions.

In: `Facts`. Out: the first section.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import partial
from math import gcd
from typing import Final

from sympy import MatrixSymbol, expand

from derive.calculus.surrogates import surrogate_note
from derive.calculus.through_time import FACTOR, Step
from derive.cell import Equation
from derive.language.defaults import RULES
from derive.language.expr import (
    Blocks,
    Broadcast,
    Columns,
    Concat,
    Quotient,
    Rows,
    size,
    symbols_of,
)
from derive.language.norms import Norm, Radius, SingularMin
from derive.language.pairs import AtLeast, Below
from derive.language.syntax import BAR, CARRY, DOT, PREVIOUS
from derive.theorems.claims import Line
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
from derive.typeset.forms import lengths_of_ones
from derive.typeset.layout import Layout, size_box, space_of
from derive.typeset.letters import spelled
from derive.typeset.scalars import INDEX
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


def glance(facts: Facts, *, brief: bool = False) -> Section:
    """Page one: equations, parameters, Jacobian, verdict, what was verified, conventions.

    A brief one leaves the equations to the section on the forward pass.
    """
    cell, say, layout = facts.derivation.cell, facts.say, facts.layout
    authored = tuple(
        EquationRow(layout.of(e.target), layout.of(e.value), space=space_of(e.target))
        for e in cell.equations
    )
    step = (
        Paragraph(say.sentence("glance.one_step", row("t", "=", "1", ", ", "…", ", ", facts.length),
                      say.listed([say("{0}", s) for s in (*cell.previous_states, *cell.inputs)])),
                  say.words("glance.lead_step")),
        Equations(authored),
    )  # fmt: skip
    return Section("glance", say.words("glance.title"), (
        *((Paragraph(say("{0}", say.closed(say.phrase(cell.source))), say.words("glance.source")),)
          if cell.source else ()),
        *(() if brief else step),
        parameter_table(facts) if cell.parameters else
        Paragraph(say.sentence("glance.no_parameters")),
        *given(facts),
        Paragraph(_step_jacobian(facts), say.words("glance.lead_jacobian")),
        Equations((jacobian_row(facts),)),
        *_parts_shown(facts),
        Paragraph(_verdict(facts, brief), say.words("glance.lead_gradients")),
        Paragraph(summary(facts, brief=brief), say.words("glance.lead_verified")),
        *((Paragraph(say("{0}", say.closed(say.phrase(note))), say.words("glance.lead_declared")),)
          if (note := surrogate_note(cell)) else ()),
        conventions(facts, brief=brief),
    ))  # fmt: skip


def _verdict(facts: Facts, brief: bool) -> Inlines:
    """What becomes of its gradients; briefly, without the letters of a theorem not stated."""
    lines = facts.claim.verdict
    return facts.say.line(*(map(_alone, lines) if brief else lines))


def _alone(line: Line) -> Line:
    match line.key.split("."):
        case ["shared", "over_sets"]:
            return Line("short.over_sets")
        case ["shared", "bounded"]:
            return Line("short.bounded", line.slots)
    return line


def _step_jacobian(facts: Facts) -> Inlines:
    """What it does; with several states, what the letter of all of them means."""
    say, (before, now) = facts.say, _state_pair(facts)
    said_ = [say.sentence("glance.step_jacobian", before, now)]
    if len(facts.derivation.cell.states) > 1:
        said_.append(say.sentence("glance.whole_state", now, row("t")))
    return say.together(said_)


def _state_pair(facts: Facts) -> tuple[Box, Box]:
    fraction = facts.derivation.chain.target
    now, _ = fraction.args
    symbol = now.args[0].name
    timed = Layout(replace(facts.derivation.notation, timed=frozenset({symbol})))
    return timed.symbol(symbol + PREVIOUS), timed.symbol(symbol)


def jacobian_row(facts: Facts) -> EquationRow:
    """The step Jacobian on one line; of several blocks the short ones are written out."""
    whole, layout = _whole_jacobian(facts), facts.layout
    value = layout.of(whole.value)
    if isinstance(value, Grid):
        short = {layout.of(step.equation.target): layout.of(step.equation.value)
                 for step in _short_blocks(facts)}  # fmt: skip
        value = Grid(tuple(tuple(short.get(entry, entry) for entry in line) for line in value.rows))
    return EquationRow(layout.of(whole.target), value, space=space_of(whole.target))


def _whole_jacobian(facts: Facts) -> Equation:
    chain = (step.equation for step in facts.derivation.part("chain"))
    return next((equation for equation in chain if isinstance(equation.value, Blocks)),
                facts.derivation.part("jacobian")[-1].equation)  # fmt: skip


def _short_blocks(facts: Facts) -> list[Step]:
    """The blocks that page one writes out."""
    return [step for step in facts.derivation.part("jacobian")
            if width(facts.layout.of(step.equation.value)) <= SHORT]  # fmt: skip


def _parts_shown(facts: Facts) -> tuple[Paragraph, ...]:
    """Where the letters are named that the step Jacobian has and the cell's author has not."""
    whole, say, cell = _whole_jacobian(facts), facts.say, facts.derivation.cell
    several = isinstance(whole.value, Blocks)
    shown = [s.equation.value for s in _short_blocks(facts)] if several else [whole.value]
    letters = {symbol.name for value in shown for symbol in symbols_of(value)}
    own = letters - {equation.target.name for equation in cell.equations}
    parts = [step for step in facts.derivation.part("forward")
             if own & {s.name for s in symbols_of(step.equation.target)}]  # fmt: skip
    if not parts:
        return ()
    key = "glance.part" if len(parts) == 1 else "glance.parts"
    return (Paragraph(say.sentence(
        key, say.listed([say("{0}", facts.layout.of(step.equation.target)) for step in parts]),
        say.listed([say("({0})", step.number) for step in parts]))),)  # fmt: skip


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
        1, say.sentence("glance.table", total),
        say.heads("glance.parameters", "glance.space", "glance.numbers"), rows, "lll",
    )  # fmt: skip


def given(facts: Facts) -> tuple[Paragraph, ...]:
    """The constants: what the cell is given and does not learn, and what they are by default."""
    cell, say = facts.derivation.cell, facts.say
    if not cell.constants:
        return ()
    names = say.listed([say("{0}", row(facts.symbol(c.name), "∈", space_of(c)))
                    for c in cell.constants])  # fmt: skip
    one = len(cell.constants) == 1
    found = [say.sentence("given.constant" if one else "given.constants", names)]
    timed = [say("{0}", facts.symbol(name)) for name in sorted(cell.sequences)]
    if timed:
        found.append(say.sentence("given.anew", say.listed(timed)))
    said_: list[Inlines] = []
    rules = any(isinstance(value, str) for value in cell.defaults.values())
    for name, value in cell.defaults.items():
        letter = facts.symbol(name)
        if isinstance(value, str):
            said_.append(say.sentence("given.rule", letter, say.phrase(RULES[value])))
        elif not isinstance(value, list):
            said_.append(say("{0}", row(letter, "=", Number(_written(value)))))
    if said_:
        parts = say.listed(said_, "words.semicolon" if rules else "words.and")
        found.append(say.sentence("given.default", parts))
    return (Paragraph(say.together(found), say.words("given.lead")),)


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


def conventions(facts: Facts, *, stacked: bool = False, brief: bool = False) -> Callout:
    """What the letters, marks and signs mean; briefly, those of what a short report keeps."""
    derivation, say = facts.derivation, facts.say
    uses = partial(facts.uses, brief=brief)
    cell = derivation.cell
    state = cell.states[0]
    h = facts.symbol(state.name)
    bar = sub(facts.symbol(state.name + BAR), "t")
    carried = sub(facts.symbol(state.name + CARRY), "t")
    letters, (i, j) = facts.letters, map(facts.layout.time, (INDEX, FACTOR))
    if i in {Symbol(name) for name in facts.others}:
        i = spelled(letters("e", "l", "iota"))
    u, v, phi = (spelled(letters(*choices)) for choices in (
        ("u", "y", "xi", "p"), ("v", "z", "zeta", "w"), ("phi", "psi", "chi")))  # fmt: skip
    names = [
        say("{0}", size_box(extent))
        for extent in dict.fromkeys(
            e for s in (*cell.states, *cell.inputs) for e in s.shape if e != 1
        )
    ]
    shapes = [say("{0}", row(facts.symbol(s.name), "∈", space_of(s)))
              for s in (*cell.states, *cell.inputs) if s.shape[1] == 1]  # fmt: skip
    items: list[Inlines] = [
        say.sentence("conventions.columns", say.listed(shapes),
            say.listed([*names, say("{0}", row(facts.length))])),
        say.sentence("conventions.numerator",
            _derivative(u, v), _derivative(sub(u, i), sub(v, j)), i, j, row(facts.loss)),
        *_matrices(facts),
        say.sentence("conventions.latest", _chain_example(facts), row(facts.earlier, "=", "t"),
            row("I")),
        _loss(facts, stacked),
        *([say.sentence("conventions.held", sub(facts.loss, "t"), row("t"))]
          if len(cell.states) > 1 else []),
        say.sentence("conventions.bar", bar, row(facts.loss), sub(h, "t"), carried,
            Sum((("+", Symbol("t")), ("+", Number("1"))))),
        _norms(facts, letters("M", "Y", "Phi"), brief),
        say.sentence("conventions.signs",
            row("⊙"), row("diag", Fenced(row("·"))), sup(phi, row("′")), phi, row("t")),
    ]  # fmt: skip
    if shared := _sizes_of_two_meanings(facts):
        key = "conventions.size_letter" if len(shared) == 1 else "conventions.size_letters"
        letters_of = say.listed([say("{0}", letter) for letter in shared])
        items.append(say.sentence(key, letters_of, row("ℝ")))
    if uses(Concat):
        items.append(say.sentence("conventions.brackets"))
    if uses(AtLeast, Below):
        items.append(say.sentence("conventions.relation", Fenced(row(u, "≥", v), "[", "]")))
    if uses(Rows, Columns):
        whole = spelled(letters("M", "Y", "Phi"))
        items.append(say.sentence(
            "conventions.parts", part_of(v), row("n"), v, part_of(whole, ":")))  # fmt: skip
    ones = [n for step in derivation.steps for n in lengths_of_ones(step.equation.value)]
    if ones:
        items.append(say.sentence("conventions.ones", sub(Number("1"), size_box(ones[0]))))
    if uses(Broadcast):
        items.append(say.sentence("conventions.number"))
    if uses(Quotient):
        items.append(say.sentence("conventions.quotient"))
    return Callout(say.words("conventions.title"), (Bullets(tuple(items)),))


def _sizes_of_two_meanings(facts: Facts) -> list[Box]:
    """The sizes that are written as a symbol of the cell is."""
    cell = facts.derivation.cell
    held = *cell.inputs, *cell.parameters, *cell.constants, *(e.target for e in cell.equations)
    names = {facts.symbol(symbol.name) for symbol in held}
    sizes = (
        size_box(n)
        for s in held
        for extent in s.shape
        for n in sorted(extent.free_symbols, key=str)
    )
    return [letter for letter in dict.fromkeys(sizes) if letter in names]


def _loss(facts: Facts, stacked: bool) -> Inlines:
    """What the loss is a sum of, and what each term depends on."""
    say, cell = facts.say, facts.derivation.cell
    slots = _loss_sum(facts), sub(facts.loss, "t"), row("t")
    if stacked:
        return say.sentence("conventions.loss_of_layer", *slots)
    if not cell.outputs:
        return say.sentence("conventions.loss", *slots)
    outputs = say.listed([say("{0}", sub(facts.symbol(y.name), "t")) for y in cell.outputs])
    return say.sentence("conventions.loss_of_outputs", *slots, outputs)


def _norms(facts: Facts, letter: str, brief: bool) -> Inlines:
    """The numbers by which the theorems measure a matrix, of those that they speak of."""
    say, any_ = facts.say, MatrixSymbol(letter, 2, 2)
    named = [say.sentence("conventions.spectral", Norm(any_))]
    if facts.claimed(SingularMin, brief=brief):
        named.append(say.sentence("conventions.smallest", SingularMin(any_)))
    if facts.claimed(Radius, brief=brief):
        named.append(say.sentence("conventions.radius", Radius(any_)))
    return say.sentence("conventions.norms", any_, say.listed(named, "words.semicolon"))


def _matrices(facts: Facts) -> tuple[Inlines, ...]:
    """How the Jacobian of a state that is a matrix is written."""
    say, cell = facts.say, facts.derivation.cell
    held = [say("{0}", row(facts.symbol(s.name), "∈", space_of(s)))
            for s in cell.states if s.shape[1] != 1]  # fmt: skip
    if not held:
        return ()
    state = next(s for s in cell.states if s.shape[1] != 1)
    dot = facts.symbol(state.name + DOT)
    column = row("vec", Fenced(dot))
    return (say.sentence("conventions.maps", listed(held), dot, facts.symbol(state.name), column),)


def part_of(letter: Box, lead: str = "") -> Box:
    """The rows 1 to n of a column, or the columns of a matrix."""
    head = (lead, ",") if lead else ()
    return sub(Fenced(row(letter), "[", "]"), *head, "1", ":", "n")


def _derivative(of: Box | str, by: Box | str) -> Box:
    return Fraction(row("∂", of), row("∂", by))


def _loss_sum(facts: Facts) -> Box:
    total = Large("∑", row("t", "=", "1"), facts.length)
    return row(facts.loss, "=", total, sub(facts.loss, "t"))


def _chain_example(facts: Facts) -> Box:
    one = Number("1")
    after = Sum((("+", facts.earlier), ("+", one)))
    before = row("t", "−", one)
    J, j = facts.jacobian, facts.layout.time(FACTOR)
    return row(Large("∏", row(j, "=", "t"), after), sub(J, j), "=", sub(J, "t"),
               sub(J, before), "⋯", sub(J, after))  # fmt: skip
