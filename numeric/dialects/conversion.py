"""Weights of a file in another layout, with the proof that both compute one function.

In: a file's arrays, a cell, a layout. Out: `Converted`: the arrays, what each is made of, and
`Agreement`. The proof runs the conversion itself once more, on random whole numbers of the same
shapes in place of the weights: from them the framework's own equations, the cell's and those of
the layout give the same elements over the prime field. With the file's weights all three then
agree in float64. A bias that is a sum of two is rounded; whole numbers of fifty bits are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.dialects.one_step import distinct_sizes
from numeric.dialects.proof import CLOSE, DEGREES
from numeric.dialects.stacked import Arrays as Stacked
from numeric.dialects.stacked import dialect, parameters_of
from numeric.meaning.run_cell import run_cell
from numeric.meaning.sizes import shape_of, sizes_of
from numeric.numbers.arithmetic import FLOATS, Arithmetic
from numeric.numbers.degree import DegreeArray, error_probability, variables
from numeric.numbers.prime_field import FIELD, DualArray, random_duals
from numeric.numbers.random_functions import PRIME, RandomFunctions, random_functions
from numeric.verification.exact import constants_of
from numeric.weights.formats.stored import Arrays
from numeric.weights.laid_out import FRAMEWORK, OURS, Written, laid_out
from numeric.weights.layer_weights import is_floating
from numeric.weights.layouts import layer_prefix
from numeric.weights.mapping import chosen_module, map_weights, unused, whole_arrays
from numeric.weights.module import Module
from numeric.weights.modules import PYTORCH_KEY, modules_of

Array = Any
BITS: Final = 50  # of the whole numbers in place of weights: sums of two are exact in float64
SEEDS: Final = 2
STEPS, BATCH = 3, 2


class NotProvedError(ValueError):
    """The converted weights are not those of the same function."""


@dataclass(frozen=True)
class Agreement:
    """The bound on the chance that other functions pass, and the largest relative difference."""

    error_probability: float
    agreement: float


@dataclass(frozen=True)
class Converted:
    """Arrays by name, what each is made of, whose equations were compared, and the proof.

    `rounding`: the largest relative change of an entry by the type of the file; `narrowed` where
    that type is narrower than that of the file read. `left`: arrays of the file that are no part
    of it. `unsaid`: what that file does not say, so that its framework's usual is taken for it.
    `starts`: the states that its layers begin in, where not in zeros; no file written has them.
    """

    cell: Cell
    source: str
    written: Written
    functions: tuple[str, ...]
    proof: Agreement
    rounding: float
    narrowed: bool = False
    left: tuple[str, ...] = ()
    unsaid: str = ""
    starts: str = ""


def convert(
    cell: Cell, arrays: Mapping[str, Array], layout: str = OURS, module: str | None = None,
    seed: int = 0, widest: type[np.floating[Any]] = np.float64,
) -> Converted:  # fmt: skip
    """The parameters of the cell in a file's arrays, as a layout names them, proved.

    Raises:
        ValueError: for what cannot be mapped; for equations that are not known; for directions that
            are not joined as a layout has them; for numbers that the widest type that is asked for
            has not.
        NotProvedError: if two of the functions differ.
    """
    whole = whole_arrays(cell, arrays)
    chosen = chosen_module(cell, whole, module)
    framework = chosen.framework if chosen else ""
    if chosen and chosen.joined:
        raise ValueError(
            f"{chosen.name}: {chosen.joined}, and what is written has its directions beside each "
            "other; save it with merge_mode='concat', and join them outside"
        )
    layers = map_weights(cell, arrays, module)
    written = laid_out(cell.name, layers, layout)
    agreement = _agreement(cell, whole, chosen, layout, module, seed)
    chance = 1.0
    for turn in range(SEEDS):
        chance *= _over_the_field(cell, whole, chosen, layout, module, seed + turn)
    read = [value.dtype for name, value in whole.items()
            if is_floating(value) and (chosen is None or name in chosen.names)]  # fmt: skip
    own = np.result_type(np.float32, *read)
    kind = min(own, np.dtype(widest), key=lambda one: one.itemsize)
    cast = Arrays({name: _cast(name, value, kind) for name, value in written.arrays.items()},
                  getattr(written.arrays, "modules", None))  # fmt: skip
    rounding = max(_change(cast[name], value) for name, value in written.arrays.items())
    names = [f"{framework}'s {dialect(framework, cell.name)[0].name}"] if framework else []
    names.append(cell.name)
    if layout != OURS:
        names.append(f"{FRAMEWORK[layout]}'s {dialect(FRAMEWORK[layout], cell.name)[0].name}")
    return Converted(cell, framework or OURS, Written(cast, written.origin), tuple(names),
                     Agreement(chance, agreement), rounding, kind != own,
                     unused(cell, arrays, module), *([chosen.unsaid, chosen.starts] if chosen
                                                     else []))  # fmt: skip


def _cast(name: str, value: Array, kind: np.dtype[Any]) -> Array:
    """The entries in that type.

    Raises:
        ValueError: if one is too large for it.
    """
    with np.errstate(over="ignore"):
        cast = np.asarray(value, kind)
    if not np.isfinite(cast).all():
        raise ValueError(f"{name}: an entry is too large for {kind}, which the file has to hold")
    return cast


def _change(cast: Array, value: Array) -> float:
    off = np.abs(np.asarray(cast, np.float64) - value)
    return float(np.max(off / np.maximum(np.abs(value), np.finfo(np.float64).tiny), initial=0.0))


# ---- the functions that must be one ----------------------------------------------------------


@dataclass(frozen=True)
class _Function:
    """A cell's equations, and the parameters with which they are compared.

    `states`: what another cell calls its states, by this cell's names.
    """

    whose: str
    cell: Cell
    parameters: Mapping[str, Array]
    states: Mapping[str, str]


def _functions(
    cell: Cell, arrays: Mapping[str, Array], chosen: Module | None, layout: str,
    module: str | None,
) -> Iterator[list[_Function]]:  # fmt: skip
    """For each layer and direction: the framework's function, the cell's, and the layout's."""
    layers = map_weights(cell, arrays, module)
    given = _stacked(chosen, arrays) if chosen else {}
    there = _every(laid_out(cell.name, layers, layout).arrays) if layout != OURS else {}
    for layer in layers:
        same = []
        if chosen:
            own, form = dialect(chosen.framework, cell.name)
            held = parameters_of(own, form, given[layer.prefix])
            same.append(_Function(chosen.framework, own, held, form.states))
        same.append(
            _Function(cell.name, cell, layer.parameters, {s.name: s.name for s in cell.states})
        )
        if layout != OURS:
            own, form = dialect(FRAMEWORK[layout], cell.name)
            held = parameters_of(own, form, there[layer.prefix or "layer0."])
            same.append(_Function(FRAMEWORK[layout], own, held, form.states))
        yield same


def _every(arrays: Mapping[str, Array]) -> dict[str, Stacked]:
    """The stacked arrays of all layers that a reader finds in a file, whatever module each is."""
    found, above = {}, 0
    for module in modules_of(arrays):
        for prefix, held in _stacked(module, arrays).items():
            depth, reverse = re.findall(r"\d+", prefix), "reverse" in prefix
            own = int(depth[0]) if depth else 0
            found[layer_prefix(above + own, reverse=reverse)] = held
        above += module.depth
    return found


def _stacked(chosen: Module, arrays: Mapping[str, Array]) -> dict[str, Stacked]:
    """The stacked arrays of each layer and direction, by our prefix."""
    if chosen.framework == "PyTorch":
        return _torch_stacked({n: v for n, v in arrays.items() if n in chosen.names})
    found = {}
    for stack in chosen.stacks:
        first, second = (None if part is None else part.read(arrays) for part in stack.biases)
        peepholes = None if stack.peepholes is None else stack.peepholes.read(arrays)
        projection = None if stack.projection is None else stack.projection.read(arrays)
        found[stack.prefix] = Stacked(stack.W.read(arrays), stack.R.read(arrays), (first, second),
                                      peepholes, projection)  # fmt: skip
    return found


def _torch_stacked(arrays: Mapping[str, Array]) -> dict[str, Stacked]:
    """Likewise of PyTorch's names: `weight_ih_l0_reverse` is of `layer0.reverse.`."""
    parts: dict[str, dict[str, Array]] = {}
    for name, value in arrays.items():
        if not (found := PYTORCH_KEY.fullmatch(name)):
            continue
        kind, _, end = found["key"].partition("_l")
        depth, _, reverse = end.partition("_")
        prefix = f"layer{depth}." + ("reverse." if reverse else "") if end else ""
        parts.setdefault(prefix, {})[kind] = np.asarray(value, np.float64)
    return {
        prefix: Stacked(held["weight_ih"], held["weight_hh"],
                        (held.get("bias_ih"), held.get("bias_hh")), None, held.get("weight_hr"))
        for prefix, held in parts.items()
    }  # fmt: skip


# ---- the comparisons -------------------------------------------------------------------------


def _over_the_field(
    cell: Cell, arrays: Mapping[str, Array], chosen: Module | None, layout: str,
    module: str | None, seed: int,
) -> float:  # fmt: skip
    """The chance that other functions agree where these did, on whole numbers for weights.

    Raises:
        NotProvedError: if two of them differ.
    """
    rng = np.random.default_rng(seed)
    whole = Arrays(
        {name: _whole(rng, value.shape) if is_floating(value) else value
         for name, value in arrays.items()}, getattr(arrays, "modules", None)
    )  # fmt: skip
    chance = 0.0
    for same in _functions(cell, whole, chosen, layout, module):
        constants = tuple(dict.fromkeys(c for one in same for c in constants_of(one.cell)))
        with random_functions(seed, constants) as functions, np.errstate(all="ignore"):
            drawn = _drawn(same[0], lambda shape: random_duals(rng, shape), 1, 1)
            results = [_run(_lifted(one), drawn, FIELD) for one in same]
            for one, found in zip(same, results, strict=True):
                if _values(found) != _values(results[0]):
                    raise NotProvedError(
                        f"{one.whose} and {same[0].whose} differ over the prime field: not the "
                        "same function, so nothing is written"
                    )
            entries = sum(np.size(value) for value in results[0])
            chance += entries * _chance_of_one(same, functions)
    return min(1.0, chance * PRIME / 2.0**BITS)


def _whole(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-(1 << (BITS - 1)), 1 << (BITS - 1), shape).astype(np.float64)


def _lifted(one: _Function) -> _Function:
    """The function with whole numbers as elements of the field."""
    lift, made = DualArray.element.lift, {}
    for name, value in one.parameters.items():
        flat = np.empty(np.size(value), object)
        flat[:] = [lift(int(entry)) for entry in np.ravel(value).tolist()]
        made[name] = flat.reshape(np.shape(value)).view(DualArray)
    return replace(one, parameters=made)


def _values(results: list[Array]) -> list[Any]:
    return [entry.value for array in results for entry in DualArray.of(array).ravel()]


def _chance_of_one(same: list[_Function], functions: RandomFunctions) -> float:
    """The chance for one entry of a result, by the degrees of the formulas at small sizes."""
    worst, rng = 0.0, np.random.default_rng(0)

    def unknown(shape: tuple[int, ...]) -> Array:
        return variables(random_duals(rng, shape))

    for one in same:
        sizes = distinct_sizes(one.cell)
        parameters = {s.name: unknown(shape_of(s, sizes)) for s in one.cell.parameters}
        call = replace(one, parameters=parameters)
        drawn = _drawn(call, unknown, 1, 1)
        found = [DegreeArray.of(array) for array in _run(call, drawn, DEGREES)]
        worst += sum(error_probability([array], functions) for array in found)
    return worst


def _agreement(
    cell: Cell, arrays: Mapping[str, Array], chosen: Module | None, layout: str,
    module: str | None, seed: int,
) -> float:  # fmt: skip
    """The largest relative difference of states, with the file's own weights.

    Raises:
        NotProvedError: if it is more than rounding.
    """
    rng = np.random.default_rng(seed)
    worst = 0.0
    for same in _functions(cell, arrays, chosen, layout, module):
        drawn = _drawn(same[0], lambda shape: rng.normal(size=shape), STEPS, BATCH)
        with np.errstate(over="ignore"):  # a gate of a large weight is 0 or 1
            first, *others = [_run(one, drawn, FLOATS) for one in same]
        for one, found in zip(same[1:], others, strict=True):
            for got, want in zip(found, first, strict=True):
                scale = np.max(np.abs(want), initial=0.0)
                off = np.max(np.abs(got - want), initial=0.0)
                off = off / scale if scale else float(off > 0)
                if not off <= CLOSE:
                    raise NotProvedError(
                        f"{one.whose} and {same[0].whose} differ by {off:.1e} with the file's "
                        "weights: not the same function, so nothing is written"
                    )
                worst = max(worst, float(off))
    return worst


def _drawn(one: _Function, make: Any, steps: int, batch: int) -> tuple[Any, dict[str, Any]]:
    """An input sequence, and states by their common names."""
    sizes = sizes_of(one.cell, one.parameters)
    (x,) = one.cell.inputs
    states = {one.states[s.name]: make((batch, *shape_of(s, sizes))) for s in one.cell.states}
    return make((steps, batch, *shape_of(x, sizes))), states


def _run(one: _Function, drawn: tuple[Any, dict[str, Any]], arithmetic: Arithmetic) -> list[Array]:
    """The states of every step, in the order of their common names."""
    x, states = drawn
    (given,) = one.cell.inputs
    initial = {own: states[common] for own, common in one.states.items()}
    found = run_cell(one.cell, one.parameters, {given.name: x}, initial, {}, arithmetic)
    return [
        value for name in sorted(one.states, key=one.states.__getitem__) for value in found[name]
    ]
