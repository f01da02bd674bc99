"""Every mistake of the corpus is found and named; right code in other words is left alone."""

from __future__ import annotations

import re

import pytest
from corpus import CORPUS, Wrong, right
from profiles import NIGHTLY, by_day
from variants import CHOICES, COUNT, drawn, written

from derive import catalogue, differentiate
from numeric.compiler.target import load
from numeric.testing import verify_gradients
from numeric.verification.explain.audit import relative_error
from numeric.verification.explain.change import Change
from numeric.verification.explain.changed_equations import ForwardPass
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem, make_case, ordinary_sizes
from numeric.verification.process.sandbox import Sandbox
from numeric.verification.verdict import diagnoses
from numeric.verification.verify import verify

VARIANTS = range(COUNT if NIGHTLY else 3)


def numbers(sentence: str) -> set[int]:
    """The equations that a sentence names."""
    return {
        int(n) for n in re.findall(r"(?:equations? |; |, | and )(\d+)(?=[:,)]| and )", sentence)
    }


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 15
    assert sum(wrong.equation is not None for wrong in CORPUS) >= 13
    assert {wrong.cell for wrong in CORPUS} == {"rnn", "lstm", "gru", "peephole_lstm"}
    assert len({wrong.story for wrong in CORPUS}) == len(CORPUS)


@pytest.mark.by_default(
    "rnn: derivative of tanh forgotten",
    "rnn: slope taken of the output as if it were the input",
)
@pytest.mark.parametrize(
    "wrong", by_day(CORPUS, 9), ids=lambda wrong: f"{wrong.cell}: {wrong.story}"
)
def test_the_mistake_is_found_and_named(wrong: Wrong) -> None:
    verdict = verify(load(wrong.source(), "wrong"), cell=catalogue[wrong.cell])
    assert verdict.status == "fail"
    gradient = verdict.gradients[wrong.gradient]
    assert gradient.status == "fail"
    group, name = wrong.gradient.split(".")
    short = f"d{name}_0" if group == "initial" else f"d{name}"
    assert gradient.diagnosis is not None
    assert gradient.diagnosis.startswith(f"{short} equals ")
    if wrong.equation is None:
        assert "no gradient that is tried, with one or two terms changed" in gradient.diagnosis
        return
    assert wrong.equation in numbers(gradient.diagnosis), gradient.diagnosis
    assert wrong.says in gradient.diagnosis
    silent = [k for k, g in verdict.gradients.items() if g.status == "fail" and not g.diagnosis]
    assert silent == []
    named = [g.diagnosis for g in verdict.gradients.values() if g.diagnosis]
    assert not [s for s in named if "no gradient" in s], named


@pytest.mark.by_default("rnn")
@pytest.mark.parametrize("cell", by_day(CHOICES, 3))
def test_the_right_file_passes(cell: str) -> None:
    verdict = verify(load(right(cell), cell), cell=catalogue[cell])
    assert verdict.status == "pass", verdict.summary()
    for gradient in verdict.gradients.values():
        assert gradient.diagnosis is None
        assert gradient.steps == dict.fromkeys(range(1, 5), True)


def test_functions_with_the_names_of_what_our_code_tells_are_somebodys() -> None:
    source = right("rnn") + "\n\ndef cell(x):\n    return x\n\n\nnetwork = cell\n"
    verdict = verify(load(source, "named"), cell=catalogue["rnn"])
    assert verdict.status == "pass", verdict.summary()


def test_a_file_that_holds_its_cell_is_somebodys() -> None:
    source = right("rnn") + '\n\nfrom derive import catalogue\n\ncell = catalogue["rnn"]\n'
    verdict = verify(load(source, "named"))
    assert verdict.status == "pass", verdict.summary()


@pytest.mark.by_default("0")
@pytest.mark.parametrize("number", VARIANTS)
def test_right_code_in_other_words_passes(number: int) -> None:
    cell, module = drawn(number)
    verdict = verify(module, cell=catalogue[cell])
    assert verdict.status == "pass", verdict.summary()


def test_the_variants_take_every_form() -> None:
    sources = [written(number) for number in range(COUNT)]
    assert len({*sources}) > 0.9 * COUNT
    for cell, choices in CHOICES.items():
        for form in (form for forms in choices for form in forms):
            assert any(form in source for own, source in sources if own == cell), (cell, form)


@pytest.mark.long
def test_single_time_steps_tell_where_a_gradient_is_right() -> None:
    (tutorial,) = (w for w in CORPUS if "tutorial form" in w.story)
    verdict = verify(load(tutorial.source(), "wrong"), cell=catalogue["lstm"])
    assert all(gradient.steps is not None for gradient in verdict.gradients.values())
    assert [*verdict.gradients["params.W_fh"].steps.values()] == [True, False, False, False]
    data = verdict.to_dict()
    assert data["gradients"]["params.W_fh"]["steps"] == {
        "1": "pass", "2": "fail", "3": "fail", "4": "fail",
    }  # fmt: skip
    assert "dropped" in data["gradients"]["params.W_fh"]["diagnosis"]


def test_a_file_in_a_process_of_its_own_is_diagnosed(tmp_path) -> None:
    (wrong,) = (w for w in CORPUS if w.story == "missing transpose on the way back")
    path = tmp_path / "wrong.py"
    path.write_text(wrong.source(), encoding="utf-8")
    with Sandbox(path) as sandbox:
        verdict = verify(sandbox.subject, cell=catalogue["rnn"])
    assert "W for Wᵀ" in verdict.gradients["params.U"].diagnosis
    assert "dU, db, dx and dh_0 each equal the gradient" in verdict.summary().replace("dW, ", "")


def test_two_functions_are_diagnosed() -> None:
    module = load(CORPUS[1].source(), "wrong")
    with pytest.raises(AssertionError, match=r"dW equals the gradient with h_t for h_\{t−1\}"):
        verify_gradients(catalogue["rnn"], module.forward, module.backward)


def test_another_forward_pass_is_said_to_be_one() -> None:
    source = right("rnn").replace("h[t] = np.tanh(", "h[t] = np.sin(")
    verdict = verify(load(source, "sine"), cell=catalogue["rnn"])
    assert "computes another h, from t = 1 on" in verdict.gradients["params.W"].diagnosis


@pytest.mark.long
def test_what_no_term_explains_is_told_with_its_place() -> None:
    old, new = "dh_next = da @ W", "dh_next = (1 + 0.1 * t) * (da @ W)"
    source = right("rnn").replace(old, new)
    verdict = verify(load(source, "odd"), cell=catalogue["rnn"])
    sentence = verdict.gradients["params.U"].diagnosis
    assert sentence.startswith("dU equals no gradient that is tried, with one or two terms changed")
    assert "rightly at t = 1, wrongly at t = 2, 3 and 4" in sentence
    assert "smallest counterexample: T = 1, B = 1, n = 1, m = 1" in sentence
    assert "it shows with one step already: first in adjoint equation 6: h⃖_{t−1} = " in sentence
    old, new = "da = dh * (1 - h[t] ** 2)", "da = dh * (1 - 0.9 * h[t] ** 2) * (T - t + 1) ** 0.1"
    verdict = verify(load(right("rnn").replace(old, new), "odd"), cell=catalogue["rnn"])
    sentence = verdict.gradients["params.U"].diagnosis
    assert "going back, dx parts at t = 1; first in adjoint equation 4: ā_t = " in sentence


def entry(sentence: str | None, *causes: str) -> dict[str, object]:
    return {"diagnosis": sentence, "causes": causes}


def test_each_cause_is_said_once() -> None:
    assert diagnoses({
        "params.W": entry("dW equals the gradient X", "X"), "params.V": entry(None),
        "params.b": entry("db equals the gradient X", "X"),
        "params.U": entry("dU equals the gradient Y", "Y"),
    }) == ["dW and db each equal the gradient X", "dU equals the gradient Y"]  # fmt: skip
    assert diagnoses({
        "params.W": entry("dW equals the gradient X, and Y", "X", "Y"),
        "initial.h": entry("dh_0 equals the gradient Y", "Y"),
    }) == ["all gradients: Y", "dW: X"]  # fmt: skip
    assert diagnoses({
        "params.W": entry("all is zero", "all is zero"), "params.b": entry("all is zero",
                                                                         "all is zero"),
    }) == ["all is zero"]  # fmt: skip
    told = "dW equals no gradient that is tried"
    assert diagnoses({"params.W": entry(told), "params.b": entry(None)}) == [told]


def test_the_adjoint_in_numbers_is_the_gradient_of_every_cell() -> None:
    for cell in by_day(catalogue.values(), 6):
        case = make_case(cell, ordinary_sizes(cell), steps=3, batch=2, seed=1)
        found = ForwardPass(differentiate(cell), case).gradients(Change())
        want = autograd_answer(CellProblem(cell), case).gradients
        for group, name, _ in case.groups():
            off = relative_error(found[f"{group}.{name}"], want[group][name], 1e-14)
            assert off < 1e-11, (cell.name, name)
