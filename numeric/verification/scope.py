"""How far code can be judged: what it returns, what it takes, in which dtypes.

In: nothing. Out: `Scope`, a value; `fit.py` finds it. What is outside is not asked of the code,
and no verdict counts it as right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from numeric.verification.cases import Case

DTYPES: Final = ("float64", "float32")


@dataclass(frozen=True)
class Limit:
    """A limit on whole gradients: on each "entry", or on the "norm" of all of them together."""

    labels: tuple[str, ...]
    how: str
    most: float

    def cut(self, gradients: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of right gradients."""
        arrays = {label: np.asarray(gradients[label]) for label in self.labels}
        if self.how == "entry":
            return {label: np.clip(array, -self.most, self.most) for label, array in arrays.items()}
        whole = norm_of(arrays.values())
        factor = self.most / whole if whole > self.most else 1.0
        return {label: array * factor for label, array in arrays.items()}


def norm_of(arrays: Iterable[Any]) -> float:
    """The norm of all entries together."""
    return float(np.sqrt(sum(np.sum(np.square(array)) for array in arrays)))


@dataclass(frozen=True)
class Scope:
    """What is left out: states and gradients not returned, arguments not taken.

    `lacks` are labels, `states.c` or `initial.c`; `zero_initial` the states that start from zero
    whatever is given; `no_cotangents` those whose ∂L/∂s is not taken; `last_step`: no cotangent
    is, but of the last step; `factor` is what cotangents are multiplied by to stay below a limit
    that the code sets; where there are no cotangents, `limits` say what becomes of right gradients.
    Of a `framework`'s code every result has a gradient, and every
    call a step and a sample. Without `lengths`, every sample has all steps.
    """

    lacks: frozenset[str] = frozenset()
    zero_initial: frozenset[str] = frozenset()
    no_cotangents: frozenset[str] = frozenset()
    last_step: bool = False
    dtypes: tuple[str, ...] = DTYPES
    factor: float = 1.0
    limits: tuple[Limit, ...] = ()
    framework: bool = False
    lengths: bool = True

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def dtype(self, wanted: str) -> str:
        """The dtype wanted if the code is judged in it, else the one that it is judged in."""
        return wanted if wanted in self.dtypes else self.dtypes[0]

    def asked(self, case: Case) -> Case:
        """The case as the code can be asked: what it does not take is zero."""
        if self.whole:
            return case
        initial = {
            name: 0 * value if name in self.zero_initial else value
            for name, value in case.initial.items()
        }
        cotangents = {name: self._weighed(name, bar) for name, bar in case.cotangents.items()}
        lengths = case.lengths if self.lengths else None
        return replace(case, initial=initial, cotangents=cotangents, lengths=lengths)

    def _weighed(self, name: str, bar: Any) -> Any:
        if name in self.no_cotangents:
            return 0 * bar
        if self.last_step and len(bar):
            bar = bar.copy()
            bar[:-1] = 0 * bar[:-1]
        return bar if self.factor == 1 else self.factor * bar

    def cut(self, gradients: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """What the code should return where the right gradients are these."""
        found = {group: dict(arrays) for group, arrays in gradients.items()}
        flat = {f"{g}.{name}": a for g, arrays in found.items() for name, a in arrays.items()}
        for limit in self.limits:
            for label, array in limit.cut(flat).items():
                group, name = label.split(".", 1)
                found[group][name] = array
        return found

    def moves(self, group: str, name: str) -> bool:
        """Whether the outputs depend on the array as far as the code can show it."""
        return group != "initial" or name not in self.zero_initial

    def judged(self, group: str, name: str) -> bool:
        """Whether the code returns the array."""
        return f"{group}.{name}" not in self.lacks


WHOLE: Final = Scope()
