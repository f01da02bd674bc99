"""What is said first of weights: no more than was measured and tried."""

from __future__ import annotations

import re

import numpy as np
import pytest

from derive import Cell, catalogue, differentiate
from numeric.bounds.answer import Answer, answer
from numeric.bounds.diagnosis import diagnose
from numeric.meaning.sizes import shape_of, usual_sizes
from reports.cli import main
from reports.sections.answer import Boxes, explained
from reports.sections.answer_lines import batch_line, lines
from reports.sections.facts import Facts
from reports.terminal.answer import Text, sentence

FADING = """
z = sigmoid(W_z @ x + b_z)
h = 0.01 * z * h_prev + U @ x"""


def answered(equations: str, given: dict[str, np.ndarray]) -> tuple[Cell, Answer]:
    """A small net, and what is found of it along twelve steps."""
    cell = Cell.parse(name="made", equations=equations)
    rng, sizes = np.random.default_rng(0), usual_sizes(cell, 3, 2)
    parameters = {s.name: given.get(s.name, 0.3 * rng.normal(size=shape_of(s, sizes)))
                  for s in cell.parameters}  # fmt: skip
    one = diagnose(cell, parameters, sizes, inputs={"x": rng.normal(size=(12, 2))}, windows=(1,))
    found = answer(one)
    assert found is not None
    return cell, found


def said(equations: str, language: str = "en", **given: np.ndarray) -> str:
    """The sentences on it, as a terminal has them."""
    cell, found = answered(equations, given)
    say = Facts(differentiate(cell), language=language).say
    return " ".join(" ".join(sentence(line, say).split()) for line in lines(found, Text(say, cell)))


@pytest.mark.parametrize(("equations", "tried"), [
    (FADING, "tried: 2 of biases, 1 up or down. None"),
    ("h = tanh(1e-9 * (W @ h_prev) + U @ x)", "A change that was tried: W times 2. It does not"),
    ("h = tanh(1e-9 * (W @ h_prev) + U @ x + b)", "tried: 2 of biases, 1 up or down, and W times"),
])  # fmt: skip
def test_only_what_was_tried_is_named_where_nothing_takes_a_tenth_away(equations, tried):
    text = said(equations)
    assert tried in text
    assert "a tenth of the decades between the norm and 1 (measured)." in text
    assert "nearer to 1" not in text


def test_a_norm_of_one_asks_for_no_remedy():
    text = said("h = h_prev + tanh(U @ x + b)")
    assert "emedy" not in text
    assert "tried" not in text


@pytest.mark.parametrize(("factor", "way"), [(0.999, "vanishes"), (1.001, "explodes")])
def test_decades_that_round_to_none_are_not_counted(factor, way):
    equations = f"h = {factor} * h_prev + U @ x"
    assert f"The gradient {way} over 12 steps: its norm is at " in said(equations)
    assert "0.0 " not in said(equations)
    assert " 0.0 " not in said(equations, "zh")


def test_chinese_words_that_fill_a_slot_stand_without_spaces():
    cell, say = catalogue["lstm"], Facts(differentiate(catalogue["lstm"]), language="zh").say
    named = Text(say, cell).bias("b_f", "f", True)
    line = "answer.add_measured", ("1", named, "0.1", "0.2")
    assert "给 f（遗忘门）的偏置 b_f 的每个元素加 1" in sentence(line, say)


def test_half_of_the_norm_is_not_most_of_it():
    text = said("a = b_prev + U @ x\nb = a_prev")
    assert "Most of it" not in text
    assert "No path carries more than " in text
    assert "50 % of the norm" in text


def test_a_path_is_not_most_of_it_where_other_vectors_take_another():
    assert "Most of it" not in said("a = a_prev + U @ x\nb = b_prev + V @ x")
    text = said("a = p * a_prev + U @ x\nb = 0.5 * b_prev + V @ x", p=np.array([0.2, 0.9, 0.5]))
    assert "Most of it goes along a → a" in text


@pytest.mark.parametrize(("equations", "times"), [
    ("f = sigmoid(V @ x)\nh = f * h_prev + tanh(W @ h_prev)", 1),
    ("h = tanh(W @ h_prev + U @ x)", 0),
])  # fmt: skip
def test_a_page_says_what_stands_after_a_cross_where_the_path_first_has_one(equations, times):
    cell, found = answered(equations, {})
    facts = Facts(differentiate(cell))
    told = [str(explained(facts, line, found)) for line in lines(found, Boxes(facts))]
    assert sum("After ×" in text for text in told) == times


@pytest.mark.parametrize(("equations", "named"), [
    ("h = h_prev + U @ x", False), ("h = 0.5 * h_prev + U @ x", False),
    ("h = p * h_prev + U @ x", True),
])  # fmt: skip
def test_a_unit_is_named_where_one_vector_alone_is_stretched_most(equations, named):
    text = said(equations, p=np.array([0.2, 0.9, 0.5]))
    assert ("The unit that carries most is h[2], with 100 %" in text) is named
    assert ("unit" in text) is named


@pytest.mark.parametrize(("gate", "whose"), [
    ("W_z @ x + b_z", "b_z, the bias of z;"),
    ("3 * tanh(W_z @ x + b_z)", "b_z, which is added within z;"),
])  # fmt: skip
def test_a_bias_is_that_of_a_symbol_whose_function_takes_it(gate, whose):
    text = said(f"z = sigmoid({gate})\nh = z * h_prev + U @ x", b_z=np.zeros(3))
    assert f"to every entry of {whose}" in text
    chinese = said(f"z = sigmoid({gate})\nh = z * h_prev + U @ x", "zh", b_z=np.zeros(3))
    assert ("z 的偏置 b_z" in chinese) is ("bias of" in whose)


def test_a_norm_beyond_the_largest_float_is_not_called_zero():
    """Twelve steps of 0.5e26 are 10^308.4, and with a smaller gate 10^305."""
    text = said("z = sigmoid(W_z @ x + b_z)\nh = z * (V @ h_prev) + U @ x", V=1e26 * np.eye(3),
                U=np.zeros((3, 2)), W_z=np.zeros((3, 2)), b_z=np.zeros(3))  # fmt: skip
    assert "explodes" in text
    assert "0 becomes" not in text
    assert "tried" in text


def test_of_sequences_one_that_overflows_is_the_largest_and_not_zero():
    cell = Cell.parse(name="made", equations="h = h_prev + U @ x")
    say = Facts(differentiate(cell)).say
    line = batch_line("x.npy", (-1.0, np.inf), 1, "3", Text(say, cell))
    assert "between 10^-1.00 and ∞" in " ".join(sentence(line, say).split())


def test_of_one_step_nothing_is_said_in_the_plural(capsys):
    assert main(["bounds", "lstm", "--size", "3", "--gain", "0.1", "--lag", "1"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "vanishes: over 1 step it loses" in told
    assert "seed 0, 1 step: " in told
    assert "have at most 1 step " in told
    assert "In time it is even" not in told  # of one step
    assert not re.findall(r"(?<![\d.])1 (?:more )?\w+s\b", told)


@pytest.mark.parametrize(("equations", "told"), [
    ("h = W @ relu(h_prev) + U @ x", "kink of relu in the equation of h: at step 1"),
    ("h = maximum(W @ h_prev, V @ h_prev) + U @ x", "max in the equation of h: at step 1"),
])  # fmt: skip
def test_a_norm_that_the_rule_of_a_kink_makes_is_said_to_be_of_that_rule(equations, told):
    text = said(equations)
    assert told in text
    assert "said of that slope" in text
    assert told not in said(equations.replace("h_prev", "(h_prev + 0.1)"))
    assert "注意" in said(equations, "zh")
