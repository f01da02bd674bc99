"""What verification says: a verdict, the checks it rests on, and each gradient.

In: the outcomes of checks. Out: `Verdict`, which cannot be `pass` unless two checks of
different kinds passed and none is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PASS, FAIL, INCONCLUSIVE, NOT_APPLICABLE = "pass", "fail", "inconclusive", "not_applicable"
STATUSES: Final = frozenset({PASS, FAIL, INCONCLUSIVE, NOT_APPLICABLE})
KINDS: Final = frozenset({"autograd", "exact", "complex_step", "high_precision"})


@dataclass(frozen=True)
class Check:
    """One check: its status, the reason where it did not pass, and its figures."""

    status: str
    reason: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an unknown status, and a failure without a reason.

        Raises:
            ValueError: for either.
        """
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r}: expected one of {sorted(STATUSES)}")
        if self.status != PASS and not self.reason:
            raise ValueError(f"a check that is {self.status!r} needs a reason")

    def to_dict(self) -> dict[str, Any]:
        """The check as plain data."""
        reason = {} if self.reason is None else {"reason": self.reason}
        return {"status": self.status, **reason, **plain(self.figures)}


@dataclass(frozen=True)
class Gradient:
    """One gradient: right or wrong, and its largest error over its largest entry.

    `diagnosis` names the mistake; `steps` says for each time step whether the gradient is right
    for cotangents that are zero at all other steps.
    """

    status: str
    scaled_error: float | None = None
    reason: str | None = None
    diagnosis: str | None = None
    steps: Mapping[int, bool] | None = None

    def when(self) -> str:
        """At which time steps the loss has to be for the gradient to be wrong; "" if at none."""
        good, bad = ([k for k, right in (self.steps or {}).items() if right is is_right]
                     for is_right in (True, False))  # fmt: skip
        if not bad:
            return ""
        wrong = f"wrong at t = {', '.join(map(str, bad))}"
        return f"right at t = {', '.join(map(str, good))}; {wrong}" if good else "wrong at every t"

    def to_dict(self) -> dict[str, Any]:
        """The gradient as plain data."""
        reason = {} if self.reason is None else {"reason": self.reason}
        error = plain(self.scaled_error)
        return {
            "status": self.status, "scaled_error": error, "diagnosis": self.diagnosis,
            "steps": None if self.steps is None else {
                str(step): PASS if right else FAIL for step, right in self.steps.items()
            },
            **reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The outcome of verification.

    `status` is `pass` only if no check failed or is undecided and two kinds of oracle agree
    with the code; `counterexample` is the smallest call found on which it is wrong.
    """

    cell: str
    status: str
    checks: Mapping[str, Check]
    gradients: Mapping[str, Gradient]
    counterexample: Mapping[str, Any] | None
    seed: int
    profile: str
    versions: Mapping[str, str]
    style: str | None = None
    network: str | None = None

    def __post_init__(self) -> None:
        """Refuse a status that the checks do not bear.

        Raises:
            ValueError: if the status is not what follows from checks and gradients.
        """
        if self.status != (right := conclude(self.checks, self.gradients)):
            raise ValueError(f"status {self.status!r}: the checks say {right!r}")

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain data that strict JSON can hold."""
        return {
            "status": self.status,
            "cell": self.cell,
            **({} if self.network is None else {"network": self.network}),
            "style": self.style,
            "seed": self.seed,
            "profile": self.profile,
            "versions": dict(self.versions),
            "checks": {name: check.to_dict() for name, check in self.checks.items()},
            "gradients": {name: g.to_dict() for name, g in self.gradients.items()},
            "counterexample": plain(self.counterexample),
        }

    def __str__(self) -> str:
        """The summary, so that print shows a verdict as a person reads it."""
        return self.summary()

    def summary(self) -> str:
        """The verdict in a few lines: what failed, where, and the smallest counterexample."""
        lines = [f"{self.network or self.cell}: {self.status}"]
        for name, check in self.checks.items():
            lines.append(
                f"  {name}: {check.status}" + (f", {check.reason}" if check.reason else "")
            )
        wrong: dict[str, list[str]] = {}
        for name, gradient in self.gradients.items():
            if gradient.status == FAIL:
                wrong.setdefault(gradient.when(), []).append(name)
        for when, names in wrong.items():
            said = f" (loss at one step only: {when})" if when else ""
            lines.append(f"  wrong gradients: {', '.join(names)}{said}")
        lines += [f"  {line}" for line in diagnoses(g.diagnosis for g in self.gradients.values())]
        if self.counterexample:
            held = ", ".join(f"{key}={value}" for key, value in self.counterexample.items())
            lines.append(f"  smallest counterexample: {held}")
        return "\n".join(lines)


def diagnoses(sentences: Iterable[str | None]) -> list[str]:
    """The sentences on all gradients, those that say the same of several joined in one."""
    joined: dict[str, list[str]] = {}
    for sentence in filter(None, sentences):
        name, found, rest = sentence.partition(" equals ")
        joined.setdefault(rest if found else sentence, []).append(name if found else "")
    lines = []
    for rest, names in joined.items():
        *others, last = names
        verb = "each equal" if others else "equals"
        told = f"{', '.join(others)} and {last}" if others else last
        lines.append(f"{told} {verb} {rest}" if last else rest)
    return lines


def conclude(checks: Mapping[str, Check], gradients: Mapping[str, Gradient]) -> str:
    """The status that follows: any failure fails; any doubt, or one kind of oracle, is doubt."""
    statuses = {check.status for check in checks.values()}
    if FAIL in statuses or any(gradient.status == FAIL for gradient in gradients.values()):
        return FAIL
    kinds = [name for name, check in checks.items() if name in KINDS and check.status == PASS]
    undecided = INCONCLUSIVE in statuses or any(g.status != PASS for g in gradients.values())
    return INCONCLUSIVE if undecided or len(kinds) < 2 else PASS


def plain(value: Any) -> Any:
    """The value as JSON may hold it: what is not finite is null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return plain(value.item()) if hasattr(value, "item") else str(value)
