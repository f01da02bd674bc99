"""Mutants proposed for a chunk: drawn and known again by whoever is free, ordered by the search.

In: `Request`, the pool of parents and the generator's seed. Out: `Proposal`s, which depend on the
request alone. The search then takes those that are new, in the order of the requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from derive.cell import Cell
from derive.language.syntax import CellError
from numeric.search.identity import digest_of
from numeric.search.mutations import mutate

AT_ONCE: Final = 5
_TRIES: Final = 200


@dataclass(frozen=True)
class Request:
    """Mutants of which (name, equations), the best first, drawn from which numbers."""

    parents: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...]
    seed: tuple[int, ...]
    count: int = AT_ONCE


@dataclass(frozen=True)
class Proposal:
    """A mutant as text, its digest, and where it came from."""

    equations: str
    digest: str
    parent: str
    mutation: str


def propose(request: Request) -> tuple[Proposal, ...]:
    """So many mutants, no two of one digest; fewer where many tries give no more."""
    return tuple(_drawn(request))


def _drawn(request: Request) -> Iterator[Proposal]:
    rng, parents = np.random.default_rng(request.seed), request.parents
    seen: set[str] = set()
    for _ in range(_TRIES):
        if len(seen) == request.count or not parents:
            return
        parent, equations = parents[int(len(parents) * rng.random() ** 2)]  # the better more often
        try:
            cell = Cell.parse(name=parent, equations=equations, inputs=request.inputs)
            mutant = mutate(cell, rng, parent)
            digest = digest_of(mutant.cell)
        except (CellError, TypeError, ZeroDivisionError):
            continue
        if digest not in seen:
            seen.add(digest)
            yield Proposal(mutant.cell.text, digest, parent, mutant.what)
