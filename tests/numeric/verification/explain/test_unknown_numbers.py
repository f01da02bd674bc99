"""A factor that nobody knows, a limit within the loop: found, and held to every gradient."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from profiles import by_day, night_alone

from derive import Cell, catalogue, differentiate
from derive.language.expr import scale
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.target import load
from numeric.numbers.arithmetic import FLOATS
from numeric.verification.cases import Case
from numeric.verification.explain.audit import (
    AGREEMENTS,
    SEEDS,
    Audit,
    Excuse,
    agreement,
    no_excuse,
    precision,
)
from numeric.verification.explain.change import LIMITS, Change
from numeric.verification.explain.changed_equations import ForwardPass
from numeric.verification.explain.unknown_numbers import factor, limited
from numeric.verification.fit import audited
from numeric.verification.problems.extents import Result
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verify import verify
from numeric.verification.watch import Guard, subject_of

LARGE = 2.0**20


def audit_of(
    cell: str, change: Change, *, spoilt: float = 0.0, excuse: Excuse = no_excuse
) -> Audit:
    """An audit of code whose backward pass is changed so; `spoilt` of db besides."""
    problem = CellProblem(catalogue[cell])
    derivation = differentiate(catalogue[cell])

    def call(case: Case) -> Result:
        found = ForwardPass(derivation, case).gradients(change)
        gradients: dict[str, dict[str, Any]] = {"params": {}, "inputs": {}, "initial": {}}
        for group, name in problem.gradients():
            gradients[group][name] = found[f"{group}.{name}"]
        if spoilt:
            name = next(name for name in gradients["params"] if name.startswith("b"))
            gradients["params"][name] = gradients["params"][name] + spoilt
        states = problem.outputs(case, FLOATS)
        return {name: np.stack(values) for name, values in states.items()}, gradients

    return Audit(problem, call, 0, excuse=excuse)


def term(cell: str, target: str, place: int = 0) -> Any:
    derivation = differentiate(catalogue[cell])
    equations = (*derivation.adjoint, *derivation.carries, *derivation.parameters)
    return next(e for e in equations if e.target.name == target).terms[place].value


@pytest.mark.parametrize(
    ("cell", "target", "number", "said"),
    [
        ("lstm", "f.bar", 0.37, "the term c̄_t ⊙ c_{t−1} multiplied by 0.37"),
        ("gru", "h_prev.bar", 2 / 7, "multiplied by 2/7"),
        ("rnn", "W.bar", -0.7131415, "multiplied by -0.71314"),
    ],
)
def test_a_factor_on_one_term_is_found(cell: str, target: str, number: float, said: str) -> None:
    change = Change({(target, 0): scale(number, term(cell, target))})
    audit = audit_of(cell, change)
    found = factor(audit, audit.wrong)
    assert found is not None
    assert said in found.what
    assert found.targets == (target,)
    spoilt = audit_of(cell, change, spoilt=1e-3)
    assert factor(spoilt, spoilt.wrong) is None, "one number does not explain what is wrong besides"


@pytest.mark.parametrize("how", by_day(LIMITS, 2))
def test_a_limit_within_the_loop_is_found(how: str) -> None:
    target = differentiate(catalogue["lstm"]).carries[0].target.name
    change = Change(limits={target: (how, 0.2)})
    audit = audit_of("lstm", change)
    found = limited(audit, LARGE)
    assert found is not None
    assert "of c⃖_{t−1} is at most 0.2 in size" in found.what
    assert found.change.limits[target][0] == how
    assert limited(audit_of("lstm", change, spoilt=1e-3), LARGE) is None
    assert limited(audit_of("lstm", Change()), LARGE) is None


def test_agreement_is_that_of_the_dtype() -> None:
    with precision("float32"):
        assert agreement() is AGREEMENTS["float32"]
    assert agreement() is AGREEMENTS["float64"]


# ---- of networks: the same in one layer, or in every layer ---------------------------------------

CARRY = re.compile(r"(layer(\d)_h_bar_carry) = np.where\(outside\[t\], (\S+), (.*)\)\n")


def network_audit(network: Network, handed: str, layers: str) -> Audit:
    """An audit of code in which those layers hand another h on to the step before."""
    source = compile_network(network, "textbook").source

    def changed(found: re.Match[str]) -> str:
        name, layer, before, value = found.groups()
        value = handed.format(value) if layer in layers else value
        return f"{name} = np.where(outside[t], {before}, {value})\n"

    source, count = CARRY.subn(changed, source)
    assert count == network.layers
    problem = NetworkProblem(network)
    guard = Guard(subject_of(load(source, "mutant"), problem.functions))
    return Audit(problem, audited(problem, guard), 0)


@pytest.mark.parametrize(
    ("layers", "where"), by_day([("0", "layer0"), ("01", "every layer")], 1)
)  # fmt: skip
def test_a_factor_in_a_network_is_found(layers: str, where: str) -> None:
    audit = network_audit(Network(catalogue["gru"], layers=2), "0.37 * ({})", layers)
    found = factor(audit, audit.wrong)
    assert found is not None
    assert "with h⃖_{t−1} multiplied by 0.37" in found.what
    assert audit.anatomy.where(found).startswith(f"{where}, adjoint equation 18: ")


@pytest.mark.parametrize("kind", by_day(["cross_entropy", "squared_error"], 1))
def test_a_limit_within_the_loop_of_a_network_is_found(kind: str) -> None:
    readout = "softmax" if kind == "cross_entropy" else "linear"
    network = Network(catalogue["rnn"], readout=readout, loss=kind)
    audit = network_audit(network, "np.clip({}, -0.05, 0.05)", "0")
    found = limited(audit, LARGE)
    assert found is not None
    assert found.what == "each entry of h⃖_{t−1} is at most 0.05 in size, cut at every step"
    assert found.parts == ("layer0",)
    assert limited(network_audit(network, "np.tanh({})", "0"), LARGE) is None


def test_what_rounding_explains_is_not_off() -> None:
    """The excuse is asked only of a call in which something is off, and holds for what it names."""
    asked: list[str] = []

    def excuse(case: Case, got: Result) -> set[str]:
        asked.append(case.regime)
        return {"params.b"}

    change = Change()
    assert not audit_of("rnn", change, excuse=excuse).wrong
    assert not asked
    assert audit_of("rnn", change, spoilt=1e-3).wrong == {"params.b"}
    found = audit_of("rnn", change, spoilt=1e-3, excuse=excuse)
    assert not found.wrong
    assert len(asked) == SEEDS


CHAOTIC = Cell.parse(
    name="chaotic", inputs=("x1", "x2"), sizes={"s1": "n", "s2": "n"},
    equations="u2, v2 = rotate(U @ x2 + 0.1 * tanh(b), s2_prev, U @ x2)\n"
    "s1 = s1_prev * v2 * (U @ x2 - v2) + x1\n"
    "s2 = tanh(s1_prev / sigmoid(s1) * (mean(U @ x2) * s1)) + u2",
)  # fmt: skip


@pytest.mark.long
def test_right_code_of_a_network_that_overflows_in_four_steps_is_not_called_wrong() -> None:
    cell = Cell.parse(name="squares", equations="h = h_prev * h_prev / sigmoid(U @ x)")
    verdict = verify(compile_network(Network(cell, 3, True)))
    assert verdict.status == "pass", verdict.summary()


@night_alone
def test_right_code_of_a_cell_that_blows_errors_up_is_right() -> None:
    """In four steps rounding reaches 1e-5; every check grants that, and so does the diagnosis."""
    verdict = verify(compile_cell(CHAOTIC, "fused"))
    assert verdict.status == "pass", verdict.summary()
