"""Each task: shapes, targets that follow from the inputs, and the exact error of guessing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numeric.search.tasks.arithmetic import arithmetic
from numeric.search.tasks.brackets import written
from numeric.search.tasks.known import TASKS
from numeric.search.tasks.remembering import copying, parity

EACH = pytest.mark.parametrize("name", [*TASKS])


def drawn(name: str, lag: int = 12, count: int = 400):
    task = TASKS[name](lag)
    return task, *task.draw(count, np.random.default_rng(5))


@EACH
def test_shapes_and_kinds(name: str) -> None:
    task, x, y = drawn(name, count=7)
    assert x.dtype == np.float32
    assert x.shape[1:] == (7, task.inputs)
    if task.loss == "squared_error":
        assert y.shape == (7, task.outputs)
    else:
        assert y.shape == x.shape[:2]
        assert y.min() >= 0
        assert y.max() < task.outputs
    assert task.share(task.guess) == 1
    assert task.share(task.floor) == 0


@EACH
def test_the_same_generator_gives_the_same(name: str) -> None:
    _, x, y = drawn(name, count=3)
    _, other_x, other_y = drawn(name, count=3)
    np.testing.assert_array_equal(x, other_x)
    np.testing.assert_array_equal(y, other_y)


@pytest.mark.parametrize("name", ["adding", "parity", "copy", "arithmetic", "text"])
def test_guessing_is_as_good_as_is_said(name: str) -> None:
    """The best constant answer for each step (for text: for all steps) has about that loss."""
    task, _, y = drawn(name, count=4000)
    if task.loss == "squared_error":
        assert float(np.var(y)) == pytest.approx(task.guess, rel=0.1)
        return
    steps = [y.ravel()] if name == "text" else list(y)
    losses = []
    for step in steps:
        share = np.bincount(step, minlength=task.outputs) / step.size
        losses.append(-sum(p * math.log(p) for p in share if p))
    assert np.mean(losses) == pytest.approx(task.guess, rel=0.05)


def test_who_knows_the_grammar_errs_by_its_chances() -> None:
    """Written out by hand: one tag open at most, then two."""
    assert TASKS["xml"](7).floor == pytest.approx(2 * math.log(6) / 7)
    by_hand = (3.5 * math.log(6) + math.log(2)) / 10
    assert TASKS["xml"](10).floor == pytest.approx(by_hand, rel=0.02)


def test_two_characters_before_tell_more_than_none() -> None:
    task, _, y = drawn("text", count=4000)
    triples = np.stack([y[:-2], y[1:-1], y[2:]]).reshape(3, -1)
    pairs, third = triples[:2].T, triples[2]
    loss = 0.0
    for pair in np.unique(pairs, axis=0):
        after = np.bincount(third[(pairs == pair).all(axis=1)])
        loss -= sum(n * math.log(n / after.sum()) for n in after if n)
    assert loss / len(third) == pytest.approx(task.floor, rel=0.05)
    assert task.floor < 0.7 * task.guess


def test_the_sum_is_of_the_marked_numbers() -> None:
    _, x, y = drawn("adding", 30)
    marks = x[..., 1]
    once = marks.sum(axis=0) == 2
    np.testing.assert_allclose((x[..., 0] * marks).sum(axis=0)[once], y[once, 0], rtol=1e-6)
    first = marks.argmax(axis=0)
    assert np.all(len(x) - 1 - first >= 29)


def test_parity_counts_ones() -> None:
    x, y = parity(9).draw(20, np.random.default_rng(1))
    np.testing.assert_array_equal(y[-1], x.sum(axis=0)[:, 0] % 2)


def test_what_was_shown_is_asked_for() -> None:
    x, y = copying(6).draw(20, np.random.default_rng(1))
    np.testing.assert_array_equal(x[:5].argmax(axis=-1), y[-5:])
    assert np.all(y[:-5] == 8)


def test_the_answer_is_the_result() -> None:
    x, y = arithmetic(14).draw(200, np.random.default_rng(2))
    codes = x.argmax(axis=-1)
    for column in range(200):
        read = [c for c in codes[:13, column] if c < 12]
        digits = [c for c in read if c < 10]
        assert len(digits) == 4
        a, b = 10 * digits[0] + digits[1], 10 * digits[2] + digits[3]
        value = a - b if 11 in read else a + b
        sign, *said = y[-4:, column]
        assert value == (-1 if sign == 11 else 1) * int("".join(map(str, said)))


def test_every_closing_tag_matches() -> None:
    text = "".join("abcdef</>"[c] for c in written(400, 3, np.random.default_rng(3)))
    opened = []
    for tag in text.split("<")[1:-1]:
        name = tag.removesuffix(">")
        if name.startswith("/"):
            assert name[1:] == opened.pop()
        else:
            opened.append(name)
            assert len(opened) <= 3
