"""Gradients divided by the number of samples, whatever else is wrong with them.

In: an audit. Out: the labels of such gradients, and the audit of the same code without the
division. No equation is asked: the code's own answers to each sample alone tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric.verification.cases import Case
from numeric.verification.explain.anatomy import labelled
from numeric.verification.explain.audit import Audit, equal
from numeric.verification.problems.extents import Result
from numeric.verification.watch import Misbehaviour


def divided_by_samples(audit: Audit, wrong: set[str]) -> set[str]:
    """The gradients that are, times B, what the code makes of each sample alone, put together."""
    labels = {*wrong}
    for tape, got in zip(audit.tapes, audit.got, strict=True):
        case: Case = tape.case
        if case.batch < 2 or not labels:
            return set()
        try:
            alone = [labelled(audit.call(case.sample(b))[1]) for b in range(case.batch)]
        except Misbehaviour:
            return set()
        whole = {label: together(label, [one[label] for one in alone]) for label in labels}
        labels = {
            label for label in labels
            if np.any(whole[label]) and equal(case.batch * got[label], whole[label])
        }  # fmt: skip
    return labels


def together(label: str, shares: list[Any]) -> Any:
    """Of a parameter, or the loss, the sum of the shares, else the arrays of all samples."""
    if label.startswith(("inputs.", "initial.")):
        return np.concatenate(shares, axis=1 if label.startswith("inputs.") else 0)
    return np.sum(shares, axis=0)


def undone(audit: Audit, labels: set[str]) -> Audit:
    """The audit of the code whose gradients of these labels are multiplied by B again."""

    def call(case: Case) -> Result:
        outputs, gradients = audit.call(case)
        return outputs, {
            group: {
                name: array * case.batch if f"{group}.{name}" in labels else array
                for name, array in arrays.items()
            }
            for group, arrays in gradients.items()
        }

    return Audit(
        audit.problem, call, audit.seed, from_zero=audit.from_zero, excuse=audit.excuse,
        shape=audit.shape,
    )  # fmt: skip
