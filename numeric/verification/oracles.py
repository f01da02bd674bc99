"""The oracles: gradients of L = Σ_t Σ_s ⟨s̄_t, s_t⟩ from the cell's own equations.

In: a cell and a `Case`. Out: states and gradients in the module interface's layout. One oracle
is reverse accumulation by autograd in float64, one forward accumulation in fifty digits, one
the complex step through a module's forward code. None shares code with what it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

from derive.cell import Cell
from numeric.meaning.interpret import run
from numeric.numbers.arithmetic import Arithmetic
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, independent
from numeric.verification.cases import GROUPS, Case

Arrays = Mapping[str, Any]
COMPLEX_STEP: Final = 1e-30


@dataclass(frozen=True)
class Answer:
    """What a right module returns: states (T, B, n), and gradients by group and name."""

    states: Arrays
    gradients: Mapping[str, Arrays]


AUTOGRAD: Final = Arithmetic(namespace=anp, decide=lambda array: array)


def _stack(over_time: list[Any], case: Case, name: str, dtype: Any = float) -> Any:
    if over_time:
        return np.stack(over_time)
    return np.zeros((0, case.batch, case.initial[name].shape[-1]), dtype=dtype)


def states(cell: Cell, case: Case) -> dict[str, Any]:
    """s_1…s_T of every state in float64."""
    case = case.widened()
    with np.errstate(all="ignore"):
        found = run(cell, case.params, case.inputs, case.initial, case.constants)
    return {name: _stack(values, case, name) for name, values in found.items()}


def autograd_answer(cell: Cell, case: Case) -> Answer:
    """States and gradients in float64, by autograd over the equations.

    Assumes: no pre-activation beyond ±700, where 1/(1+exp(−a)) overflows.
    """
    case = case.widened()

    def loss(variables: Mapping[str, Arrays]) -> Any:
        found = run(
            cell, variables["params"], variables["inputs"], variables["initial"],
            case.constants, AUTOGRAD,
        )  # fmt: skip
        total = 0.0
        for name, values in found.items():
            for value, cotangent in zip(values, case.cotangents[name], strict=True):
                total = total + anp.sum(cotangent * value)
        return total

    variables = {group: dict(getattr(case, group)) for group in GROUPS}
    if case.steps == 0 or case.batch == 0:
        zeros = {g: {n: np.zeros(np.shape(a)) for n, a in v.items()} for g, v in variables.items()}
        return Answer(states(cell, case), zeros)
    return Answer(states(cell, case), reverse(loss, variables)[1])


def reverse(loss: Callable[[Any], Any], variables: Mapping[str, Arrays]) -> tuple[Any, Any]:
    """L and its gradients, by autograd's reverse accumulation."""
    with np.errstate(all="ignore"):
        value, gradients = value_and_grad(loss)(variables)
    return value, gradients


def precise_answer(cell: Cell, case: Case) -> Answer:
    """States and gradients to fifty digits, by forward accumulation, rounded once to float64."""
    case = case.widened()
    named = {(group, name): value for group, name, value in case.groups()}
    variables = independent(named)
    grouped = {
        group: {name: value for (own, name), value in variables.items() if own == group}
        for group in GROUPS
    }
    lift = np.vectorize(Forward.lift, otypes=[object])
    constants = {
        name: lift(value) if np.size(value) else value for name, value in case.constants.items()
    }
    with np.errstate(all="ignore"):
        found = run(
            cell, grouped["params"], grouped["inputs"], grouped["initial"], constants,
            MULTIPRECISION,
        )  # fmt: skip
    total = Forward.lift(0)
    for name, values in found.items():
        for value, cotangent in zip(values, case.cotangents[name], strict=True):
            for entry, weight in zip(value.ravel(), np.ravel(cotangent), strict=True):
                total = total + entry * float(weight)
    gradients = collected(total, named)
    rounded = np.vectorize(lambda entry: float(entry.value), otypes=[float])
    return Answer(
        {
            name: rounded(_stack(values, case, name, object))
            if values and values[0].size
            else _stack([], case, name)
            if not values
            else np.zeros((len(values), *values[0].shape))
            for name, values in found.items()
        },
        gradients,
    )


def collected(total: Forward, named: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """The derivatives of a number, each group's arrays by name, rounded once to float64."""
    count = sum(np.size(value) for value in named.values())
    flat = np.zeros(count) if total.derivatives is None else total.derivatives.astype(float)
    gradients: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    place = 0
    for (group, name), value in named.items():
        size = np.size(value)
        gradients[group][name] = flat[place : place + size].reshape(np.shape(value))
        place += size
    return gradients


def complex_step(
    forward: Callable[..., Any], case: Case, group: str, name: str, direction: Any
) -> tuple[float, float]:
    """Im L(θ + ihd)/h = ⟨∂L/∂θ, d⟩ without subtraction, through the forward code.

    The second number is Σ|s̄ ṡ|, what the sum's rounding is relative to.
    """
    case = case.widened().mapped(lambda array: np.asarray(array, dtype=np.complex128))
    moved = {**getattr(case, group)}
    moved[name] = moved[name] + 1j * COMPLEX_STEP * direction
    arguments = {
        **{kind: getattr(case, kind) for kind in (*GROUPS, "constants")}, group: moved
    }  # fmt: skip
    found, _ = forward(
        arguments["params"], arguments["inputs"], arguments["initial"],
        arguments["constants"] or None,
    )  # fmt: skip
    tangents = {state: np.imag(value) / COMPLEX_STEP for state, value in found.items()}
    products = [np.real(case.cotangents[state]) * value for state, value in tangents.items()]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)
