"""Sentences said in passing keep what they were made of."""

from __future__ import annotations

import pickle

from derive.saying import Said, in_words, said


def test_a_text_is_said_by_another_template_with_its_slots():
    table = {"at lag {0}: {1}": "{1}，间隔 {0}", "it grows": "它增长"}
    made = said("at lag {0}: {1}", 3, said("it grows"))
    assert made == "at lag 3: it grows"
    assert in_words(made, table) == "它增长，间隔 3"
    assert in_words("it grows", table) == "它增长"
    assert in_words("it falls", table) == "it falls"
    assert isinstance(pickle.loads(pickle.dumps(made)), Said)


def test_one_has_no_plural():
    assert said("over {0} steps, {1} more methods", 1, "1") == "over 1 step, 1 more method"
    assert said("over {0} steps, {1} more methods", 11, 0) == "over 11 steps, 0 more methods"
    assert said("after {0} evaluations of it", 1) == "after 1 evaluation of it"
    assert in_words(said("over {0} steps", 1), {"over {0} steps": "{0} 步"}) == "1 步"
    assert in_words(said("over {0} steps", 1), {}) == "over 1 step"
