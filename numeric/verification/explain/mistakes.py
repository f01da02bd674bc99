"""The mistakes people make in a backward pass, as changes of the adjoint equations.

In: a derivation. Out: `Mistake`s: what each changes, in which equation, in words that complete
"dW equals the gradient …"; the likely ones first. None of them knows of a particular cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from sympy import MatrixExpr, Rational

from derive.calculus.adjoint import AdjointEquation, carry
from derive.calculus.through_time import Derivation
from derive.language.expr import scale, symbols_of, transpose
from derive.language.syntax import BAR
from derive.saying import said
from numeric.verification.explain.change import (
    EARLIER,
    HELD_EARLIER,
    LATER,
    OF_FIRST,
    Change,
    Mistake,
    Place,
)
from numeric.verification.explain.equation_names import EquationNames
from numeric.verification.explain.loop import late, over_time, reductions
from numeric.verification.explain.other_order import other_order, reordered
from numeric.verification.explain.rewrites import Alphabet, Rewrite, rewrites

HALF: Final = Rational(1, 2)
Made = set[tuple[str, frozenset[Any]]]


def mistakes(derivation: Derivation, naming: EquationNames) -> list[Mistake]:
    """All of them: at one place, then the same at several places at once."""
    alphabet = Alphabet.of(derivation)
    loop = (*derivation.adjoint, *derivation.carries)
    ends = (*derivation.inputs, *derivation.parameters)
    single: list[Mistake] = []
    for equations in (loop, ends):
        for place, equation in enumerate(equations):
            known = {e.target.name for e in equations[:place]} if equations is loop else None
            single += _in_terms(equation, derivation, alphabet, naming, known)
    single.sort(key=lambda mistake: mistake.family == "alone")  # no loss may see the other terms
    loops = {e.target.name for e in loop}
    sums = [*reductions(derivation)]
    found = [*over_time(derivation, naming), *single, *sums]
    parameters = {e.target.name for e in derivation.parameters}
    found += _sweeps([m for m in single if {*m.targets} & loops], single, parameters)
    found += [m for group in _grouped(sums, _family) for m in _joined(group, set())]
    found += late(derivation, naming)
    found += _at_first(found, {e.target.name for e in derivation.carries})
    found += reordered(derivation, naming)
    found += other_order(derivation, naming)
    return found


# ---- one term of one equation ---------------------------------------------------------------


def _in_terms(
    equation: AdjointEquation,
    derivation: Derivation,
    alphabet: Alphabet,
    naming: EquationNames,
    known: set[str] | None,
) -> Iterator[Mistake]:
    """Each term missing, of the other sign, twice or half, or with one part exchanged."""
    name = equation.target.name
    parameters = {e.target.name for e in derivation.parameters}
    for place, term in enumerate(equation.terms):
        here = (name, place)
        text = naming(term.value)
        if term.value == carry(equation.of):
            yield _carry_missing(derivation, equation, here)
        elif len(equation.terms) > 1:
            yield Mistake(
                said("with the term {0} missing", text), Change({here: None}), (name,), "missing"
            )
        if len(equation.terms) > 2:
            others = {(name, k): None for k in range(len(equation.terms)) if k != place}
            yield Mistake(
                said("with the term {0} alone", text), Change(others), (name,), "alone", False
            )
        yield from _scaled(said("the term {0}", text), name, {here: term.value})
        for rewrite in rewrites(term.value, alphabet, naming, known):
            if term.each_step or _is_of_no_step(rewrite.value, alphabet):
                yield _rewritten(rewrite, here, text)
        if name in parameters and term.value.shape[0] == term.value.shape[1] != 1:
            flipped = transpose(term.value)
            yield Mistake("transposed", Change({here: flipped}), (name,), "transposed")
    if len(equation.terms) > 1:
        whole = {(name, place): term.value for place, term in enumerate(equation.terms)}
        yield from _scaled(said("all of {0}", naming(equation.target)), name, whole)
    nothing: dict[Place, MatrixExpr | None] = {(name, k): None for k in range(len(equation.terms))}
    yield Mistake(
        said("with {0} left at zero", naming(equation.target)), Change(nothing), (name,), "zero"
    )


def _is_of_no_step(value: MatrixExpr, alphabet: Alphabet) -> bool:
    """Whether it is one number or array, whatever the step and sample: it can be added once."""
    names = {s.name for s in alphabet.fixed}
    return {s.name for s in symbols_of(value)} <= names | {f"{name}{BAR}" for name in names}


def _rewritten(rewrite: Rewrite, here: Place, text: str) -> Mistake:
    whole = rewrite.what.endswith(f" for {text}")
    what = said("with {0}", rewrite.what) if whole else said("with {0} in {1}", rewrite.what, text)
    change = Change({here: rewrite.value})
    return Mistake(what, change, (here[0],), rewrite.family, rewrite.major)


def _carry_missing(derivation: Derivation, equation: AdjointEquation, here: Place) -> Mistake:
    state = equation.of.name
    handed = f"{state}_prev{BAR}"
    what = said(
        "with the path through {0}_{{t+1}} dropped: the carry of {1} is missing", state, state
    )
    return Mistake(what, Change({here: None}), (here[0], handed), "carry")


def _scaled(what: str, name: str, values: dict[Place, MatrixExpr]) -> Iterator[Mistake]:
    for number, words in ((-1, "of the wrong sign"), (2, "counted twice"), (HALF, "halved")):
        change = Change({place: scale(number, value) for place, value in values.items()})
        yield Mistake(
            said("with {0} {1}", what, words), change, (name,), f"times {number}", number == -1
        )


# ---- the same in several places, and what is no change of a single term ----------------------


def _sweeps(
    loop: list[Mistake], everywhere: list[Mistake], parameters: set[str]
) -> Iterator[Mistake]:
    """One change made in every term of an equation, in all of the loop, at its ends, everywhere.

    The ends are gradients of parameters, and then those of inputs as well.
    """
    made: Made = set()
    by_equation = _grouped(everywhere, lambda m: (m.family, m.targets[0]))
    in_loop = _grouped(loop, _family)
    shifted = _grouped(everywhere, lambda m: (_shift(m), m.targets[0]))
    shifts = [*shifted, *_grouped(loop, lambda m: (_shift(m),))]
    for members in (*by_equation, *in_loop, *(group for group in shifts if _shift(group[0]))):
        yield from _joined(members, made)
    ends = [m for m in everywhere if m not in loop]
    sums = [m for m in ends if {*m.targets} <= parameters]
    everything = [m for m in everywhere if _shift(m)]
    for members in (
        *_grouped(sums, _family), *_grouped(ends, _family), *_grouped(everywhere, _family),
        *_grouped([m for m in ends if _shift(m)], lambda m: (_shift(m),)),
        *_grouped(everything, lambda m: (_shift(m),)),
    ):  # fmt: skip
        yield from _joined(members, made)


def _at_first(found: Iterable[Mistake], carries: set[str]) -> list[Mistake]:
    """What may be wrong in what is handed back, wrong at the first step alone: in a dh_0."""
    told = {"missing", "zero"}  # among what is handed on in part
    return [
        replace(
            mistake,
            what=said("{0}, at the first step alone", mistake.what),
            change=Change(at_first=mistake.change.terms),
            family="initial",
        )
        for mistake in found
        if len({*mistake.targets}) == 1 and {*mistake.targets} <= carries
        and mistake.change == Change(mistake.change.terms) and mistake.family not in told
        and not mistake.family.endswith((OF_FIRST, HELD_EARLIER))  # right at the first step
    ]  # fmt: skip


def _joined(members: list[Mistake], made: Made) -> Iterator[Mistake]:
    """The change in all places where it does not meet itself; what is made is noted."""
    chosen: list[Mistake] = []
    change = Change()
    for member in members:
        if not change.meets(member.change):
            change, chosen = change | member.change, [*chosen, member]
    key = (members[0].family, frozenset((*change.terms, *change.reductions)))
    if len(chosen) > 1 and key not in made and key[0] not in {"zero", "missing", "alone"}:
        made.add(key)
        targets = tuple(dict.fromkeys(t for m in chosen for t in m.targets))
        first = chosen[0].what
        same = all(m.what == first for m in chosen)
        more = said("{0} more places", len(chosen) - 1)
        if len(chosen) == 2:
            more = said("1 more place")
        what = first if same else said("{0}, and likewise in {1}", first, more)
        yield Mistake(what, change, targets, chosen[0].family)


def _shift(mistake: Mistake) -> str:
    """One step earlier, or one step later, whatever it is that is taken so."""
    return next((ending for ending in (EARLIER, LATER) if mistake.family.endswith(ending)), "")


def _family(mistake: Mistake) -> tuple[str, ...]:
    return (mistake.family,)


def _grouped(
    found: Iterable[Mistake], key: Callable[[Mistake], tuple[str, ...]]
) -> Iterator[list[Mistake]]:
    groups: dict[tuple[str, ...], list[Mistake]] = {}
    for mistake in found:
        groups.setdefault(key(mistake), []).append(mistake)
    yield from groups.values()
