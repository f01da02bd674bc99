"""Keras 3's `.keras` and `.weights.h5`: the variables of its layers, and what it says of them.

In: an HDF5 file, or the archive that holds one beside the layers' configuration. Out: arrays by
their paths, `layers/lstm/cell/vars/0`, and for each recurrent layer its name and settings. Links
to other files and arrays that are made from them are refused.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
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
_KINDS: Final = {"SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell"}


def read_h5(path: Path) -> Arrays:
    """The arrays of a `.weights.h5` file.

    Raises:
        ValueError: if it is none, or the library that reads it is missing.
    """
    _present(path)
    return _arrays(path, path, {})


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
            settings = {
                layer["config"]["name"]: layer
                for layer in _layers(json.loads(archive.read("config.json")), 0)
            }
            with archive.open(_HDF5) as file:
                return _arrays(file, path, settings)
    except zipfile.BadZipFile:
        raise ValueError(f"{path.name}: no .keras archive, or one that is damaged") from None
    except (json.JSONDecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError(f"{path.name}: its config.json is no JSON") from None


def _present(path: Path) -> None:
    if h5py is None:
        raise ValueError(
            f"{path.name}: reading it needs h5py; run pip install 'bptt-toolkit[keras]'"
        )


def _layers(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Every layer's configuration, inside other layers' too."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and isinstance(config.get("name"), str):
            yield value
        for held in value.values():
            yield from _layers(held, depth + 1)
    elif isinstance(value, list):
        for held in value:
            yield from _layers(held, depth + 1)


def _arrays(file: Any, path: Path, settings: dict[str, Any]) -> Arrays:
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
    except (OSError, RuntimeError, KeyError):
        raise ValueError(f"{path.name}: no HDF5 file, or one that is damaged") from None
    for where, name in names.items():
        layer = settings.get(name)
        kind = str(layer.get("class_name")) if layer else ""
        if kind in _KINDS:
            config = layer["config"] if layer else {}
            found.modules[where] = {"framework": "Keras", "kind": kind, "name": name, **config}
        else:
            found.modules[where] = {"framework": "Keras", "kind": "", "name": name}
    return found


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
    """The entries of one array, from the file."""
    with ExitStack() as stack:
        file: Any = path
        if path.suffix == ".keras":
            file = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(_HDF5))
        return np.asarray(stack.enter_context(h5py.File(file, "r"))[where][()])
