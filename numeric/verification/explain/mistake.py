"""One mistake: what it changes, in which equations, and what it is in words."""

from __future__ import annotations

from dataclasses import dataclass

from derive.calculus.through_time import Derivation
from numeric.verification.explain.change import Change


@dataclass(frozen=True, eq=False)
class Mistake:
    """A change, the equations it is in, and what it is in words.

    `family` is the same for the same change elsewhere; `major` mistakes are tried in pairs.
    `derivation`: of another cell, where it is that cell's backward pass that is computed.
    """

    what: str
    change: Change
    targets: tuple[str, ...]
    family: str
    major: bool = True
    derivation: Derivation | None = None
