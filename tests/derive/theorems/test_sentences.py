"""Sentences are data: each is used, each slot filled, and no prose is left in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from on_paths import proved
from spoken import SLOT, parsed, prose, slots_of, used
from sympy import Symbol

from derive import Cell, catalogue, differentiate
from derive.theorems.claims import Line, Theorem
from derive.theorems.sentences import FOLDER, REFERENCE, languages, sentences
from derive.theorems.theorems import theorems
from reports.document import words

CODE: Final = sorted(FOLDER.parent.glob("*.py"))
SPEAKER: Final = Path(words.__file__)  # the words between the parts of a sentence are said here
# What the catalogue's cells do not show: sentences on two states with few biases, on matrices.
OTHERS: Final = (
    Cell.parse(name="unbiased", equations="""
f = sigmoid(W_f @ h_prev + U @ x)
c = f * c_prev + tanh(W @ h_prev)
h = f * c"""),
    Cell.parse(name="scaled", scalars=("s",), equations="""
f = sigmoid(W_f @ h_prev + U @ x + b)
c = f * c_prev + tanh(s * (W @ h_prev))
h = f * tanh(c)"""),
    Cell.parse(name="erasing", equations="""
k = tanh(K @ x)
S = S_prev + outer(b * (V @ x - S_prev @ k), k)"""),
    Cell.parse(name="turned", equations="""
s = sigmoid(W_s @ x)
f = sigmoid(W_f @ x)
q = s * (f * c_prev + W @ q_prev)
c = f * c_prev + W @ q_prev"""),
    Cell.parse(name="diagonals", equations="""
f = sigmoid(W_f @ x)
g = sigmoid(W_g @ x)
i = sigmoid(U_i @ h_prev + W_i @ x)
c = f * c_prev + i * tanh(U @ h_prev)
h = f * tanh(c) + g * h_prev"""),
    *(Cell.parse(name="always", equations=equations) for equations in (
        "h = 0.5 * h_prev + U @ x", "h = 2 * h_prev + U @ x", "h = W @ h_prev + U @ x",
        "a = 0.5 * b_prev + U @ x\nb = a_prev", "a = W @ b_prev + U @ x\nb = a_prev",
        "a = a_prev + b_prev + U @ x\nb = a_prev",
        "h = step(W @ h_prev + U @ x, slope=straight_through)", "h = softmax(W @ h_prev + U @ x)",
        "h = tanh((W - W.T) @ h_prev + U @ x)",
    )),
)  # fmt: skip


@cache
def claims() -> tuple[tuple[Theorem, ...], ...]:
    """The theorems of each cell of the catalogue, and of the others."""
    return (*map(proved, catalogue), *(theorems(differentiate(cell)) for cell in OTHERS))


# ---- the checks --------------------------------------------------------------------------------


def unfilled(line: Line, texts: Mapping[str, str], named: Iterable[str]) -> Iterator[str]:
    """What is wrong between a line and its sentence, in a document that has these theorems."""
    if line.key not in texts:
        yield f"{line.key}: no such sentence"
        return
    text = texts[line.key]
    asked, given = slots_of(text), set(range(len(line.slots)))
    for place in sorted(asked - given):
        yield f"{line.key}: nothing is given for {{{place}}}"
    for place in sorted(given - asked):
        yield f"{line.key}: {{{place}}} is left over"
    for name in REFERENCE.findall(text):
        if name not in named:
            yield f"{line.key}: no theorem {name} here"
    if re.search(r"[{}]", REFERENCE.sub("", SLOT.sub("", text))):
        yield f"{line.key}: a brace that is no slot"


# ---- what holds --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", languages())
def test_every_slot_of_every_sentence_is_filled(language):
    texts = sentences(language).texts
    for made in claims():
        named = {claim.name for claim in made}
        for claim in made:
            assert [said for line in claim.lines for said in unfilled(line, texts, named)] == []


def test_the_cells_here_show_every_sentence():
    met = {line.key for made in claims() for claim in made for line in claim.lines}
    met |= {f"{claim.name}.title" for made in claims() for claim in made}
    assert met == {key for key in sentences().texts if not key.startswith("words.")}


@pytest.mark.parametrize("language", languages())
def test_a_sentence_is_there_if_and_only_if_it_is_used(language):
    asked = used(parsed([*CODE, SPEAKER]).values())
    of_reports = {key for key in asked if key.startswith("numbers.")}  # said by the speaker alone
    assert asked - of_reports == set(sentences(language).texts)


def test_every_language_gives_a_sentence_the_same_slots():
    def slots(language):
        return {key: slots_of(text) for key, text in sentences(language).texts.items()}

    assert all(slots(language) == slots("en") for language in languages())


def test_no_sentence_is_in_the_code():
    for name, tree in parsed(CODE).items():
        assert list(prose(tree, works=name == "theorems/claims.py")) == [], name


def test_a_theorem_is_named_once():
    for made in claims():
        names = [claim.name for claim in made]
        assert len(names) == len({*names})


# ---- what each check refuses -------------------------------------------------------------------


@pytest.mark.parametrize(("text", "slots", "wrong"), [
    ("{0} and {1}", 1, ["a.b: nothing is given for {1}"]),
    ("{0}", 2, ["a.b: {1} is left over"]),
    ("by {ref:volume}", 0, []),
    ("by {ref:area}", 0, ["a.b: no theorem area here"]),
    ("{x}", 0, ["a.b: a brace that is no slot"]),
    ("{1} of {0} and {0}", 2, []),
])  # fmt: skip
def test_a_slot_that_is_not_filled_is_named(text, slots, wrong):
    line = Line("a.b", (Symbol("x"),) * slots)
    assert list(unfilled(line, {"a.b": text}, {"volume"})) == wrong


def test_a_sentence_that_is_not_there_is_named():
    assert list(unfilled(Line("a.b"), {}, set())) == ["a.b: no such sentence"]


@pytest.mark.parametrize("code", [
    'Line("{0} is zero.")', 'x = f"{a} is zero"', 'Line("Then")', 'x = "Then"', 'x = "zero."',
    'Line("a.b" if single else "then")', '"""Doc."""\nx = ("a.b", "the norm")',
])  # fmt: skip
def test_prose_in_the_code_is_found(code):
    assert len(list(prose(ast.parse(code)))) >= 1


@pytest.mark.parametrize("code", [
    '"""A docstring of a module."""', 'raise ValueError("expected a name")', 'x = f"{a}_hat"',
    'Line("a.b" if single else "a.c", (Letter("B"), Extreme("max", i)))', 'Symbol("lambda")',
])  # fmt: skip
def test_names_docstrings_and_errors_are_no_prose(code):
    assert list(prose(ast.parse(code))) == []


def test_works_that_are_cited_keep_their_titles():
    tree = ast.parse('KANAI: Final = "Kanai 2017, On gradients"\nx = "On gradients"')
    assert list(prose(tree, works=True)) == ["line 2: 'On gradients'"]


def test_keys_are_read_off_the_code():
    tree = ast.parse('Theorem(name="volume", proof=(Line("volume.product", (x,)),), x="no key")')
    assert used([tree]) == {"volume.title", "volume.product"}


# ---- a language --------------------------------------------------------------------------------


def test_a_break_of_lines_is_a_space_and_a_reference_a_number():
    text = "Over sets of inputs and states it vanishes if {0} (Theorem 2)."
    assert sentences().template("shared.over_sets", {"certified_rate": 2}.__getitem__) == text
    assert not any("\n" in text or "  " in text for text in sentences().texts.values())


def test_a_language_is_a_file(tmp_path):
    text = '[a]\nb = """\none\ntwo {ref:c}"""\n[words]\nreference = "§{0}"'
    (tmp_path / "xx.toml").write_text(text, encoding="utf-8")
    assert languages(tmp_path) == ("xx",)
    assert sentences("xx", tmp_path).template("a.b", lambda name: 7) == "one two §7"
    with pytest.raises(ValueError, match="expected one of xx, came 'yy'"):
        sentences("yy", tmp_path)
