"""The exact check: the unmodified module on dual numbers over a prime field, no tolerance.

In: a problem, a guarded module, sizes and a seed. Out: `ExactResult`. The outputs carry a
derivative in a random direction d, the module returns the gradient g, and as integers L̇ = g·d (of
a cell Σ s̄·ṡ = g·d); the outputs are those of the problem's equations over the same field. Where
the slope of a function is declared, which forward code cannot know, the equations carry the
derivative in the code's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
from sympy import Rational, preorder_traversal

from derive.calculus.surrogates import declared_slopes
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.degree import error_probability, variables
from numeric.numbers.prime_field import FIELD, Dual, DualArray, random_duals, with_tangents
from numeric.numbers.random_functions import PRIME, RandomFunctions, random_functions
from numeric.verification.cases import Case
from numeric.verification.problems.extents import Result
from numeric.verification.problems.problem import Problem
from numeric.verification.watch import Guard

Name = tuple[str, str]


@dataclass(frozen=True)
class ExactResult:
    """Whether each output is that of the equations, and each gradient dual to the forward pass.

    `error_probability` bounds the chance that a wrong formula passes one such test.
    """

    outputs: Mapping[str, bool]
    gradients: Mapping[Name, bool]
    error_probability: float

    @property
    def right(self) -> bool:
        """Whether everything is equal."""
        return all(self.outputs.values()) and all(self.gradients.values())


@lru_cache(maxsize=64)
def constants_of(cell: Cell) -> tuple[Fraction, ...]:
    """The numbers of a cell, and what its backward pass makes of them: its products."""
    derivation = derivation_of(cell)
    lines = (
        *cell.equations, *derivation.forward, *derivation.adjoint, *derivation.carries,
        *derivation.inputs, *derivation.parameters,
    )  # fmt: skip
    found = {
        abs(node): None
        for line in lines
        for node in preorder_traversal(line.value)
        if isinstance(node, Rational) and node.q != 1
    }
    return tuple(Fraction(int(number.p), int(number.q)) for number in found)


DEVIATIONS: Final = (1.0, 0.3, 0.1)
FORMS: Final = tuple(replace(FIELD, shifted=shifted) for shifted in (True, False))
OF_PROBABILITIES: Final = tuple(replace(form, of_probabilities=True) for form in FORMS)


def exact_check(
    problem: Problem, guard: Guard, sizes: Mapping[str, int], *, steps: int, batch: int,
    seed: int = 0,
) -> ExactResult:  # fmt: skip
    """L̇ = g·d over GF(2⁶¹−1), for every parameter, input and initial state.

    One direction over all of them decides whether all are right; only if not, a direction for
    each tells which is wrong. Where shadows that round to one number had to decide, smaller
    shadows are tried.

    Raises:
        Misbehaviour: if the module does not run on such arrays.
    """
    for deviation in DEVIATIONS:
        rng = np.random.default_rng(seed)
        case = problem.case(sizes, steps=steps, batch=batch, seed=seed)
        case = problem.asked(case.mapped(partial(_drawn, rng, deviation)))
        known = constants_of(problem.cell)
        with random_functions(seed, known) as functions, np.errstate(all="ignore"):
            result = _compare(problem, guard, case, rng, functions)
        if result.right or not functions.ties:
            break
    return result


def _drawn(rng: np.random.Generator, deviation: float, array: Any) -> DualArray:
    return random_duals(rng, np.shape(array), deviation)


def _compare(
    problem: Problem, guard: Guard, case: Case, rng: np.random.Generator,
    functions: RandomFunctions,
) -> ExactResult:  # fmt: skip
    names = [(group, name) for group, name, _ in case.groups() if problem.moves(group, name)]
    moved = _moved(case, rng, {*names})
    outputs, gradients = problem.call(guard, moved)
    agree = _outputs_agree(problem, case, outputs)

    def along(moved: Case, outputs: Mapping[str, Any]) -> set[int]:
        """L̇ of the code's outputs; of the equations' own too in the place of wrong ones."""
        right = {name: array for name, array in outputs.items() if agree.get(name, True)}
        found = _along(problem, moved, outputs)
        return found if len(right) == len(outputs) else found | _along(problem, moved, right)

    right = _against(moved, gradients, names) in along(moved, outputs)
    verdicts = dict.fromkeys(names, right)
    if not right:
        for own in names:
            single = _moved(case, rng, {own})
            made = along(single, problem.call(guard, single)[0])
            verdicts[own] = _against(single, gradients, [own]) in made
    if not right or not all(agree.values()):
        return ExactResult(agree, verdicts, 0.0)
    found = problem.call(guard, case.mapped(variables))
    return ExactResult(agree, verdicts, _chance(found, functions))


def _chance(found: Result, functions: RandomFunctions) -> float:
    outputs, gradients = found
    results = [*outputs.values(), *(a for arrays in gradients.values() for a in arrays.values())]
    return error_probability(results, functions)


def _moved(case: Case, rng: np.random.Generator, chosen: set[Name]) -> Case:
    """The case with random tangents on the chosen arrays."""
    return case.moved({
        (group, name): with_tangents(value, rng) if (group, name) in chosen else value
        for group, name, value in case.groups()
    })


def _along(problem: Problem, case: Case, outputs: Mapping[str, Any]) -> set[int]:
    """L̇, the tangent of the loss of these outputs; one that is not there is the equations' own.

    With declared slopes all are ours, and L̇ what the equations make of it, in one of the forms.
    """
    over_time: dict[str, Any] = {
        name: np.atleast_1d(DualArray.of(array)) for name, array in outputs.items()
    }
    if declared_slopes(problem.cell):
        over_time = {}
    if not {*problem.output_shapes(case)} - {*over_time}:
        return {_tangent(problem.loss(case, over_time))}
    return {
        _tangent(problem.loss(case, {**problem.outputs(case, form), **over_time}))
        for form in _forms(case)
    }


def _forms(case: Case) -> tuple[Arithmetic, ...]:
    """The forms of softmax, and of a cross-entropy where there may be one."""
    return FORMS if case.targets is None else FORMS + OF_PROBABILITIES


def _tangent(loss: Any) -> int:
    return loss.tangent if isinstance(loss, Dual) else 0


def _against(case: Case, gradients: Mapping[str, Mapping[str, Any]], names: Sequence[Name]) -> int:
    """⟨gradient, direction⟩ over the arrays named."""
    total = 0
    for group, name in names:
        value = getattr(case, group)[name]
        gradient = DualArray.of(gradients[group][name]).ravel()
        total += sum(g.value * d.tangent for g, d in zip(gradient, value.ravel(), strict=True))
    return total % PRIME


def _outputs_agree(problem: Problem, case: Case, found: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the outputs are the equations' own, in one of the forms of softmax and its loss."""
    verdicts: dict[str, bool] = {}
    for form in _forms(case):
        expected = problem.outputs(case, form)
        verdicts = {
            name: _equal(found[name], values)
            for name, values in expected.items()
            if name in found and problem.judged("states", name)
        }  # fmt: skip
        if all(verdicts.values()):
            break
    return verdicts


def _equal(found: Any, expected: Sequence[Any]) -> bool:
    left = [entry.value for entry in DualArray.of(found).ravel()]
    right = [entry.value for value in expected for entry in DualArray.of(value).ravel()]
    return left == right
