"""What was verified, in words: the verdict as one sentence, and as a section.

In: `Facts` with a `Verdict`. Out: inline text and a section, which holds the command that
repeats the checks.
"""

from __future__ import annotations

import math
from typing import Final

from derive.typeset.boxes import Box, Number, Sum, row, sup
from numeric.verification.verdict import PASS, Check, Verdict
from reports.document.model import Inlines, Paragraph, Reference, Section, Table, Words
from reports.document.words import listed
from reports.sections.facts import Facts

_METHODS: Final = {
    "derivation": "every line of the derivation, with forward derivatives of the equations",
    "interface": "names, shapes and dtypes of the module; repeated calls; nothing written to",
    "arguments": "each wrong argument raises an error that names it",
    "autograd": "automatic differentiation of the cell's equations, by autograd",
    "high_precision": "the gradient in arithmetic of many digits, by mpmath",
    "complex_step": "directional derivatives of the equations by a complex step",
    "padding": "the same sequences with other values in their padding, and without it",
    "exact": "the emitted code itself over a finite field, where equality is exact",
}
_ORACLES: Final = {
    "exact": "exact arithmetic over a finite field", "autograd": "autograd",
    "high_precision": "arithmetic of many digits", "complex_step": "a complex step",
}  # fmt: skip

_EXACT: Final = frozenset({"derivation", "exact"})
_LINK: Final = Reference("verified", "verification")


def scientific(value: float) -> Box:
    """A number as 1.5 · 10⁻⁶."""
    if value == 0 or not math.isfinite(value):
        return Number("0") if value == 0 else Number("∞")
    power = math.floor(math.log10(abs(value)))
    digits = f"{value / 10.0**power:.1f}"
    if digits == "10.0":
        digits, power = "1.0", power + 1
    exponent = Sum((("−", Number(str(-power))),)) if power < 0 else Number(str(power))
    return row(Number(digits), "·", sup(Number("10"), exponent))


def summary(facts: Facts) -> Inlines:
    """Page one's sentence."""
    say, verdict = facts.say, facts.verdict
    if verdict is None:
        return say("The emitted code was not verified for this report.")
    agreed = [
        say("{0} ({1} examples)", name, str(verdict.checks[check].figures.get("examples", "")))
        for check, name in _ORACLES.items()
        if check in verdict.checks and verdict.checks[check].status == PASS
    ]
    if verdict.status == PASS:
        return say(
            "The emitted gradients agree with the derivative of the cell's equations by {0}. The "
            "{1} section has the details.", listed(agreed), _LINK,
        )  # fmt: skip
    bad = [name for name, check in verdict.checks.items() if check.status != PASS]
    return say(
        "Status {0}: {1}; the {2} section has the details.", Words(verdict.status, "emphasis"),
        listed([say(name.replace("_", " ")) for name in bad]), _LINK,
    )  # fmt: skip


def verified(facts: Facts) -> Section | None:
    """Checks, errors, seed, versions, and the command that repeats them."""
    verdict = facts.verdict
    if verdict is None:
        return None
    say, name = facts.say, facts.derivation.cell.name
    name = f"{name} {facts.flags}".rstrip()
    again = f"bptt verify {name} --profile {verdict.profile} --seed {verdict.seed}"
    versions = ", ".join(f"{package} {version}" for package, version in verdict.versions.items())
    rows = tuple(_row(facts, check, found) for check, found in verdict.checks.items())
    share = [c.figures["share_of_bound"] for c in verdict.checks.values()
             if "share_of_bound" in c.figures]  # fmt: skip
    return Section("verified", "What was verified", (
        Paragraph(say(
            "Every gradient of the code was compared with the cell's equations by methods that "
            "share nothing with the code. Examples are random in sizes, dtypes, weights, inputs "
            "and cotangents; they include float32 and saturated functions. An error is scaled by "
            "the largest entry of its array.")),
        Table(3 if facts.measurement else 2, say("Each check, and what it found."),
              (say("check"), say("compares with"), say("examples"), say("largest error")),
              rows, "lprr"),
        *((Paragraph(say(
            "Saturated functions and float32 lose digits in any code. Each error is held to the "
            "bound that a rounding analysis of this code gives; the largest is {0} of it.",
            f"{max(share):.0%}")),) if share else ()),
        *_failures(facts, verdict),
        Paragraph(say("To repeat it: {0}. Versions: {1}.", Words(again, "code"), versions)),
    ))  # fmt: skip


def _row(facts: Facts, name: str, check: Check) -> tuple[Inlines, ...]:
    say, figures = facts.say, check.figures
    method = say(_METHODS.get(name, name))
    if check.reason:
        method = (*method, *say(" ({0}: {1})", check.status.replace("_", " "), check.reason))
    error = figures.get("scaled_error")
    shown = say("exact") if name in _EXACT and check.status == PASS else ()
    if isinstance(error, float):
        shown = say("{0}", scientific(error))
    examples = figures.get("examples", figures.get("lines"))
    return (
        say(name.replace("_", " ")), method, say(str(examples)) if examples is not None else (),
        shown,
    )  # fmt: skip


def _failures(facts: Facts, verdict: Verdict) -> tuple[Paragraph, ...]:
    wrong = [name for name, gradient in verdict.gradients.items() if gradient.status != PASS]
    if not wrong:
        return ()
    names = listed([(Words(name, "code"),) for name in wrong])
    return (Paragraph(facts.say("Not proved right: {0}.", names)),)
