"""The search for a map of parameters, which finds one of its class or shows that there is none.

In: two cells. Out: maps that no point tried tells from an identity; if there is none, for every map
of the class a point where the cells differ, and by how much.

With all blocks of the source but some at zero the two cells have to agree as well, whatever the
others map to: the blocks are placed one after the other, the one with the fewest places next. A
branch ends only where the two cells differ by far more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from typing import Any, Final

import numpy as np
from sympy import MatMul, Rational, preorder_traversal

from derive.cell import Cell
from derive.saying import said
from numeric.dialects.blocks import Block, Frame, blocks_of, frames
from numeric.dialects.one_step import Comparison, Point, apart, draw
from numeric.dialects.parameter_map import Move, ParameterMap

Array = Any
Moves = tuple[Move, ...]
FAR: Final = 1e-7  # a hundred million times what rounding does in one step of small matrices
SEVERAL: Final = 1000  # how many places of one block are tried at most where it may go to several
MOST_STEPS: Final = 200_000  # steps of the target that one search may take
NUMBERS: Final = 6  # numbers of the equations that are tried as offsets
AT_ONCE: Final = 2  # offsets other than zero
FACTORS: Final = 6  # numbers that a block is tried to be multiplied by


class ExhaustedError(RuntimeError):
    """The search took too many steps: nothing is known."""


@dataclass(frozen=True)
class Difference:
    """A point where the cells differ though the map agrees as far as it goes.

    `moves` and `offsets` are that map, `kept` the blocks that are not zero.
    """

    amount: float
    frame: Frame
    point: Point
    kept: frozenset[Block]
    moves: Moves
    offsets: Mapping[Block, Fraction]


@dataclass
class Search:
    """All maps of a class from one cell to another, and what was met on the way.

    `several`: a block may be a term of several blocks of the target, not of one only. `factors`:
    numbers other than 1 that it may be multiplied by. `least` is the least of the differences that
    ended a branch; `closest` the one farthest down.
    """

    source: Cell
    target: Cell
    several: bool = False
    seed: int = 0
    factors: tuple[Fraction, ...] = ()
    steps: int = 0
    least: float = math.inf
    closest: Difference | None = field(default=None)

    def maps(self) -> Iterator[ParameterMap]:
        """The maps that no point tells from an identity.

        Raises:
            ExhaustedError: after too many steps.
        """
        for frame in frames(self.source, self.target):
            point = draw(self.source, np.random.default_rng(self.seed))
            comparison = Comparison(self.source, self.target, frame, point)
            places = {block: list(self._places(block, frame)) for block in blocks_of(self.source)}
            for offsets in self._offsets(comparison):
                for moves in self._placed(comparison, offsets, {}, places):
                    yield ParameterMap(self.source, self.target, frame, moves, offsets)

    def _places(self, block: Block, frame: Frame) -> Iterator[Moves]:
        """Where a block may go: the likeliest first, nowhere last."""
        single = [*filter(None, (self._moves(block, other, frame)
                                 for other in blocks_of(self.target)))]  # fmt: skip
        ranked = sorted((m for moves in single for m in moves), key=_unlikely)
        yield from ((move,) for move in ranked)
        if self.several:
            for chosen in product(*([None, *moves] for moves in single)):
                moves = tuple(move for move in chosen if move is not None)
                if len(moves) > 1:
                    yield moves
        yield ()

    def _moves(self, block: Block, other: Block, frame: Frame) -> list[Move]:
        """The ways in which a block may be a term of another."""
        shape = tuple(frame.in_source(extent) for extent in other.shape)
        ways = []
        if shape == block.shape:
            ways.append(False)
        if shape == block.shape[::-1] and 1 not in shape:
            ways.append(True)
        numbers = [sign * number for number in (Fraction(1), *self.factors) for sign in (1, -1)]
        return [Move(block, other, number, way) for way in ways for number in numbers]

    def few(self) -> bool:
        """Whether the places of every block are few enough where it may go to several."""
        return all(
            math.prod(len(self._moves(block, other, frame)) + 1
                      for other in blocks_of(self.target)) <= SEVERAL
            for frame in frames(self.source, self.target) for block in blocks_of(self.source)
        )  # fmt: skip

    def _offsets(self, comparison: Comparison) -> Iterator[dict[Block, Fraction]]:
        """Numbers added to the target's vectors under which the cells agree at parameters zero."""
        vectors = [block for block in blocks_of(self.target) if block.shape[1] == 1]
        numbers = offsets_of(self.source, self.target)
        tried: list[dict[Block, Fraction]] = [{}]
        for count in range(1, AT_ONCE + 1):
            for chosen in combinations(vectors, count):
                tried += [dict(zip(chosen, values, strict=True))
                          for values in product(numbers, repeat=count)]  # fmt: skip
        want = comparison.wanted([frozenset()])
        far = self._far(comparison, want, [()] * len(tried), tried, frozenset())
        yield from (offsets for offsets, off in zip(tried, far, strict=True) if not off)

    def _placed(
        self, comparison: Comparison, offsets: Mapping[Block, Fraction],
        placed: Mapping[Block, Moves], left: Mapping[Block, Sequence[Moves]],
    ) -> Iterator[Moves]:  # fmt: skip
        """Every way of placing the blocks left, beside those placed."""
        done = tuple(move for moves in placed.values() for move in moves)
        if not left:
            yield done
            return
        kept = [frozenset({*placed, block}) for block in left]
        wanted = comparison.wanted(kept)
        options = [
            (number, block, moves)
            for number, (block, held) in enumerate(left.items())
            for moves in held
        ]
        tried = [(*done, *moves) for _, _, moves in options]
        want = wanted[[number for number, _, _ in options]]
        amounts = self._amounts(comparison, want, tried, [offsets] * len(tried))
        fitting: dict[Block, list[Moves]] = {block: [] for block in left}
        ended: dict[Block, list[tuple[float, Moves]]] = {block: [] for block in left}
        for (_, block, moves), amount in zip(options, amounts, strict=True):
            if amount <= FAR:
                fitting[block].append(moves)
            else:
                ended[block].append((float(amount), moves))
        block = min(left, key=lambda one: len(fitting[one]))
        self.least = min([self.least, *(a for held in ended.values() for a, _ in held)])
        for amount, moves in ended[block]:
            here = frozenset({*placed, block})
            self._met(Difference(amount, comparison.frame, comparison.point, here,
                                 (*done, *moves), offsets))  # fmt: skip
        rest = {one: fitting[one] for one in left if one != block}
        for moves in fitting[block]:
            yield from self._placed(comparison, offsets, {**placed, block: moves}, rest)

    def _far(
        self, comparison: Comparison, want: Array, maps: Sequence[Moves],
        offsets: Sequence[Mapping[Block, Fraction]], kept: frozenset[Block],
    ) -> list[bool]:  # fmt: skip
        amounts = self._amounts(comparison, want, maps, offsets)
        for amount, moves, added in zip(amounts, maps, offsets, strict=True):
            if amount > FAR:
                self._met(Difference(float(amount), comparison.frame, comparison.point, kept,
                                     moves, added))  # fmt: skip
        return [bool(amount > FAR) for amount in amounts]

    def _amounts(
        self, comparison: Comparison, want: Array, maps: Sequence[Moves],
        offsets: Sequence[Mapping[Block, Fraction]],
    ) -> Array:  # fmt: skip
        self.steps += len(maps)
        if self.steps > MOST_STEPS:
            raise ExhaustedError(said("the search ended after {0} steps", MOST_STEPS))
        with np.errstate(all="ignore"):
            return apart(comparison.given(maps, offsets), want)

    def _met(self, difference: Difference) -> None:
        """Remember a branch's end."""
        self.least = min(self.least, difference.amount)
        best = self.closest
        if best is None or _depth(difference) > _depth(best):
            self.closest = difference

    def said(self) -> str:
        """The class of maps that was searched, in a sentence."""
        where = said("any of the blocks") if self.several else said("at most one block")
        numbers = ", ".join(map(str, offsets_of(self.source, self.target)))
        maps = said(
            "maps that rename states, inputs and constants and send each block of a parameter of "
            "{0}, with either sign, plain or transposed, to {1} of its shape in {2}, where what "
            "arrives is added", self.source.name, where, self.target.name,
        )  # fmt: skip
        if self.factors:
            times = ", ".join(map(str, (1, *self.factors)))
            maps = said("{0}, times one of {1}", maps, times)
        if not numbers:
            return maps
        return said("{0}, with at most {1} vectors offset by one of {2}", maps, AT_ONCE, numbers)


def _unlikely(move: Move) -> tuple[bool, bool, bool, bool]:
    strange = move.source.text != move.target.text
    return abs(move.factor) != 1, strange, move.factor < 0, move.transposed


def _depth(difference: Difference) -> tuple[int, float]:
    """How much agrees; of equal ones, that with the smaller difference goes first."""
    return len(difference.kept), -difference.amount


def offsets_of(source: Cell, target: Cell) -> tuple[Fraction, ...]:
    """The numbers in the equations of both, and their negatives."""
    found = {
        abs(Fraction(int(node.p), int(node.q)))
        for cell in (source, target)
        for equation in cell.equations
        for node in preorder_traversal(equation.value)
        if isinstance(node, Rational) and node != 0
    }
    return tuple(sign * number for number in sorted(found)[:NUMBERS] for sign in (1, -1))


def factors_of(source: Cell, target: Cell) -> tuple[Fraction, ...]:
    """What blocks may be multiplied by: ratios of the numbers that multiply in the equations."""
    own, other = ([Fraction(1), *_multiplying(cell)] for cell in (source, target))
    found = {ratio for a in own for b in other for ratio in (a / b, b / a) if ratio != 1}
    return tuple(sorted(found, key=lambda ratio: (abs(math.log(ratio)), ratio))[:FACTORS])


def _multiplying(cell: Cell) -> list[Fraction]:
    """The numbers that multiply something in the equations, without their signs."""
    found = {
        abs(Fraction(int(factor.p), int(factor.q)))
        for equation in cell.equations
        for node in preorder_traversal(equation.value) if isinstance(node, MatMul)
        for factor in node.args if isinstance(factor, Rational) and factor != 0
    }  # fmt: skip
    return sorted(found - {Fraction(1)})
