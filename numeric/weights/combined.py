"""Arrays that a framework keeps in parts, pruned or reparametrised, put together as it does.

In: the arrays of a file by name. Out: `Combined`: the same with X in place of its parts, and what
each X was made of. PyTorch's pruning keeps X_orig and X_mask, weight norm X_g and X_v, or
`parametrizations.X.original0` and `.original1`. What else stands in for an X is refused: it
would be read as absent otherwise.

Source: torch.nn.utils.prune, torch.nn.utils.weight_norm, torch.nn.utils.parametrizations;
fastai.text.models.awdlstm.WeightDropout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = Any
_PART: Final = re.compile(
    r"(?P<module>.*\.)?(?:parametrizations\.(?P<whole>\w+)\.(?P<place>[\w.]+)"
    r"|(?P<base>\w+?)_(?P<part>orig|mask|g|v|u))"
)
_RAW: Final = re.compile(r"(?P<module>.*\.)?(?P<base>\w+)_raw")


@dataclass(frozen=True)
class Combined:
    """The arrays by name; `made` says of each that was put together what it was made of."""

    arrays: Mapping[str, Array]
    made: Mapping[str, str]


def combined(arrays: Mapping[str, Array], wanted: Callable[[str], bool]) -> Combined:
    """Pruned arrays as mask times original, weight-normed ones as g v / ‖v‖.

    `wanted` says of a name whether it is one that is looked for; other parts are left alone, and
    so is what is looked for itself: a cell may have a W and a W_v.

    Raises:
        ValueError: naming the parts of an array that cannot be put together, and what to run.
    """
    parts: dict[str, dict[str, str]] = {}
    for name in arrays:
        found = _PART.fullmatch(name)
        if found is None or wanted(name):
            continue
        whole = (found["module"] or "") + (found["whole"] or found["base"])
        if wanted(whole):
            parts.setdefault(whole, {})[found["part"] or found["place"]] = name
    _refuse_masked(arrays, wanted)
    rest = dict(arrays)
    made = {}
    for whole, held in parts.items():
        if whole in arrays:
            raise ValueError(f"{whole}: the file holds it and {', '.join(held.values())} as well; "
                             "keep one")  # fmt: skip
        rule = RULES.get(frozenset(held))
        if rule is None:
            raise ValueError(_how_to(whole, held))
        for name in held.values():
            held_type = rest[name].dtype
            if not (isinstance(held_type, np.dtype) and held_type.kind in "fiub"):
                raise ValueError(f"{name}: expected numbers, came {held_type}")
        make, said = rule
        first, second = (held[part] for part in sorted(held, key=_ORDER.index))
        value = make(whole, *(np.asarray(rest.pop(n), np.float64) for n in (first, second)))
        rest[whole], made[whole] = value, said.format(first, second)
    return Combined(rest, made)


def _refuse_masked(arrays: Mapping[str, Array], wanted: Callable[[str], bool]) -> None:
    """Refuse module.X beside an X_raw of other numbers: fastai's dropout of weights made it.

    What the last pass forward left there is X_raw with entries dropped and the others enlarged, if
    the network was training.

    Raises:
        ValueError: naming both.
    """
    for name in arrays:
        found = _RAW.fullmatch(name)
        whole = f"{found['module'] or ''}module.{found['base']}" if found else ""
        if whole in arrays and wanted(whole) and not np.array_equal(arrays[whole], arrays[name]):
            raise ValueError(f"{whole}: the file holds {name} as well, with other numbers, as "
                             "dropout of weights leaves them; call eval() and run it before "
                             f"saving, or keep {name} alone under the name {whole}")  # fmt: skip


def _how_to(whole: str, held: Mapping[str, str]) -> str:
    name = whole.rsplit(".", 1)[-1]
    run = f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
    if "u" in held:
        run = f"torch.nn.utils.remove_spectral_norm(module, {name!r})"
    elif not any("parametrizations." in part for part in held.values()):
        run = f"torch.nn.utils.prune.remove(module, {name!r})"
    return (f"{whole}: the file holds {', '.join(held.values())} in its place, and no rule makes "
            f"it of them; run {run} before saving")  # fmt: skip


def _pruned(whole: str, mask: Array, original: Array) -> Array:
    """The mask times the original.

    Raises:
        ValueError: for shapes that differ.
    """
    if original.shape != mask.shape:
        raise ValueError(f"{whole}: the original has the shape {original.shape}, its mask "
                         f"{mask.shape}")  # fmt: skip
    return mask * original


def _normed(whole: str, g: Array, v: Array) -> Array:
    """G v / ‖v‖, the norm over every axis but the one along which g runs.

    Raises:
        ValueError: for shapes that do not fit, or a v of length 0.
    """
    kept = [k for k, count in enumerate(g.shape) if count > 1]
    fits = g.size == 1 or (
        g.ndim == v.ndim and len(kept) == 1 and g.shape[kept[0]] == v.shape[kept[0]]
    )
    if not fits or g.ndim not in {0, v.ndim}:
        raise ValueError(f"{whole}: g of the shape {g.shape} is no length of v of the shape "
                         f"{v.shape} along one axis")  # fmt: skip
    axes = tuple(k for k in range(v.ndim) if g.ndim == 0 or g.shape[k] == 1)
    size = np.sqrt(np.sum(v * v, axis=axes, keepdims=g.ndim > 0)) if axes else np.abs(v)
    if not np.all(size > 0):
        raise ValueError(f"{whole}: v is zero along an axis, so g v / ‖v‖ is no number")
    return g * v / size


_ORDER: Final = ("mask", "orig", "g", "v", "original0", "original1")
_PRUNED: Final = (_pruned, "{0} × {1}")
_NORMED: Final = (_normed, "{0} × {1} / ‖{1}‖")
RULES: Final[Mapping[frozenset[str], tuple[Callable[..., Array], str]]] = {
    frozenset({"mask", "orig"}): _PRUNED,
    frozenset({"g", "v"}): _NORMED,
    frozenset({"original0", "original1"}): _NORMED,
}
