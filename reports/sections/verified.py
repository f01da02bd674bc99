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
from reports.document.words import Speaker
from reports.sections.facts import Facts

METHODS: Final = {
    "derivation": "verified.by_derivation",
    "interface": "verified.by_interface",
    "arguments": "verified.by_arguments",
    "autograd": "verified.by_autograd",
    "high_precision": "verified.by_high_precision",
    "complex_step": "verified.by_complex_step",
    "padding": "verified.by_padding",
    "exact": "verified.by_exact",
}
_ORACLES: Final = {
    "exact": "verified.named_exact",
    "autograd": "verified.named_autograd",
    "high_precision": "verified.named_high_precision",
    "complex_step": "verified.named_complex_step",
}

_EXACT: Final = frozenset({"derivation", "exact"})


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


def check_name(say: Speaker, name: str) -> str:
    """What a check is called."""
    return say.phrase(name.replace("_", " "))


def summary(facts: Facts, *, brief: bool = False) -> Inlines:
    """Page one's sentence; a brief report has no section on it to refer to."""
    say, verdict = facts.say, facts.verdict
    link = Reference("verified", say.words("verified.link"))
    details = [] if brief else [say.sentence("verified.details", link)]
    if verdict is None:
        return say.sentence("verified.not_done")
    agreed = [
        say.sentence(
            "verified.with_examples",
            say.sentence(name),
            str(verdict.checks[check].figures.get("examples", "")),
        )
        for check, name in _ORACLES.items()
        if check in verdict.checks and verdict.checks[check].status == PASS
    ]
    if verdict.status == PASS:
        return say.together([say.sentence("verified.agree", say.listed(agreed)), *details])
    bad = [name for name, check in verdict.checks.items() if check.status != PASS]
    status = say.sentence("verified.status", Words(say.phrase(verdict.status), "emphasis"),
                          say.listed([say(check_name(say, name)) for name in bad]))  # fmt: skip
    return say.together([status, *details])


def verified(facts: Facts) -> Section | None:
    """Checks, errors, seed, versions, and the command that repeats them."""
    verdict = facts.verdict
    if verdict is None:
        return None
    say, name = facts.say, facts.derivation.cell.name
    name = f"{name} {facts.flags}".rstrip()
    again = f"bptt verify {name} --profile {verdict.profile} --seed {verdict.seed}"
    versions = say.words("words.comma").join(map(" ".join, verdict.versions.items()))
    rows = tuple(_row(facts, check, found) for check, found in verdict.checks.items())
    share = verdict.share_of_bound
    return Section("verified", say.words("verified.title"), (
        Paragraph(say.sentence("verified.opening")),
        Table(3 if facts.measurement else 2, say.sentence("verified.table"),
              say.heads("verified.check", "verified.method", "verified.examples", "verified.error"),
              rows, "lprr"),
        *((Paragraph(say.sentence("verified.share", f"{share:.0%}")),) if share else ()),
        *((Paragraph(say.sentence("verified.lost", Words(verdict.lost, "code"))),)
          if share and verdict.lost else ()),
        *_failures(facts, verdict),
        Paragraph(say.sentence("verified.repeat", Words(again, "code"), versions)),
    ))  # fmt: skip


def _row(facts: Facts, name: str, check: Check) -> tuple[Inlines, ...]:
    say, figures = facts.say, check.figures
    method = say.sentence(METHODS[name]) if name in METHODS else say(name)
    if check.reason:
        method = (
            *method,
            *say.sentence(
                "verified.reason",
                say.phrase(check.status.replace("_", " ")),
                say.phrase(check.reason),
            ),
        )
    error = figures.get("scaled_error")
    shown = say.sentence("verified.exact") if name in _EXACT and check.status == PASS else ()
    if isinstance(error, float):
        shown = say("{0}", scientific(error))
    examples = figures.get("examples", figures.get("lines"))
    return (
        say(check_name(say, name)), method, say(str(examples)) if examples is not None else (),
        shown,
    )  # fmt: skip


def _failures(facts: Facts, verdict: Verdict) -> tuple[Paragraph, ...]:
    wrong = [name for name, gradient in verdict.gradients.items() if gradient.status != PASS]
    if not wrong:
        return ()
    names = facts.say.listed([(Words(name, "code"),) for name in wrong])
    return (Paragraph(facts.say.sentence("verified.not_right", names)),)
