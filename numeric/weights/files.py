"""Weights from a file → a cell's parameters, layer by layer, with the mapping that was used.

In: .npz or .safetensors, named as ours (`W_fh`, `layer0.W_fh`, `layer0.reverse.W_fh`) or as
PyTorch's (`weight_ih_l0`, with or without a module's name before it). Out: `LayerWeights`.
Nothing of a file is executed: pickles are refused.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, deserialize

from derive.cell import Cell, dimensions
from numeric.weights.combined import combined
from numeric.weights.layouts import TORCH, from_torch

Array = Any
_TORCH: Final = re.compile(
    r"(?P<module>.*\.)?(?P<key>(?:weight|bias)_(?:ih|hh)(?:_l\d+(?:_reverse)?)?)"
)
_OURS: Final = re.compile(r"(?P<prefix>(?:layer\d+\.(?:reverse\.)?)?)(?P<name>\w+)")
_KINDS: Final = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_TYPES: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "BOOL": "?",
    **{f"{sign}{8 * width}": f"<{sign.lower()}{width}" for sign in "IU" for width in (1, 2, 4, 8)},
}  # fmt: skip


@dataclass(frozen=True)
class LayerWeights:
    """The parameters of one layer and direction; `origin` says for each name where it came from.

    `exact`: no parameter is a rounded result of what the file holds.
    """

    prefix: str
    parameters: Mapping[str, Array]
    origin: Mapping[str, str]
    exact: bool = True

    @property
    def reverse(self) -> bool:
        """Whether the layer runs from the last step to the first."""
        return "reverse" in self.prefix


@dataclass(frozen=True)
class Unread:
    """A tensor of a type that NumPy has not, such as eight-bit floats: what is known of it."""

    dtype: str
    shape: tuple[int, ...]


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of the file by name, and `Unread` for those of a type that NumPy has not.

    Raises:
        ValueError: for a file of another kind, or one that is damaged.
        OSError: if it cannot be read.
    """
    if path.suffix not in READERS:
        raise ValueError(f"{path.name}: expected {' or '.join(READERS)}, came {path.suffix!r}")
    return READERS[path.suffix](path)


def _npz(path: Path) -> dict[str, Array]:
    """The arrays of an archive of NumPy.

    Raises:
        ValueError: if it is damaged, or holds pickled objects.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (ValueError, zipfile.BadZipFile, EOFError, AttributeError):
        raise ValueError(
            f"{path.name}: no .npz archive of plain arrays: it is damaged, or holds pickled objects"
        ) from None


def _safetensors(path: Path) -> dict[str, Array]:
    """The tensors of a file of the format safetensors, bfloat16 widened to float32.

    Raises:
        ValueError: if the file is not of that format.
    """
    try:
        held = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as problem:
        raise ValueError(f"{path.name}: no safetensors file, or one cut short: {problem}") from None
    return {name: _tensor(tensor["dtype"], tensor["data"], tensor["shape"])
            for name, tensor in held}  # fmt: skip


def _tensor(kind: str, data: bytearray, shape: Sequence[int]) -> Array:
    if kind == "BF16":  # the upper half of a float32
        bits = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(shape)
    if kind not in _TYPES:
        return Unread(kind, tuple(shape))
    return np.frombuffer(data, dtype=_TYPES[kind]).reshape(shape)


READERS: Final[Mapping[str, Callable[[Path], dict[str, Array]]]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
}


def map_weights(cell: Cell, arrays: Mapping[str, Array]) -> tuple[LayerWeights, ...]:
    """The cell's parameters in the arrays, for each layer and direction in order.

    Raises:
        ValueError: naming what cannot be mapped, with the nearest expected; what is missing; a
            wrong shape; entries that are NaN or infinite; arrays beside missing ones, which
            may be those under other names.
    """
    arrays, made = _whole(cell, arrays)
    torch = {name: found for name in arrays if (found := _TORCH.fullmatch(name))}
    for name in torch or [name for name in arrays if _known(cell, name)]:
        value = arrays[name]
        if not _floating(value):
            raise ValueError(
                f"{name}: expected floating-point numbers of 16, 32 or 64 bits, came "
                f"{value.dtype}; save the weights as float32"
            )
        if bad := int(np.size(value) - np.isfinite(value).sum()):
            raise ValueError(f"{name}: {bad} of {np.size(value)} entries are NaN or infinite")
    layers = _from_torch(cell, arrays, torch, made) if torch else _from_ours(cell, arrays, made)
    if not layers:
        wanted = ", ".join(symbol.name for symbol in cell.parameters)
        raise ValueError(f"no parameters of {cell.name}: expected {wanted}")
    for layer in layers:
        _check(cell, layer)
    return tuple(sorted(layers, key=lambda layer: _place(layer.prefix)))


def _floating(value: Array) -> bool:
    return not isinstance(value, Unread) and np.issubdtype(np.asarray(value).dtype, np.floating)


def unused(cell: Cell, arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """The arrays that `map_weights` leaves alone: a readout, an embedding, another module's."""
    arrays, _ = _whole(cell, arrays)
    torch = any(_TORCH.fullmatch(name) for name in arrays)
    return tuple(name for name in arrays
                 if not (_TORCH.fullmatch(name) if torch else _known(cell, name)))  # fmt: skip


def _whole(
    cell: Cell, arrays: Mapping[str, Array]
) -> tuple[Mapping[str, Array], Mapping[str, str]]:
    """The arrays with those that are kept in parts put together, and of what they were made."""
    found = combined(arrays, lambda name: bool(_TORCH.fullmatch(name)) or _known(cell, name))
    return found.arrays, found.made


def _known(cell: Cell, name: str) -> bool:
    found = _OURS.fullmatch(name)
    return found is not None and found["name"] in {symbol.name for symbol in cell.parameters}


def _from_torch(
    cell: Cell,
    arrays: Mapping[str, Array],
    torch: Mapping[str, re.Match[str]],
    made: Mapping[str, str],
) -> tuple[LayerWeights, ...]:
    modules = {found["module"] or "" for found in torch.values()}
    if len(modules) > 1:
        raise ValueError(
            f"weights of several modules: {', '.join(sorted(modules))}; keep those of one"
        )
    if cell.name not in TORCH:
        raise ValueError(
            f"PyTorch's names, but {cell.name} is none of its cells: {', '.join(TORCH)}"
        )
    _check_torch(cell, {found["key"]: np.shape(arrays[name]) for name, found in torch.items()})
    state = {found["key"]: np.asarray(arrays[name], np.float64) for name, found in torch.items()}
    params = from_torch(state, cell.name)
    (module,) = modules
    layers: dict[str, dict[str, Array]] = {}
    for name, value in params.items():
        found = _OURS.fullmatch(name)
        assert found is not None
        layers.setdefault(found["prefix"], {})[found["name"]] = value
    found_layers = []
    for prefix, values in layers.items():
        suffix = _suffix(prefix) if prefix else ""
        names = {kind: f"{module}{kind}{suffix}" for kind in _KINDS}
        _nothing_beside(module, arrays, [name for name in names.values() if name not in arrays])
        origin = {name: _said(kinds, names, arrays, made)
                  for name, kinds in _sources(cell).items()}  # fmt: skip
        exact = _exact_sum(arrays.get(names["bias_ih"]), arrays.get(names["bias_hh"]))
        exact = exact and not any(name in made for name in names.values())
        found_layers.append(LayerWeights(prefix, values, origin, exact))
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


def _nothing_beside(module: str, arrays: Mapping[str, Array], missing: list[str]) -> None:
    """Refuse arrays of the module that nobody reads where one that is wanted is missing.

    Raises:
        ValueError: naming both.
    """
    left = [name for name in arrays if name.startswith(module) and not _TORCH.fullmatch(name)
            and ("." not in name[len(module) :]
                 or name[len(module) :].startswith("parametrizations."))]  # fmt: skip
    if left and missing:
        raise ValueError(
            f"{', '.join(missing)}: missing, while {', '.join(left)} of the same "
            "module would be left unused; rename what is meant, or drop what is not"
        )


def _exact_sum(a: Array | None, b: Array | None) -> bool:
    """Whether a + b is exact in float64: Knuth's two-sum leaves nothing."""
    if a is None or b is None:
        return True
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    total = a + b
    part = total - a
    return not np.any((a - (total - part)) + (b - part))


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
        rows, *columns = shapes[f"weight_hh{suffix}"]
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


def _from_ours(
    cell: Cell, arrays: Mapping[str, Array], made: Mapping[str, str]
) -> tuple[LayerWeights, ...]:
    known = [symbol.name for symbol in cell.parameters]
    theirs = [f"{kind}_l0" for kind in _KINDS] if cell.name in TORCH else []
    layers: dict[str, dict[str, Array]] = {}
    origin: dict[str, dict[str, str]] = {}
    strange = []
    for name, value in arrays.items():
        if name.startswith(("readout.", "embedding.")):
            continue
        found = _OURS.fullmatch(name)
        if found is None or found["name"] not in known:
            if not _floating(value):
                continue  # a counter or a mask of another module
            near = get_close_matches(name.rsplit(".", 1)[-1], [*known, *theirs], n=1, cutoff=0.0)
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


def _check(cell: Cell, layer: LayerWeights) -> None:
    missing = [s.name for s in cell.parameters if s.name not in layer.parameters]
    if missing:
        raise ValueError(f"{layer.prefix}missing: {', '.join(missing)}")
    sizes: dict[str, tuple[int, str]] = {}
    for symbol in cell.parameters:
        names, shape = dimensions(symbol), np.shape(layer.parameters[symbol.name])
        wrong = len(names) != len(shape)
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
