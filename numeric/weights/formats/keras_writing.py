"""Keras 3's `.weights.h5` and `.keras`, written without Keras: a Sequential model of such layers.

In: arrays by the paths that the reader gives, with the settings of their layers. Out: a file for
`load_weights` of such a model, or the model itself for `keras.models.load_model`.

Source: keras/src/saving/saving_lib.py of Keras 3.15.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

try:
    import h5py
except ModuleNotFoundError:  # an extra: the other formats need none
    h5py = None

Array = Any
_SAYS: Final = ("framework", "kind")  # ours, beside Keras's settings
_USUAL: Final[Mapping[str, Any]] = {
    "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True,
    "go_backwards": False, "reset_after": True,
}  # fmt: skip
_EMPTY: Final = '{"keras_version": "3.0.0", "date_saved": ""}'  # the first with this form


def write_h5(path: Path, arrays: Mapping[str, Array]) -> None:
    """The file of the weights.

    Raises:
        ValueError: if the library that writes it is missing.
        OSError: if it cannot be written.
    """
    path.write_bytes(_weights(path, arrays))


def write_keras(path: Path, arrays: Mapping[str, Array]) -> None:
    """The archive of the model: its layers, and their weights.

    Raises:
        ValueError: if the library that writes it is missing.
        OSError: if it cannot be written.
    """
    held = _weights(path, arrays)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", _EMPTY)
        archive.writestr("config.json", json.dumps(_config(arrays)))
        archive.writestr("model.weights.h5", held)


def weights_opened(arrays: Mapping[str, Array]) -> str:
    """The model whose `load_weights` takes the file, and what the file does not say."""
    columns = _kernels(arrays)[0].shape[0]
    layers = ", ".join(_call(arrays, where) for where in _outer(arrays))
    model = f"keras.Sequential([keras.Input((None, {columns})), {layers}])"
    return (f"{model}.load_weights takes it; a model of other sizes or biases refuses it, and "
            "activations are not in it")  # fmt: skip


def model_opened(arrays: Mapping[str, Array]) -> str:
    """What opens the archive, and the model that it is."""
    layers = ", ".join(_call(arrays, where) for where in _outer(arrays))
    return f"keras.models.load_model opens it: {layers}"


def _kernels(arrays: Mapping[str, Array]) -> list[Array]:
    return [value for name, value in arrays.items() if name.endswith("/0")]


def _modules(arrays: Mapping[str, Array]) -> Mapping[str, Mapping[str, Any]]:
    return getattr(arrays, "modules", {})


def _outer(arrays: Mapping[str, Array]) -> Iterator[str]:
    """The layers of the model; those of a Bidirectional are within it."""
    yield from (where for where in _modules(arrays) if where.count("/") == 1)


def _inner(arrays: Mapping[str, Array], where: str) -> list[dict[str, Any]]:
    """The settings of the layers within a Bidirectional."""
    return [{**said} for place, said in _modules(arrays).items() if place.startswith(f"{where}/")]


def _call(arrays: Mapping[str, Array], where: str) -> str:
    """A layer as one writes it in Python."""
    said = dict(_modules(arrays)[where])
    if within := _inner(arrays, where):
        return f"keras.layers.Bidirectional({_written(within[0])})"
    return _written(said)


def _written(said: Mapping[str, Any]) -> str:
    more = [f"{name}={said[name]!r}" for name, usual in _USUAL.items()
            if name in said and said[name] != usual]  # fmt: skip
    return f"keras.layers.{said['kind']}({', '.join([str(said['units']), *more])}, " \
           "return_sequences=True)"  # fmt: skip


# ---- the weights -----------------------------------------------------------------------------


def _weights(path: Path, arrays: Mapping[str, Array]) -> bytes:
    """An HDF5 file of a group for each layer, whose variables are numbered.

    Raises:
        ValueError: if the library that writes it is missing.
    """
    if h5py is None:
        raise ValueError(
            f"{path.name}: writing it needs h5py; run pip install 'bptt-toolkit[keras]'"
        )
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file.create_group("vars").attrs["name"] = "sequential"
        for where, said in _modules(arrays).items():
            file.create_group(f"{where}/vars").attrs["name"] = said["name"]
            if said["kind"]:
                cell = file.create_group(f"{where}/cell/vars")
                cell.attrs["name"] = f"{said['name']}_cell"
        for name, value in arrays.items():
            file.create_dataset(name, data=np.ascontiguousarray(value))
    return made.getvalue()


# ---- the layers ------------------------------------------------------------------------------


def _config(arrays: Mapping[str, Array]) -> dict[str, Any]:
    kernel = _kernels(arrays)[0]
    numbers = str(kernel.dtype)
    given = {"batch_shape": [None, None, kernel.shape[0]], "dtype": numbers, "name": "input_layer"}
    layers = [_object("InputLayer", given)]
    for where in _outer(arrays):
        said = dict(_modules(arrays)[where])
        if within := _inner(arrays, where):
            forward, backward = (_layer(one, numbers) for one in within)
            settings = {"name": said["name"], "dtype": numbers, "merge_mode": "concat",
                        "layer": forward, "backward_layer": backward}  # fmt: skip
            layers.append(_object("Bidirectional", settings))
        else:
            layers.append(_layer(said, numbers))
    model = {"name": "sequential", "layers": layers}
    return _object("Sequential", model, "keras")


def _layer(said: Mapping[str, Any], numbers: str) -> dict[str, Any]:
    settings = {name: value for name, value in said.items() if name not in _SAYS}
    return _object(said["kind"], {**settings, "dtype": numbers})


def _object(kind: str, config: Mapping[str, Any], module: str = "keras.layers") -> dict[str, Any]:
    """An object as Keras serialises it."""
    return {"module": module, "class_name": kind, "config": dict(config), "registered_name": None}
