"""`bptt write-test`: a pytest file that verifies the code of a cell, or a user's file.

With --adapter, a module to fill in around a layer of one's own.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from pathlib import Path
from string import Template
from typing import Final

from numeric.compiler.targets import STYLES
from reports.arguments.which_cell import CELL_FILE, find_cell
from reports.commands.verify import user_file
from reports.terminal.adapter import adapter
from reports.terminal.console import Answer

_OURS: Final = Template('''\
"""The emitted code of the cell '$cell' computes its states and gradients, in every style."""

$imports

@pytest.mark.parametrize("style", $styles)
def test_gradients_of_$name(style: str) -> None:
    verify_cell($found, style=style, seed=$seed)
''')
_THEIRS: Final = Template('''\
"""The functions of $path compute the states and gradients of the cell '$cell'."""

$imports
sys.path.insert(0, str(Path($path).resolve().parent))  # what lies beside it may be imported
SPEC = spec_from_file_location("$name", $path)
MODULE = module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)


def test_gradients_of_$name() -> None:
    verify_gradients($found, MODULE.forward, MODULE.backward, seed=$seed)
''')

_STANDARD: Final = frozenset({"importlib.util", "pathlib", "sys"})


def run(arguments: Namespace) -> Answer:
    """The test file, or the adapter.

    Raises:
        CommandError: if a file comes without its cell, or there is no such cell.
        CellError: if the cell cannot be.
    """
    path = user_file(arguments, exists=not arguments.adapter)
    word = arguments.of if path else arguments.cell
    cell = find_cell(word)
    if arguments.adapter:
        source = adapter(cell, re.sub(r"\W", "_", path.stem) if path else "my_layer")
        return Answer(text=source, data={"cell": cell.name, "source": source})
    found, wanted = _spelled(word)
    if path is None:
        template, name = _OURS, cell.name
        wanted |= {"pytest": "", "numeric.testing": "verify_cell"}
    else:
        template, name = _THEIRS, re.sub(r"\W", "_", path.stem)
        wanted |= {
            "importlib.util": "module_from_spec, spec_from_file_location",
            "pathlib": "Path",
            "sys": "",
            "numeric.testing": "verify_gradients",
        }
    source = template.substitute(
        cell=cell.name, name=name, found=found, imports=_imports(wanted), seed=arguments.seed,
        path=_quoted(path), styles=json.dumps([*STYLES]),
    )  # fmt: skip
    return Answer(text=source, data={"cell": cell.name, "seed": arguments.seed, "source": source})


def _spelled(word: str) -> tuple[str, dict[str, str]]:
    """The cell in Python, and the imports that takes."""
    if CELL_FILE.fullmatch(word):
        return f"cell_of({_quoted(word)})", {"derive.cell": "cell_of"}
    if ":" in word:
        module, name = word.split(":")
        return name, {module: name}
    return f"catalogue[{_quoted(word)}]", {"derive": "catalogue"}


def _imports(wanted: dict[str, str]) -> str:
    """The import lines in three groups: the standard library, pytest, ours and the user's."""
    groups: list[list[str]] = [[], [], []]
    for module in sorted(wanted, key=lambda name: (bool(wanted[name]), name)):
        place = 0 if module in _STANDARD else 1 if module == "pytest" else 2
        names = wanted[module]
        groups[place].append(f"from {module} import {names}" if names else f"import {module}")
    return "\n\n".join("\n".join(group) for group in groups if group) + "\n"


def _quoted(text: Path | str | None) -> str:
    return json.dumps(str(text), ensure_ascii=False)
