"""Mistakes of the loop over time: its ends, its sums, what it hands on, which loss it takes.

In: a derivation. Out: `Mistake`s, each of the whole loop or of the place of a term in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from sympy import MatrixExpr, MatrixSymbol
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import AdjointEquation, bar, carry, from_loss
from derive.calculus.through_time import Derivation
from derive.cell import previous
from derive.language.expr import add, hadamard, symbols_of
from derive.language.syntax import BAR
from derive.saying import said
from numeric.verification.cases import GROUPS
from numeric.verification.explain.change import (
    LOSSES,
    OVER_B,
    OVER_BOTH,
    OVER_T,
    SCALES,
    Change,
    Mistake,
    Place,
)
from numeric.verification.explain.equation_names import EquationNames

READERS: Final = 4  # of an overwritten cotangent: beyond, too many orders of the lines to try
REDUCED: Final = {
    "first step": "overwritten at each step instead of summed over time (the first step's share)",
    "last step": "taken at the last step only, not summed over time",
    "mean over time": "averaged over time instead of summed",
    "mean over the batch": "averaged over the batch instead of summed",
    "mean over both": "averaged over time and batch instead of summed",
    "all but the first step": "with its share of the first step missing",
    "all but the last step": "with its share of the last step missing",
    "first sample": "of the first sample only, not summed over the batch",
    "last sample": "of the last sample only, not summed over the batch",
    "from the weights": "accumulated on top of the weights instead of zero",
    "from ones": "accumulated on top of ones instead of zero",
}
AVERAGED: Final = {
    "mean over time": OVER_T, "mean over the batch": OVER_B, "mean over both": OVER_BOTH,
}  # fmt: skip
TRUNCATED: Final = (2, 3, 4)  # steps: of one, the carry is missing
LOSS_TAKEN: Final = {
    "_of_the_last_step": "∂L/∂{0}_T, the cotangent of the last step, used at every step",
    "_of_the_first_step": "∂L/∂{0}_1, the cotangent of the first step, used at every step",
    "_of_the_step_before": "∂L/∂{0}_{{t−1}}, the cotangent of the step before, used at step t",
    "_of_the_step_after": "∂L/∂{0}_{{t+1}}, the cotangent of the step after, used at step t",
    "_of_the_step_before_if_any": "∂L/∂{0}_{{t−1}}, the cotangent of the step before, used at step "
    "t, and none at the first",
    "_of_the_step_after_if_any": "∂L/∂{0}_{{t+1}}, the cotangent of the step after, used at step "
    "t, and none at the last",
    "_of_the_step_before_held": "∂L/∂{0}_{{t−1}}, the cotangent of the step before, used at step "
    "t, in the first step its own, as by an index held at the start",
    "_of_the_step_after_held": "∂L/∂{0}_{{t+1}}, the cotangent of the step after, used at step t, "
    "in the last step its own, as by an index held at the end",
    "_in_reverse": "∂L/∂{0}_{{T+1−t}}, the cotangents in reverse order, used at step t",
    "_at_the_last_step_alone": "∂L/∂{0}_t taken at the last step alone, at no other",
    "_of_all_steps": "the sum of ∂L/∂{0}_t over all steps used at every step",
}


def over_time(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Those of the whole loop and of the losses, the likely ones first."""
    yield from _boundaries(derivation)
    yield from _losses(derivation)


def late(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Those that come after the mistakes of single terms: what is put in another place."""
    yield from _overwritten(derivation, naming)
    yield from _computed_again(derivation, naming)
    yield from _exchanged(derivation, naming)
    yield from _exchanged_in_one(derivation, naming)
    yield from _kept(derivation, naming)
    yield from _moved(derivation, naming)
    yield from _wrong_side(derivation, naming)
    for count in TRUNCATED:
        yield from truncated(derivation, count)
    cell = derivation.cell
    groups = {"params": cell.parameters, "inputs": cell.inputs, "initial": cell.states}
    yield from scaled_whole([f"{g}.{s.name}" for g, symbols in groups.items() for s in symbols])


def _boundaries(derivation: Derivation) -> Iterator[Mistake]:
    """Step 1: never propagated, not handed on, or handed on in part."""
    carries = derivation.carries
    targets = tuple(e.target.name for e in carries)
    early = Change(stops_early=True)
    yield Mistake("with the first step never propagated: the loop over time ends one step early",
                  early, targets, "early")  # fmt: skip
    yield Mistake("with the last step never propagated: the loop over time begins one step late",
                  Change(starts_late=True), targets, "late")  # fmt: skip
    for state, equation in zip(derivation.cell.states, carries, strict=True):
        name = equation.target.name
        whole: dict[Place, MatrixExpr | None] = {(name, k): None for k in range(
            len(equation.terms))}  # fmt: skip
        missing = said(
            "with the carry of {0} missing at t = 0: the first step hands nothing back", state.name
        )
        yield Mistake(missing, Change(at_first=whole), (name,), "initial")
        yield Mistake(
            said("of {0} at the first step, not handed back through that step", state.name),
            Change(handed={state.name: bar(state).name}), (name,), "initial",
        )  # fmt: skip
        for other in derivation.cell.states:
            if other != state and other.shape == state.shape:
                yield Mistake(
                    said("of the initial {0} in its place", other.name),
                    Change(handed={state.name: previous(other).name + BAR}), (name,), "initial",
                )  # fmt: skip
        for place, _ in enumerate(equation.terms):
            change = Change(at_first={(name, place): None})
            count = len(equation.terms)
            missing = said("with term {0} of {1} missing at t = 0", place + 1, count)
            yield Mistake(missing, change, (name,), "initial")


def reductions(derivation: Derivation) -> Iterator[Mistake]:
    """The shares of a parameter put together in another way than by their sum."""
    for equation in derivation.parameters:
        if any(term.each_step for term in equation.terms):
            for how, words in REDUCED.items():
                change = Change(reductions={equation.of.name: how})
                factor = AVERAGED.get(how) if all(t.each_step for t in equation.terms) else None
                yield Mistake(words, change, (equation.target.name,), how, factor=factor)


def _overwritten(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """A state's cotangent overwritten by what it hands back, before others have read it."""
    for state, equation in zip(derivation.cell.states, derivation.carries, strict=True):
        for term in equation.terms:
            if bar(state) not in {*symbols_of(term.value)}:
                continue
            readers: dict[str, dict[Place, MatrixExpr | None]] = {}
            for other in derivation.adjoint:
                for place, its in enumerate(other.terms):
                    if bar(state) in {*symbols_of(its.value)}:
                        changed = _substituted(its.value, bar(state), term.value)
                        readers.setdefault(other.target.name, {})[other.target.name, place] = (
                            changed
                        )
            if len(readers) > READERS:
                continue
            for count in range(len(readers), 0, -1):
                for chosen in combinations(readers, count):
                    terms = {place: v for name in chosen for place, v in readers[name].items()}
                    what = said(
                        "with {0} overwritten by {1} too early",
                        naming(bar(state)),
                        naming(term.value),
                    )
                    yield Mistake(what, Change(terms), chosen, "overwritten")


def _computed_again(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """What a state hands back, of a cotangent computed again after another is overwritten."""
    for state, equation in zip(derivation.cell.states, derivation.carries, strict=True):
        handed = add(*(term.value for term in equation.terms)) if equation.terms else bar(state)
        for other in derivation.adjoint:
            if other.of == state or other.of not in derivation.cell.states:
                continue
            terms = [_substituted(term.value, bar(state), handed) for term in other.terms]
            if all(new == old.value for new, old in zip(terms, other.terms, strict=True)):
                continue
            for back in derivation.carries:
                for place, term in enumerate(back.terms):
                    if other.target not in {*symbols_of(term.value)}:
                        continue
                    value = _substituted(term.value, other.target, add(*terms))
                    what = said(
                        "with {0} computed again for {1}, after {2} was overwritten by {3}",
                        naming(other.target),
                        naming(back.target),
                        naming(bar(state)),
                        naming(equation.target),
                    )
                    name = back.target.name
                    yield Mistake(what, Change({(name, place): value}), (name,), "again", False)


def _substituted(expr: MatrixExpr, old: MatrixSymbol, new: MatrixExpr) -> MatrixExpr:
    if expr == old:
        return new
    if isinstance(expr, HadamardProduct):
        return hadamard(*(_substituted(part, old, new) for part in expr.args))
    if isinstance(expr, MatrixSymbol):
        return expr
    return expr.func(*(
        _substituted(part, old, new) if isinstance(part, MatrixExpr) else part
        for part in expr.args
    ))  # fmt: skip


def _exchanged(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Two cotangents in each other's place in all products, as where gates are stacked."""
    sums = derivation.parameters
    homes = ((*derivation.carries, *derivation.inputs, *sums), sums)
    used = {s for e in derivation.parameters for term in e.terms for s in symbols_of(term.value)}
    stacked = [e.target for e in derivation.adjoint if e.target in used]
    for one, two in combinations(stacked, 2):
        for equations in homes if one.shape == two.shape else ():
            terms = _with_each_other(equations, one, two)
            what = said(
                "with {0} and {1} in each other's place, as where gates are stacked in two orders",
                naming(one),
                naming(two),
            )
            targets = tuple(dict.fromkeys(name for name, _ in terms))
            yield Mistake(what, Change(terms), targets, "exchanged", False)


def _with_each_other(
    equations: Iterable[AdjointEquation], one: MatrixSymbol, two: MatrixSymbol
) -> dict[Place, MatrixExpr | None]:
    """The terms with two symbols exchanged, where they have one of them."""
    aside = MatrixSymbol(f"{one.name}_aside", *one.shape)
    terms: dict[Place, MatrixExpr | None] = {}
    for equation in equations:
        for place, term in enumerate(equation.terms):
            if {one, two} & {*symbols_of(term.value)}:
                value = _substituted(term.value, one, aside)
                value = _substituted(_substituted(value, two, one), aside, two)
                terms[equation.target.name, place] = value
    return terms


def _exchanged_in_one(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """Two cotangents in each other's place in what is handed back, or in an input's gradient."""
    for equation in (*derivation.carries, *derivation.inputs):
        found = dict.fromkeys(
            symbol for term in equation.terms for symbol in symbols_of(term.value)
            if symbol.name.endswith(BAR)
        )  # fmt: skip
        for one, two in combinations(found, 2):
            if one.shape == two.shape:
                terms = _with_each_other([equation], one, two)
                what = said("with {0} and {1} in each other's place", naming(one), naming(two))
                name = equation.target.name
                yield Mistake(what, Change(terms), (name,), "exchanged in one", False)


def _kept(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """What a state hands back added to the state's cotangent, or to its carry: d += back."""
    for arrived in (bar, carry):
        together = Change()
        targets: list[str] = []
        for state, equation in zip(derivation.cell.states, derivation.carries, strict=True):
            if any(term.value == arrived(state) for term in equation.terms):
                continue  # so it is in the cell: it would be counted twice
            name = equation.target.name
            change = Change({(name, len(equation.terms)): arrived(state)})
            what = said(
                "with {0} added to {1}, whose place it has to take",
                naming(equation.target),
                naming(arrived(state)),
            )
            yield Mistake(what, change, (name,), "kept")
            together, targets = together | change, [*targets, name]
        if len(targets) > 1:
            what = said(
                "with what every state hands back added to what it got, whose place it has to take"
            )
            yield Mistake(what, together, tuple(targets), "kept")


def _moved(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """A term of a state's cotangent that is handed to the step before instead, and the reverse."""
    order = [e.target.name for e in derivation.adjoint]
    handed = {e.of.name: e for e in derivation.carries}
    for equation in derivation.adjoint:
        state = equation.of
        if state not in derivation.cell.states:
            continue
        other = handed[previous(state).name]
        known = {*order[: order.index(equation.target.name)]}
        pairs = [(equation, other, "handed back to t − 1"), (other, equation, "kept at t")]
        for source, destination, words in pairs:
            for place, term in enumerate(source.terms):
                names = {s.name for s in symbols_of(term.value) if s.name.endswith(BAR)}
                if term.value in (carry(state), from_loss(state)):
                    continue
                if source is other and not names <= known:
                    continue
                change = Change({
                    (source.target.name, place): None,
                    (destination.target.name, len(destination.terms)): term.value,
                })
                what = said("with the term {0} {1}", naming(term.value), words)
                targets = (source.target.name, destination.target.name)
                yield Mistake(what, change, targets, "moved")


def _losses(derivation: Derivation) -> Iterator[Mistake]:
    """The cotangent of another step, of one state or output and of all."""
    for ending, words in LOSS_TAKEN.items():
        assert ending in LOSSES
        together = Change()
        targets: list[str] = []
        names: list[str] = []
        for equation in derivation.adjoint:
            state = equation.of
            if state not in derivation.cell.returned:
                continue
            (place,) = (k for k, t in enumerate(equation.terms) if t.value == from_loss(state))
            taken = MatrixSymbol(from_loss(state).name + ending, *state.shape)
            change = Change({(equation.target.name, place): taken})
            name = (equation.target.name,)
            yield Mistake(said("with {0}", said(words, state.name)), change, name, f"loss{ending}")
            together, targets = together | change, [*targets, *name]
            names.append(state.name)
        if len(names) > 1:
            what = said("with {0}, s being each of {1}", said(words, "s"), ", ".join(names))
            yield Mistake(what, together, tuple(targets), f"loss{ending} of all")


def _wrong_side(derivation: Derivation, naming: EquationNames) -> Iterator[Mistake]:
    """What comes from the next step, or from the loss, added to another cotangent of the step."""
    states = derivation.cell.states
    for equation in derivation.adjoint:
        state = equation.of
        if state not in states:
            continue
        what = {carry(state): said("the carry of {0}", state.name), from_loss(state): "the loss"}
        for place, term in enumerate(equation.terms):
            for other in derivation.adjoint if term.value in what else ():
                if other == equation or other.of.shape != state.shape:
                    continue
                change = Change({
                    (equation.target.name, place): None,
                    (other.target.name, len(other.terms)): term.value,
                })
                words = said(
                    "with {0} added to {1} instead of {2}, on the wrong side of what lies between",
                    what[term.value],
                    naming(other.target),
                    naming(equation.target),
                )
                targets = (equation.target.name, other.target.name)
                yield Mistake(words, change, targets, "wrong side")


def truncated(derivation: Derivation, count: int) -> Iterator[Mistake]:
    """Each loss goes back so many steps, or the sequence is cut into pieces of so many."""
    targets = tuple(e.target.name for e in derivation.carries)
    words = said(
        "truncated after {0} steps: each loss goes back {1} steps, no further", count, count
    )
    yield Mistake(words, Change(window=count), targets, "truncated")
    for from_end, place in ((False, "first"), (True, "last")):
        words = said(
            "truncated after {0} steps: nothing is handed across every {1} steps, "
            "counted from the {2}",
            count,
            count,
            place,
        )
        yield Mistake(words, Change(piece=(count, from_end)), targets, "truncated")


def scaled_whole(every: list[str]) -> Iterator[Mistake]:
    """Gradients right but for a factor: all of them, those of a kind, or one."""
    kinds: dict[str, list[str]] = {group: [] for group in GROUPS}
    for label in every:
        kinds[label.split(".", 1)[0]].append(label)
    for how, factor in SCALES.items():
        for chosen in (every, *kinds.values(), *([label] for label in every)):
            change = Change(scaled=dict.fromkeys(chosen, how))
            yield Mistake(how, change, (), f"scaled, {how}", factor=factor)
