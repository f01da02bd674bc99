"""Layers, directions, readout and loss: how cells join to a network, and how errors pass on.

In: a cell and the numbers of the network. Out: `Network`, its layers with the sizes they have
there, and the equations that join them: what a layer receives, and what it hands down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sympy import Expr, MatrixExpr, MatrixSymbol

from derive.adjoint import bar, from_loss, pull_back
from derive.bptt import LENGTH, TIME
from derive.cell import Cell, Equation
from derive.expr import (
    At,
    Concat,
    Rows,
    Softmax,
    TimeSum,
    add,
    negate,
    product,
    replace,
    size,
    symbols_of,
    transpose,
)
from derive.syntax import CellError

READOUTS: Final = ("softmax", "linear")
LOSSES: Final = ("cross_entropy", "squared_error")
PLACES: Final = ("all", "last")
BELOW: Final = "_below"


@dataclass(frozen=True)
class Layer:
    """One direction of one layer: its cell, its name, the size of what it receives."""

    depth: int
    cell: Cell
    reverse: bool
    width: Expr

    @property
    def name(self) -> str:
        """The name its parameters bear: layer0, layer0.reverse."""
        return f"layer{self.depth}" + (".reverse" if self.reverse else "")


@dataclass(frozen=True)
class Network:
    """Stacked layers of one cell, a readout of the top one, a loss summed over time and batch.

    L = Σ_t L_t with loss_at "all", L = L_T with "last". Cross-entropy −log p_t[target] needs the
    softmax readout; squared error is ½‖·‖².
    """

    cell: Cell
    layers: int = 1
    bidirectional: bool = False
    readout: str = "softmax"
    loss: str = "cross_entropy"
    loss_at: str = "all"
    embedding: bool = False
    dropout: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            CellError: naming the setting, what was expected and what came.
        """
        for what, value, known in (
            ("readout", self.readout, READOUTS),
            ("loss", self.loss, LOSSES),
            ("loss_at", self.loss_at, PLACES),
        ):
            if value not in known:
                raise CellError(f"{what}: expected one of {', '.join(known)}, came {value!r}")
        if self.layers < 1:
            raise CellError(f"layers: expected 1 or more, came {self.layers}")
        if self.loss == "cross_entropy" and self.readout != "softmax":
            raise CellError("loss cross_entropy needs readout softmax, came readout linear")
        tied = self.input_size != size("m")
        if tied and self.layers > 1 and self.width != self.input_size:
            raise CellError(
                f"its input has the size {self.input_size} of its state: layers of two "
                "directions hand up twice that and cannot be stacked",
                cell=self.cell.name,
            )

    @property
    def name(self) -> str:
        """A name that tells the settings."""
        parts = [self.cell.name, f"{self.layers}l"]
        parts += ["bi"] * self.bidirectional
        return "_".join([*parts, self.readout, self.loss, self.loss_at])

    @property
    def output(self) -> MatrixSymbol:
        """The state a layer hands up: h where there is one, else the last assigned."""
        named = {state.name: state for state in self.cell.states}
        return named.get("h", self.cell.states[-1])

    @property
    def input_size(self) -> Expr:
        """The size of the cell's first input."""
        return self.cell.inputs[0].shape[0]

    @property
    def width(self) -> Expr:
        """The size of what a layer hands up: both directions one below the other."""
        return self.output.shape[0] * (2 if self.bidirectional else 1)

    @cached_property
    def stack(self) -> tuple[Layer, ...]:
        """Every layer and direction, the lowest first, forward before reverse."""
        return tuple(
            Layer(depth, self.cell, reverse, self.width if depth else self.input_size)
            for depth in range(self.layers)
            for reverse in ((False, True) if self.bidirectional else (False,))
        )

    def lower_state(self, symbol: MatrixSymbol) -> MatrixSymbol | None:
        """The state of the layer below that feeds an extra input named `<state>_below`."""
        for state in self.cell.states:
            if symbol.name == state.name + BELOW:
                return state
        return None


@dataclass(frozen=True)
class Join:
    """An equation that joins parts of a network, with its title and the rule it follows from."""

    title: str
    equation: Equation
    rule: str


def _directions(network: Network, letter: str, depth: str) -> tuple[MatrixSymbol, ...]:
    rows = network.output.shape[0]
    names = [f"{letter}_{depth}", f"{letter}_{depth}_rev"]
    return tuple(MatrixSymbol(n, rows, 1) for n in names[: 1 + network.bidirectional])


def joins(network: Network) -> tuple[Join, ...]:
    """What a layer receives, the readout and the loss; then their cotangents, top to bottom.

    The cotangent of a layer's input is what its loss term is for the layer below.
    """
    letter = network.output.name
    below, above = _directions(network, letter, "low"), _directions(network, letter, "top")
    x = MatrixSymbol("x_up", network.width, 1)
    q = size("q")
    V = MatrixSymbol("V", q, network.width)
    c, o, p, y = (MatrixSymbol(name, q, 1) for name in ("c_out", "o_out", "p", "y"))
    top = _stacked(above)
    made: list[Join] = []
    if network.layers > 1:
        made.append(Join("up", Equation(_at(x), _stacked(below)), "what a layer receives"))
    logits = add(product(V, _stacked(above, timed=False)), c)
    made.append(Join("readout", Equation(_at(o), _timed(logits, {V, c})), "readout"))
    out = o
    if network.readout == "softmax":
        made.append(Join("readout", Equation(_at(p), Softmax(_at(o))), "softmax"))
        out = p
    difference = add(_at(out), negate(_at(y)))
    if network.loss == "cross_entropy":
        made.append(Join("loss", Equation(_at(bar(o)), difference),
                         "Jacobian of softmax, times −y ⊘ p"))  # fmt: skip
    else:
        made.append(Join("loss", Equation(_at(bar(out)), difference), "slope of ½‖·‖²"))
        if network.readout == "softmax":
            for _, share, path in pull_back(bar(p), p, Softmax(o)):
                made.append(Join("loss", Equation(_at(bar(o)), _timed(share, set())), path[0]))
    first = LENGTH if network.loss_at == "last" else 1
    for leaf, share in ((V, product(_at(bar(o)), transpose(top))), (c, _at(bar(o)))):
        total = TimeSum(share, TIME, first, LENGTH)
        made.append(Join("readout gradients", Equation(bar(leaf), total), "matrix product"))
    for place, state in enumerate(above):
        share = _part(product(transpose(V), _at(bar(o))), place, state, network)
        made.append(Join("down", Equation(At(from_loss(state), TIME), share),
                         "the readout's cotangent, handed to the top layer"))  # fmt: skip
    if network.layers > 1:
        for place, state in enumerate(below):
            share = _part(_at(bar(x)), place, state, network)
            made.append(Join("down", Equation(At(from_loss(state), TIME), share),
                             "∂L/∂x_t of the layer above is this layer's"))  # fmt: skip
    return tuple(made)


def _at(symbol: MatrixSymbol) -> MatrixExpr:
    return At(symbol, TIME)


def _timed(expr: MatrixExpr, fixed: set[MatrixSymbol]) -> MatrixExpr:
    return replace(expr, {s: _at(s) for s in symbols_of(expr) if s not in fixed})


def _stacked(parts: tuple[MatrixSymbol, ...], *, timed: bool = True) -> MatrixExpr:
    shown = [_at(part) if timed else part for part in parts]
    return shown[0] if len(shown) == 1 else Concat(*shown)


def _part(whole: MatrixExpr, place: int, part: MatrixSymbol, network: Network) -> MatrixExpr:
    if not network.bidirectional:
        return whole
    rows = part.shape[0]
    return Rows(whole, place * rows, rows)
