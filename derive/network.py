"""Layers, directions, readout and loss: how cells join to a network.

In: a cell and the numbers of the network. Out: `Network`, and its layers with the sizes they
have there. The equations that join them are in `joins`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sympy import Expr, MatrixSymbol

from derive.cell import Cell, cell_of
from derive.language.syntax import CellError

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
    softmax readout; squared error is ½‖·‖². With `final`, the states in which a sequence ends are
    results, with cotangents of their own: those of what comes later.
    """

    cell: Cell
    layers: int = 1
    bidirectional: bool = False
    readout: str = "softmax"
    loss: str = "cross_entropy"
    loss_at: str = "all"
    embedding: bool = False
    dropout: bool = False
    final: bool = False

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            CellError: naming the setting, what was expected and what came.
        """
        object.__setattr__(self, "cell", cell_of(self.cell))  # a name of the catalogue will do
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
        if self.output.shape[1] != 1:
            raise CellError(
                f"{self.output.name!r} is a matrix, and a layer hands up a vector: give the cell "
                'an output, as in outputs = ["y"] with y = S @ q',
                cell=self.cell.name,
            )
        if self.layers > 1:
            self._require_stackable()

    def _require_stackable(self) -> None:
        cell = self.cell
        others = [x for x in cell.inputs[1:] if self.lower_state(x) is None]
        for extent, width in self._fed():
            if extent.is_Number and extent != width:
                raise CellError(
                    f"an input is one number, but a layer hands up {width}: layers of this cell "
                    "cannot be stacked so",
                    cell=cell.name,
                )
            for symbol in (*cell.returned, *cell.constants, *others):
                sizes = {s for own in symbol.shape for s in own.free_symbols}
                if extent != width and extent in sizes:
                    raise CellError(
                        f"{symbol.name!r} has the size {extent} of an input, but a layer hands up "
                        f"{width}: layers of this cell cannot be stacked so",
                        cell=cell.name,
                    )
        if len({extent for extent, _ in self._fed()}) < len({*self._fed()}):
            raise CellError(
                "one size for two inputs that layers below feed with different sizes: layers of "
                "this cell cannot be stacked so",
                cell=cell.name,
            )

    def _fed(self) -> tuple[tuple[Expr, Expr], ...]:
        """The size of each input that a layer below feeds, and the size of what feeds it."""
        first, *others = self.cell.inputs
        lower = [(x, self.lower_state(x)) for x in others]
        return (
            (first.shape[0], self.width),
            *((x.shape[0], state.shape[0]) for x, state in lower if state is not None),
        )

    def sizes_in(self, layer: Layer) -> dict[Expr, Expr]:
        """The input sizes of the cell that are others in this layer: those of what feeds it."""
        if not layer.depth:
            return {}
        return {extent: width for extent, width in self._fed() if extent != width}

    @property
    def name(self) -> str:
        """A name that tells the settings."""
        parts = [self.cell.name, f"{self.layers}l"]
        parts += ["bi"] * self.bidirectional
        parts += [self.readout, self.loss, self.loss_at]
        switched = [name for name in ("embedding", "dropout", "final") if getattr(self, name)]
        return "_".join([*parts, *switched])

    @property
    def output(self) -> MatrixSymbol:
        """What a layer hands up: its output, the last of several; without one a state.

        The state is h where there is one, else the last vector assigned.
        """
        if self.cell.outputs:
            return self.cell.outputs[-1]
        named = {state.name: state for state in self.cell.states if state.shape[1] == 1}
        return named.get("h") or [*named.values(), self.cell.states[-1]][-1 - bool(named)]

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
