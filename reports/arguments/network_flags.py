"""The flags that ask for a network, and the network they mean; one home for every command.

In: a parser, or parsed arguments and a cell. Out: the flags, or `Network`. Adding the flags
needs no SymPy, so that `bptt --help` answers at once.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from reports.arguments.numbers import count

if TYPE_CHECKING:
    from derive.cell import Cell
    from derive.network import Network

READOUTS: Final = ("softmax", "linear")
LOSSES: Final = ("cross_entropy", "squared_error")
PLACES: Final = ("all", "last")
SWITCHES: Final = ("bidirectional", "embedding", "dropout")
FINAL: Final = "final_states"


def add_code_network_flags(parser: ArgumentParser) -> None:
    """The flags of a network, and those that say what its code returns besides."""
    add_all_network_flags(parser).add_argument(
        "--final-states", action="store_true",
        help="return the states in which a sequence ends, and take cotangents of them: training "
             "over segments",
    )  # fmt: skip


def add_all_network_flags(parser: ArgumentParser) -> Any:
    """The flags of a network; any of them given asks for one."""
    group = add_network_flags(parser)
    group.add_argument(
        "--embedding", action="store_true", help="the first input is integers, rows of a table"
    )
    group.add_argument(
        "--dropout", action="store_true", help="a mask between layers, given as a constant"
    )
    return group


def add_network_flags(parser: ArgumentParser) -> Any:
    """Those that a layer's Jacobian through time may depend on, and what reads the layers."""
    group = parser.add_argument_group(
        "a network of the cell", "Any of these asks for layers of the cell, a readout and a loss."
    )
    group.add_argument("--layers", type=count, metavar="L", help="how many layers (1)")
    group.add_argument(
        "--bidirectional", action="store_true",
        help="two directions in each layer, with their own parameters",
    )  # fmt: skip
    group.add_argument(
        "--readout", choices=READOUTS, help="what reads the top layer (softmax)"
    )  # fmt: skip
    group.add_argument(
        "--loss", choices=LOSSES,
        help="cross_entropy for readout softmax, squared_error for linear, unless it is said",
    )  # fmt: skip
    group.add_argument("--loss-at", choices=PLACES, help="loss at every step, or the last (all)")
    return group


def asks_for_network(arguments: Namespace) -> bool:
    """Whether any of the flags was given."""
    given = (arguments.layers, arguments.readout, arguments.loss, arguments.loss_at)
    switched = any(_on(arguments, name) for name in (*SWITCHES, FINAL))
    return switched or any(value is not None for value in given)


def network_from(arguments: Namespace, cell: Cell) -> Network | None:
    """The network that the flags mean; None where none was given.

    Raises:
        CellError: if the settings do not go together.
    """
    if not asks_for_network(arguments):
        return None
    readout, loss = arguments.readout, arguments.loss
    if readout is None:
        readout = "linear" if loss == "squared_error" else "softmax"
    if loss is None:
        loss = "squared_error" if readout == "linear" else "cross_entropy"
    found: Network = import_module("derive.network").Network(
        cell,
        layers=arguments.layers or 1,
        readout=readout,
        loss=loss,
        loss_at=arguments.loss_at or "all",
        **{name: _on(arguments, name) for name in SWITCHES},
        final=_on(arguments, FINAL),
    )
    return found


def settings(network: Network) -> dict[str, object]:
    """What the flags say of the network, as plain data, and its name."""
    names = ("name", "layers", "readout", "loss", "loss_at", *SWITCHES)
    found = {name: getattr(network, name) for name in names}
    return found | ({FINAL: True} if network.final else {})


def flags(arguments: Namespace) -> list[str]:
    """The flags that were given, as words of the command line."""
    words = [f"--{name}" for name in SWITCHES if _on(arguments, name)]
    for name in ("layers", "readout", "loss", "loss_at"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words + ["--final-states"] * _on(arguments, FINAL)


def _on(arguments: Namespace, name: str) -> bool:
    return bool(getattr(arguments, name, False))
