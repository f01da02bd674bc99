"""What the exact check means beside the others, of somebody's code.

In: a session and its checks. Out: the checks, where only the field differs with a doubt instead of
a failure.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import preorder_traversal

from derive.language.expr import Elementwise, Softmax
from derive.network import Network
from numeric.verification.session import Session
from numeric.verification.verdict import FAIL, INCONCLUSIVE, Check


def weighed(session: Session, checks: dict[str, Check]) -> dict[str, Check]:
    """Where only the field differs, another form of the same function may be the reason.

    Code may use exp(a)exp(b) = exp(a+b), which a random exponential does not obey: the oracles
    disagree, and that is said instead of a verdict. Where something else is wrong as well, what
    the floating-point oracles found right stays right.
    """
    exact = checks.get("exact")
    if exact is None or exact.status != FAIL:
        return checks
    more = FAIL in [check.status for name, check in checks.items() if name != "exact"]
    session.wrong = {
        label: by for label, by in session.wrong.items()
        if by != "exact" or (more and label not in session.errors)
    }  # fmt: skip
    if more:
        return checks
    reason = (
        f"{exact.reason}; every floating-point oracle agrees with the code, which may use an "
        f"identity of {', '.join(_functions(session))} that random functions do not obey"
    )
    return {**checks, "exact": replace(exact, status=INCONCLUSIVE, reason=reason)}


def _functions(session: Session) -> list[str]:
    """The functions of the equations, those of a network's readout and loss among them."""
    network = getattr(session.problem, "network", None)
    nodes = [node for equation in session.problem.cell.equations
             for node in preorder_traversal(equation.value)]  # fmt: skip
    found = dict.fromkeys(n.function.name for n in nodes if isinstance(n, Elementwise))
    softmax = any(isinstance(node, Softmax) for node in nodes)
    if softmax or (isinstance(network, Network) and network.readout == "softmax"):
        found["exp"] = None
    if isinstance(network, Network) and network.loss == "cross_entropy":
        found["log"] = None
    return [*found]
