"""The parameters of a cell in blocks, and how two cells' states, inputs and sizes correspond.

In: cells. Out: `Block`s, pieces of parameters whose sizes are single letters, and `Frame`s. A
matrix that multiplies concat(x, h_prev) is two blocks side by side: other cells keep two matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from sympy import Expr, Integer, MatMul, MatrixExpr, MatrixSymbol, Symbol, Transpose
from sympy import preorder_traversal as nodes_of

from derive.cell import Cell
from derive.language.expr import Concat, size_name
from numeric.meaning.sizes import size_names

MOST: Final = 6  # states, inputs or constants whose orders are all tried
Span = tuple[Expr, Expr]


@dataclass(frozen=True)
class Block:
    """The rows and columns of a parameter from a start on, so many; all of it if `whole`."""

    parameter: str
    rows: Span
    columns: Span
    whole: bool = True

    @property
    def shape(self) -> tuple[Expr, Expr]:
        """Rows and columns."""
        return self.rows[1], self.columns[1]

    @property
    def text(self) -> str:
        """`W`, or `W[:, m:n+m]`."""
        if self.whole:
            return self.parameter
        return f"{self.parameter}[{_range(self.rows)}, {_range(self.columns)}]"


def _range(span: Span) -> str:
    start, extent = span
    return f"{'' if start == 0 else size_name(start)}:{size_name(start + extent)}"


def blocks_of(cell: Cell) -> tuple[Block, ...]:
    """The blocks of every parameter, in the order of the parameters."""
    parts = _concatenated(cell)
    found = []
    for symbol in cell.parameters:
        rows, columns = (
            _spans(parts.get((symbol.name, axis), (extent,)))
            for axis, extent in enumerate(symbol.shape)
        )
        whole = len(rows) == len(columns) == 1
        found += [Block(symbol.name, r, c, whole) for r in rows for c in columns]
    return tuple(found)


def _spans(extents: Sequence[Expr]) -> list[Span]:
    spans, start = [], Integer(0)
    for extent in extents:
        spans.append((start, extent))
        start += extent
    return spans


def _concatenated(cell: Cell) -> dict[tuple[str, int], tuple[Expr, ...]]:
    """For a parameter and its axis, the sizes of what is concatenated where it multiplies."""
    values = {equation.target: equation.value for equation in cell.equations}
    found: dict[tuple[str, int], tuple[Expr, ...]] = {}
    for value in values.values():
        for node in nodes_of(value):
            if not isinstance(node, MatMul):
                continue
            for left, right in zip(node.args, node.args[1:], strict=False):
                matrix = left.arg if isinstance(left, Transpose) else left
                joined = values.get(right, right)
                if isinstance(matrix, MatrixSymbol) and isinstance(joined, Concat):
                    axis = 0 if isinstance(left, Transpose) else 1
                    found.setdefault((matrix.name, axis), tuple(_parts(joined)))
    return found


def _parts(node: MatrixExpr) -> Iterator[Expr]:
    for part in node.args:
        if isinstance(part, Concat):
            yield from _parts(part)
        else:
            yield part.shape[0]


@dataclass(frozen=True)
class Frame:
    """What of the target corresponds to what of the source, by name: all but the parameters."""

    states: Mapping[str, str]
    inputs: Mapping[str, str]
    constants: Mapping[str, str]
    sizes: Mapping[str, str]

    def in_source(self, extent: Expr) -> Expr:
        """A size of the target in the letters of the source."""
        letters = extent.free_symbols
        return extent.xreplace({s: Symbol(self.sizes[s.name], **s.assumptions0) for s in letters})


def frames(source: Cell, target: Cell) -> Iterator[Frame]:
    """Every way in which states, inputs, constants and sizes may correspond, equal names first.

    An output is no state: the next step does not read it.
    """
    for states in _results(source, target):
        for inputs in _bijections(source.inputs, target.inputs):
            for constants in _bijections(source.constants, target.constants):
                pairs = {**states, **inputs, **constants}
                if any(_timed(target, own) != _timed(source, pairs[own]) for own in constants):
                    continue
                for sizes in _sizes(source, target, pairs):
                    named = [
                        {own.name: other.name for own, other in group.items()}
                        for group in (states, inputs, constants)
                    ]
                    yield Frame(named[0], named[1], named[2], sizes)


def results_of(cell: Cell) -> tuple[MatrixSymbol, ...]:
    """What a step of the cell is compared by."""
    return cell.returned


def _results(source: Cell, target: Cell) -> Iterator[dict[MatrixSymbol, MatrixSymbol]]:
    for states in _bijections(source.states, target.states):
        for outputs in _bijections(source.outputs, target.outputs):
            yield states | outputs


def _timed(cell: Cell, symbol: MatrixSymbol) -> bool:
    return symbol.name in cell.sequences


def _bijections(
    source: Sequence[MatrixSymbol], target: Sequence[MatrixSymbol]
) -> Iterator[dict[MatrixSymbol, MatrixSymbol]]:
    """Target → source, those that keep most names first."""
    if len(source) != len(target) or len(source) > MOST:
        return
    found = [dict(zip(target, order, strict=True)) for order in permutations(source)]
    yield from sorted(found, key=lambda pairs: -sum(a.name == b.name for a, b in pairs.items()))


def _sizes(
    source: Cell, target: Cell, pairs: Mapping[MatrixSymbol, MatrixSymbol]
) -> Iterator[dict[str, str]]:
    """Target's sizes → source's: fixed by the pairs, every order of those that are not."""
    fixed: dict[str, str] = {}
    for own, other in pairs.items():
        for a, b in zip(own.shape, other.shape, strict=True):
            if isinstance(a, Symbol) and isinstance(b, Symbol):
                if fixed.setdefault(a.name, b.name) != b.name:
                    return
            elif isinstance(a, Symbol) or isinstance(b, Symbol) or (
                not a.free_symbols and not b.free_symbols and a != b):  # fmt: skip
                return
    free = [name for name in size_names(target) if name not in fixed]
    left = [name for name in size_names(source) if name not in fixed.values()]
    if len({*fixed.values()}) != len(fixed) or len(free) != len(left) or len(free) > MOST:
        return
    for order in permutations(left):
        yield fixed | dict(zip(free, order, strict=True))
