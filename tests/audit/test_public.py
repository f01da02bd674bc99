"""Public code's mistakes, rebuilt: none passes, and the verdict says what it is."""

from __future__ import annotations

import re

import pytest
from profiles import by_day
from public import PUBLIC, Public

from derive import catalogue
from numeric.compiler.target import load
from numeric.verification.verdict import Verdict, diagnoses, not_judged
from numeric.verification.verify import verify


def lines_of(verdict: Verdict) -> list[str]:
    return diagnoses({name: g.to_dict() for name, g in verdict.gradients.items()})


def test_there_are_enough_of_them() -> None:
    assert len(PUBLIC) >= 20
    assert len({one.story for one in PUBLIC}) == len(PUBLIC)


@pytest.mark.by_default("lstm: h where the slope of tanh(c) belongs")
@pytest.mark.parametrize("one", by_day(PUBLIC, 9), ids=lambda one: f"{one.cell}: {one.story}")
def test_the_mistake_is_refused_and_named(one: Public) -> None:
    verdict = verify(load(one.source(), "wrong"), cell=catalogue[one.cell])
    assert verdict.status == one.status
    lines = lines_of(verdict)
    told = "\n".join([*lines, *not_judged(verdict.unjudged)])
    for words in one.says:
        assert words in told, told
    assert "no gradient that is tried, with one or two terms" not in told
    causes = [cause for g in verdict.gradients.values() for cause in g.causes]
    assert len(lines) == len(dict.fromkeys(causes)), "each cause is said once"


def test_the_causes_stand_at_the_top() -> None:
    (one,) = (p for p in PUBLIC if p.story.startswith("cotangent of the last step"))
    summary = verify(load(one.source(), "wrong"), cell=catalogue[one.cell]).summary()
    first, second, *_ = summary.splitlines()
    assert first == "rnn: fail"
    assert re.match(r"  dW, dU, db, dx and dh_0 each equal the gradient with ∂L/∂h_T", second)
