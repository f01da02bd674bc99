"""`bptt bounds`: certified bounds on ∂s_t/∂s_k beside the measured norms, and a verdict."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

import numpy as np

from derive.calculus.surrogates import surrogate_note
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from derive.language.expr import size_name
from derive.network import Network
from derive.saying import said
from derive.typeset.layout import Layout
from numeric.bounds.answer import answer
from numeric.bounds.batches import Batch
from numeric.bounds.diagnosis import Diagnosis
from numeric.bounds.drawn import multipliers
from numeric.bounds.one_sequence.heat_map import heat_map
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError
from numeric.bounds.one_sequence.tracks import lyapunov_exponents
from numeric.bounds.sensitivity import Sensitivity, clipping, ill_conditioned, sensitivity
from numeric.bounds.stack import Stack, diagnose_layers, draw_layers, sizes_of_layer
from numeric.meaning.sizes import usual_sizes
from numeric.numbers.printed import box_around
from numeric.weights.layer_weights import LayerWeights
from reports.arguments.given_files import given_layers, normal_inputs, refused, studied_inputs
from reports.arguments.network_flags import network_from, settings
from reports.arguments.which_cell import computed_cell
from reports.document.words import Speaker
from reports.terminal.answer import first, fitted
from reports.terminal.bounds import Measured, stack_text
from reports.terminal.console import Answer, CommandError, toolkit_version, why
from reports.terminal.progress import progress

Array = Any
Ends = tuple[float, float]
_SIZE: Final = 32
_INPUT_SIZE: Final = 8
_STEPS: Final = 60
_GRID: Final = 32
_COARSE: Final = 11
_EXPONENTS: Final = 3
_NO_SUM: Final = "no sequence is given, or the array is too large, overflows or has another form"
_ZERO: Final = "the derivative is 0"
_NO_MEMORY: Final = "all_inputs: no certified decay on an invariant set"
_NULLS: Final = (
    ("log10_measured", "null in log10_measured: the product is zero"),
    ("log10_upper", "null in log10_upper: no bound"),
    ("log10_lower", "null in log10_lower: nothing is certified from below"),
)


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def run(arguments: Namespace) -> Answer:
    """The verdict on every layer, the bounds at some lags, and the assumptions.

    Raises:
        CommandError: for weights, inputs, boxes, lags or windows that cannot be.
        CellError: if the cell cannot be.
    """
    cell = computed_cell(arguments.cell)
    asked = network_from(arguments, cell)
    boxes = tuple(_box(name, getattr(arguments, name)) for name in ("input_box", "initial_box"))
    windows = _windows(arguments.window)
    for name in ("lag", "size", "truncate"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise CommandError(f"--{name}: expected a whole number from 1, came {value}")
    if arguments.clip is not None and not 0 < arguments.clip < math.inf:
        raise CommandError(f"--clip: expected a number above 0, came {arguments.clip}")
    if arguments.gain < 0 or not math.isfinite(arguments.gain):
        raise CommandError(f"--gain: expected a number from 0, came {arguments.gain}")
    try:
        with progress(arguments.quiet) as tell:
            network, layers, drawn, left = _weights(cell, asked, arguments)
            inputs, batch = _inputs(network, layers, arguments, boxes[0], tell)
            tell(f"{network.name}: bound")
            stack, overflow = _diagnose(
                network, layers, arguments, boxes, windows, drawn, inputs)  # fmt: skip
            tell(f"{network.name}: try changes")
            found = answer(stack.found[stack.decisive])
            points = _GRID if arguments.json else _COARSE
            tell(f"{network.name}: measure")
            measured = [_measured(one, points) for one in stack.found]
            parameters = [sensitivity(one, arguments.truncate) for one in stack.found]
    except OSError as problem:
        raise CommandError(f"{problem.filename}: cannot be read: {why(problem)}") from None
    except ValueError as problem:
        own = arguments.weights is None
        raise CommandError(refused("bounds", cell.name, problem, drawn=own)) from None
    everything = bool(arguments.all_methods or arguments.window is not None)
    say = Speaker(Layout(), language=arguments.language)
    text = ""
    if not arguments.json:
        named = arguments.inputs.name if arguments.inputs else ""
        declared = surrogate_note(stack.found[0].cell)
        opening = [
            *fitted([say.phrase(declared), ""] if declared else []),
            *first(stack, found, batch, named, say, overflow),
        ]
        told = stack, measured, parameters, left, everything, say
        text = stack_text(*told, opening, arguments.clip)
    data = _data(stack, measured, parameters, left, arguments, asked)
    data["answer"] = None if found is None else found.to_dict()
    data["surrogate"] = surrogate_note(stack.found[0].cell) or None
    if batch is not None:
        data["sequences"] = batch.to_dict()
    return Answer(text=text, data=data)


def _box(name: str, text: str | None) -> Ends | None:
    if text is None:
        return None
    option = f"--{name.replace('_', '-')}"
    try:
        numbers = [Decimal(part) for part in text.split(",")]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in {1, 2} or not all(math.isfinite(float(n)) for n in numbers):
        raise CommandError(f"{option}: expected X for [−X, X], or LOW,HIGH, came {text!r}")
    low, high = (-numbers[0], numbers[0]) if len(numbers) == 1 else numbers
    if low > high:
        raise CommandError(f"{option}: the lower end {low} lies above the upper {high}")
    return box_around(low, high)


def _windows(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) >= 1 for part in parts):
        raise CommandError(f"--window: expected whole numbers from 1, as 1,10,20, came {text!r}")
    return tuple(dict.fromkeys(map(int, parts)))


def _weights(
    cell: Cell, asked: Network | None, arguments: Namespace
) -> tuple[Network, tuple[LayerWeights, ...], str, tuple[str, ...]]:
    """The layers' parameters, how they were drawn if they were, and what of a file is not used."""
    if arguments.weights is None:
        network = asked or Network(cell)
        sizes = _default_sizes(cell, arguments.size)
        gain, seed = f"{arguments.gain:g}", arguments.seed
        how = said(
            "matrices of as many columns as a state has entries drawn with the variance "
            "gain²/columns, gain {0}, others with 1/columns, what multiplies a state entry by "
            "entry with gain², a single number being gain, other factors of ⊙ 1, other vectors 0, "
            "seed {1}", gain, seed,
        ) if multipliers(cell) else said(
            "matrices of as many columns as a state has entries drawn with the variance "
            "gain²/columns, gain {0}, others with 1/columns, vectors 0, seed {1}", gain, seed,
        )  # fmt: skip
        return network, draw_layers(network, sizes, arguments.gain, arguments.seed), how, ()
    network, layers, left = given_layers(cell, arguments)
    return network, layers, "", left


def _default_sizes(cell: Cell, size: int | None) -> dict[str, int]:
    if size is None:
        return usual_sizes(cell, _SIZE, _INPUT_SIZE)
    own = {str(symbol) for state in cell.states for symbol in state.shape[0].free_symbols}
    return usual_sizes(cell, size, _INPUT_SIZE) | dict.fromkeys(own, size)


def _diagnose(
    network: Network, layers: Sequence[LayerWeights], arguments: Namespace,
    boxes: Sequence[Ends | None], windows: tuple[int, ...] | None, drawn: str,
    inputs: Mapping[str, Array] | None,
) -> tuple[Stack, StateOverflowError | None]:  # fmt: skip
    """The diagnosis of each layer; what overflows along the sequence, if a state does."""
    cell = network.cell
    sizes = _sizes(cell, arguments, inputs)
    chosen = partial(diagnose_layers, network, layers, sizes, initial_box=boxes[1], windows=windows)
    if inputs is None:
        return chosen(input_box=boxes[0], lag=arguments.lag, drawn=drawn), None
    from_where = "" if arguments.inputs else said("inputs drawn, seed {0}", arguments.seed)
    told = _both(drawn, from_where)
    try:
        return chosen(inputs=inputs, input_box=boxes[0], lag=arguments.lag, drawn=told), None
    except StateOverflowError as problem:  # no trajectory, but what holds for all inputs does
        values = np.concatenate([np.ravel(value) for value in inputs.values()])
        box = boxes[0] or (float(values.min(initial=0.0)), float(values.max(initial=0.0)))
        lag = arguments.lag or len(next(iter(inputs.values())))
        why_not = said("nothing is said along the sequence, since {0}", problem.args[0])
        return chosen(input_box=box, lag=lag, drawn=_both(told, why_not)), problem


def _sizes(
    cell: Cell, arguments: Namespace, inputs: Mapping[str, Array] | None
) -> dict[str, int]:  # fmt: skip
    """The sizes asked for, those of inputs as the arrays have them."""
    sizes = _default_sizes(cell, arguments.size)
    for symbol in cell.inputs if inputs is not None else ():
        sizes[size_name(symbol.shape[0])] = inputs[symbol.name].shape[-1]  # type: ignore[index]
    return sizes


def _both(first: str, second: str) -> str:
    """What is said of the weights and of the inputs."""
    return said("{0}; {1}", first, second) if first and second else first or second


def _inputs(
    network: Network, layers: Sequence[LayerWeights], arguments: Namespace, box: Ends | None,
    tell: Callable[[str], None],
) -> tuple[dict[str, Array] | None, Batch | None]:  # fmt: skip
    """The sequence given or drawn, of several the one studied; None where only a box was given."""
    cell = network.cell
    sizes = _default_sizes(cell, arguments.size)
    if arguments.inputs is not None:
        return studied_inputs(network, layers, sizes, arguments, tell)
    if box is not None:
        return None, None
    own = sizes_of_layer(cell, layers[0], sizes)
    return normal_inputs(cell, own, arguments.lag or _STEPS, arguments.seed), None


def _measured(one: Diagnosis, points: int) -> Measured | None:
    """The heat map and the largest Lyapunov exponents along the run; None without one."""
    if one.run is None:
        return None
    times, logs = heat_map(one.run, points, one.track)
    return Measured(times, logs, lyapunov_exponents(one.run, _EXPONENTS))


def _parameters(
    found: Mapping[str, Sensitivity], one: Diagnosis, clip: float | None
) -> dict[str, Any]:
    """Norms by parameter, null with a reason where there is none, and which is ill-conditioned."""
    made: dict[str, Any] = {}
    for name, held in found.items():
        made[name] = {key: value if value is not None and math.isfinite(value) else None
                      for key, value in held.to_dict().items()}  # fmt: skip
        why = [_NO_SUM] if held.along is None else []
        why += [_NO_MEMORY] if held.all_inputs is None else []
        why += [_ZERO] if held.all_inputs == -math.inf or held.zero else []
        made[name] |= {"reason": "; ".join(why)} if why else {}
        if held.cut is not None:
            logs = {"measured": held.cut.measured, "certified": held.cut.upper}
            made[name]["truncated"] = {k: v if math.isfinite(v) else None for k, v in logs.items()}
    data = {"parameters": made, "ill_conditioned": ill_conditioned(one, found)}
    if clip is not None:
        taken = clipping(found, clip)
        data["clipped"] = taken.to_dict() if taken else {"reason": _NO_SUM}
    return data


def _data(
    stack: Stack, measured: Sequence[Measured | None],
    parameters: Sequence[Mapping[str, Sensitivity]], left: Sequence[str], arguments: Namespace,
    asked: Network | None,
) -> dict[str, Any]:  # fmt: skip
    """The layer that decides, and all layers beside it."""
    each = zip(stack.found, measured, parameters, strict=True)
    made = [_one(one, held) | _parameters(found, one, arguments.clip)
            for one, held, found in each]  # fmt: skip
    data = dict(made[stack.decisive])
    data["rate"] = stack.rate
    data["versions"] = {"bptt": toolkit_version(), "numpy": np.__version__}
    data["seed"] = arguments.seed
    if asked is not None:
        data["network"] = settings(asked)
    if arguments.weights is not None:
        data["mapping"] = {f"{layer.prefix}{name}": source for layer in stack.layers
                           for name, source in layer.origin.items()}  # fmt: skip
        data["unused"] = list(left)
    if len(made) > 1:
        data["layers"] = [
            {"layer": layer.prefix.rstrip("."), **one}
            for layer, one in zip(stack.layers, made, strict=True)
        ]
    return data


def _one(one: Diagnosis, held: Measured | None) -> dict[str, Any]:
    """A diagnosis as plain data, with a reason beside numbers that are none."""
    data = one.to_dict()
    data["heat_map"] = data["lyapunov"] = None
    if held is not None:
        data["heat_map"] = {
            "t": list(held.times), "k": list(held.times),
            "log10": [[float(v) if math.isfinite(v) else None for v in row] for row in held.logs],
            "reason": "null where k > t; elsewhere null: the product is zero",
        }  # fmt: skip
        data["lyapunov"] = list(held.exponents)
    lost = [] if data["path_shares"] else [f"path_shares: {_no_paths(one)}"]
    lost += [said for name, said in _NULLS if not all(map(math.isfinite, _numbers(data[name])))]
    return data | ({"reason": "; ".join(lost)} if lost else {})


def _no_paths(one: Diagnosis) -> str:
    """Why there are no shares of paths."""
    if derivation_of(one.cell).has_matrices:
        return "paths are followed between states that are columns, and this cell has a matrix"
    if one.run is None:
        return "there is no sequence along which paths could be followed"
    return "the product is zero"


def _numbers(value: Any) -> list[float]:
    if value is None:
        return []
    lists = value.values() if isinstance(value, dict) else [value]
    return [number for values in lists for number in values]
