"""PyTorch's `.pt` and `.pth`: the tensors of a state dictionary, read without pickle.

In: a zip archive as `torch.save` writes it. Out: arrays by name; dictionaries in dictionaries
give names with dots. The archive's `data.pkl` is a program; only the steps that build
dictionaries and tensors are carried out, by the machine below, which can call nothing: any other
object is a name that is passed over.

Source: the format's description in torch/csrc/jit/docs/serialization.md, and CPython's
pickletools, whose parser only reads.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numeric.weights.formats.stored import (
    LARGEST,
    Arrays,
    Stored,
    Unread,
    checked_shape,
    mapped,
    member,
    widened,
)

Array = Any
LONGEST: Final = 1 << 26  # bytes of data.pkl
DEEPEST: Final = 20
MOST: Final = 1 << 20  # entries of dictionaries, of which one may stand in many places
_TYPES: Final = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "bf16",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "?", "ComplexFloatStorage": "c8",
    "ComplexDoubleStorage": "c16",
}  # fmt: skip
_TENSOR: Final = "torch._utils _rebuild_tensor_v2"
_PARAMETER: Final = ("torch._utils _rebuild_parameter",
                     "torch._utils _rebuild_parameter_with_state")  # fmt: skip
_DICTIONARY: Final = "collections OrderedDict"


@dataclass(frozen=True)
class _Name:
    """A function or class that the file names; it is never looked up."""

    text: str


@dataclass(frozen=True)
class _Object:
    """What the file would have made with something that is named here."""

    text: str


@dataclass(frozen=True)
class _Storage:
    kind: str
    key: str


@dataclass(frozen=True)
class _Tensor:
    storage: Any
    offset: Any
    shape: Any
    strides: Any


class _Mark:
    """Where a list of items begins."""


def read(path: Path) -> Arrays:
    """The tensors of the file.

    Raises:
        ValueError: if it holds no state dictionary, saying what to run to get one.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError):
        raise ValueError(
            f"{path.name}: no zip archive, as torch.save writes since 1.6; load it with torch and "
            "torch.save(state_dict, FILE) again"
        ) from None
    with archive:
        names = archive.namelist()
        roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError(f"{path.name}: no data.pkl, which torch.save writes, in the archive")
        (root,) = roots
        if f"{root}constants.pkl" in names:
            raise ValueError(
                f"{path.name}: a TorchScript archive; run "
                "torch.save(torch.jit.load(FILE).state_dict(), OTHER)"
            )
        whole = mapped(path)
        try:
            pickled = bytes(_short(archive, f"{root}data.pkl", whole))
            order = b"little"
            if f"{root}byteorder" in names:
                order = bytes(_short(archive, f"{root}byteorder", whole)).strip()
            tree = _run(pickled)
            found = Arrays()
            for name, value in _flat(tree, "", 0, count()):
                found[name] = (
                    _array(value, archive, root, whole, order == b"big", name)
                    if isinstance(value, _Tensor) else Unread(_said(value), ())
                )  # fmt: skip
        except (ValueError, KeyError, IndexError, TypeError, OverflowError) as problem:
            said = str(problem) if isinstance(problem, ValueError) else "the archive is damaged"
            raise ValueError(f"{path.name}: {said}") from None
    if not any(not isinstance(value, Unread) for value in found.values()):
        raise ValueError(f"{path.name}: {_instead(tree, found)}")
    return found


def _short(archive: zipfile.ZipFile, name: str, whole: Array) -> Array:
    if archive.getinfo(name).file_size > LONGEST:
        raise ValueError(f"{name} is longer than {LONGEST} bytes")
    return member(archive, name, whole)


def _instead(tree: Any, found: Mapping[str, Array]) -> str:
    """What the file holds in place of tensors of a state dictionary, and what to do."""
    if isinstance(tree, _Object):
        return (f"no tensors in it; it is a whole {tree.text.split()[-1]}, which only its own code "
                "can load; run torch.save(module.state_dict(), FILE)")  # fmt: skip
    run = "save a state dictionary: torch.save(module.state_dict(), FILE)"
    if isinstance(tree, (list, tuple)) and tree:
        return f"it is a list of {len(tree)}, and no state dictionary; {run} for one of them"
    for name, value in found.items():
        return (f"no tensors that are read; {name} is of {value.dtype}; {run}, its numbers as "
                "float32")  # fmt: skip
    return f"no tensors in it; {run}"


def _said(value: Any) -> str:
    return value.text.split()[-1] if isinstance(value, _Object) else type(value).__name__


def _flat(value: Any, name: str, depth: int, met: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """The leaves by their names; lists and numbers are left out.

    Raises:
        ValueError: if they lie too deep, or are too many.
    """
    if depth > DEEPEST:
        raise ValueError(f"dictionaries in dictionaries, more than {DEEPEST} deep")
    if next(met) > MOST:
        raise ValueError(f"dictionaries with more than {MOST} entries")
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _flat(held, f"{name}.{key}" if name else str(key), depth + 1, met)
    elif isinstance(value, _Tensor) or (isinstance(value, _Object) and name):
        yield name, value


# ---- the tensors -----------------------------------------------------------------------------


def _array(
    tensor: _Tensor, archive: zipfile.ZipFile, root: str, whole: Array, big: bool, name: str
) -> Array:
    """A tensor's entries, a view of the file.

    Raises:
        ValueError: if it looks outside of its storage.
    """
    shape = checked_shape(tensor.shape, name)
    storage = tensor.storage
    kind = _TYPES.get(storage.kind) if isinstance(storage, _Storage) else None
    if kind is None:
        return Unread(getattr(storage, "kind", "no storage"), shape)
    dtype = np.dtype("u2" if kind == "bf16" else kind).newbyteorder(">" if big else "<")
    data = member(archive, f"{root}data/{storage.key}", whole)
    data = data[: len(data) // dtype.itemsize * dtype.itemsize].view(dtype)
    strides = checked_shape(tensor.strides, name)
    offset = checked_shape([tensor.offset], name)[0]
    last = offset + sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, np.float32 if kind == "bf16" else dtype)
    if last >= len(data):
        raise ValueError(f"{name}: the archive holds fewer numbers than its shape {shape} needs")
    if math.prod(shape) > max(len(data), LARGEST // 8):
        raise ValueError(f"{name}: the shape {shape}, of {len(data)} numbers in the archive")
    held = as_strided(data[offset:], shape, [step * dtype.itemsize for step in strides],
                      writeable=False)  # fmt: skip
    if kind == "bf16":
        return Stored(shape, np.dtype(np.float32), partial(widened, held))
    return held


# ---- the machine -----------------------------------------------------------------------------


def _run(program: bytes) -> Any:
    """What the program builds: dictionaries, lists, numbers, tensors, and names of the rest.

    Raises:
        ValueError: for a step that no state dictionary needs.
    """
    machine = _Machine()
    damaged = ValueError("data.pkl is damaged or cut short")
    steps = pickletools.genops(program)
    while True:
        try:
            opcode, argument, _ = next(steps)
        except (ValueError, StopIteration, struct.error, UnicodeDecodeError):
            raise damaged from None
        if opcode.name != "STOP" and opcode.name not in _STEPS:
            raise ValueError(f"no state dictionary: data.pkl has a step {opcode.name}")
        try:
            if opcode.name == "STOP":
                return machine.stack[-1]
            _STEPS[opcode.name](machine, argument)
        except (IndexError, KeyError, TypeError, AttributeError, ValueError):
            raise damaged from None


class _Machine:
    """A stack and a memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def since_mark(self) -> list[Any]:
        """The items above the last mark, which go with it.

        Raises:
            IndexError: if there is no mark.
        """
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
        if place < 0:
            raise IndexError
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _make(value: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, argument: machine.stack.append(value())


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, argument: Any) -> None:
        if count > len(machine.stack):
            raise IndexError
        items = tuple(machine.stack[len(machine.stack) - count :])
        del machine.stack[len(machine.stack) - count :]
        machine.stack.append(items)

    return step


def _memoise(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            plain = isinstance(key, (str, int, float))
            target[key if plain else f"{type(key).__name__} {len(target)}"] = value


def _append(machine: _Machine, items: list[Any]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(items)


def _set_item(machine: _Machine, argument: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _append_one(machine: _Machine, argument: Any) -> None:
    item = machine.stack.pop()
    _append(machine, [item])


def _global(machine: _Machine, argument: Any) -> None:
    machine.stack.append(_Name(argument))


def _stack_global(machine: _Machine, argument: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(_Name(f"{module} {name}"))


def _storage(machine: _Machine, argument: Any) -> None:
    """("storage", type, key, location, count)."""
    what = machine.stack.pop()
    _, kind, key, *_ = what
    machine.stack.append(_Storage(kind.text.split()[-1], str(key)))


def _reduce(machine: _Machine, argument: Any) -> None:
    given, name = machine.stack.pop(), machine.stack.pop()
    made: Any
    if not isinstance(name, _Name):
        raise TypeError
    if name.text == _DICTIONARY and given == ():
        made = {}
    elif name.text == _TENSOR and any(given[6:]):
        made = _Object("negated_or_conjugated_view")
    elif name.text == _TENSOR:
        made = _Tensor(*given[:4])
    elif name.text in _PARAMETER:
        made = given[0]
    elif name.text == "torch Size":
        made = tuple(given[0])
    else:
        made = _Object(name.text)
    machine.stack.append(made)


def _new(machine: _Machine, argument: Any) -> None:
    _, name = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(_Object(name.text))


def _build(machine: _Machine, argument: Any) -> None:
    machine.stack.pop()  # attributes: of a dictionary its versions, of an object its own affair


_STEPS: Final[Mapping[str, Callable[[_Machine, Any], None]]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, argument: None),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BININT",
                     "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "INT", "FLOAT",
                     "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES"), _push),
    "NONE": _make(lambda: None), "NEWTRUE": _make(lambda: True), "NEWFALSE": _make(lambda: False),
    "MARK": _make(_Mark), "EMPTY_DICT": _make(dict), "EMPTY_LIST": _make(list),
    "EMPTY_TUPLE": _tuple(0), "TUPLE1": _tuple(1), "TUPLE2": _tuple(2), "TUPLE3": _tuple(3),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "EMPTY_SET": _make(list), "ADDITEMS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": _set_item, "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "APPEND": _append_one, "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "BINPUT": _memoise, "LONG_BINPUT": _memoise, "PUT": _memoise, "MEMOIZE": _memoise,
    **dict.fromkeys(("BINGET", "LONG_BINGET", "GET"),
                    lambda machine, key: machine.stack.append(machine.memo[key])),
    "GLOBAL": _global, "STACK_GLOBAL": _stack_global, "BINPERSID": _storage,
    "REDUCE": _reduce, "NEWOBJ": _new, "BUILD": _build,
    "POP": lambda machine, _: machine.stack.pop(),
}  # fmt: skip
