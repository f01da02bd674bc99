"""`bptt parallel`: Newton's iterations over a whole trajectory, each with a certified error."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Final

import numpy as np

from derive.calculus.structure import structure
from derive.calculus.through_time import derivation_of
from derive.cell import Cell
from derive.language.expr import size_name
from derive.network import Network
from derive.typeset.layout import Layout
from numeric.bounds.one_sequence.step_jacobians import StateOverflowError
from numeric.bounds.one_sequence.step_jacobians import run as run_along
from numeric.bounds.parallel_in_time.iterates import Iterate
from numeric.bounds.parallel_in_time.newton import SWEEPS, TOLERANCE, Sweeps, sweeps
from numeric.bounds.stack import draw_layers, sizes_of_layer
from numeric.meaning.default_constants import default_constants
from numeric.meaning.sizes import extent_of, usual_sizes
from numeric.verification.derivation.curvature_lines import require_curvature
from reports.arguments.given_files import given_inputs, normal_inputs, read_layers, refused
from reports.arguments.which_cell import computed_cell
from reports.document.words import Speaker
from reports.terminal.console import Answer, CommandError, toolkit_version, why
from reports.terminal.parallel import sweeps_text

Array = Any
_SIZE: Final = 32
_INPUT_SIZE: Final = 8
_STEPS: Final = 200
_MOST_STEPS: Final = 100_000


@np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
def run(arguments: Namespace) -> Answer:
    """The iterates, the first that is certified, the predicted count, and the structure.

    Raises:
        CommandError: for weights, inputs, sizes or numbers of steps that cannot be.
        CellError: if the cell cannot be.
    """
    cell = computed_cell(arguments.cell)
    require_curvature(cell)
    for name, most in (("size", 10_000), ("steps", _MOST_STEPS), ("sweeps", 10_000)):
        value = getattr(arguments, name)
        if value is not None and not 1 <= value <= most:
            raise CommandError(f"--{name}: expected a whole number from 1 to {most}, came {value}")
    try:
        parameters, inputs, sizes = _given(cell, arguments)
        constants = default_constants(cell, {**sizes, "T": len(next(iter(inputs.values())))})
        found = _swept(cell, parameters, inputs, constants, arguments.sweeps)
    except OSError as problem:
        raise CommandError(f"{problem.filename}: cannot be read: {why(problem)}") from None
    except ValueError as problem:
        drawn = arguments.weights is None
        raise CommandError(refused("parallel", cell.name, problem, drawn=drawn)) from None
    shape = structure(derivation_of(cell))
    text = "" if arguments.json else sweeps_text(
        derivation_of(cell), found, shape, TOLERANCE, Speaker(Layout(), language=arguments.language)
    )  # fmt: skip
    return Answer(text=text, data=_data(cell, found, shape, arguments.seed))


def _given(
    cell: Cell, arguments: Namespace
) -> tuple[dict[str, Array], dict[str, Array], dict[str, int]]:
    """Parameters, inputs (T, m), and sizes.

    Raises:
        ValueError: for several layers, or what does not fit the cell.
    """
    if not cell.inputs:
        raise ValueError(f"{cell.name} has no inputs: expected a cell with one or more")
    if arguments.weights is None:
        sizes = usual_sizes(cell, arguments.size or _SIZE, _INPUT_SIZE)
        (layer,) = draw_layers(Network(cell), sizes, arguments.gain, arguments.seed)
    else:
        layers, _ = read_layers(cell, arguments.weights, arguments.module)
        if len(layers) != 1:
            names = ", ".join(one.prefix.rstrip(".") for one in layers)
            raise ValueError(f"{arguments.weights} holds {len(layers)} layers ({names}): expected "
                             "one; each layer is a trajectory of its own")  # fmt: skip
        (layer,) = layers
    usual = usual_sizes(cell, arguments.size or _SIZE, _INPUT_SIZE)
    if arguments.inputs is None:
        sizes = sizes_of_layer(cell, layer, usual)
        inputs = normal_inputs(cell, sizes, arguments.steps or _STEPS, arguments.seed)
    else:
        inputs = given_inputs(cell, arguments.inputs)
        sizes = sizes_of_layer(cell, layer, usual, inputs)
        if arguments.steps is not None:
            inputs = {name: value[: arguments.steps] for name, value in inputs.items()}
    for symbol in cell.inputs:
        wanted, came = extent_of(symbol.shape[0], sizes), inputs[symbol.name].shape[1]
        if came != wanted:
            raise ValueError(
                f"the input {symbol.name} has {came} entries a step, but the parameters expect "
                f"{size_name(symbol.shape[0])} = {wanted}"
            )
    return dict(layer.parameters), inputs, sizes


def _swept(
    cell: Cell, parameters: dict[str, Array], inputs: dict[str, Array],
    constants: dict[str, Array], most: int | None,
) -> Sweeps:  # fmt: skip
    derivation = derivation_of(cell)
    try:
        exact = run_along(derivation, parameters, inputs, None, constants).states
    except StateOverflowError:
        exact = None
    return sweeps(derivation, parameters, inputs, {}, constants, most=most or SWEEPS, exact=exact)


def _data(cell: Cell, found: Sweeps, shape: str, seed: int) -> dict[str, Any]:
    return {
        "cell": cell.name,
        "structure": shape,
        "iterations": [_one(one) for one in found.iterates],
        "converged": found.converged,
        "tolerance": TOLERANCE,
        "certified_at": found.certified_at,
        "foreseen": found.foreseen
        and {
            "at": found.foreseen[0],
            "iterates": found.foreseen[1],
            "within": found.iterates[found.foreseen[0]].within,
        },
        "evaluations": found.evaluations,
        "guess_within": found.start and found.start.within,
        "predicted": found.predicted,
        "predicted_within": found.within,
        "predicted_reason": found.unpredicted or None,
        "versions": {"bptt": toolkit_version(), "numpy": np.__version__},
        "seed": seed,
    }


def _one(one: Iterate) -> dict[str, Any]:
    return {
        "certified": one.certified, "residual": one.residual, "step": one.step,
        "measured": one.measured, "remaining": one.remaining, "adjoint": one.adjoint,
        "inverse_norm": one.inverse, "lipschitz": one.lipschitz,
        **({"reason": one.reason} if one.reason else {}),
    }  # fmt: skip
