"""What is proposed follows from the request; digests are told apart; no parents, no proposals."""

from __future__ import annotations

import pytest

from derive import catalogue
from derive.cell import Cell
from numeric.search.identity import digest_of
from numeric.search.proposals import Request, propose

PARENTS = tuple((name, catalogue[name].text) for name in ("mgu", "rnn"))
REQUEST = Request(PARENTS, ("x",), (0, 1, 0, 0), 4)


def test_proposals_follow_from_the_request() -> None:
    found = propose(REQUEST)
    assert len({one.digest for one in found}) == len(found) == 4
    assert {one.parent for one in found} <= {"mgu", "rnn"}
    assert all(one.mutation for one in found)
    one = found[0]
    assert digest_of(Cell.parse(name="c", equations=one.equations, inputs=("x",))) == one.digest
    assert propose(REQUEST) == found
    other = propose(Request(PARENTS, ("x",), (0, 1, 0, 1), 4))
    assert {one.digest for one in other} != {one.digest for one in found}


def test_no_parents_no_proposals() -> None:
    assert propose(Request((), ("x",), (0,))) == ()


def test_a_mutant_that_divides_by_zero_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refusing(cell: Cell) -> str:
        calls.append(cell)
        if len(calls) % 2:
            raise ZeroDivisionError
        return digest_of(cell)

    monkeypatch.setattr("numeric.search.proposals.digest_of", refusing)
    assert len(propose(REQUEST)) == 4
    assert len(calls) >= 8
