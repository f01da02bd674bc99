"""The mistakes people make in a backward pass, as changes of the adjoint equations.

In: a derivation. Out: `Mistake`s: what each changes, in which equation, in words that complete
"dW equals the gradient …"; the likely ones first. None of them knows of a particular cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from sympy import MatMul, MatrixExpr, MatrixSymbol, Rational
from sympy.matrices.expressions import HadamardProduct

from derive.calculus.adjoint import BAR, AdjointEquation, bar, carry, from_loss
from derive.calculus.through_time import Derivation, differentiate
from derive.cell import previous
from derive.language.expr import add, hadamard, product, scale, symbols_of, transpose
from numeric.verification.explain.changed_equations import Change, Place
from numeric.verification.explain.rewrites import Alphabet, Rewrite, rewrites
from numeric.verification.explain.wording import Wording

HALF: Final = Rational(1, 2)
READERS: Final = 4  # of an overwritten cotangent: beyond, too many orders of the lines to try
REDUCED: Final = {
    "first step": "overwritten at each step instead of summed over time (the first step's share)",
    "last step": "taken at the last step only, not summed over time",
    "mean over time": "averaged over time instead of summed",
    "mean over the batch": "averaged over the batch instead of summed",
    "mean over both": "averaged over time and batch instead of summed",
    "first sample": "of the first sample only, not summed over the batch",
    "last sample": "of the last sample only, not summed over the batch",
    "from the weights": "accumulated on top of the weights instead of zero",
    "from ones": "accumulated on top of ones instead of zero",
}


@dataclass(frozen=True, eq=False)
class Mistake:
    """A change, the equations it is in, and what it is in words.

    `family` is the same for the same change elsewhere; `major` mistakes are tried in pairs.
    `derivation`: of another cell, where it is that cell's backward pass that is computed.
    """

    what: str
    change: Change
    targets: tuple[str, ...]
    family: str
    major: bool = True
    derivation: Derivation | None = None


def mistakes(derivation: Derivation, wording: Wording) -> list[Mistake]:
    """All of them: at one place, then the same at several places at once."""
    alphabet = Alphabet.of(derivation)
    loop = (*derivation.adjoint, *derivation.carries)
    ends = (*derivation.inputs, *derivation.parameters)
    single: list[Mistake] = []
    for equations in (loop, ends):
        for place, equation in enumerate(equations):
            known = {e.target.name for e in equations[:place]} if equations is loop else None
            single += _in_terms(equation, derivation, alphabet, wording, known)
    loops = {e.target.name for e in loop}
    found = [*_boundaries(derivation), *single, *_reductions(derivation)]
    found += _sweeps([m for m in single if {*m.targets} & loops], single)
    found += [*_overwritten(derivation, wording), *_moved(derivation, wording)]
    found += _other_order(derivation, wording)
    return found


# ---- one term of one equation ---------------------------------------------------------------


def _in_terms(
    equation: AdjointEquation,
    derivation: Derivation,
    alphabet: Alphabet,
    wording: Wording,
    known: set[str] | None,
) -> Iterator[Mistake]:
    """Each term missing, of the other sign, twice or half, or with one part exchanged."""
    name = equation.target.name
    parameters = {e.target.name for e in derivation.parameters}
    for place, term in enumerate(equation.terms):
        here = (name, place)
        text = wording(term.value)
        if term.value == carry(equation.of):
            yield _carry_missing(derivation, equation, here)
        elif len(equation.terms) > 1:
            yield Mistake(f"with the term {text} missing", Change({here: None}), (name,), "missing")
        if len(equation.terms) > 2:
            others = {(name, k): None for k in range(len(equation.terms)) if k != place}
            yield Mistake(f"with the term {text} alone", Change(others), (name,), "alone", False)
        yield from _scaled(f"the term {text}", name, {here: term.value})
        for rewrite in rewrites(term.value, alphabet, wording, known):
            yield _rewritten(rewrite, here, text)
        if name in parameters and term.value.shape[0] == term.value.shape[1] != 1:
            flipped = transpose(term.value)
            yield Mistake("transposed", Change({here: flipped}), (name,), "transposed")
    if len(equation.terms) > 1:
        whole = {(name, place): term.value for place, term in enumerate(equation.terms)}
        yield from _scaled(f"all of {wording(equation.target)}", name, whole)
    nothing: dict[Place, MatrixExpr | None] = {(name, k): None for k in range(len(equation.terms))}
    yield Mistake(f"with {wording(equation.target)} left at zero", Change(nothing), (name,), "zero")


def _rewritten(rewrite: Rewrite, here: Place, text: str) -> Mistake:
    whole = rewrite.what.endswith(f" for {text}")
    what = f"with {rewrite.what}" if whole else f"with {rewrite.what} in {text}"
    change = Change({here: rewrite.value})
    return Mistake(what, change, (here[0],), rewrite.family, rewrite.major)


def _carry_missing(derivation: Derivation, equation: AdjointEquation, here: Place) -> Mistake:
    state = equation.of.name
    handed = f"{state}_prev{BAR}"
    what = f"with the path through {state}_{{t+1}} dropped: the carry of {state} is missing"
    return Mistake(what, Change({here: None}), (here[0], handed), "carry")


def _scaled(what: str, name: str, values: dict[Place, MatrixExpr]) -> Iterator[Mistake]:
    for number, words in ((-1, "of the wrong sign"), (2, "counted twice"), (HALF, "halved")):
        change = Change({place: scale(number, value) for place, value in values.items()})
        yield Mistake(f"with {what} {words}", change, (name,), f"times {number}", number == -1)


# ---- the ends of the loop, and the sums over it ---------------------------------------------


def _boundaries(derivation: Derivation) -> Iterator[Mistake]:
    """Step 1: never propagated, not handed on, or handed on in part."""
    carries = derivation.carries
    targets = tuple(e.target.name for e in carries)
    early = Change(stops_early=True)
    yield Mistake("with the first step never propagated: the loop over time ends one step early",
                  early, targets, "early")  # fmt: skip
    for state, equation in zip(derivation.cell.states, carries, strict=True):
        name = equation.target.name
        whole: dict[Place, MatrixExpr | None] = {(name, k): None for k in range(
            len(equation.terms))}  # fmt: skip
        yield Mistake(f"with the carry of {state.name} missing at t = 0: the first step hands "
                      "nothing back", Change(at_first=whole), (name,), "initial")  # fmt: skip
        yield Mistake(
            f"of {state.name} at the first step, not handed back through that step",
            Change(handed={state.name: bar(state).name}), (name,), "initial",
        )  # fmt: skip
        for other in derivation.cell.states:
            if other != state and other.shape == state.shape:
                yield Mistake(
                    f"of the initial {other.name} in its place",
                    Change(handed={state.name: previous(other).name + BAR}), (name,), "initial",
                )  # fmt: skip
        for place, _ in enumerate(equation.terms):
            change = Change(at_first={(name, place): None})
            yield Mistake(f"with term {place + 1} of {len(equation.terms)} missing at t = 0",
                          change, (name,), "initial")  # fmt: skip


def _reductions(derivation: Derivation) -> Iterator[Mistake]:
    for equation in derivation.parameters:
        if any(term.each_step for term in equation.terms):
            for how, words in REDUCED.items():
                change = Change(reductions={equation.of.name: how})
                yield Mistake(words, change, (equation.target.name,), how)


# ---- the same in several places, and what is no change of a single term ----------------------


def _sweeps(loop: list[Mistake], everywhere: list[Mistake]) -> Iterator[Mistake]:
    """One change made in every term of an equation, in all of the loop, or everywhere.

    What no equation of the loop reads needs no joining: its gradients are judged one by one.
    """
    made: set[tuple[str, frozenset[Place]]] = set()

    def joined(members: list[Mistake]) -> Iterator[Mistake]:
        chosen: list[Mistake] = []
        change = Change()
        for member in members:
            if not change.meets(member.change):
                change, chosen = change | member.change, [*chosen, member]
        key = (members[0].family, frozenset(change.terms))
        if len(chosen) > 1 and key not in made and key[0] not in {"zero", "missing", "alone"}:
            made.add(key)
            targets = tuple(dict.fromkeys(t for m in chosen for t in m.targets))
            first = chosen[0].what
            same = all(m.what == first for m in chosen)
            yield Mistake(first if same else f"{first}, and likewise in {len(chosen) - 1} more "
                          f"place{'s' * (len(chosen) > 2)}", change, targets,
                          chosen[0].family)  # fmt: skip

    for members in _grouped(everywhere, lambda m: (m.family, m.targets[0])):
        yield from joined(members)
    for members in _grouped(loop, lambda m: (m.family,)):
        yield from joined(members)
    for members in _grouped(everywhere, lambda m: (m.family,)):
        if any(member in loop for member in members):
            yield from joined(members)


def _grouped(
    found: Iterable[Mistake], key: Callable[[Mistake], tuple[str, ...]]
) -> Iterator[list[Mistake]]:
    groups: dict[tuple[str, ...], list[Mistake]] = {}
    for mistake in found:
        groups.setdefault(key(mistake), []).append(mistake)
    yield from groups.values()


def _overwritten(derivation: Derivation, wording: Wording) -> Iterator[Mistake]:
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
                    what = (
                        f"with {wording(bar(state))} overwritten by {wording(term.value)} too early"
                    )
                    yield Mistake(what, Change(terms), chosen, "overwritten")


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


def _moved(derivation: Derivation, wording: Wording) -> Iterator[Mistake]:
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
                what = f"with the term {wording(term.value)} {words}"
                targets = (source.target.name, destination.target.name)
                yield Mistake(what, change, targets, "moved")


def _other_order(derivation: Derivation, wording: Wording) -> Iterator[Mistake]:
    """The backward pass of a cell in which a product and a gate change their order."""
    cell = derivation.cell
    for place, equation in enumerate(cell.equations):
        for value, old, new in _commuted(equation.value):
            changed = replace(equation, value=value)
            equations = (*cell.equations[:place], changed, *cell.equations[place + 1 :])
            try:
                other = differentiate(replace(cell, equations=equations))
            except (ValueError, KeyError):
                continue
            what = f"of another cell, with {wording(new)} for {wording(old)}"
            users = [e.target.name for e in derivation.adjoint if _uses(e, old)]
            targets = [e.target.name for e in derivation.carries if _uses(e, old)]
            yield Mistake(what, Change(), (*users, *targets), "order", False, other)


def _uses(equation: AdjointEquation, old: MatrixExpr) -> bool:
    matrices = {s for s in symbols_of(old) if s.shape[1] != 1}
    return any(matrices & {*symbols_of(term.value)} for term in equation.terms)


def _commuted(node: MatrixExpr) -> Iterator[tuple[MatrixExpr, MatrixExpr, MatrixExpr]]:
    """M (r ⊙ h) as r ⊙ (M h), and the reverse; the whole, the old part, the new part."""
    match node:
        case MatMul(args=(matrix, HadamardProduct() as inner)) if isinstance(matrix, MatrixExpr):
            for k, factor in enumerate(inner.args):
                others = hadamard(*inner.args[:k], *inner.args[k + 1 :])
                new = hadamard(factor, product(matrix, others))
                yield new, node, new
        case HadamardProduct():
            for k, part in enumerate(node.args):
                terms = part.args if part.is_MatAdd else (part,)
                inner = [t for t in terms if isinstance(t, MatMul) and len(t.args) == 2
                         and isinstance(t.args[0], MatrixExpr)]  # fmt: skip
                factor = hadamard(*node.args[:k], *node.args[k + 1 :])
                for term in inner:
                    put = product(term.args[0], hadamard(factor, term.args[1]))
                    rest = [t for t in terms if t is not term]
                    new = add(put, *rest)
                    yield new, node, new
                    if rest:
                        new = add(put, *(hadamard(factor, t) for t in rest))
                        yield new, node, new
    if not isinstance(node, MatrixSymbol):
        for k, part in enumerate(node.args):
            if isinstance(part, MatrixExpr):
                for value, old, new in _commuted(part):
                    yield node.func(*node.args[:k], value, *node.args[k + 1 :]), old, new
