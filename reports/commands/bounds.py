"""`bptt bounds`: certified bounds on ∂s_t/∂s_k beside the measured norms, and a verdict."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from derive.shapes import size_name
from numeric.cases import size_names
from numeric.defaults import default_constants
from numeric.diagnosis import Diagnosis, diagnose
from numeric.spectra import draw
from numeric.tracks import WINDOWS
from numeric.weights import LayerWeights, map_weights, read_arrays
from reports.commands.cells import find_cell
from reports.console import Answer, CommandError, columns, toolkit_version, why

Array = Any
Ends = tuple[float, float]
_SIZE: Final = 32
_INPUT_SIZE: Final = 8
_STEPS: Final = 60
_SHOWN: Final = (1, 2, 5, 10, 20, 30, 60, 100, 200, 500, 1000)
_SIGNAL: Final = 1.0


def run(arguments: Namespace) -> Answer:
    """The verdict on every layer, the bounds at some lags, and the assumptions.

    Raises:
        CommandError: for weights, inputs, boxes, lags or windows that cannot be.
        CellError: if the cell cannot be.
    """
    cell = find_cell(arguments.cell)
    boxes = tuple(_box(name, getattr(arguments, name)) for name in ("input_box", "initial_box"))
    windows = _windows(arguments.window)
    for name in ("lag", "size"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise CommandError(f"--{name}: expected a whole number from 1, came {value}")
    if arguments.gain < 0 or not math.isfinite(arguments.gain):
        raise CommandError(f"--gain: expected a number from 0, came {arguments.gain}")
    try:
        layers, drawn = _weights(cell, arguments)
        found = _diagnose(cell, layers, arguments, boxes, windows, drawn)
    except OSError as problem:
        raise CommandError(f"{problem.filename}: cannot be read: {why(problem)}") from None
    except ValueError as problem:
        raise CommandError(f"bounds: {str(problem).split(chr(10), 1)[0]}") from None
    return Answer(text=_text(cell, found, layers), data=_data(found, layers, arguments))


def _box(name: str, text: str | None) -> Ends | None:
    if text is None:
        return None
    option = f"--{name.replace('_', '-')}"
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in {1, 2} or not all(map(math.isfinite, numbers)):
        raise CommandError(f"{option}: expected X for [−X, X], or LOW,HIGH, came {text!r}")
    low, high = (-numbers[0], numbers[0]) if len(numbers) == 1 else numbers
    if low > high:
        raise CommandError(f"{option}: the lower end {low:g} lies above the upper {high:g}")
    return low, high


def _windows(text: str | None) -> tuple[int, ...]:
    if text is None:
        return WINDOWS
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) >= 1 for part in parts):
        raise CommandError(f"--window: expected whole numbers from 1, as 1,10,20, came {text!r}")
    return tuple(dict.fromkeys(map(int, parts)))


def _weights(cell: Cell, arguments: Namespace) -> tuple[tuple[LayerWeights, ...], str]:
    """The layers' parameters, and how they were drawn if they were."""
    if arguments.weights is not None:
        return map_weights(cell, read_arrays(arguments.weights)), ""
    size = arguments.size or _SIZE
    sizes = {name: size if name in _own(cell) else _INPUT_SIZE for name in size_names(cell)}
    made = draw(cell, sizes, arguments.gain, 1, arguments.seed, 1.0)["parameters"]
    said = (
        f"recurrent weights drawn with the variance gain²/n, gain {arguments.gain:g}, others with "
        f"1/columns, vectors 0, seed {arguments.seed}"
    )
    return (LayerWeights("", made, {}),), said


def _own(cell: Cell) -> set[str]:
    return {str(symbol) for state in cell.states for symbol in state.shape[0].free_symbols}


def _sizes(cell: Cell, layer: LayerWeights, width: int | None) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for symbol in cell.parameters:
        for extent, count in zip(
            symbol.shape, np.shape(layer.parameters[symbol.name]), strict=False
        ):
            if extent.is_Symbol:
                sizes[size_name(extent)] = count
    for name in size_names(cell):
        sizes.setdefault(name, width or _INPUT_SIZE)
    return sizes


def _diagnose(
    cell: Cell, layers: Sequence[LayerWeights], arguments: Namespace,
    boxes: Sequence[Ends | None], windows: tuple[int, ...], drawn: str,
) -> list[Diagnosis]:  # fmt: skip
    inputs = _inputs(cell, layers, arguments, boxes[0])
    said = drawn + ("; " if drawn else "") + (
        "" if arguments.inputs else f"inputs drawn, seed {arguments.seed}")  # fmt: skip
    found: list[Diagnosis] = []
    below, outputs, depth = inputs, [], None
    for layer in layers:
        level = layer.prefix.split(".")[0]
        if depth is not None and level != depth and below is not None:
            below, outputs = {cell.inputs[0].name: np.concatenate(outputs, axis=1)}, []
        depth = level
        signal = below
        if layer.reverse and below is not None:
            signal = {name: value[::-1] for name, value in below.items()}
        width = None if signal is None else next(iter(signal.values())).shape[1]
        sizes = _sizes(cell, layer, width)
        steps = arguments.lag or _STEPS if signal is None else len(next(iter(signal.values())))
        made = diagnose(
            cell, layer.parameters, sizes, inputs=signal,
            constants=default_constants(cell, {**sizes, "T": steps}),
            input_box=boxes[0] if not found else None, initial_box=boxes[1],
            lag=arguments.lag, windows=windows, drawn=said,
        )  # fmt: skip
        found.append(made)
        if made.run is not None:
            states = made.run.states[cell.states[-1].name][1:]
            outputs.append(states[::-1] if layer.reverse else states)
    return found


def _inputs(
    cell: Cell, layers: Sequence[LayerWeights], arguments: Namespace, box: Ends | None
) -> dict[str, Array] | None:
    """The sequence given or drawn; None where only a box was given.

    Raises:
        ValueError: if the file holds no sequence of numbers for this cell.
    """
    if arguments.inputs is not None:
        if len(cell.inputs) != 1:
            raise ValueError(f"--inputs: {cell.name} has {len(cell.inputs)} inputs, expected one")
        try:
            value = np.load(arguments.inputs, allow_pickle=False)
        except (ValueError, EOFError):
            raise ValueError(f"{arguments.inputs}: no .npy file of plain numbers") from None
        if not np.issubdtype(value.dtype, np.floating) and not np.issubdtype(
            value.dtype, np.integer
        ):
            raise ValueError(f"{arguments.inputs}: expected numbers, came {value.dtype}")
        if value.ndim == 3 and value.shape[1] == 1:
            value = value[:, 0]
        if value.ndim != 2 or not len(value):
            raise ValueError(f"{arguments.inputs}: expected the shape (T, m), came {value.shape}")
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{arguments.inputs}: holds NaN or infinities")
        return {cell.inputs[0].name: np.asarray(value, dtype=np.float64)}
    if box is not None:
        return None
    sizes = _sizes(cell, layers[0], None)
    rng = np.random.default_rng(arguments.seed + 1)
    steps = arguments.lag or _STEPS
    return {
        symbol.name: _SIGNAL * rng.normal(size=(steps, sizes[size_name(symbol.shape[0])]))
        for symbol in cell.inputs
    }


def _data(
    found: Sequence[Diagnosis], layers: Sequence[LayerWeights], arguments: Namespace
) -> dict[str, Any]:
    """The layer whose norm is largest at the last lag, and all layers beside it."""
    data: dict[str, Any] = dict(_slowest(found).to_dict())
    data["versions"] = {"bptt": toolkit_version(), "numpy": np.__version__}
    data["seed"] = arguments.seed
    if arguments.weights is not None:
        data["mapping"] = {f"{layer.prefix}{name}": source for layer in layers
                           for name, source in layer.origin.items()}  # fmt: skip
    if len(found) > 1:
        data["layers"] = [
            {"layer": layer.prefix.rstrip("."), **one.to_dict()}
            for layer, one in zip(layers, found, strict=True)
        ]
    return data


def _slowest(found: Sequence[Diagnosis]) -> Diagnosis:
    return max(found, key=lambda one: one.log10_measured[-1] if one.log10_measured
               else one.rate or math.inf)  # fmt: skip


def _text(cell: Cell, found: Sequence[Diagnosis], layers: Sequence[LayerWeights]) -> str:
    lines: list[str] = []
    for layer, one in zip(layers, found, strict=True):
        name = f"{cell.name} {layer.prefix}".rstrip(". ")
        lines += [f"{name}: {one.verdict}", f"  {one.because}", ""]
        lines += _table(one)
        if one.rate is not None:
            lines.append(f"  certified growth a step, all inputs in the box: {_ceil(one.rate)}")
        if one.lower_rate is not None:
            lines.append(f"  certified growth at rest at zero, at least: {_floor(one.lower_rate)}")
        if one.track is not None and len(one.track.blocks) > 1:
            held = ", ".join(f"∂{a}/∂{b} {_number(v)}" for (a, b), v in one.track.blocks.items())
            lines.append(f"  measured by block at the last lag: {held}")
        lines += ["  Assumptions:", *(f"  - {line}" for line in one.assumptions), ""]
    mapping = [(f"{layer.prefix}{name}", source) for layer in layers
               for name, source in layer.origin.items()]  # fmt: skip
    if mapping:
        lines += ["Weights:", *columns(mapping, "  ")]
    return "\n".join(lines).rstrip("\n")


def _table(one: Diagnosis) -> list[str]:
    """log10 of the norms at some lags, a method a row."""
    shown = [lag for lag in _SHOWN if lag < one.lags[-1]] + [one.lags[-1]]
    shown = shown[:1] + shown[-8:] if len(shown) > 9 else shown
    rows = [("log10 of the norm at lag", *map(str, shown))]
    if one.log10_measured is not None:
        rows.append(("measured", *(_number(one.log10_measured[lag - 1]) for lag in shown)))
    groups: tuple[tuple[str, Mapping[str, Sequence[float]]], ...] = (
        ("at most", one.log10_upper), ("at least", one.log10_lower),
    )  # fmt: skip
    for side, methods in groups:
        show = _ceil if side == "at most" else _floor
        for name, values in methods.items():
            mark = " *" if side == "at most" and name == one.winner else ""
            rows.append((f"{side}, {name}{mark}", *(show(values[lag - 1], 2) for lag in shown)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + row[0].ljust(widths[0]) + "".join(
        "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
    ) for row in rows]  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ("zero" if value < 0 else "no bound")


def _ceil(value: float, digits: int = 4) -> str:
    if not math.isfinite(value):
        return "no bound" if value > 0 else "zero"
    return f"{math.ceil(value * 10**digits) / 10**digits:.{digits}f}"


def _floor(value: float, digits: int = 4) -> str:
    if not math.isfinite(value):
        return "no bound"
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}"
