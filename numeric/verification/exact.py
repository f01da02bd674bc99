"""The exact check: the unmodified module on dual numbers over a prime field, no tolerance.

In: a cell, a guarded module, sizes and a seed. Out: `ExactResult`. The forward pass carries a
derivative ṡ in a random direction d, the backward pass returns the gradient g, and as integers
Σ s̄·ṡ = g·d; the states are those of the cell's equations over the same field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from sympy import Expr

from derive.cell import Cell
from numeric.meaning.interpret import run
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.degree import error_probability, variables
from numeric.numbers.prime_field import (
    PRIME,
    Dual,
    DualArray,
    RandomFunctions,
    random_duals,
    random_functions,
    simplest_rational,
    with_tangents,
)
from numeric.verification.cases import GROUPS, Case, make_case
from numeric.verification.watch import Guard

Name = tuple[str, str]


@dataclass(frozen=True)
class ExactResult:
    """Whether each state is that of the equations, and each gradient dual to the forward pass.

    `error_probability` bounds the chance that a wrong formula passes one such test.
    """

    states: Mapping[str, bool]
    gradients: Mapping[Name, bool]
    error_probability: float

    @property
    def right(self) -> bool:
        """Whether everything is equal."""
        return all(self.states.values()) and all(self.gradients.values())


def number(constant: Expr) -> Dual:
    """A rational as it is, an irrational number as the simplest rational near its float."""
    if constant.is_Rational:
        return Dual.lift(Fraction(int(constant.p), int(constant.q)))
    return Dual.lift(simplest_rational(float(constant)))


DEVIATIONS: Final = (1.0, 0.3, 0.1)
FORMS: Final = tuple(
    Arithmetic(number=number, decide=np.asarray, shifted=shifted) for shifted in (True, False)
)


def exact_check(
    cell: Cell, guard: Guard, sizes: Mapping[str, int], *, steps: int, batch: int, seed: int = 0
) -> ExactResult:
    """Σ s̄·ṡ = g·d over GF(2⁶¹−1), for every parameter, input and initial state.

    One direction over all of them decides whether all are right; only if not, a direction for
    each tells which is wrong. Where shadows that round to one number had to decide, smaller
    shadows are tried.

    Raises:
        Misbehaviour: if the module does not run on such arrays.
    """
    for deviation in DEVIATIONS:
        rng = np.random.default_rng(seed)
        case = make_case(cell, sizes, steps=steps, batch=batch, seed=seed)
        case = case.mapped(lambda a, r=rng, d=deviation: random_duals(r, np.shape(a), d))
        with random_functions(seed) as functions, np.errstate(all="ignore"):
            result = _compare(cell, guard, case, rng, functions)
        if result.right or not functions.ties:
            break
    return result


def _compare(
    cell: Cell, guard: Guard, case: Case, rng: np.random.Generator, functions: RandomFunctions
) -> ExactResult:
    moved = _moved(case, rng, lambda group, name: True)
    found, tape = _forward(guard, moved)
    gradients = guard.backward(moved.params, tape, moved.cotangents)
    left, right = pairing(moved, found), against(moved, gradients)
    verdicts = {(group, name): left == right for group, name, _ in case.groups()}
    if left != right:
        for group, name in verdicts:
            single = _moved(case, rng, lambda g, n, own=(group, name): (g, n) == own)
            along, _ = _forward(guard, single)
            verdicts[group, name] = pairing(single, along) == against(single, gradients)
    agree = _states_agree(cell, moved, found)
    if left != right or not all(agree.values()):
        return ExactResult(agree, verdicts, 0.0)
    return ExactResult(agree, verdicts, _chance(guard, case, functions.asked))


def _chance(guard: Guard, case: Case, functions: int) -> float:
    degrees = case.mapped(variables)
    states, tape = _forward(guard, degrees)
    gradients = guard.backward(degrees.params, tape, degrees.cotangents)
    results = [*states.values(), *(a for arrays in gradients.values() for a in arrays.values())]
    return error_probability(results, functions)


def _forward(guard: Guard, case: Case) -> tuple[dict[str, Any], Any]:
    return guard.forward(case.params, case.inputs, case.initial, case.constants)


def _moved(case: Case, rng: np.random.Generator, chosen: Callable[..., bool]) -> Case:
    """The case with random tangents on the chosen arrays."""
    moved: dict[str, Any] = {
        group: {
            name: with_tangents(value, rng) if chosen(group, name) else value
            for name, value in getattr(case, group).items()
        }
        for group in GROUPS
    }
    return replace(case, **moved)


def pairing(case: Case, states: Mapping[str, Any]) -> int:
    """Σ s̄·ṡ over all steps and states."""
    total = 0
    for name, cotangent in case.cotangents.items():
        tangents = DualArray.of(states[name]).ravel()
        total += sum(c.value * s.tangent for c, s in zip(cotangent.ravel(), tangents, strict=True))
    return total % PRIME


def against(case: Case, gradients: Mapping[str, Mapping[str, Any]]) -> int:
    """⟨gradient, direction⟩ over all arrays that move."""
    total = 0
    for group, name, value in case.groups():
        gradient = DualArray.of(gradients[group][name]).ravel()
        total += sum(g.value * d.tangent for g, d in zip(gradient, value.ravel(), strict=True))
    return total % PRIME


def _states_agree(cell: Cell, case: Case, found: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the states are the equations' own, in one of the forms of softmax."""
    verdicts: dict[str, bool] = {}
    for form in FORMS:
        expected = run(cell, case.params, case.inputs, case.initial, case.constants, form)
        verdicts = {
            name: all(_equal(step, own) for step, own in zip(found[name], values, strict=True))
            for name, values in expected.items()
        }
        if all(verdicts.values()):
            break
    return verdicts


def _equal(left: Any, right: Any) -> bool:
    pairs = zip(DualArray.of(left).ravel(), DualArray.of(right).ravel(), strict=True)
    return all(a.value == b.value for a, b in pairs)
