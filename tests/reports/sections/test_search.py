"""What the report of a search says of made-up records: who is best, from whom, what foretells."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from studies import undrawn

from reports.document.graph_layout import find_graphviz
from reports.document.html import html
from reports.document.tex import tex
from reports.sections.search import build_search
from reports.sections.search_foretold import families_of, thinned
from reports.terminal.search import found_text

TASKS = [["adding", 10], ["parity", 4], ["adding", 30]]


def record(name: str, parent: str, mutation: str, growth: float, learnt: int, **other: object):
    """A candidate that learnt so many of the tasks."""
    tasks = [{"task": task, "lag": lag, "share": 0.05 if k < learnt else 0.9, "learnt": k < learnt,
              "curve": [[10, 1.2], [20, 0.4]]}
             for k, (task, lag) in enumerate(sorted(TASKS))]  # fmt: skip
    growths = {"certified": growth, "measured": growth, "stepwise": growth + 1}
    return {"name": name, "digest": name, "parent": parent, "mutation": mutation,
            "equations": "h = tanh(W @ h_prev + U @ x + b)\n", "tasks": tasks, "learnt": learnt,
            "score": learnt + 0.1, "verdict": "right", "problem": None, "parameters": 321,
            "growth": {"start": growths, "end": growths}, **other}  # fmt: skip


@pytest.fixture(scope="module")
def records():
    """A given cell, a line of two and twelve others whose growth decides what they learn."""
    held = [record("rnn", "", "", -3.0, 0),
            record("c1", "rnn", "tanh to relu", -1.0, 1),
            record("c2", "c1", "a gate put in; a use of W untied", 0.0, 3)]  # fmt: skip
    held += [record(f"d{k}", "rnn", "a term taken out", -4.0 + 0.1 * k, k // 8) for k in range(16)]
    held.append({**record("e", "rnn", "h to x", 0.0, 0), "verdict": "wrong: x", "tasks": []})
    held.append({**record("f", "rnn", "h to x", 0.0, 0), "verdict": "", "problem": "TimeoutError",
                 "tasks": []})  # fmt: skip
    return held


@pytest.fixture
def words_alone(monkeypatch) -> None:
    """The pictures, which these tests do not look at, are made and not drawn."""
    undrawn(monkeypatch)


def words(document) -> str:
    text = re.sub(r"<svg.*?</svg>", "", html(document, dict.fromkeys(
        ("search-curves", "search-pedigree", "search-scatter"), "<svg></svg>"
    )), flags=re.DOTALL)  # fmt: skip
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def test_the_best_and_where_it_comes_from(records) -> None:
    document, pictures = build_search(records, {"tasks": TASKS})
    said = words(document)
    assert "21 candidates were drawn. Of 19 the derivation" in said
    assert "of 1 it was wrong, and 1 ended with a problem" in said
    assert "c2 , score 3.100" in said
    assert "c1: tanh to relu (score 1.100)" in said
    assert "c2: a gate put in; a use of W untied (score 3.100)" in said
    assert "0.05* 0.05*" in said
    assert "Those proved right were trained on the first task" in said
    if find_graphviz():
        assert {"c1", "c2", "rnn"} <= {*re.findall(r"\w+", _labels(pictures["search-pedigree"]))}
    assert "{c2}, score 3.100" in tex(document)


def _labels(picture) -> str:
    return " ".join(re.findall(r"<!-- (.*?) -->", picture.svg, re.DOTALL))


@pytest.mark.usefixtures("words_alone")
def test_a_certified_growth_is_rounded_up_and_what_diverged_is_no_blank() -> None:
    one = record("rnn", "", "", 0.04, 1)
    one["tasks"][1]["share"] = None
    said = words(build_search([one], {"tasks": TASKS})[0])
    assert "+0.1" in said
    assert "+0.0" not in said
    assert "∞" in said.split("*", 1)[1]
    lines = found_text([one], [one], [], "found").split("\n")
    row = next(line.split() for line in lines if line.startswith("  rnn"))
    assert row[2:4] == ["+0.1", "+0.0"]


@pytest.mark.usefixtures("words_alone")
def test_growth_that_decides_is_found_to_foretell(records) -> None:
    said = words(build_search(records, {"tasks": TASKS})[0])
    found = re.search(r"certified, before training \+(0\.\d\d) \(\+(0\.\d\d) … \+(0\.\d\d)\)", said)
    assert found
    assert float(found[2]) > 0.2
    assert "does not contain 0" in said


@pytest.mark.usefixtures("words_alone")
def test_growth_that_decides_nothing_is_not(records) -> None:
    even = [{**one, "growth": {"start": {"certified": float(k % 3)}}}
            for k, one in enumerate(records)]  # fmt: skip
    assert "before training contains 0" in words(build_search(even, {"tasks": TASKS})[0])


@pytest.mark.long
def test_a_figure_of_thousands_is_thinned_and_says_so(records) -> None:
    many = [records[0], record("gru", "", "", 0.0, 1)]
    many += [record(f"g{k}", "gru", "h to x", 0.1, k % 3) for k in range(3000)]
    many += [record(f"r{k}", "rnn", "h to x", 0.1, 1) for k in range(100)]
    document, pictures = build_search(many, {"tasks": TASKS})
    assert "One in 3 is drawn, of families of at most 150 all." in words(document)
    families = families_of(many)
    shown, one_in = thinned(many, families)
    assert one_in == 3
    assert Counter(families[one["name"]] for one in shown) == {"gru": 1001, "rnn": 101}
    assert len(pictures["search-scatter"].svg) < 1_300_000
    assert thinned(records, families_of(records)) == (records, 1)


@pytest.mark.usefixtures("words_alone")
def test_mutations_are_said_in_chinese(records) -> None:
    said = words(build_search(records, {"tasks": TASKS}, "zh")[0])
    assert "c1：tanh 改为 relu（得分 1.100）" in said
    assert "加入一个门" in said


@pytest.mark.usefixtures("words_alone")
def test_few_candidates_say_nothing(records) -> None:
    assert "too few candidates" in words(build_search(records[:4], {"tasks": TASKS})[0])
    with pytest.raises(ValueError, match="no candidate"):
        build_search(records[-2:], {"tasks": TASKS})
