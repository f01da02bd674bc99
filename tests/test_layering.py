"""Who may import whom: the imports as they stand in the files, each forbidden edge by name."""

from __future__ import annotations

import ast
import sys
from itertools import cycle
from pathlib import Path

import pytest
from import_graph import ROOT, files, imports, module_name, nodes_of
from profiles import by_day

from derive import catalogue
from numeric.compiler.kernel import compile_cell
from numeric.compiler.targets import STYLES

ALLOWED = {
    "derive": {"derive", "sympy"},
    "numeric": {
        "numeric",
        "derive",
        "sympy",
        "numpy",
        "h5py",
        "mpmath",
        "safetensors",
        "distributed",
    },
    "reports": {"reports", "numeric", "derive", "sympy", "numpy", "matplotlib", "rich"},
    "bptt": {"bptt", "reports", "numeric", "derive", "pytest"},
}
ONLY_IN = {
    "autograd": {"numeric/verification/oracles.py"},
    "hypothesis": {
        "numeric/verification/strategies.py",
        "numeric/verification/counterexample.py",
        "numeric/verification/verify.py",
    },
    "matplotlib": {
        f"reports/document/{name}.py"
        for name in (
            "figures",
            "bound_figures",
            "graph_figures",
            "drawn_once",
            "formulas_once",
            "memory_figures",
            "search_figures",
            "sweep_figures",
        )
    },
    "rich": {"reports/terminal/progress.py"},
    "torch": {"numeric/verification/frameworks/with_torch.py"},
    "jax": {"numeric/verification/frameworks/with_jax.py"},
    "h5py": {"numeric/weights/formats/keras.py", "numeric/weights/formats/keras_writing.py"},
    "safetensors": {"numeric/weights/formats/safetensors.py"},
    "distributed": {"numeric/engine.py"},
    "onnx": {"numeric/compiler/to_onnx/graph.py", "numeric/exported.py"},
    "onnxruntime": {"numeric/exported.py"},
    "pytest": {"bptt/pytest_plugin.py"},
}
LAZY = {
    "derive/lazy.py", "bptt/__init__.py", "bptt/__main__.py", "bptt/pytest_plugin.py",
    "numeric/compiler/to_jax/stand_in.py",  # hands on what NumPy itself imports
    "numeric/verification/frameworks/framework.py",
    "numeric/engine.py",  # dask, where a cluster is named
    "reports/cli.py", "reports/arguments/which_cell.py", "reports/arguments/network_flags.py",
}  # fmt: skip
BY_NAME = {"import_module", "__import__"}


def offences(path: Path, root: Path = ROOT) -> list[str]:
    """What the file imports and may not, one line each."""
    name = path.relative_to(root).as_posix()
    own, package = module_name(path, root), name.split("/")[0]
    found = []
    for node, target in imports(nodes_of(path)):
        edge = f"{name}:{node.lineno}: {own} → {target}"
        top = target.split(".")[0]
        if target.startswith("."):
            found.append(f"{edge}: relative; write the full name")
        elif top in ONLY_IN and name not in ONLY_IN[top]:
            found.append(f"{edge}: only {', '.join(sorted(ONLY_IN[top]))} may import {top}")
        elif top not in ONLY_IN and top not in ALLOWED[package] | sys.stdlib_module_names:
            found.append(f"{edge}: {package} may import {', '.join(sorted(ALLOWED[package]))}")
    seen: set[ast.AST] = set()
    for function in nodes_of(path):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        if function in seen or not isinstance(function, kinds):
            continue
        for node in ast.walk(function):
            seen.add(node)
            inside = f"{name}:{getattr(node, 'lineno', 0)}: {own}"
            if isinstance(node, (ast.Import, ast.ImportFrom)) and name != "reports/cli.py":
                found.append(f"{inside}: import inside a function")
            if isinstance(node, ast.Call) and name not in LAZY:
                called = node.func
                label = getattr(called, "id", getattr(called, "attr", ""))
                if label in BY_NAME:
                    found.append(f"{inside}: {label} inside a function")
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_what_it_may(path: Path) -> None:
    assert offences(path) == []


def test_emitted_code_imports_numpy_alone() -> None:
    for name, style in zip(by_day(catalogue, 5), cycle(STYLES), strict=False):
        nodes = ast.walk(ast.parse(compile_cell(catalogue[name], style).source))
        assert {target for _, target in imports(nodes)} == {"numpy"}, (name, style)


MADE_UP = {
    "derive/a.py": ("import numpy as np\n", "derive.a → numpy"),
    "derive/b.py": ("from numeric import kernel\n", "derive.b → numeric"),
    "derive/cells/c.py": ("from reports.document.model import Words\n", "derive.cells.c → reports"),
    "numeric/d.py": ("from reports import write_report\n", "numeric.d → reports"),
    "numeric/e.py": ("from autograd import grad\n", "only numeric/verification/oracles.py"),
    "numeric/f.py": ("import hypothesis.strategies as st\n", "may import hypothesis"),
    "reports/g.py": ("import jinja2\n", "reports.g → jinja2"),
    "reports/h.py": ("from . import document\n", "relative"),
    "reports/i.py": ("def f():\n    import sympy\n", "import inside a function"),
    "reports/j.py": ("def f():\n    return import_module('os')\n", "import_module inside"),
    "reports/k.py": ("try:\n    import yaml\nexcept ImportError:\n    pass\n", "→ yaml"),
    "reports/m.py": ("import bptt\n", "reports.m → bptt"),
    "numeric/n.py": ("from bptt.shadows import require\n", "numeric.n → bptt"),
    "bptt/o.py": ("import numpy\n", "bptt.o → numpy"),
    "reports/l.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n", "→ torch"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_UP)
def test_the_checker_names_the_offending_edge(name: str, tmp_path: Path) -> None:
    text, expected = MADE_UP[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    found = offences(path, tmp_path)
    assert found, "the checker accepts what it must refuse"
    assert all(line.startswith(f"{name}:") for line in found)
    assert any(expected in line for line in found), found


def test_the_checker_accepts_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "numeric" / "fine.py"
    path.parent.mkdir()
    path.write_text("import json\nimport numpy as np\nfrom derive.cell import Cell\n")
    assert offences(path, tmp_path) == []
