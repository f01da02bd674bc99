"""One mistake: what it changes, in which equations, and what it is in words."""

from __future__ import annotations

from dataclasses import dataclass

from derive.calculus.through_time import Derivation
from numeric.verification.explain.change import Change


@dataclass(frozen=True, eq=False)
class Mistake:
    """A change, the equations it is in, and what it is in words.

    `family` is the same for the same change elsewhere; `major` mistakes are tried in pairs.
    `derivation`: of another cell, where it is that cell's backward pass that is computed. Of a
    network: the `parts` that it is in, and what becomes of the `slope` of the loss.
    """

    what: str
    change: Change
    targets: tuple[str, ...]
    family: str
    major: bool = True
    derivation: Derivation | None = None
    parts: tuple[str, ...] = ("",)
    slope: str | None = None

    def meets(self, other: Mistake) -> bool:
        """Whether both exchange one and the same thing."""
        if self.slope is not None and other.slope is not None:
            return True
        return bool({*self.parts} & {*other.parts}) and self.change.meets(other.change)
