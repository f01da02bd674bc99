"""The oracles of a network: its loss and gradients from the equations that define it.

In: a network and a `NetworkCase`. Out: `Answer`, the loss in the place of the states. As for a
cell: reverse accumulation by autograd in float64, forward accumulation in fifty digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from derive.network import Network
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, independent
from numeric.verification.cases import GROUPS
from numeric.verification.network_cases import NetworkCase
from numeric.verification.network_equations import network_loss
from numeric.verification.oracles import AUTOGRAD, Answer, Arrays, collected, reverse

LOSS: Final = "L"


def with_variables(case: NetworkCase, variables: Mapping[str, Arrays]) -> NetworkCase:
    """The case with the arrays that have gradients put in."""
    changed: dict[str, Any] = {
        group: {**getattr(case, group), **arrays} for group, arrays in variables.items()
    }
    return replace(case, **changed)


def grouped(named: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """Arrays by group and by name."""
    return {g: {n: value for (own, n), value in named.items() if own == g} for g in GROUPS}


def autograd_network(network: Network, case: NetworkCase) -> Answer:
    """L and its gradients in float64, by autograd over the equations."""
    case = case.widened()
    variables = grouped({(group, name): value for group, name, value in case.groups()})

    def loss(moved: Mapping[str, Arrays]) -> Any:
        return network_loss(network, with_variables(case, moved), AUTOGRAD)

    if not np.any(case.ends):
        zeros = {g: {n: np.zeros_like(a) for n, a in v.items()} for g, v in variables.items()}
        return Answer({LOSS: np.zeros(())}, zeros)
    value, gradients = reverse(loss, variables)
    return Answer({LOSS: np.asarray(value)}, gradients)


def precise_network(network: Network, case: NetworkCase) -> Answer:
    """L and its gradients to fifty digits, by forward accumulation, rounded once to float64."""
    case = case.widened()
    named = {(group, name): value for group, name, value in case.groups()}
    moved = with_variables(case, grouped(independent(named)))
    lift = np.vectorize(Forward.lift, otypes=[object])
    constants = {n: lift(value) if np.size(value) else value for n, value in case.constants.items()}
    with np.errstate(all="ignore"):
        found = network_loss(network, replace(moved, constants=constants), MULTIPRECISION)
    total = found if isinstance(found, Forward) else Forward.lift(found)
    return Answer({LOSS: np.asarray(float(total.value))}, collected(total, named))
