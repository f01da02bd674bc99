"""Keras 3's `.keras` and `.weights.h5`: the variables of its layers, and what it says of them.

In: an HDF5 file, or the archive that holds one beside the layers' configuration. Out: arrays by
their paths, `layers/lstm/cell/vars/0`, and for each recurrent layer its name and settings. Links
to other files and arrays that are made from them are refused.

A layer's settings are found by the name that its variables bear; older versions of Keras wrote
none, and then all layers of its class and size must have the same.
"""

from __future__ import annotations

import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from numeric.weights.formats.stored import LARGEST, Arrays, Stored, Unread, checked_shape

try:
    import h5py
except ModuleNotFoundError:  # an extra: the other formats need none
    h5py = None

Array = Any
DEEPEST: Final = 40
_HDF5: Final = "model.weights.h5"
_GATES: Final = {
    "SimpleRNN": 1, "GRU": 3, "LSTM": 4, "SimpleRNNCell": 1, "GRUCell": 3, "LSTMCell": 4,
}  # fmt: skip
_OLD: Final = re.compile(r"/recurrent_kernel(:0)?$")  # where variables have numbers now
_DECIDES: Final = ("activation", "recurrent_activation", "reset_after", "go_backwards")
Layer = Mapping[str, Any]


def read_h5(path: Path) -> Arrays:
    """The arrays of a `.weights.h5` file.

    Raises:
        ValueError: if it is none, or the library that reads it is missing; for the form that
            Keras wrote before.
    """
    _present(path)
    found = _arrays(path, path, None)
    if any(_OLD.search(name) for name in found):
        raise ValueError(
            f"{path.name}: Keras's old form of .h5; run keras.models.load_model(FILE)"
            ".save_weights(OTHER), with OTHER ending in .weights.h5"
        )
    return found


def read_keras(path: Path) -> Arrays:
    """The arrays of a `.keras` archive, and the settings of its recurrent layers.

    Raises:
        ValueError: if it is none, or the library that reads it is missing.
    """
    _present(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _HDF5 not in names or "config.json" not in names:
                raise ValueError(f"{path.name}: expected config.json and {_HDF5} in the archive")
            if archive.getinfo("config.json").file_size > LARGEST >> 6:
                raise ValueError(f"{path.name}: config.json is too long")
            layers = [*_layers(json.loads(archive.read("config.json")), 0)]
            with archive.open(_HDF5) as file:
                found = _arrays(file, path, layers)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError):
        raise ValueError(f"{path.name}: no .keras archive, or one that is damaged") from None
    except (json.JSONDecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError(f"{path.name}: its config.json is no JSON") from None
    masking = [layer["name"] for layer in layers
               if layer["kind"] == "Masking" or layer.get("mask_zero") is True]  # fmt: skip
    for where in found.modules if masking else ():
        found.modules[where] = {**found.modules[where], "masking": masking[0]}
    return found


def _present(path: Path) -> None:
    if h5py is None:
        raise ValueError(
            f"{path.name}: reading it needs h5py; run pip install 'bptt-toolkit[keras]'"
        )


def _layers(value: Any, depth: int, backwards: Any = False) -> Iterator[Layer]:
    """Every layer's settings and class, inside other layers' too.

    The layer RNN computes what its cell does, and the cell runs as the layer says.
    """
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        config, kind = value.get("config"), str(value.get("class_name"))
        if isinstance(config, dict) and isinstance(config.get("name"), str):
            cell = config.get("cell")
            if kind == "RNN":
                backwards = config.get("go_backwards", False)
            if kind == "RNN" and isinstance(cell, dict) and isinstance(cell.get("config"), dict):
                config = {**config, **cell["config"], "name": config["name"]}
                kind = str(cell.get("class_name"))
            yield {"go_backwards": backwards, **config, "framework": "Keras", "kind": kind}
        for held in value.values():
            yield from _layers(held, depth + 1, backwards)
    elif isinstance(value, list):
        for held in value:
            yield from _layers(held, depth + 1, backwards)


def _settings(where: str, name: str, layers: Sequence[Layer], shape: Sequence[int]) -> Layer:
    """What the configuration says of the layer at a path; `why` not, where it says several things.

    Shapes: shape, of the recurrent kernel, (n, g·n); empty where there is none.
    """
    own = {"framework": "Keras", "kind": "", "name": name}
    found = [layer for layer in layers if layer["name"] == name]
    if not name:
        n, columns = shape
        found = [
            layer
            for layer in layers
            if layer.get("units") == n and _GATES.get(layer["kind"], 0) * n == columns
        ]
        way = where.rpartition("/")[2]
        if way in {"forward_layer", "backward_layer"}:  # they run as Bidirectional says
            found = [{**layer, "go_backwards": way == "backward_layer"} for layer in found]
    if not found:
        return own if name else {**own, "why": f"config.json has no layer that {where} may be"}
    if any(layer["kind"] != found[0]["kind"] or any(layer.get(one) != found[0].get(one)
           for one in _DECIDES) for layer in found):  # fmt: skip
        said = f"of the name {name!r}" if name else f"that {where} may be"
        return {**own, "why": f"config.json has several layers {said}, which differ"}
    return {**found[0], "name": name}


def _arrays(file: Any, path: Path, layers: Sequence[Layer] | None) -> Arrays:
    """The arrays in an open file or at a path; read again from there when asked for.

    Raises:
        ValueError: if it is no HDF5 file, or one that is damaged.
    """
    found, names = Arrays(), {}
    try:
        with h5py.File(file, "r") as held:
            for where, item in _walk(held, "", 0):
                if isinstance(item, h5py.Dataset):
                    found[where] = _one(item, where, path)
                elif "name" in item.attrs:
                    names[where.removesuffix("/vars")] = str(item.attrs["name"])
    except (OSError, RuntimeError, KeyError, TypeError):
        raise ValueError(f"{path.name}: no HDF5 file, or one that is damaged") from None
    kernels = {} if layers is None else _recurrent_kernels(found)
    for where in {**names, **kernels}:
        name = names.get(where, "")
        found.modules[where] = _settings(where, name, layers or (), kernels.get(where, ()))
    return found


def _recurrent_kernels(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    """The shapes of second variables that may be recurrent kernels, by their layers' paths."""
    return {
        name.removesuffix("/vars/1").removesuffix("/cell"): value.shape
        for name, value in arrays.items()
        if name.endswith("/vars/1") and len(value.shape) == 2 and value.shape[0]
    }


def _walk(group: Any, where: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Every group and array below, by its path.

    Raises:
        ValueError: for a link to elsewhere, or groups too deep.
    """
    if depth > DEEPEST:
        raise ValueError(f"groups in groups, more than {DEEPEST} deep")
    for name in group:
        place = f"{where}/{name}" if where else name
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{place}: a link, where an array or a group was expected")
        item = group[name]
        yield place, item
        if isinstance(item, h5py.Group):
            yield from _walk(item, place, depth + 1)


def _one(item: Any, where: str, path: Path) -> Array:
    if item.is_virtual or item.external:
        raise ValueError(f"{where}: an array that lies in other files")
    shape = checked_shape(item.shape or (), where)
    if item.dtype.kind not in "fiubc":
        return Unread(str(item.dtype), shape)
    if item.size * item.dtype.itemsize > LARGEST:
        return Unread(f"{item.size} numbers", shape)
    return Stored(shape, item.dtype, partial(_again, path, where))


def _again(path: Path, where: str) -> Array:
    """The entries of one array, from the file.

    Raises:
        ValueError: if they are damaged, or packed in a way that is not known here.
    """
    try:
        with ExitStack() as stack:
            file: Any = path
            if path.suffix == ".keras":
                file = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(_HDF5))
            return np.asarray(stack.enter_context(h5py.File(file, "r"))[where][()])
    except (OSError, RuntimeError, KeyError):
        raise ValueError(
            f"{path.name}: {where} is damaged, or packed in a way that is not known here"
        ) from None
