"""What verification says: a verdict, the checks it rests on, and each gradient.

In: the outcomes of checks. Out: `Verdict`, which cannot be `pass` unless two checks of
different kinds passed and none is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from derive.saying import said

PASS, FAIL, INCONCLUSIVE, NOT_APPLICABLE = "pass", "fail", "inconclusive", "not_applicable"
PARTIAL: Final = "partial"
STATUSES: Final = frozenset({PASS, FAIL, PARTIAL, INCONCLUSIVE, NOT_APPLICABLE})
KINDS: Final = frozenset({"autograd", "exact", "complex_step", "high_precision"})
_LOST: Final = 0.1  # of the largest entry


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

    `diagnosis` names the mistake, `causes` what of it other gradients may share; `steps` says
    for each time step whether the gradient is right for cotangents that are zero at all other
    steps.
    """

    status: str
    scaled_error: float | None = None
    reason: str | None = None
    diagnosis: str | None = None
    causes: tuple[str, ...] = ()
    steps: Mapping[int, bool] | None = None

    def when(self) -> str:
        """At which time steps the loss has to be for the gradient to be wrong; "" if at none."""
        good, bad = ([k for k, right in (self.steps or {}).items() if right is is_right]
                     for is_right in (True, False))  # fmt: skip
        if not bad:
            return ""
        if not good:
            return said("wrong at every t")
        steps = (", ".join(map(str, which)) for which in (good, bad))
        return said("right at t = {0}; wrong at t = {1}", *steps)

    def to_dict(self) -> dict[str, Any]:
        """The gradient as plain data."""
        reason = {} if self.reason is None else {"reason": self.reason}
        error = plain(self.scaled_error)
        return {
            "status": self.status, "scaled_error": error, "diagnosis": self.diagnosis,
            "causes": list(self.causes),
            "steps": None if self.steps is None else {
                str(step): PASS if right else FAIL for step, right in self.steps.items()
            },
            **reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The outcome of verification.

    `status` is `pass` only if no check failed or is undecided and two kinds of oracle agree
    with the code; `counterexample` is the smallest call found on which it is wrong. `unjudged`
    says of what could not be judged why; with any of it the status is `partial` at best.
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
    unjudged: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a status that the checks do not bear.

        Raises:
            ValueError: if the status is not what follows from checks and gradients.
        """
        if self.status != (right := conclude(self.checks, self.gradients, self.unjudged)):
            raise ValueError(f"status {self.status!r}: the checks say {right!r}")

    @property
    def share_of_bound(self) -> float | None:
        """The largest error over what rounding explains, where the check of fifty digits ran."""
        shares = [check.figures.get("share_of_bound") for check in self.checks.values()]
        return max((share for share in shares if share is not None), default=None)

    @property
    def lost(self) -> str | None:
        """The right gradient of the largest error, where rounding may leave no digit of it."""
        errors = {name: g.scaled_error or 0.0 for name, g in self.gradients.items()
                  if g.status == PASS}  # fmt: skip
        name = max(errors, key=errors.__getitem__, default=None)
        return name if name is not None and errors[name] >= _LOST else None

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
            "unjudged": dict(self.unjudged),
        }

    def __str__(self) -> str:
        """The summary, so that print shows a verdict as a person reads it."""
        return self.summary()

    def summary(self) -> str:
        """The verdict in a few lines: what failed, where, and the smallest counterexample."""
        lines = [f"{self.network or self.cell}: {self.status}"]
        gradients = {name: gradient.to_dict() for name, gradient in self.gradients.items()}
        lines += [f"  {line}" for line in diagnoses(gradients)]
        for name, check in self.checks.items():
            lines.append(
                f"  {name}: {check.status}" + (f", {check.reason}" if check.reason else "")
            )
        wrong: dict[str, list[str]] = {}
        for name, gradient in self.gradients.items():
            if gradient.status == FAIL:
                wrong.setdefault(gradient.when(), []).append(name)
        for when, names in wrong.items():
            only = f" (loss at one step only: {when})" if when else ""
            lines.append(f"  wrong gradients: {', '.join(names)}{only}")
        lines += [f"  {line}" for line in not_judged(self.unjudged)]
        if self.counterexample:
            held = ", ".join(f"{key}={value}" for key, value in self.counterexample.items())
            lines.append(f"  smallest counterexample: {held}")
        return "\n".join(lines)


def diagnoses(gradients: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with the gradients, as plain data: each cause once, with all that share it.

    Where every gradient of a cause has no other, they equal the gradient with that mistake;
    else the cause is one of several. What has no cause that could be shared comes last.
    """
    shared: dict[str, list[str]] = {}
    several: set[str] = set()
    sayings: set[str] = set()
    alone: dict[str, tuple[list[str], list[str]]] = {}
    for label, entry in gradients.items():
        sentence, causes = entry.get("diagnosis"), entry.get("causes") or ()
        name, equals, rest = (sentence or "").partition(" equals ")
        for cause in causes:
            shared.setdefault(cause, []).append(gradient_name(label))
        if len(causes) > 1:
            several |= {*causes}
        elif not equals:
            sayings |= {*causes}
        if sentence and not causes:
            names, whole = alone.setdefault(rest if equals else sentence, ([], []))
            whole.append(sentence)
            names += [name] if equals else []
    lines: list[str] = []
    for cause, names in sorted(shared.items(), key=lambda item: -len(item[1])):
        every = len(names) == len(gradients)
        if cause not in several | sayings:
            lines.append(_equal(names, said("the gradient {0}", cause)))
        elif cause in sayings and every:
            lines.append(cause)
        else:
            whose = said("all gradients") if every else listed(names)
            lines.append(said("{0}: {1}", whose, cause))
    lines += [alone_[0] if len(names) < 2 else _equal(names, rest)
              for rest, (names, alone_) in alone.items()]  # fmt: skip
    return lines


def gradient_name(label: str) -> str:
    """The gradient as a reader calls it: dW_fh, dx, dh_0, dW of layer1."""
    group, name = label.split(".", 1)
    part, _, own = name.rpartition(".")
    called = f"d{own}_0" if group == "initial" else f"d{own}"
    return said("{0} of {1}", called, part) if part else called


def _equal(names: list[str], rest: str) -> str:
    if len(names) > 1:
        return said("{0} each equal {1}", listed(names), rest)
    return said("{0} equals {1}", names[0], rest)


def listed(words: Iterable[str]) -> str:
    """The words with commas, and "and" before the last."""
    *others, last = words
    return said("{0} and {1}", ", ".join(others), last) if others else last


def not_judged(unjudged: Mapping[str, str]) -> list[str]:
    """A line for each reason why something could not be judged, with all that it holds for."""
    reasons: dict[str, list[str]] = {}
    for what, why in unjudged.items():
        reasons.setdefault(why, []).append(what)
    return [said("not judged: {0}: {1}", ", ".join(names), why) for why, names in reasons.items()]


def conclude(
    checks: Mapping[str, Check],
    gradients: Mapping[str, Gradient],
    unjudged: Mapping[str, str] | None = None,
) -> str:
    """The status that follows: any failure fails; any doubt, or one kind of oracle, is doubt.

    Where something was not judged, the rest being right is `partial`, if there is a rest.
    """
    statuses = {check.status for check in checks.values()}
    if FAIL in statuses or any(gradient.status == FAIL for gradient in gradients.values()):
        return FAIL
    kinds = [name for name, check in checks.items() if name in KINDS and check.status == PASS]
    undecided = INCONCLUSIVE in statuses
    if unjudged or PARTIAL in statuses:
        judged = any(gradient.status == PASS for gradient in gradients.values())
        return PARTIAL if judged and not undecided else INCONCLUSIVE
    undecided = undecided or any(g.status != PASS for g in gradients.values())
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
