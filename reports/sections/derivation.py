"""The middle of a report: forward, one step back, through time, the step Jacobian.

In: `Facts`. Out: sections whose equations are the numbered steps of the derivation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sympy import Symbol as SympySymbol
from sympy import preorder_traversal

from derive.calculus.jacobian import partials
from derive.calculus.through_time import TIME, Derivation, Step
from derive.language.expr import At, Elementwise, Partial, Slope
from derive.language.functions import FUNCTIONS
from derive.theorems.lower_bounds import determinant
from derive.typeset.boxes import Box, Fenced, Number, Sum, Symbol, row
from derive.typeset.layout import Layout, Notation, space_of
from reports.document.model import (
    Bullets,
    EquationRow,
    Equations,
    Inlines,
    Paragraph,
    Section,
    Words,
)
from reports.document.words import Speaker, listed
from reports.sections.facts import Facts
from reports.sections.slopes import slope_rows

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
        return say(step.rule)
    found: dict[str, list[int]] = {}
    for rule, source in step.terms:
        parts = [part for part in rule.split("; ") if part != _SUM] or [_SUM]
        found.setdefault(" and ".join(parts), []).append(source)
    notes = []
    for rule, sources in found.items():
        if sources == [0]:
            here = "the loss at step {0}" if rule == _LOSS else "arrives from step {0}"
            when = Symbol("t") if rule == _LOSS else Sum((("+", Symbol("t")), ("+", Number("1"))))
            notes.append(say(here, when))
        else:
            unique = list(dict.fromkeys(sources))
            where = listed([say("({0})", k) for k in unique], ", ")
            notes.append((*_rule_words(say, rule), *say(", from {0}", where)))
    joined: list[object] = []
    for place, note in enumerate(notes):
        joined += ([Words("; ")] if place else []) + list(note)
    return tuple(joined)  # type: ignore[arg-type]


def _rule_words(say: Speaker, rule: str) -> Inlines:
    """The name of a rule, a function's slope in it as a formula."""
    found = _SLOPE.search(rule)
    if found is None or found[1] not in FUNCTIONS:
        return say(rule)
    primed = say.layout.function(FUNCTIONS[found[1]], primed=True)
    return say(rule.replace(found[0], "{0}", 1), primed)


def forward(facts: Facts) -> Section:
    """The equations in the author's order, every intermediate named."""
    say, steps = facts.say, facts.derivation.part("forward")
    named = [s for s in steps if s.rule == "a name for a part"]
    text = "The cell's equations, in the order in which they are computed."
    if named:
        text += " {0} are names for parts of them, so that each later line refers to a symbol."
    symbols = listed([say("{0}", s.equation.target) for s in named]) if named else ()
    if len(named) == 1:
        text = text.replace("are names for parts", "is a name for a part")
    return Section("forward", "Forward", (
        Paragraph(say(text, symbols)),
        Equations(tuple(equation_row(facts, step) for step in steps)),
        *_functions(facts),
    ))  # fmt: skip


def _functions(facts: Facts) -> Iterator[Paragraph | Equations]:
    used = dict.fromkeys(
        (node.function.name, tuple(node.parameters))
        for step in facts.derivation.steps
        for node in preorder_traversal(step.equation.value)
        if isinstance(node, (Elementwise, Slope))
    )
    rows = [made for name, given in used for made in slope_rows(facts.say, FUNCTIONS[name], given)]
    if rows:
        yield Paragraph(facts.say("The slopes of the functions, and what they cannot exceed:"))
        yield Equations(tuple(rows))


def one_step_back(facts: Facts) -> Section:
    """The adjoint equations in the order they are computed."""
    say, derivation = facts.say, facts.derivation
    steps = derivation.part("adjoint")
    return Section("one-step-back", "One step back", (
        Paragraph(say(
            "The cotangent of a symbol is the sum over its uses: the cotangent of what it was "
            "used for, times the derivative of that use, transposed. Each line needs only the "
            "lines above it and the values of the forward pass.")),
        Bullets(tuple(_arrivals(facts, steps))),
        Equations(tuple(equation_row(facts, s, rule_note(say, s)) for s in steps)),
    ))  # fmt: skip


def _arrivals(facts: Facts, steps: Sequence[Step]) -> Iterator[Inlines]:
    say = facts.say
    for state in facts.derivation.cell.states:
        step = next(s for s in steps if s.equation.target.args[0].name == state.name + "_bar")
        inner = [source for rule, source in step.terms if source]
        text = "{0} is used by the loss at step {1} and by step {2}"
        if inner:
            text = (
                "{0} is used by the loss at step {1}, by step {2}, and within its own step in {5}"
            )
        text += ": its cotangent ({3}) has " + ("two terms" if not inner else "a term for each")
        text += ", and {4} is what step {2} hands back."
        later = Sum((("+", Symbol("t")), ("+", Number("1"))))
        carried = next(
            (
                a
                for a in step.equation.value.args
                if isinstance(a, At) and a.args[0].name.endswith("_bar_carry")
            ),
            step.equation.value,
        )
        yield say(text, At(state, SympySymbol("t", integer=True)), Symbol("t"), later, step.number,
                  carried, listed([say("({0})", k) for k in dict.fromkeys(inner)]))  # fmt: skip


def through_time(facts: Facts) -> Section:
    """The recursion with its boundary condition; gradients as sums over time."""
    say, derivation = facts.say, facts.derivation
    recursion, gradients = derivation.part("recursion"), derivation.part("gradients")
    states = derivation.cell.states
    handed, joined = recursion[: -len(states)], recursion[-len(states) :]
    return Section("through-time", "Through time", (
        Paragraph(say(
            "The equations of one step hold at every {0}. What joins the steps is handed back "
            "from {0} to {1}, starting from zero after the last step.",
            Symbol("t"), row("t", "−", Number("1")))),
        Equations(tuple(equation_row(facts, s, rule_note(say, s)) for s in handed)),
        Paragraph(say("Put into the cotangents of the states, the same recursion reads, for "
                      "{0}:", row("t", "=", "T", "−", "1", ", ", "…", ", ", "1"))),
        Equations(tuple(equation_row(facts, s) for s in joined)),
        Paragraph(say(
            "A parameter serves every step, so its gradient is a sum over {0}. An input and an "
            "initial state serve one step.", Symbol("t"))),
        Equations(tuple(equation_row(facts, s, rule_note(say, s)) for s in gradients)),
        Paragraph(say("The gradient of an input is what a layer below receives as {0} of its own "
                      "state at step {1}.", _loss_symbol(facts), Symbol("t"))),
    ))  # fmt: skip


def _loss_symbol(facts: Facts) -> Box:
    state = facts.derivation.cell.states[-1]
    return Layout(Notation(facts.derivation.cell.latex)).symbol(state.name + "_bar_loss")


def step_jacobian(facts: Facts) -> Section:
    """The blocks, the chain, and the gradient as a sum over pairs of times."""
    say, derivation = facts.say, facts.derivation
    several = len(derivation.cell.states) > 1
    blocks, chain = derivation.part("jacobian"), derivation.part("chain")
    pairs = derivation.part("pairs")
    opening = (
        "One step, differentiated by the states before it, block by block. Each block is a sum "
        "of products of diagonal matrices and weights." if several else
        "One step, differentiated by the state before it."
    )  # fmt: skip
    local = local_rows(derivation, facts.layout.notation)
    return Section("step-jacobian", "The step Jacobian", (
        Paragraph(say(opening)),
        Equations(tuple(equation_row(facts, s) for s in blocks)),
        Paragraph(say(
            ("One factor multiplies a change of the state by {0}, then scales it entry by entry."
             if facts.claim.rate is not None else
             "Each term multiplies a change of the state by weight matrices and scales it entry by "
             "entry.") + " Between two times the factors multiply, the latest on the left:",
            *facts.claim.matrices)),
        Equations(tuple(equation_row(facts, s) for s in chain)),
        *_determinant(facts),
        *((Paragraph(say(
            "The loss at step {0} reaches a parameter by way of every step {1}. Written out, the "
            "sums of the previous section become sums over pairs of times:",
            Symbol("t"), row("k", "≤", "t"))),
           Equations(tuple(equation_row(facts, s) for s in pairs))) if pairs else ()),
        *((Paragraph(say("Here the states before step {0} are held fixed, and", Symbol("k"))),
           Equations(tuple(local))) if local else ()),
    ))  # fmt: skip


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
    yield Paragraph(facts.say(
        "One step scales volumes by its determinant. A multiple of one block row, taken from the "
        "other, leaves two triangular blocks, so" if len(states) > 1 else
        "One step scales volumes by its determinant,"))  # fmt: skip
    yield Equations((EquationRow(left, facts.layout.of(found)),))


def local_rows(derivation: Derivation, notation: Notation) -> list[EquationRow]:
    """∂s_k/∂a_k for every intermediate that the sums over pairs name, state by state."""
    cell = derivation.cell
    layout = Layout(Notation(notation.latex, notation.timed, "k"))
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
