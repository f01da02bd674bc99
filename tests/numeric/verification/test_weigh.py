"""What only the field finds wrong is a doubt, and no fault of a gradient seen to be right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from derive import Network, catalogue
from numeric.verification.problems.of_network import NetworkProblem
from numeric.verification.verdict import FAIL, INCONCLUSIVE, PASS, Check
from numeric.verification.weigh import weighed

NOT_EQUAL = Check(FAIL, "not equal over the field: loss")


def session() -> Any:
    return SimpleNamespace(
        problem=NetworkProblem(Network(catalogue["rnn"])),
        wrong={"params.W": "exact", "params.U": "autograd", "inputs.x": "exact"},
        errors={"params.W": 1e-16, "params.U": 1.0},
    )


def test_the_field_alone_is_a_doubt_that_names_the_functions() -> None:
    of = session()
    checks = weighed(of, {"autograd": Check(PASS), "exact": NOT_EQUAL})
    assert checks["exact"].status == INCONCLUSIVE
    assert "an identity of tanh, exp, log that" in str(checks["exact"].reason)
    assert of.wrong == {"params.U": "autograd"}


def test_beside_another_failure_what_was_seen_right_stays_right() -> None:
    of = session()
    checks = {"autograd": Check(FAIL, "params.U: got 1, want 2"), "exact": NOT_EQUAL}
    assert weighed(of, checks) == checks
    assert of.wrong == {"params.U": "autograd", "inputs.x": "exact"}


def test_a_field_that_agrees_changes_nothing() -> None:
    of = session()
    checks = {"autograd": Check(FAIL, "params.U: got 1, want 2"), "exact": Check(PASS)}
    assert weighed(of, checks) == checks
    assert len(of.wrong) == 3
