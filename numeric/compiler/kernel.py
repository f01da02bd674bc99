"""Cell → callable gradient code: the pipeline in one function, and the loading of its source.

In: a cell, a style and a target. Out: `Kernel`: the source, and `forward` and `backward` built
from that source alone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Final

from derive.calculus.surrogates import surrogate_note
from derive.calculus.through_time import derivation_of
from derive.cell import Cell, cell_of, declared
from derive.language.expr import size_name
from derive.network import Network
from numeric.compiler.at_once import at_once_lines, scanned
from numeric.compiler.costs import costs_of
from numeric.compiler.lower import lower
from numeric.compiler.network import compose
from numeric.compiler.padding import masked
from numeric.compiler.passes import optimise
from numeric.compiler.prediction import predicting
from numeric.compiler.program import LENGTH, Program
from numeric.compiler.segments import Segments, segments
from numeric.compiler.target import Header, Style
from numeric.compiler.targets import NUMPY, find_style

DISTRIBUTION: Final = "bptt-toolkit"
VOLATILE: Final = ("Made by ", "Verified: ")


@dataclass(frozen=True)
class Kernel:
    """Gradient code of a cell: (params, inputs) → states, and cotangents → gradients."""

    cell: Cell
    style: str
    source: str = field(repr=False)
    target: str = NUMPY.name
    segments: Segments | None = None
    parallel: bool = False
    costs: tuple[str, ...] = field(default=(), repr=False, compare=False)
    module: ModuleType = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the module from the source alone."""
        object.__setattr__(self, "module", _loaded(self, self.cell.name))

    def forward(
        self,
        params: Mapping[str, Any],
        inputs: Mapping[str, Any],
        initial: Mapping[str, Any] | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Any]:
        """The states of every step, and the tape.

        Shapes: inputs (T, B, m), initial (B, n), states (T, B, n).

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        return self.module.forward(params, inputs, initial, constants)  # type: ignore[no-any-return]

    def backward(
        self, params: Mapping[str, Any], tape: Any, cotangents: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """∂L/∂params, ∂L/∂inputs, ∂L/∂initial, from cotangents[s][t] = ∂L/∂s_t.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        return self.module.backward(params, tape, cotangents)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class NetworkKernel:
    """Code of a network: (params, inputs, targets) → loss and gradients."""

    network: Network
    style: str
    source: str = field(repr=False)
    target: str = NUMPY.name
    module: ModuleType = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the module from the source alone."""
        object.__setattr__(self, "module", _loaded(self, self.network.name))

    def loss_and_gradient(self, *arguments: Any, **named: Any) -> tuple[Any, ...]:
        """L summed over time and batch, its gradients, and the final states where asked for.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it.
        """
        return self.module.loss_and_gradient(*arguments, **named)  # type: ignore[no-any-return]

    def predict(self, *arguments: Any, **named: Any) -> Any:
        """What the readout gives, without loss and targets; masks of dropout are left out.

        Raises:
            ValueError: for a wrong name, shape or dtype, naming it; if the target has no `predict`.
        """
        if not hasattr(self.module, "predict"):
            raise ValueError(f"target {self.target}: its networks have no predict; numpy's have")
        return self.module.predict(*arguments, **named)


def _loaded(kernel: Kernel | NetworkKernel, name: str) -> ModuleType:
    style = find_style(kernel.style, kernel.target)
    return style.target.load(kernel.source, f"{name}_{style.name}")


def toolkit_version() -> str:
    """The installed version of this toolkit; "0" where it runs from a bare folder."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"


@lru_cache(maxsize=64)
def compile_cell(
    cell: Cell | str, style: str = "fused", target: str = NUMPY.name, *,
    checkpoint: int | None = None, truncate: int | None = None, parallel: bool = False,
    verified: str = "",
) -> Kernel:  # fmt: skip
    """The kernel of a cell: derived, lowered, improved, emitted and loaded.

    With `checkpoint` k states are kept every k steps, of 0 the root of T, and the rest is computed
    again; with `truncate` K no gradient goes back over a multiple of K steps. With `parallel` all
    steps are found together, by Newton's method and a scan over time.

    Raises:
        ValueError: naming what there is, if the style, the target or the name of a cell is
            unknown; if checkpoints and truncation do not go together.
    """
    cell = cell_of(cell)
    through = segments(checkpoint, truncate)
    if parallel and through is not None:
        raise ValueError("parallel: all steps are found together: expected no segments of time")
    chosen = find_style(style, target)
    program = optimise(lower(derivation_of(cell), chosen.slope_from), chosen.passes)
    title = f"States and gradients of the cell {cell.name!r} through time."
    if parallel and not chosen.target.at_once:
        raise ValueError(f"parallel: expected target numpy or jax, came {target}")
    at_once = scanned(derivation_of(cell)) if parallel else ""
    cost = _costs(program, chosen, through, at_once)
    carried, why = _carried(cell, chosen, checkpoint, truncate)
    lines = (*cost, "", *_header_lines(cell, chosen, program, verified), *why)
    header = Header(title, lines, declared(cell), cell.name, through, carried, at_once)
    source = chosen.target.emit(program, chosen, header)
    return Kernel(cell, style, source, target, through, parallel, cost)


def _costs(
    program: Program, style: Style, through: Segments | None, at_once: str
) -> tuple[str, ...]:
    """What a header says of the way through time and what it costs."""
    if at_once:
        return at_once_lines(at_once)
    costs = costs_of(program)
    memory = costs.memory_lines() if style.target is NUMPY and through is None else ()
    about = through.lines() if through is not None else ()
    return (*about, *memory, *costs.operation_lines())


def _carried(
    cell: Cell, style: Style, checkpoint: int | None, truncate: int | None
) -> tuple[str, tuple[str, ...]]:
    """The source in another language that a file takes along, and what the file says of it."""
    other = style.target.carries
    if not other:
        return "", ()
    try:
        kernel = compile_cell(cell, style.name, other, checkpoint=checkpoint, truncate=truncate)
    except ValueError as problem:  # the other language cannot say it: the code goes without
        return "", ("", f"Computed in NumPy: {problem}.")
    return kernel.source, (
        "",
        f"Tensors go through the code in {other.upper()} at the end of this file, built when first "
        "called.",
        "The checks of arithmetic over other numbers judge the NumPy code, the others what tensors",
        "go through.",
    )


@lru_cache(maxsize=64)
def compile_network(
    network: Network, style: str = "fused", target: str = NUMPY.name, *, verified: str = "",
    predicts: bool = True,
) -> NetworkKernel:  # fmt: skip
    """The kernel of a network; with or without its forward pass alone, `predict`.

    Raises:
        ValueError: naming what there is, if the style or the target is unknown, or has cells only.
    """
    chosen = find_style(style, target)
    program = masked(optimise(compose(network, chosen.slope_from), chosen.passes))
    title = f"Loss and gradients of {network.name}: layers of the cell {network.cell.name!r}."
    lines = _header_lines(network.cell, chosen, program, verified)
    alone = None
    if predicts and chosen.target is NUMPY:  # others say it is NumPy's alone
        alone = optimise(predicting(network), chosen.passes)
    declared_names = declared_network(network, program)
    header = Header(
        title, lines, declared_names, network.name, prediction=alone, final=network.final
    )
    lead = ("B",) if network.loss_at == "last" else ("T", "B")
    source = chosen.target.emit_network(program, chosen, header, lead)
    return NetworkKernel(network, style, source, target)


def declared_network(network: Network, program: Program) -> dict[str, dict[str, tuple[str, ...]]]:
    """The module constants of a network, from the arguments of its program."""
    lead = {"params": 0, "inputs": 2, "indices": 2, "initial": 1}
    names = {"params": "PARAMETERS", "inputs": "INPUTS", "indices": "INPUTS", "initial": "STATES"}
    found: dict[str, dict[str, tuple[str, ...]]] = {
        "PARAMETERS": {}, "INPUTS": {}, "STATES": {}, "CONSTANTS": {},
    }  # fmt: skip
    for argument in program.arguments:
        dims = program.dims[argument.name]
        if argument.group in names:
            sizes = tuple(map(size_name, dims[lead[argument.group] :]))
            found[names[argument.group]][argument.key] = sizes
        elif argument.group == "constants":
            timed = dims[:1] == (LENGTH,)
            own = dims[2:] if timed and dims[2:] != (1,) else () if timed else dims
            found["CONSTANTS"][argument.key] = (*("T",) * timed, *map(size_name, own))
    return found


def _header_lines(cell: Cell, style: Style, program: Program, verified: str) -> tuple[str, ...]:
    used = {
        statement.settings[0]
        for block in program.blocks
        for statement in block.statements
        if statement.op in {"function", "slope", "slope_from_output"}
    }
    in_target = "" if style.target is NUMPY else f", target {style.target.name}"
    return (
        *(f"    {line.strip()}" for line in cell.text.split("\n") if line.strip()),
        "",
        f"Cell digest {cell.digest}, style {style.name}{in_target}.",
        *textwrap.wrap(surrogate_note(cell), 96),
        *(f"Error of {name}: {style.spelling(name).error}." for name in sorted(used)),
        f"{VOLATILE[0]}{DISTRIBUTION} {toolkit_version()}.",
        *([f"{VOLATILE[1]}{verified}."] if verified else []),
    )


def same_code(left: str, right: str) -> bool:
    """Whether two modules are equal, the lines on version and verification apart."""
    return without_volatile(left) == without_volatile(right)


def without_volatile(source: str) -> str:
    """A module without the lines that change though its code does not."""
    return re.sub(rf"^( \* )?({'|'.join(VOLATILE)}).*\n", "", source, flags=re.MULTILINE)
