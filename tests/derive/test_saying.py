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
