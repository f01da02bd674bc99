"""Gradients of parameters beside those of states: ‖∂s_T/∂θ‖₂ by parameter, in a table.

In: `Pages`. Out: blocks of the chapter along one sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sympy import Identity, MatAdd, MatMul, MatrixExpr, MatrixSymbol
from sympy.matrices.expressions import DiagMatrix

from derive.calculus.jacobian import columns_in
from derive.calculus.through_time import Derivation
from derive.language.expr import split_coefficient, symbols_of
from derive.theorems.letters import THETA
from derive.typeset.boxes import (
    Box,
    Fenced,
    Fraction,
    Large,
    Number,
    Root,
    Symbol,
    row,
    sub,
    sup,
)  # fmt: skip
from derive.typeset.letters import spelled
from numeric.bounds.sensitivity import ill_conditioned, sensitivity
from reports.document.figures import labels
from reports.document.memory_figures import decays
from reports.document.model import Block, EquationRow, Equations, Inlines, Paragraph
from reports.document.numerals import DOWN, NEAR, UP, figures, places
from reports.sections.numbering import Pages

_LARGE: Final = 1e4


def parameters(pages: Pages) -> Iterator[Block]:
    """The table, and the verdict where a parameter is ill-conditioned."""
    one, facts = pages.study.one, pages.facts
    say, found = facts.say, sensitivity(one)
    rows: list[tuple[Inlines, ...]] = []
    for name, held in found.items():
        along = held.along
        if along is None:
            continue
        above = () if held.all_inputs is None else say("{0}", places(held.all_inputs, 2, UP))
        rows.append((
            say("{0}", facts.symbol(name)), say("{0}", places(along.measured, 2, NEAR)),
            say("{0}", places(along.upper, 2, UP)), say("{0}", places(along.lower, 2, DOWN)),
            above, say("{0}", _times_own(along.amplification, 2)),
        ))  # fmt: skip
    if not rows:
        return
    theta, last = spelled(facts.letters(*THETA)), sub(facts.whole, facts.length)
    norm = sub(Fenced(row("∂", last, "/", "∂", theta), "‖", "‖"), "2")
    loss = Fenced(row("∂", facts.loss, "/", "∂", theta), "‖", "‖")
    head = say.heads("bounds.parameter", "growth.measured", "all_inputs.at_most",
                     "one_sequence.at_least", "bounds.every_input", "bounds.times_own")  # fmt: skip
    align = "lrrrrr"
    if not any(cells[4] for cells in rows):
        head, align = (*head[:4], *head[5:]), align[:-1]
        rows = [(*cells[:4], *cells[5:]) for cells in rows]
    yield pages.table(say.sentence("one_sequence.parameters", norm, loss), head, rows, align)
    worst = ill_conditioned(one, found)
    if worst is not None:
        most = _times_own(found[worst].amplification or 0.0, 1)
        yield Paragraph(say.sentence("one_sequence.ill", facts.symbol(worst), most))
    if (state := decay(one.run.derivation) if one.run is not None else None) is not None:
        yield from _towards_one(pages, state)


def _times_own(value: float, digits: int) -> Box:
    """A number of times, rounded down; a power of ten where it is large."""
    return places(value, digits, DOWN) if value < _LARGE else figures(value, DOWN)


def decay(derivation: Derivation) -> MatrixSymbol | None:
    """The first state that a step multiplies, entry by entry, by what parameters alone make."""
    fixed = derivation.timeless
    for state in derivation.cell.states:
        block = derivation.step_jacobian.expanded(state.name, state.name)
        symbols = {symbol for column in columns_in(block) for symbol in symbols_of(column)}
        if symbols <= fixed and _entrywise(block) and _is_learnt(derivation, symbols):
            return state
    return None


def _is_learnt(derivation: Derivation, symbols: set[MatrixSymbol]) -> bool:
    """Whether a parameter is among them, or what they are made of: a constant has no gradient."""
    made = {e.target: symbols_of(e.value) for e in derivation.forward}
    waiting, seen = list(symbols), set[MatrixSymbol]()
    while waiting:
        symbol = waiting.pop()
        if symbol not in seen:
            seen.add(symbol)
            waiting += made.get(symbol, ())
    return not seen.isdisjoint(derivation.cell.parameters)


def _entrywise(block: MatrixExpr) -> bool:
    """Whether the block is made of diagonals alone."""
    _, rest = split_coefficient(block)
    if isinstance(rest, (MatAdd, MatMul)):
        return all(map(_entrywise, rest.args))
    return isinstance(rest, (DiagMatrix, Identity))


def _towards_one(pages: Pages, state: MatrixSymbol) -> Iterator[Block]:
    """What the gradient by such a factor comes to near 1, one unit with white inputs."""
    facts = pages.facts
    say, letters, k = facts.say, facts.letters, facts.earlier
    factor, x = (spelled(letters(*c)) for c in (("lambda", "zeta", "xi"), ("eta", "u", "chi")))
    unit, square = facts.symbol(state.name), sup(factor, Number("2"))
    rest = Fenced(row("1", "−", square), "(", ")")
    root = Root(row("1", "−", square))

    def mean(by: Box | str) -> Box:
        return row("E", sup(Fenced(row("∂", unit, "/", "∂", by), "(", ")"), Number("2")))

    step = row(sub(unit, "t"), "=", factor, sub(unit, row("t", "−", "1")), "+", sub(x, "t"))
    normed = row(sub(unit, "t"), "=", factor, sub(unit, row("t", "−", "1")), "+", root,
                 sub(x, "t"))  # fmt: skip
    power = row(factor, "=", Symbol("exp"), Fenced(row("−", sup("e", "w")), "(", ")"))
    shares = row(Large("∑", row(k, "≥", "1")), sup(k, Number("2")),
                 sup(factor, row("2", k, "−", "2")))  # fmt: skip
    yield Paragraph(
        say.sentence("decay.one", facts.symbol(state.name), factor, step), say.words("decay.lead")
    )
    logarithm = row(factor, Symbol("log"), factor)
    yield Equations((
        EquationRow(mean(factor), row(shares, "=", Fraction(row("1", "+", square),
                    sup(rest, Number("3"))))),
        EquationRow(mean(factor), Fraction(Number("1"), sup(rest, Number("2"))),
                    note=say("{0}", normed)),
        EquationRow(mean("w"), Fraction(sup(Fenced(logarithm, "(", ")"), Number("2")),
                    sup(rest, Number("2"))), note=say("{0}", power)),
    ))  # fmt: skip
    yield Paragraph(say.sentence("decay.cure", root, Fraction(Number("1"), Number("4"))))
    yield pages.figure("decay", decays(labels(say.language)), say.sentence("decay.figure", factor),
                       say.words("decay.described"))  # fmt: skip
