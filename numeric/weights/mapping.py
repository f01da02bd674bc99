"""Arrays by name → a cell's parameters, layer by layer, with the mapping that was used.

In: the arrays of a file, named as ours (`W_fh`, `layer0.W_fh`, `layer0.reverse.W_fh`) or as a
framework names them, with or without a module's name before it. Out: `LayerWeights`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

import numpy as np

from derive.cell import Cell, dimensions
from derive.saying import said
from numeric.weights.combined import combined
from numeric.weights.formats.stored import Arrays, Unread
from numeric.weights.layer_weights import LayerWeights, checked, is_floating
from numeric.weights.layouts import TORCH, layer_prefix
from numeric.weights.module import Module
from numeric.weights.modules import PYTORCH_KEY, layers_of, modules_of
from numeric.weights.pytorch_names import KINDS, from_pytorch

Array = Any
_OURS: Final = re.compile(r"(?P<prefix>(?:layer\d+\.(?:reverse\.)?)?)(?P<name>\w+)")
_SHOWN: Final = 8
PACKED: Final = "ScriptObject"  # the class of such objects in a file of PyTorch


def map_weights(
    cell: Cell, arrays: Mapping[str, Array], module: str | None = None
) -> tuple[LayerWeights, ...]:
    """The cell's parameters in the arrays, for each layer and direction in order.

    `module` names one of several recurrent modules.

    Raises:
        ValueError: naming what cannot be mapped, with the nearest expected; what is missing; a
            wrong shape; a layer missing between others; entries that are NaN or infinite; arrays
            beside missing ones, which may be those under other names; several modules where none
            is named.
    """
    whole, made = _whole(cell, arrays)
    chosen = _chosen(whole, module)
    if chosen is not None and module is None and _named_as_ours(cell, whole):
        raise ValueError(
            f"the parameters of {cell.name} by its own names, and beside them {chosen.text}: "
            "choose that with --module NAME, or keep one of the two"
        )
    if chosen is None:
        for name in whole:
            if _known(cell, name):
                checked(name, whole[name])
        layers = _from_ours(cell, whole, made)
    elif chosen.framework == "PyTorch":
        for name in whole:
            if name in chosen.names:
                checked(name, whole[name])
        layers = from_pytorch(cell, whole, chosen, made)
    else:
        layers = layers_of(_fitting(cell, chosen), cell.name, whole)
    if not layers:
        wanted = ", ".join(symbol.name for symbol in cell.parameters)
        raise ValueError(f"no parameters of {cell.name}: expected {wanted}")
    _nothing_between([_place(layer.prefix)[0] for layer in layers])
    for layer in layers:
        _check(cell, layer)
    assumed = () if chosen is None else _assumed(cell, chosen)
    ordered = sorted(layers, key=lambda layer: _place(layer.prefix))
    return tuple(replace(layer, assumed=assumed) for layer in ordered)


def _assumed(cell: Cell, chosen: Module) -> tuple[str, ...]:
    """What makes the user's network another one than the cell with these parameters, if it does."""
    unsaid = said("the file does not say: {0}; it is taken for {1} as {2} usually runs it",
                  chosen.unsaid, cell.name, chosen.framework)  # fmt: skip
    start = said("{0}: that start is not followed", chosen.starts)
    mask = said("the layer {0} of its model may mask steps; here every step counts", chosen.masking)
    each = (chosen.unsaid, unsaid), (chosen.starts, start), (chosen.masking, mask)
    return tuple(sentence for holds, sentence in each if holds)


def unused(cell: Cell, arrays: Mapping[str, Array], module: str | None = None) -> tuple[str, ...]:
    """The arrays that `map_weights` leaves alone: a readout, an embedding, another module's."""
    whole, _ = _whole(cell, arrays)
    chosen = _chosen(whole, module)
    return tuple(name for name in whole
                 if not (name in chosen.names if chosen else _known(cell, name)))  # fmt: skip


def whole_arrays(cell: Cell, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    """The arrays with those that are kept in parts put together: what `map_weights` maps."""
    return _whole(cell, arrays)[0]


def chosen_module(
    cell: Cell, arrays: Mapping[str, Array], module: str | None = None
) -> Module | None:
    """The module of the arrays that `map_weights` reads; None where they are named as ours.

    Raises:
        ValueError: if there is none of that name, or none is named of several.
    """
    return _chosen(whole_arrays(cell, arrays), module)


def only_module(arrays: Mapping[str, Array], module: str | None = None) -> Module | None:
    """The module of that name, or the only one, whatever cell it is; None if there is none.

    Raises:
        ValueError: if there is none of that name, or none is named of several.
    """
    found = combined(arrays, lambda name: bool(PYTORCH_KEY.fullmatch(name)))
    return _chosen(Arrays(found.arrays, getattr(arrays, "modules", None)), module)


def _named_as_ours(cell: Cell, arrays: Mapping[str, Array]) -> bool:
    """Whether every parameter of the cell, or of a first layer, is there by its own name."""
    return any(
        all(f"{prefix}{symbol.name}" in arrays for symbol in cell.parameters)
        for prefix in ("", layer_prefix(0))
    )


def _whole(
    cell: Cell, arrays: Mapping[str, Array]
) -> tuple[Mapping[str, Array], Mapping[str, str]]:
    """The arrays with those that are kept in parts put together, and of what they were made."""
    found = combined(arrays, lambda name: bool(PYTORCH_KEY.fullmatch(name)) or _known(cell, name))
    return Arrays(found.arrays, getattr(arrays, "modules", None)), found.made


def _chosen(arrays: Mapping[str, Array], name: str | None) -> Module | None:
    """The module that is meant; None where the arrays are named as ours.

    Raises:
        ValueError: if there is none of that name, or none is named of several.
    """
    found = modules_of(arrays)
    if name is None:
        if len(found) <= 1:
            return found[0] if found else None
        raise ValueError(
            f"{len(found)} recurrent modules; choose one with --module NAME: {_listed(found)}"
        )
    named = [module for module in found if module.name == name]
    named = named or [module for module in found if module.name.endswith((f".{name}", f"/{name}"))]
    if len(named) == 1:
        return named[0]
    came = "no recurrent module" if not named else f"{len(named)} recurrent modules"
    raise ValueError(
        f"--module {name}: {came} of that name; "
        + (f"there are {_listed(found)}" if found else "there is none in the file")
    )


def _listed(found: Sequence[Module]) -> str:
    shown = "; ".join(module.text for module in found[:_SHOWN])
    return shown + ("; …" if len(found) > _SHOWN else "")


def _fitting(cell: Cell, module: Module) -> Module:
    """The module.

    Raises:
        ValueError: if the cell is none of its.
    """
    if cell.name in module.cells:
        return module
    fits = f"it is {' or '.join(module.cells)}" if module.cells else module.why_not
    raise ValueError(
        f"{module.name or 'the module'} of {module.framework} is no {cell.name}: {fits}"
    )


def _known(cell: Cell, name: str) -> bool:
    found = _OURS.fullmatch(name)
    return found is not None and found["name"] in {symbol.name for symbol in cell.parameters}


def _from_ours(
    cell: Cell, arrays: Mapping[str, Array], made: Mapping[str, str]
) -> tuple[LayerWeights, ...]:
    known = [symbol.name for symbol in cell.parameters]
    theirs = [f"{kind}_l0" for kind in KINDS] if cell.name in TORCH else []
    layers: dict[str, dict[str, Array]] = {}
    origin: dict[str, dict[str, str]] = {}
    strange = []
    packed = [name for name, value in arrays.items()
              if isinstance(value, Unread) and value.dtype == PACKED]  # fmt: skip
    if packed and not any(_known(cell, name) for name in arrays):
        raise ValueError(
            f"{packed[0]}: no array, but an object into which PyTorch's quantisation packs weights "
            "and which it alone unpacks; save the state_dict of the module before it is quantised"
        )
    for name, value in arrays.items():
        if name.startswith(("readout.", "embedding.")):
            continue
        found = _OURS.fullmatch(name)
        if found is None or found["name"] not in known:
            if not is_floating(value):
                continue  # a counter or a mask of another module
            near = get_close_matches(name.rsplit(".", 1)[-1], [*known, *theirs], n=1)
            strange.append(f"{name!r}" + (f" (nearest: {near[0]})" if near else ""))
            continue
        layers.setdefault(found["prefix"], {})[found["name"]] = np.asarray(value, np.float64)
        origin.setdefault(found["prefix"], {})[found["name"]] = made.get(name, name)
    if strange:
        raise ValueError(
            f"cannot map {', '.join(strange[:6])}{', …' if len(strange) > 6 else ''}; "
            f"{cell.name} has {', '.join(known)}"
            + (f"; PyTorch's are {', '.join(theirs)}" if theirs else "")
        )
    return tuple(LayerWeights(p, layers[p], origin[p], made.keys().isdisjoint(
        f"{p}{name}" for name in layers[p])) for p in layers)  # fmt: skip


def _place(prefix: str) -> tuple[int, bool]:
    """Layers in order, forward before reverse."""
    return int((re.findall(r"\d+", prefix) or ["-1"])[0]), "reverse" in prefix


def _nothing_between(depths: Sequence[int]) -> None:
    """Refuse layers of which one between is missing: those left are another network.

    Raises:
        ValueError: naming it.
    """
    gone = sorted({*range(min(depths), max(depths))} - {*depths})
    if gone:
        there = ", ".join(str(depth) for depth in sorted({*depths}))
        raise ValueError(f"layer {gone[0]} is missing: the file has the layers {there}")


def _check(cell: Cell, layer: LayerWeights) -> None:
    missing = [s.name for s in cell.parameters if s.name not in layer.parameters]
    if missing:
        raise ValueError(f"{layer.prefix}missing: {', '.join(missing)}")
    sizes: dict[str, tuple[int, str]] = {}
    for symbol in cell.parameters:
        names, shape = dimensions(symbol), np.shape(layer.parameters[symbol.name])
        wrong = len(names) != len(shape)
        if 0 in shape:
            raise ValueError(f"{layer.prefix}{symbol.name}: the shape {shape} leaves no network")
        for size, extent in zip(names, shape, strict=False):
            known = sizes.setdefault(size, (extent, symbol.name)) if size.isidentifier() else None
            wrong = wrong or (known is not None and known[0] != extent)
        if wrong:
            wanted = ", ".join(
                f"{size} = {sizes[size][0]} of {sizes[size][1]}" if size in sizes else size
                for size in names
            )
            raise ValueError(
                f"{layer.prefix}{symbol.name}: expected the shape ({wanted}), came {shape}"
            )
