"""The chapter on sweeps says what `bptt parallel` says of the same weights and inputs."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from reading import text_of

from derive import Cell, catalogue, differentiate
from numeric.bounds.drawn import draw
from numeric.bounds.one_sequence.step_jacobians import run as follow
from numeric.bounds.parallel_in_time.newton import sweeps
from reports.document.html import html
from reports.document.model import Document, Figure, Theorem
from reports.sections import sweeps as chapter
from reports.sections.facts import Facts
from reports.sections.numbering import Pages


def swept(cell, steps, gain=1.2):
    """The section of drawn weights, as text, its blocks, and the run it speaks of."""
    made, derivation = draw(cell, {"n": 3, "m": 2}, gain, steps, 1, 1.0), differentiate(cell)
    run = follow(derivation, made["parameters"], made["inputs"], constants=made["constants"])
    study = SimpleNamespace(given=True, one=SimpleNamespace(run=run))
    pages = Pages(Facts(derivation), study, cell.name)
    section = chapter.sweep_section(pages)
    assert section is not None
    picture = {stem: held.svg for stem, held in pages.pictures.items()}
    text = text_of(html(Document(cell.name, "t", "s", "a", (), (section,)), picture))
    return text, [type(block) for block in section.blocks], run


def test_it_has_the_numbers_of_the_iterates() -> None:
    text, kinds, run = swept(catalogue["rnn"], 25)
    found = sweeps(run.derivation, run.parameters, run.inputs, {}, {}, exact=run.states)
    reached = text.index("Sweeps until Newton's step falls below")
    assert f": {len(found.iterates) - 1}." in text[reached : reached + 60]
    assert f"Iterate {found.certified_at} is the first that is certified" in text
    at, whole = found.foreseen
    known = text.index(f"At iterate {at} it is known how many sweeps bring")
    assert f"all roundings counted: {whole}." in text[known : known + 140]
    assert len(found.iterates) > chapter.HABIT
    assert "take 3 sweeps whatever the net; here the states are then" in text
    assert "They are counted here from" not in text
    assert f"without a certificate: {found.certified_at} of {len(found.iterates)}. Why: the" in text
    assert Theorem in kinds
    assert Figure in kinds
    assert "The square of the step, bounded there, can be computed." in text
    assert "No state before the step occurs in" not in text


def test_the_first_guess_and_what_is_known_before_the_first_sweep() -> None:
    """Of a net that contracts; what fast implementations do begins after one evaluation."""
    text, kinds, run = swept(catalogue["rnn"], 60, gain=0.5)
    given = run.derivation, run.parameters, run.inputs, {}, {}
    found = sweeps(*given, exact=run.states)
    assert found.evaluations > 1
    assert found.own  # the guess's own step Jacobians tell fewer
    assert kinds.count(Theorem) == 3
    made = text.index("Evaluations of the step at all times at once")
    assert f"the one before: {found.evaluations}." in text[made : made + 120]
    by = re.search(r"Theorem (\d+) \(How many sweeps are enough\)", text)
    assert f"By theorem {by[1]} that guess is at most" in text[made:]
    assert f"Theorem {int(by[1]) + 1} (How many sweeps are enough, by the guess's" in text
    assert f"roundings counted: {found.predicted}." in text
    (box,) = re.findall(r"Theorem (\d+) \(How many sweeps are enough\)", text)
    assert f"By theorem {box} that guess" in text  # not by the last one, which stands before it
    usual = sweeps(*given, exact=run.states, warm=False).iterates[chapter.HABIT]
    assert "Three sweeps. They are counted here from the guess that one evaluation" in text
    off = text.index("here the states are then")
    assert text[off + 25 : off + 28] == f"{usual.measured:.2e}"[:3]
    assert swept(catalogue["rnn"], 25, gain=3.0)[1].count(Theorem) == 1


def test_a_count_by_the_guess_alone_has_its_own_theorem() -> None:
    """Of a net that falls too slowly for norms over a box to tell a count."""
    text, kinds, run = swept(catalogue["cornn"], 150, gain=1.8)
    found = sweeps(run.derivation, run.parameters, run.inputs, {}, {**run.constants})
    assert (found.own, found.start.within) == (True, None)
    assert kinds.count(Theorem) == 2
    assert "Let the exact states lie in a box" not in text
    assert "How many sweeps are enough, by the guess's own step Jacobians" in text
    assert "in the second line for j≥1" in text.replace(" ≥ ", "≥")
    made = text.index("Evaluations of the step at all times at once")
    assert f"the one before: {found.evaluations}. The sweeps then known" in text[made : made + 160]
    assert f"roundings counted: {found.predicted}." in text


def test_a_state_that_inputs_alone_make_is_said_to_err_by_its_residual() -> None:
    text, _, _ = swept(catalogue["qrnn"], 4)
    assert "No state before the step occurs in" in text


def test_iterates_that_overflow_are_not_said_to_be_enough() -> None:
    """At the first guess every factor of the product is about 6."""
    text, _, _ = swept(Cell.parse(name="chaos", equations="h = 2 * sin(3 * h_prev) + x / 1e4",
                                  inputs=("x",), sizes={"x": "n"}), 420)  # fmt: skip
    assert "The step from iterate 0 overflows" in text
    assert "that is enough" not in text
    assert "No step of Newton" not in text


def test_at_a_kink_the_reason_is_the_kink_and_nothing_is_quadratic() -> None:
    text, kinds, _ = swept(catalogue["irnn"], 10, gain=0.7)
    assert "Why: no Lipschitz constant: relu has a kink" in text
    assert "quadratic" not in text
    assert "twice" not in text
    assert Theorem in kinds


def test_one_sweep_is_not_said_to_be_several() -> None:
    text, *_ = swept(Cell.parse(name="line", equations="h = 0.5 * h_prev + U @ x"), 10)
    assert "Sweeps until Newton's step falls below" in text
    assert "all roundings counted: 1." in text
    assert "1 sweeps" not in text


def test_of_a_declared_slope_no_theorem_is_stated() -> None:
    """Its proof takes the step Jacobian for the derivative of the step."""
    text, kinds, _ = swept(catalogue["lif"], 10)
    assert Theorem not in kinds
    assert "A declared slope is not the derivative of the step" in text
    assert "quadratic" not in text


def test_what_would_take_long_is_left_out() -> None:
    def pages(given: bool, steps: int, width: int, matrices: bool = False):
        derivation = SimpleNamespace(has_matrices=matrices)
        run = SimpleNamespace(
            derivation=derivation, steps=steps, states={"h": np.zeros((2, width))}
        )
        one = SimpleNamespace(run=run)
        return SimpleNamespace(study=SimpleNamespace(given=given, one=one))

    assert chapter.sweep_section(pages(False, 5, 2)) is None
    assert chapter.sweep_section(pages(True, 100_000, 32)) is None
    assert chapter.sweep_section(pages(True, 5, 2, matrices=True)) is None
    empty = pages(True, 5, 2)
    empty.study.one.run = None
    assert chapter.sweep_section(empty) is None


@pytest.mark.parametrize("kept", [True, False])
def test_three_sweeps_are_said_to_be_certified_only_if_they_are(kept: bool) -> None:
    one = SimpleNamespace(measured=0.1, certified=0.2 if kept else None, adjoint=0.5)
    said: list[str] = []
    say = SimpleNamespace(sentence=lambda key, *_: said.append(key) or key)
    pages = SimpleNamespace(facts=SimpleNamespace(say=say))
    found = SimpleNamespace(iterates=[one] * 5)
    assert [*chapter._habit(pages, found)] == [
        "sweeps.measured", "sweeps.known" if kept else "sweeps.unknown"
    ]  # fmt: skip
