"""What the checks of one verification share where a network's module is verified.

In: a network and its guarded module. Out: `NetworkSession`: the same questions as for a cell,
answered by the network's oracles, cases and promises; the loss stands where the states do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from derive.cell import Cell
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.numbers.rounding import Kinds, close_calls, data
from numeric.verification.compare import Difference, errors_of
from numeric.verification.exact import ExactResult
from numeric.verification.network_cases import (
    NetworkCase,
    gradient_names,
    make_network_case,
    ordinary_network_cases,
    ordinary_network_sizes,
    smaller_network_cases,
    unusual_network_cases,
)
from numeric.verification.network_exact import exact_network_check
from numeric.verification.network_guard import NetworkGuard, network_subject_of
from numeric.verification.network_promises import (
    check_network_arguments,
    check_network_declared,
    check_network_promises,
    check_padding,
)
from numeric.verification.network_reference import LOSS, autograd_network, precise_network
from numeric.verification.oracles import Answer
from numeric.verification.promises import Result
from numeric.verification.session import Session
from numeric.verification.strategies import network_case
from numeric.verification.verdict import FAIL, NOT_APPLICABLE, PASS, Check
from numeric.verification.watch import Guard, Misbehaviour, Raised, Subject, subject_of

_SMALL: Final = 2
_SHOWN: Final = f"states.{LOSS}"


@dataclass(kw_only=True)
class NetworkSession(Session):
    """What the checks of one verification of a network share."""

    network: Network
    guard: NetworkGuard

    def autograd(self, case: Any) -> Answer:
        """Loss and gradients by autograd."""
        return autograd_network(self.network, case)

    def precise(self, case: Any) -> Answer:
        """Loss and gradients to fifty digits."""
        return precise_network(self.network, case)

    def cases(self, **limits: Any) -> Any:
        """A Hypothesis strategy of calls; small ones are short as well: fifty digits take time."""
        if limits.get("largest", _SMALL + 1) <= _SMALL:
            limits = {**limits, "longest": 2, "widest": 2}
        return network_case(self.network, **limits)

    def battery(self, regimes: Iterable[str], **limits: Any) -> Iterator[NetworkCase]:
        """Set cases of the regimes; small ones are short as well."""
        if limits.get("largest", _SMALL + 1) <= _SMALL:
            limits = {**limits, "steps": 2, "batch": 2}
        return ordinary_network_cases(self.network, regimes, seed=self.seed, **limits)

    def unusual(self) -> Iterator[NetworkCase]:
        """Set cases of many units, samples or steps, and of zeros."""
        return unusual_network_cases(self.network, seed=self.seed)

    def smaller(self, case: Any) -> Iterator[NetworkCase]:
        """The case with one size smaller, each in turn."""
        return smaller_network_cases(self.network, case)

    def interface(self) -> None:
        """The promises of the module interface.

        Raises:
            Misbehaviour: if one is broken.
        """
        check_network_declared(self.network, self.guard)
        check_network_promises(self.network, self.guard)

    def arguments(self) -> int:
        """Wrong arguments are refused by name: how many were tried."""
        return check_network_arguments(self.network, self.guard)

    def labels(self) -> list[str]:
        """Every gradient as the verdict calls it."""
        return [f"{group}.{name}" for group, name in gradient_names(self.network)]

    def result_by(self, guard: Any, case: Any) -> Result:
        """What that module makes of the case."""
        loss, gradients = guard.loss_and_gradient(*case.arguments())
        return {LOSS: loss}, gradients

    def bounds_by(self, guard: Any, case: Any, kinds: Kinds) -> tuple[Result, bool]:
        """What rounding explains in that module."""
        kind = kinds[case.dtype]
        with close_calls() as calls:
            found = self.result_by(guard, case.mapped(lambda array: data(kind, array)))
        return errors_of(found), not calls

    def judge(self, found: list[Difference], tolerance: float, check: str) -> list[Difference]:
        """The differences that are wrong, the loss called by its name."""
        wrong = super().judge(found, tolerance, check)
        return [replace(d, entry=d.entry.replace(_SHOWN, "loss")) for d in wrong]

    def padding(self, seeds: int) -> Check:
        """What stands after a sample's end contributes nothing, exactly."""
        try:
            count = check_padding(self.network, self.guard, range(self.seed, self.seed + seeds))
        except Misbehaviour as problem:
            return Check(FAIL, str(problem))
        return Check(PASS, None, {"examples": count})

    def exact(self, examples: int) -> Check:
        """L̇ = g·d over the prime field at several sizes; no tolerance.

        The error probability is that of passing by accident at the smaller sizes.
        """
        sizes = ordinary_network_sizes(self.network)
        smaller = {name: 1 + (place % 2 == 0 or name == "q") for place, name in enumerate(sizes)}
        chance, count = 1.0, 0
        for example in range(examples):
            small = example % 2 == 1
            chosen, (steps, batch) = (smaller, (2, 2)) if small else (sizes, (4, 3))
            seed = self.seed + example
            try:
                found = exact_network_check(
                    self.network, self.guard, chosen, steps=steps, batch=batch, seed=seed
                )
            except Raised as problem:
                return Check(NOT_APPLICABLE, f"does not run on field elements: {problem}")
            except Misbehaviour as problem:
                return Check(FAIL, str(problem))
            count += 1
            if not found.right:
                case = make_network_case(self.network, chosen, steps=steps, batch=batch, seed=seed)
                return self._not_exact(case, found)
            chance *= found.error_probability if small else 1.0
        figures = {"examples": count, "modulus": "2**61 - 1", "error_probability": chance}
        return Check(PASS, None, figures)

    def _not_exact(self, case: NetworkCase, found: ExactResult) -> Check:
        wrong = ["loss"] if not all(found.states.values()) else []
        labels = [".".join(name) for name, right in found.gradients.items() if not right]
        for label in labels:
            self.wrong.setdefault(label, "exact")
        what = f"not equal over the field: {', '.join([*wrong, *labels])}"
        self.note("exact", case, what)
        return Check(FAIL, what)


def session_of(
    module: Any, cell: Cell, network: Network | None, plain: Any, ours: bool, seed: int
) -> tuple[Session, Misbehaviour | None]:
    """The session of the module, and why it is no module of that interface if it is none."""
    problem: Misbehaviour | None = None
    subject: Any
    try:
        subject = subject_of(module) if network is None else network_subject_of(module)
    except Misbehaviour as found:
        problem, subject = found, Subject({}, module, module)
    if network is None:
        plain = plain or (None if ours else compile_cell(cell, "textbook"))
        stand_in = None if plain is None else Guard(subject_of(plain))
        return Session(cell, Guard(subject), stand_in, seed), problem
    plain = plain or (None if ours else compile_network(network, "textbook"))
    stand_in = None if plain is None else NetworkGuard(network_subject_of(plain))
    session = NetworkSession(
        cell=cell, guard=NetworkGuard(subject), plain=stand_in, seed=seed, network=network
    )
    return session, problem
