"""The imports of the packages as they stand in the files: read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("derive", "numeric", "reports", "bptt")


def files(root: Path = ROOT) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.stmt, str]]:
    """Every imported module by its full name; `from a import b` gives a and a.b."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node, "." * node.level + (node.module or "")
                continue
            yield node, str(node.module)
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the file's tree, outer ones first; nothing of them is changed."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"), path.name)))


@cache
def graph(root: Path = ROOT) -> dict[str, dict[str, int]]:
    """Module → each module of ours that it imports, and the line; of a.b and a, a.b alone."""
    named = {module_name(path, root): path for path in files(root)}
    found: dict[str, dict[str, int]] = {}
    for name, path in named.items():
        edges = found.setdefault(name, {})
        for node in nodes_of(path):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                targets = [full if full in named else str(node.module) for full in inner]
            for target in targets:
                if target in named and target != name:
                    edges.setdefault(target, node.lineno)
    return found


def reached(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """The modules that importing one imports, itself among them."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        now = waiting.pop()
        if now not in seen:
            seen.add(now)
            waiting += edges.get(now, ())
    return seen


def circles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of modules each of which imports itself through the others."""
    far = {name: reached(edges, name) for name in edges}
    found = {
        tuple(sorted(other for other in far[name] if name in far.get(other, ()))) for name in edges
    }
    return sorted(list(group) for group in found if len(group) > 1)
