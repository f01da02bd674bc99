"""What the lines of a derivation mean in numbers: values at times, sums and products over time.

In: an expression with `At`, `TimeSum`, `TimeProduct` and the rest, the values of one sequence
by name and time, and what each time letter is. Out: an array. Other nodes are the interpreter's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

from sympy import Identity, MatrixExpr, ZeroMatrix

from derive.language.expr import At, Blocks, Partial, TimeProduct, TimeSum
from derive.language.maps import LinearMap
from numeric.meaning.interpret import Walk, basis, columns_of
from numeric.meaning.sizes import extent_of

Array = Any
Moment = tuple[str, int]


@dataclass(frozen=True)
class Line(Walk):
    """One line of a derivation at one time.

    `values` holds what time does not change, `timed` the rest by name and time, `clock` the
    number of each time letter; `partial` gives ∂u/∂v of two symbols, each at its time.
    """

    timed: Mapping[Moment, Array] = field(default_factory=dict)
    clock: Mapping[str, int] = field(default_factory=dict)
    partial: Callable[[Moment, Moment], Array] | None = None

    def __call__(self, node: MatrixExpr) -> Array:
        """The value of a node.

        Raises:
            TypeError: for a node that has no meaning here.
            KeyError: for a symbol without a value at that time.
        """
        rule = _OVER_TIME.get(type(node))
        return super().__call__(node) if rule is None else rule(node, self)

    def moment(self, node: At) -> Moment:
        """Which symbol, and when."""
        return node.args[0].name, extent_of(node.args[1], self.clock)

    def at(self, **clock: int) -> Line:
        """The line where these letters are these times."""
        return replace(self, clock={**self.clock, **clock})


def _at(node: At, line: Line) -> Array:
    return line.timed[line.moment(node)]


def _partial(node: Partial, line: Line) -> Array:
    """∂u/∂v.

    Raises:
        TypeError: where nobody says what it is.
    """
    if line.partial is None:
        raise TypeError(f"no number for {node}")
    of, by = node.args
    return line.partial(line.moment(of), line.moment(by))


def _linear_map(node: LinearMap, line: Line) -> Array:
    """The matrix of the map; a change at a time is a value of that time."""
    body, change = node.args
    if not isinstance(change, At):
        return Walk.__call__(line, node)
    moved = basis(change, line, line.arithmetic.full)
    inner = replace(line, timed={**line.timed, line.moment(change): moved})
    return columns_of(inner(body), line.size(node.shape[0]))


def _sum(node: TimeSum, line: Line) -> Array:
    body, index, first, last = node.args
    span = range(extent_of(first, line.clock), extent_of(last, line.clock) + 1)
    found = [line.at(**{str(index): time})(body) for time in span]
    return reduce(operator.add, found) if found else line(ZeroMatrix(*node.shape))


def _product(node: TimeProduct, line: Line) -> Array:
    body, index, latest, earliest = node.args
    span = range(extent_of(latest, line.clock), extent_of(earliest, line.clock) - 1, -1)
    found = [line.at(**{str(index): time})(body) for time in span]
    return reduce(operator.matmul, found) if found else line(Identity(node.shape[0]))


def _blocks(node: Blocks, line: Line) -> Array:
    order, made = node.order, line.all(node.args)
    stack = line.arithmetic.namespace.concatenate
    rows = [stack(made[k : k + order], axis=1) for k in range(0, order**2, order)]
    return stack(rows)


_OVER_TIME: Final[dict[type, Callable[[Any, Line], Array]]] = {
    At: _at, Partial: _partial, LinearMap: _linear_map, TimeSum: _sum, TimeProduct: _product,
    Blocks: _blocks,
}  # fmt: skip
