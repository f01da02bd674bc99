"""Whether `derive`, `numeric` and `reports` are ours, or another package stands in their way.

In: names of the three packages. Out: nothing, or an `ImportError` that says which folder or file
hides which package, and what to do. A user's project may well have a folder `reports`; that
breaks nothing before something of ours is asked for.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

PACKAGES: Final = ("derive", "numeric", "reports")
HOME: Final = Path(__file__).resolve().parent.parent


class ShadowedError(ImportError):
    """Another package of the same name is found before ours."""


def shadow(package: str, home: Path = HOME) -> Path | None:
    """The folder or file found where our package should be; None if it is ours.

    A folder without `__init__.py` hides nothing: Python takes it only if it finds no package.
    """
    spec = find_spec(package)
    if spec is None:
        return None  # the import will say what is missing
    if spec.origin is None:  # only such a folder, and no package
        places = spec.submodule_search_locations or ()
        return next((Path(place) for place in places), None)
    found = Path(spec.origin).resolve()
    if found == home / package / "__init__.py":
        return None
    return found.parent if found.name == "__init__.py" else found


def require(*packages: str, home: Path = HOME) -> None:
    """Nothing, if the packages are ours.

    Raises:
        ShadowedError: if not, naming what hides them and ways round it.
    """
    hidden = {package: found for package in packages if (found := shadow(package, home))}
    if hidden:
        raise ShadowedError(
            "; ".join(
                f"{found} hides the package {package!r} of bptt-toolkit, expected from {home}"
                for package, found in hidden.items()
            )
            + ". Rename it, put it inside another package, or leave its folder off sys.path (no "
            "`python -m`, no PYTHONPATH or pythonpath that holds it); as it stands, the command "
            "`bptt verify FILE.py --cell CELL` checks code in a process of its own"
        )
