"""The exact check of a network: the unmodified module on dual numbers over a prime field.

In: a network, a guarded module, sizes and a seed. Out: `ExactResult`. The loss carries its
derivative in a random direction d; it equals gradient · d as integers, and the loss itself is
that of the equations over the same field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive.network import Network
from numeric.numbers.degree import error_probability, variables
from numeric.numbers.prime_field import (
    Dual,
    DualArray,
    RandomFunctions,
    random_duals,
    random_functions,
    with_tangents,
)
from numeric.verification.exact import DEVIATIONS, FORMS, ExactResult, against
from numeric.verification.network_cases import NetworkCase, make_network_case
from numeric.verification.network_equations import network_loss
from numeric.verification.network_guard import NetworkGuard
from numeric.verification.network_reference import LOSS, grouped, with_variables


def exact_network_check(
    network: Network, guard: NetworkGuard, sizes: Mapping[str, int], *, steps: int, batch: int,
    seed: int = 0,
) -> ExactResult:  # fmt: skip
    """L̇ = g·d over GF(2⁶¹−1), for every parameter, input and initial state.

    One direction over all of them decides whether all are right; only if not, a direction for
    each tells which is wrong.

    Raises:
        Misbehaviour: if the module does not run on such arrays.
    """
    for deviation in DEVIATIONS:
        rng = np.random.default_rng(seed)
        case = make_network_case(network, sizes, steps=steps, batch=batch, seed=seed)
        case = case.mapped(lambda a, r=rng, d=deviation: random_duals(r, np.shape(a), d))
        with random_functions(seed) as functions, np.errstate(all="ignore"):
            result = _compare(network, guard, case, rng, functions)
        if result.right or not functions.ties:
            break
    return result


def _compare(
    network: Network, guard: NetworkGuard, case: NetworkCase, rng: np.random.Generator,
    functions: RandomFunctions,
) -> ExactResult:  # fmt: skip
    moved = _moved(case, rng, lambda group, name: True)
    loss, gradients = guard.loss_and_gradient(*moved.arguments())
    right = _entry(loss).tangent == against(moved, gradients)
    verdicts = {(group, name): right for group, name, _ in case.groups()}
    if not right:
        for group, name in verdicts:
            single = _moved(case, rng, lambda g, n, own=(group, name): (g, n) == own)
            along, _ = guard.loss_and_gradient(*single.arguments())
            verdicts[group, name] = _entry(along).tangent == against(single, gradients)
    wanted = (_entry(network_loss(network, moved, form)) for form in FORMS)
    agree = {LOSS: any(_entry(loss).value == want.value for want in wanted)}
    if not right or not agree[LOSS]:
        return ExactResult(agree, verdicts, 0.0)
    found, gradients = guard.loss_and_gradient(*case.mapped(variables).arguments())
    results = [found, *(a for arrays in gradients.values() for a in arrays.values())]
    return ExactResult(agree, verdicts, error_probability(results, functions.asked))


def _moved(case: NetworkCase, rng: np.random.Generator, chosen: Callable[..., bool]) -> NetworkCase:
    """The case with random tangents on the chosen arrays."""
    named = {
        (group, name): with_tangents(value, rng) if chosen(group, name) else value
        for group, name, value in case.groups()
    }
    return with_variables(case, grouped(named))


def _entry(loss: Any) -> Dual:
    """The one number that a loss is."""
    (entry,) = DualArray.of(loss).ravel()
    return entry  # type: ignore[no-any-return]
