"""One concrete call of a module: sizes, parameters, inputs, initial states, and what is above.

In: arrays. Out: `Case`, and `REGIMES`: how large the values of a drawn one are. A problem makes
cases from a seed, so that shrinking makes the sizes smaller and keeps the values generic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from sympy import Abs, Max, Min, Piecewise, preorder_traversal

from derive.cell import Cell
from derive.language.expr import Elementwise

Arrays = Mapping[str, Any]
WIDE: Final = (35, 18, 34)
LONG: Final = 70
GROUPS: Final = ("params", "inputs", "initial")


@dataclass(frozen=True)
class Regime:
    """How large things are: a matrix is N(0, gain²/columns), the rest normal of the scale given.

    `longest` is the number of steps after which rounding grows past what a check can tell from
    a mistake; `least` is what is added to every bias, away from zero: all units are at the ends of
    their ranges, where a few large biases leave some between.
    """

    gain: float
    bias: float
    signal: float
    state: float
    longest: int
    least: float = 0.0


REGIMES: Final[Mapping[str, Regime]] = MappingProxyType({
    "ordinary": Regime(gain=1.0, bias=0.5, signal=1.0, state=0.7, longest=6),
    "small": Regime(gain=0.1, bias=0.05, signal=0.1, state=0.1, longest=6),
    "contracting": Regime(gain=0.3, bias=0.3, signal=0.7, state=0.5, longest=12),
    "expanding": Regime(gain=2.0, bias=0.3, signal=0.7, state=0.5, longest=6),
    "saturated": Regime(gain=3.0, bias=9.0, signal=2.0, state=1.0, longest=4),
    "extreme": Regime(gain=0.3, bias=1.0, signal=0.5, state=0.5, longest=4, least=4.0),
    "at rest": Regime(gain=1.0, bias=0.5, signal=1.0, state=0.0, longest=6),
    "in silence": Regime(gain=1.0, bias=0.5, signal=0.0, state=0.7, longest=6),
})  # fmt: skip
AT_ZERO: Final = ("at rest", "in silence")  # initial states, or inputs, are zero: a function with
# a kink has no gradient there
SATURATED: Final = ("saturated", "extreme")  # rounding may be all that is left of a slope
OVERFLOWING: Final = (*SATURATED, "expanding")  # exp(a) may leave float32 in right code
DRAWN: Final = tuple(name for name in REGIMES if name not in (*AT_ZERO, "extreme"))


@dataclass(frozen=True)
class Case:
    """What a module's functions are called with; all floating arrays of one dtype.

    Of a cell: with `cotangents` of its states. Of a network: with `targets`, and `lengths` or
    None, and with `cotangents` of its final states where these are asked for; inputs and targets
    may be integers.
    Shapes: lengths (B,).
    """

    steps: int
    batch: int
    sizes: Mapping[str, int]
    seed: int
    regime: str
    dtype: str
    params: Arrays = field(repr=False)
    inputs: Arrays = field(repr=False)
    initial: Arrays = field(repr=False)
    constants: Arrays = field(repr=False)
    cotangents: Arrays = field(repr=False, default_factory=dict)
    targets: Any = field(repr=False, default=None)
    lengths: Any = None

    def __post_init__(self) -> None:
        """Refuse an unknown regime.

        Raises:
            ValueError: if the regime is none of the table.
        """
        if self.regime not in REGIMES:
            raise ValueError(f"regime {self.regime!r}: expected one of {', '.join(REGIMES)}")

    def groups(self) -> Iterator[tuple[str, str, Any]]:
        """Every array that has a gradient: group, name, value; integers have none."""
        for group in GROUPS:
            for name, value in getattr(self, group).items():
                if not whole(value):
                    yield group, name, value

    def mapped(self, change: Callable[[Any], Any]) -> Case:
        """The case with every array that is not of integers changed by the function."""
        changed: dict[str, Any] = {
            kind: {n: a if whole(a) else change(a) for n, a in getattr(self, kind).items()}
            for kind in (*GROUPS, "constants", "cotangents")
        }
        if self.targets is not None and not whole(self.targets):
            changed["targets"] = change(self.targets)
        return replace(self, **changed)

    def moved(self, arrays: Mapping[tuple[str, str], Any]) -> Case:
        """The case with arrays that have gradients put in, by group and name."""
        changed: dict[str, Any] = {group: dict(getattr(self, group)) for group in GROUPS}
        for (group, name), array in arrays.items():
            changed[group][name] = array
        return replace(self, **changed)

    def sample(self, place: int) -> Case:
        """One sample of the case, and a batch of one."""
        here = slice(place, place + 1)
        own = self.targets is not None  # then cotangents are those of final states
        changed: dict[str, Any] = {
            "inputs": {name: array[:, here] for name, array in self.inputs.items()},
            "initial": {name: array[here] for name, array in self.initial.items()},
            "cotangents": {n: a[here] if own else a[:, here] for n, a in self.cotangents.items()},
            "constants": {
                name: array[:, here] if np.ndim(array) == 3 else array
                for name, array in self.constants.items()
            },
            "lengths": None if self.lengths is None else self.lengths[here],
        }
        if own:
            by_step = np.ndim(self.targets) == (2 if whole(self.targets) else 3)
            changed["targets"] = self.targets[:, here] if by_step else self.targets[here]
        return replace(self, batch=1, **changed)

    def widened(self) -> Case:
        """The same numbers in float64, without any rounding."""
        return self.mapped(lambda array: np.asarray(array, dtype=np.float64))

    def describe(self) -> dict[str, Any]:
        """What it takes to make the case again."""
        sizes = {name: int(size) for name, size in self.sizes.items()}
        told: dict[str, Any] = {
            "T": self.steps, "B": self.batch, **sizes,
            "seed": self.seed, "regime": self.regime, "dtype": self.dtype,
        }  # fmt: skip
        if self.targets is not None:
            told["lengths"] = None if self.lengths is None else [int(n) for n in self.lengths]
        return told

    def content(self) -> bytes:
        """A digest of every number in it, whatever seed it came from."""
        digest = blake2b(repr((self.steps, self.batch, sorted(self.sizes.items()))).encode())
        groups = {kind: getattr(self, kind) for kind in (*GROUPS, "constants", "cotangents")}
        groups["ends"] = {"targets": self.targets, "lengths": self.lengths}
        for group, arrays in groups.items():
            for name, value in arrays.items():
                array = np.asarray(value)
                digest.update(repr((group, name, array.dtype.str, array.shape)).encode())
                digest.update(array.tobytes())
        return digest.digest()

    @property
    def ends(self) -> Any:
        """The length of every sample."""
        return np.full(self.batch, self.steps) if self.lengths is None else self.lengths

    @property
    def empty(self) -> bool:
        """Whether there is no step of any sample, and no state that is its own final one."""
        given = any(np.size(bar) for bar in self.cotangents.values())
        return not np.any(self.ends) and not given

    @property
    def outside(self) -> Any:
        """Where a sample has ended.

        Shapes: (T, B).
        """
        return np.arange(self.steps)[:, None] >= self.ends


def pushed(bias: Any, least: float) -> Any:
    """The biases moved away from zero by so much; a scalar is none."""
    if not least or np.ndim(bias) != 1:
        return bias
    return bias + np.asarray(least, bias.dtype) * np.sign(bias)


def whole(array: Any) -> bool:
    """Whether the array is of integers."""
    return getattr(array, "dtype", None) is not None and array.dtype.kind in "iu"


def regimes_at_zero(cell: Cell) -> tuple[str, ...]:
    """The regimes of zeros, if all functions of the cell are smooth."""
    kinks = any(
        node.function.formula.has(Max, Min, Piecewise, Abs)
        for equation in cell.equations
        for node in preorder_traversal(equation.value) if isinstance(node, Elementwise)
    )  # fmt: skip
    return () if kinks else AT_ZERO
