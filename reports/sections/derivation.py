"""The middle of a report: forward, one step back, through time, the step Jacobian.

In: `Facts`. Out: sections whose equations are the numbered steps of the derivation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sympy import Basic, Identity, MatAdd, MatMul, S, ZeroMatrix, preorder_traversal
from sympy import Symbol as SympySymbol
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.adjoint import bar
from derive.calculus.jacobian import partials
from derive.calculus.through_time import TIME, Derivation, Step
from derive.language.expr import At, Elementwise, Partial, Slope
from derive.language.functions import FUNCTIONS
from derive.language.syntax import BAR, CARRY, LOSS
from derive.theorems.claims import Relation
from derive.theorems.letters import Letters
from derive.theorems.lower_bounds import determinant
from derive.theorems.scaled_norm import moves
from derive.typeset.boxes import Box, Fenced, Number, Sum, Symbol, row
from derive.typeset.layout import Layout, Notation, space_of
from numeric.bounds.lost_states import lost_states
from reports.document.model import (
    Bullets,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
)
from reports.document.words import Speaker, listed
from reports.sections.facts import Facts
from reports.sections.literature import delta, dropped, drops, is_lstm
from reports.sections.patterns import groups, pattern_row
from reports.sections.slopes import declared_rule, lettered, slope_rows
from reports.sections.stages import at_ends, part_note
from reports.sections.written_out import short_and_long

_SLOPE: Final = re.compile(r"(\w+)′")
_LOSS, _NEXT, _SUM = "the loss at this step", "the next step", "sum rule"


def derived(facts: Facts) -> tuple[Section, ...]:
    """The four sections of the derivation."""
    return forward(facts), one_step_back(facts), through_time(facts), step_jacobian(facts)


def equation_row(facts: Facts, step: Step, note: Inlines = (), space: bool = True) -> EquationRow:
    """A numbered step as a row."""
    equation = step.equation
    return EquationRow(
        facts.layout.of(equation.target), facts.layout.of(equation.value), step.number, note,
        space_of(equation.target) if space else None,
    )  # fmt: skip


def rule_note(say: Speaker, step: Step) -> Inlines:
    """Which rule made each term of a step, and from which equation."""
    if not step.terms:
        return rule_words(say, step.rule)
    found: dict[tuple[str, ...], list[int]] = {}
    for rule, source in step.terms:
        parts = tuple(part for part in rule.split("; ") if part != _SUM) or (_SUM,)
        found.setdefault(parts, []).append(source)
    notes: list[Inlines] = []
    for rules, sources in found.items():
        if sources == [0]:
            here = "rules.loss" if rules == (_LOSS,) else "rules.next"
            when = Symbol("t") if rules == (_LOSS,) else _after()
            notes.append(say.sentence(here, when))
        else:
            where = listed([say("({0})", k) for k in dict.fromkeys(sources)],
                           *[say.words("words.comma")] * 2)  # fmt: skip
            named = listed([rule_words(say, rule) for rule in rules], *[say.words("words.and")] * 2)
            notes.append(say.sentence("rules.source", named, where))
    return say.listed(notes, "words.semicolon")


def _after() -> Box:
    return Sum((("+", Symbol("t")), ("+", Number("1"))))


def rule_words(say: Speaker, rule: str) -> Inlines:
    """The name of a rule, a function's slope in it as a formula."""
    found = _SLOPE.search(rule)
    if found is None or found[1] not in FUNCTIONS:
        return say(say.phrase(rule))
    primed = say.layout.function(FUNCTIONS[found[1]], primed=True)
    return say(say.phrase(rule.replace(found[0], "{0}", 1)), primed)


def forward(facts: Facts) -> Section:
    """The equations in the author's order, every intermediate named."""
    say, steps = facts.say, facts.derivation.part("forward")
    named = [s for s in steps if s.rule == "a name for a part"]
    words = [_opening(facts)]
    if named:
        symbols = say.listed([say("{0}", s.equation.target) for s in named])
        key = "forward.name" if len(named) == 1 else "forward.names"
        words.append(say.sentence(key, symbols))
    return Section("forward", say.words("forward.title"), (
        Paragraph(say.together(words)),
        *told(facts, steps),
        *_functions(facts),
    ))  # fmt: skip


def _opening(facts: Facts) -> Inlines:
    """In which order the equations stand: by stages, where the cell says at least two."""
    say, stages = facts.say, facts.derivation.cell.stages
    if len(stages) < 2:
        return say.sentence("forward.by_stage" if stages else "forward.opening")
    names = [say("{0}", say.phrase(stage.name)) for stage in stages]
    return say.sentence("forward.by_stages", say.counted(len(stages)), say.listed(names))


def told(facts: Facts, steps: Sequence[Step]) -> Iterator[Paragraph | Equations]:
    """The equations, stage by stage where the cell says its stages, and what gates do."""
    cell, rows = facts.derivation.cell, {}
    waiting: list[EquationRow] = []
    for step in steps:
        target = step.equation.target.args[0].name
        waiting.append(equation_row(facts, step, part_note(facts, target)))
        if target in {equation.target.name for equation in cell.equations}:
            rows[target], waiting = waiting, []
    told_before = False
    for stage in cell.stages:
        name = facts.say.phrase(stage.name)
        lead = facts.say.words("forward.stage").format(f"{name[0].upper()}{name[1:]}")
        yield Paragraph(facts.say("{0}", facts.say.phrase(stage.says)), lead)
        yield Equations(tuple(row for name in stage.equations for row in rows.pop(name)))
        found = [*at_ends(facts, stage.equations, again=told_before)]
        told_before = told_before or bool(found)
        yield from found
    if rest := tuple(row for made in rows.values() for row in made):
        if cell.stages:
            yield Paragraph(facts.say.sentence("gates.rest"))
        yield Equations(rest)
        yield from at_ends(facts, tuple(rows), again=told_before)


def _functions(facts: Facts) -> Iterator[Paragraph | Equations]:
    used = dict.fromkeys(
        (node.function.name, tuple(node.parameters))
        for step in facts.derivation.steps
        for node in preorder_traversal(step.equation.value)
        if isinstance(node, (Elementwise, Slope))
    )
    own = Letters(facts.derivation, facts.others)  # of these rows alone
    rows = [lettered(made, own) for name, given in used
            for made in slope_rows(facts.say, FUNCTIONS[name], given)]  # fmt: skip
    if rows:
        yield Paragraph(facts.say.sentence("forward.slopes"))
        yield Equations(tuple(rows))
    for said in declared_rule(facts.say, (FUNCTIONS[name] for name, _ in used)):
        yield lettered(said, own)


def one_step_back(facts: Facts) -> Section:
    """The adjoint equations in the order they are computed."""
    say, derivation = facts.say, facts.derivation
    steps = derivation.part("adjoint")
    return Section("one-step-back", say.words("one_step_back.title"), (
        Paragraph(say.sentence("one_step_back.opening")),
        Bullets(tuple(_arrivals(facts, steps))),
        Equations(tuple(equation_row(facts, s, rule_note(say, s)) for s in steps)),
    ))  # fmt: skip


def _arrivals(facts: Facts, steps: Sequence[Step]) -> Iterator[Inlines]:
    say = facts.say
    for state in facts.derivation.cell.states:
        step = next(s for s in steps if s.equation.target.args[0].name == state.name + BAR)
        inner = [source for rule, source in step.terms if source]
        key = "one_step_back.more_uses" if inner else "one_step_back.two_uses"
        places = (say.listed([say("({0})", k) for k in dict.fromkeys(inner)]),) if inner else ()
        later = Sum((("+", Symbol("t")), ("+", Number("1"))))
        carried = next(
            (
                a
                for a in step.equation.value.args
                if isinstance(a, At) and a.args[0].name.endswith(CARRY)
            ),
            step.equation.value,
        )
        now = At(state, SympySymbol("t", integer=True))
        yield say.sentence(key, now, Symbol("t"), later, step.number, carried, *places)


def through_time(facts: Facts) -> Section:
    """The recursion with its boundary condition; gradients as sums over time."""
    say, derivation = facts.say, facts.derivation
    recursion, gradients = derivation.part("recursion"), derivation.part("gradients")
    states = derivation.cell.states
    handed, joined = recursion[: -len(states)], recursion[-len(states) :]
    return Section("through-time", say.words("through_time.title"), (
        Paragraph(say.sentence("through_time.opening", Symbol("t"), row("t", "−", Number("1")))),
        Equations(tuple(equation_row(facts, s, rule_note(say, s)) for s in handed)),
        Paragraph(say.sentence("through_time.joined",
                               row("t", "=", facts.length, "−", "1", ", ", "…", ", ", "1"))),
        Equations(tuple(equation_row(facts, s) for s in joined)),
        *_not_alone(facts),
        *_lost(facts),
        Paragraph(say.sentence("through_time.gradients", Symbol("t")) if derivation.cell.parameters
                  else say.sentence("through_time.no_parameters")),
        *gathered(facts, gradients),
        Paragraph(say.sentence("through_time.inputs", _loss_symbol(facts), Symbol("t"))),
    ))  # fmt: skip


def _not_alone(facts: Facts) -> Iterator[Paragraph]:
    """What a recursion of one state's cotangent alone leaves out."""
    if drops(facts):
        read, alone, _, lost, number = dropped(facts)
        key = "through_time.dropped" if is_lstm(facts) else "through_time.dropped_here"
        yield Paragraph(facts.say.sentence(key, read, alone, lost, number, delta(facts)))


def _lost(facts: Facts) -> Iterator[Paragraph]:
    """Which states' paths cancel, or are none, and whether their initial values count."""
    say, cell = facts.say, facts.derivation.cell
    symbols = {symbol.name: symbol for symbol in cell.returned}
    for found in lost_states(facts.derivation):
        state, read = symbols[found.state], symbols[found.read]
        nothing = Relation(At(bar(state), TIME), "=", S.Zero)
        if not found.cancels:
            yield Paragraph(
                say.sentence("through_time.apart", At(read, TIME), nothing, state, read)
            )
            continue
        words = [
            say.sentence("through_time.lost", At(read, TIME), nothing, state, str(found.steps))
        ]
        key = "through_time.counts_not"
        if found.first:
            unless = "through_time.counts_unless_zero"
            key = "through_time.counts" if found.first_from_zero else unless
        words.append(say.sentence(key, Relation(At(bar(state), S.Zero), "≠", S.Zero)))
        yield Paragraph(say.together(words))


def gathered(
    facts: Facts, steps: Sequence[Step], *, again: bool = False
) -> Iterator[Paragraph | Equations]:
    """Gradients of one pattern in a line for each left factor, the others by themselves.

    The pattern is described, unless it has been: `again`.
    """
    found = [*groups(steps)]
    if not again and any(len(group) > 1 for group in found):
        yield Paragraph(facts.say.sentence("patterns.opening"))
    yield Equations(tuple(
        pattern_row(facts, group) if len(group) > 1 else
        equation_row(facts, group[0], rule_note(facts.say, group[0]) if group[0].terms else ())
        for group in found
    ))  # fmt: skip


def _loss_symbol(facts: Facts) -> Box:
    handed = facts.derivation.cell.returned[-1]
    return Layout(replace(facts.layout.notation, timed=frozenset())).symbol(handed.name + LOSS)


def step_jacobian(facts: Facts) -> Section:
    """The blocks, the chain, and the gradient as a sum over pairs of times."""
    say, derivation = facts.say, facts.derivation
    several = len(derivation.cell.states) > 1
    blocks, chain = derivation.part("jacobian"), derivation.part("chain")
    pairs = derivation.part("pairs")
    local = local_rows(derivation, facts.layout.notation)
    return Section("step-jacobian", say.words("step_jacobian.title"), (
        Paragraph(say.sentence(
            "step_jacobian.blocks_of_maps" if several and derivation.has_matrices else
            "step_jacobian.block" if not several else
            "step_jacobian.blocks_apart" if moves(derivation) else "step_jacobian.blocks")),
        Equations(tuple(equation_row(facts, s) for s in blocks)),
        Paragraph(say.sentence("step_jacobian.maps") if derivation.has_matrices else
                  say.sentence(
            "step_jacobian.factor" if facts.claim.rate is not None else
            "step_jacobian.terms" if _each_scales(derivation) else "step_jacobian.factors",
            *facts.claim.matrices)),
        Equations(tuple(equation_row(facts, s) for s in chain)),
        *_determinant(facts),
        *((Paragraph(say.sentence(
            "step_jacobian.pairs", Symbol("t"), row(facts.earlier, "≤", "t"))),
           *gathered(facts, pairs, again=True)) if pairs else ()),
        *((Paragraph(say.sentence("step_jacobian.fixed", facts.earlier)),
           Equations(tuple(local))) if local else ()),
        *short_and_long(facts),
    ))  # fmt: skip


def _each_scales(derivation: Derivation) -> bool:
    """Whether each term of the blocks has a diagonal matrix among its factors."""

    def scales(block: Basic) -> bool:
        if isinstance(block, MatAdd):
            return all(map(scales, block.args))
        if isinstance(block, MatMul):
            return any(map(scales, block.args))
        return isinstance(block, (DiagMatrix, Identity, ZeroMatrix, Partial))

    jacobian = derivation.step_jacobian
    return all(map(scales, (*(value for _, value in jacobian.named), *jacobian.blocks.values())))


def _determinant(facts: Facts) -> Iterator[Paragraph | Equations]:
    """How one step scales volumes, where that has a closed form."""
    found = determinant(facts.derivation)
    if found is None:
        return
    states = facts.derivation.cell.states
    if len(states) == 1:
        target = facts.derivation.part("jacobian")[-1].equation.target
        left = row("det", Fenced(facts.layout.of(target)))
    else:
        factor = facts.derivation.chain.value.args[0].args[0]
        left = row("det", facts.layout.of(At(factor, TIME)))
    key = "step_jacobian.volume_of_blocks" if len(states) > 1 else "step_jacobian.volume"
    yield Paragraph(facts.say.sentence(key))
    yield Equations((EquationRow(left, facts.layout.of(found)),))


def local_rows(derivation: Derivation, notation: Notation) -> list[EquationRow]:
    """∂s_k/∂a_k for every intermediate that the sums over pairs name, state by state."""
    cell = derivation.cell
    layout = Layout(replace(notation, now=notation.earlier))
    whole = derivation.chain.target.args[0].args[0]
    wanted = dict.fromkeys(
        node.args[1].args[0]
        for step in derivation.part("pairs")
        for node in preorder_traversal(step.equation.value)
        if isinstance(node, Partial) and node.args[1].args[0] not in cell.states
        and node.args[1].args[0] != whole
    )  # fmt: skip
    rows = []
    for symbol in wanted:
        found, named = partials(cell, derivation.forward, symbol)
        written = dict(named)
        for state in cell.states:
            if state in found:
                value = written.get(found[state], found[state])
                rows.append(EquationRow(
                    layout.partial(state, symbol), layout.of(value),
                    space=space_of(value)))  # fmt: skip
    return rows
