"""PyTorch's names of weights → a cell's parameters: two biases, rows of one matrix a gate each.

In: the arrays of one module by name. Out: `LayerWeights` of each layer and direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from derive.cell import Cell
from numeric.weights.layer_weights import LayerWeights, exact_sum, is_floating
from numeric.weights.layouts import PROJECTED, TORCH, from_torch, layer_prefix, unstacked
from numeric.weights.module import Module
from numeric.weights.modules import PYTORCH_KEY

Array = Any
_SCALE: Final = re.compile(r"\w+(\.\d+)?\.weight")
KINDS: Final = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
PROJECTED_CELL: Final = "projected_lstm"
_OURS: Final = re.compile(r"(?P<prefix>(?:layer\d+\.(?:reverse\.)?)?)(?P<name>\w+)")


def from_pytorch(
    cell: Cell, arrays: Mapping[str, Array], chosen: Module, made: Mapping[str, str]
) -> tuple[LayerWeights, ...]:
    """The layers of a module; `made` says of arrays that were put together what of.

    Raises:
        ValueError: for a cell that PyTorch has not, or an array that is missing or of a wrong
            shape.
    """
    torch = {name: found for name in arrays
             if name in chosen.names and (found := PYTORCH_KEY.fullmatch(name))}  # fmt: skip
    projected = any("weight_hr" in name for name in torch)
    if projected != (cell.name == PROJECTED_CELL) or cell.name not in {*TORCH, PROJECTED_CELL}:
        fits = [PROJECTED_CELL] if projected else [*TORCH]
        why = ", since it has a projection, weight_hr" if projected else ""
        raise ValueError(
            f"PyTorch's names, but {cell.name} is none of its cells{why}: {', '.join(fits)}"
        )
    module = next(iter(torch.values()))["module"] or ""
    if projected:
        _nothing_within(module, arrays)
        return tuple(_projected(arrays, torch, made))
    _check_torch(cell, {found["key"]: np.shape(arrays[name]) for name, found in torch.items()})
    state = {found["key"]: np.asarray(arrays[name], np.float64) for name, found in torch.items()}
    params = from_torch(state, cell.name)
    layers: dict[str, dict[str, Array]] = {}
    for name, value in params.items():
        found = _OURS.fullmatch(name)
        assert found is not None
        layers.setdefault(found["prefix"], {})[found["name"]] = value
    found_layers = []
    for prefix, values in layers.items():
        suffix = _suffix(prefix) if prefix else ""
        names = {kind: f"{module}{kind}{suffix}" for kind in KINDS}
        _nothing_beside(module, arrays, [name for name in names.values() if name not in arrays])
        origin = {name: _said(kinds, names, arrays, made)
                  for name, kinds in _sources(cell).items()}  # fmt: skip
        exact = exact_sum(arrays.get(names["bias_ih"]), arrays.get(names["bias_hh"]))
        exact = exact and not any(name in made for name in names.values())
        found_layers.append(LayerWeights(prefix, values, origin, exact))
    _nothing_within(module, arrays)
    return tuple(found_layers)


def _sources(cell: Cell) -> dict[str, tuple[str, ...]]:
    """The arrays that each parameter is rows of, or of whose sum."""
    found: dict[str, tuple[str, ...]] = {}
    for gate in TORCH[cell.name]:
        found[gate.input], found[gate.recurrent] = ("weight_ih",), ("weight_hh",)
        found[gate.bias] = ("bias_ih", "bias_hh")
        if gate.recurrent_bias is not None:
            found[gate.bias], found[gate.recurrent_bias] = ("bias_ih",), ("bias_hh",)
    return found


def _said(
    kinds: tuple[str, ...], names: Mapping[str, str], arrays: Mapping[str, Array],
    made: Mapping[str, str],
) -> str:  # fmt: skip
    """Where a parameter came from: arrays of the file, by the names that they have there."""
    there = [made.get(names[k], names[k]) for k in kinds if names[k] in arrays]
    absent = [kind for kind in kinds if names[kind] not in arrays]
    said = f"rows of {' + '.join(there)}" if there else "0"
    return said + (f"; the file has no {' or '.join(absent)} here" if absent else "")


def _nothing_within(module: str, arrays: Mapping[str, Array]) -> None:
    """Refuse a module with more than PyTorch's cells have: a normalisation within, or peepholes.

    The scale of a normalisation is a vector `weight` of a module within, as in PyTorch's own
    custom_lstms.py. Peepholes are vectors beside the matrices, as long as a gate or several; where
    layers are numbered and the module has no name, a readout may stand there.

    Raises:
        ValueError: naming the array.
    """
    here = {name.removeprefix(module): value for name, value in arrays.items()
            if name.startswith(module)}  # fmt: skip
    rows = np.shape(here.get("weight_hh", here.get("weight_hh_l0", np.zeros((0, 1)))))[-1]
    for name, value in here.items():
        if PYTORCH_KEY.fullmatch(name) or not is_floating(value) or len(value.shape) != 1:
            continue
        scale = _SCALE.fullmatch(name) is not None
        beside = "." not in name and (module or "weight_hh" in here)
        if scale or (beside and value.shape[0] in {rows * gates for gates in (1, 2, 3, 4)}):
            what = "a scale within" if scale else "a vector of"
            raise ValueError(
                f"{module}{name}: {what} the recurrent module, which no cell of PyTorch's has; if "
                "its step does without, drop or rename it"
            )


def _nothing_beside(module: str, arrays: Mapping[str, Array], missing: list[str]) -> None:
    """Refuse arrays of the module that nobody reads where one that is wanted is missing.

    Raises:
        ValueError: naming both.
    """
    left = [name for name in arrays if name.startswith(module) and not PYTORCH_KEY.fullmatch(name)
            and ("." not in name[len(module) :]
                 or name[len(module) :].startswith("parametrizations."))]  # fmt: skip
    if left and missing:
        raise ValueError(
            f"{', '.join(missing)}: missing, while {', '.join(left)} of the same "
            "module would be left unused; rename what is meant, or drop what is not"
        )


def _check_torch(cell: Cell, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a layer without its two matrices, or with others than the cell's gates need.

    Raises:
        ValueError: naming the array.
    """
    gates = len(TORCH[cell.name])
    for suffix in dict.fromkeys(re.sub("^[a-z]+_[a-z]+", "", key) for key in shapes):
        for kind in ("weight_hh", "weight_ih"):
            if f"{kind}{suffix}" not in shapes:
                raise ValueError(f"{kind}{suffix} is missing")
        rows, *columns = shapes[f"weight_hh{suffix}"] or (0,)
        if len(columns) != 1 or rows != gates * columns[0]:
            raise ValueError(
                f"weight_hh{suffix}: expected the shape ({gates}·n, n), since {cell.name} stacks "
                f"{gates} gate{'s'[: gates > 1]}, came {shapes[f'weight_hh{suffix}']}"
            )
        for kind, axes in (("weight_ih", 2), ("bias_ih", 1), ("bias_hh", 1)):
            shape = shapes.get(f"{kind}{suffix}", (rows,))
            if len(shape) != axes or shape[0] != rows:
                wanted = f"({rows}, m)" if axes == 2 else f"({rows},)"
                raise ValueError(f"{kind}{suffix}: expected the shape {wanted}, came {shape}")


def _suffix(prefix: str) -> str:
    depth = re.findall(r"\d+", prefix)[0]
    return f"_l{depth}" + ("_reverse" if "reverse" in prefix else "")


def _projected(
    arrays: Mapping[str, Array], torch: Mapping[str, re.Match[str]], made: Mapping[str, str]
) -> Iterator[LayerWeights]:
    """Layers whose output is a projection of the hidden state; PyTorch's have no peepholes.

    Raises:
        ValueError: if a matrix is missing or of a wrong shape.
    """
    found = {match["key"]: name for name, match in torch.items()}
    for key in sorted(found):
        if (last := re.sub("^[a-z]+_[a-z]+", "weight_hr", key)) not in found:
            raise ValueError(f"{last} is missing, beside {key}")
        if not key.startswith("weight_hr"):
            continue
        end = key.removeprefix("weight_hr")
        names = {kind: found.get(f"{kind}{end}") for kind in (*KINDS, "weight_hr")}
        for kind in ("weight_ih", "weight_hh"):
            if names[kind] is None:
                raise ValueError(f"{kind}{end} is missing")
        W, R, first, second, P = (
            None if name is None else np.asarray(arrays[name], np.float64)
            for name in names.values()
        )
        gates = PROJECTED
        shown = [str(name) for name in names.values()]
        params = unstacked(gates, W, R, (first, second), shown[:4], projected=True)
        n = len(params["b_i"])
        params |= dict.fromkeys(("w_ic", "w_fc", "w_oc"), np.zeros(n)) | {"W_rm": P}
        there = {kind: str(name) for kind, name in names.items()}
        origin = {"W_rm": made.get(there["weight_hr"], there["weight_hr"])}
        origin |= dict.fromkeys(("w_ic", "w_fc", "w_oc"), "0, PyTorch's have no peepholes")
        for gate in gates:
            for name, kinds in ((gate.input, ("weight_ih",)), (gate.recurrent, ("weight_hh",)),
                                (gate.bias, ("bias_ih", "bias_hh"))):  # fmt: skip
                origin[name] = _said(kinds, there, arrays, made)
        exact = exact_sum(first, second) and not any(name in made for name in there.values())
        yield LayerWeights(_layer(end), params, origin, exact)


def _layer(end: str) -> str:
    """Our prefix of PyTorch's ending, `_l0_reverse`."""
    if not end:
        return ""
    return layer_prefix(int(re.findall(r"\d+", end)[0]), reverse=end.endswith("_reverse"))
