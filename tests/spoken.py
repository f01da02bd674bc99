"""What of a source file is said to readers: prose in its literals, keys of sentences, slots."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SLOT: Final = re.compile(r"\{(\d+)\}")
KEY: Final = re.compile(r"[a-z_]+\.[a-z_]+")
# Two words, a word that starts as a sentence does, or one that ends as its parts do.
PROSE: Final = re.compile(r"[^\W\d_]\s|\s[^\W\d_]|^[A-Z][a-z]{3}|[a-z][,.;:!?]$")


def slots_of(sentence: str) -> set[int]:
    """The places of a sentence's slots."""
    return {int(place) for place in SLOT.findall(sentence)}


def text(node: ast.AST) -> str:
    """The text of a literal; none of another node."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def bare(text: str) -> str:
    """The text without marks of HTML, whole ones and what a literal begins or ends amid."""
    return re.sub(r"<[^<>]*>|^[^<>]*\">|^[^<>]*>|<[^<>]*$", "", text)


def prose(tree: ast.Module, *, works: bool = False) -> Iterator[str]:
    """Literals that a reader would read; `works` lets constants through: titles that are cited.

    Docstrings are no literals of the code, and what an error says is said to a programmer.
    """
    passed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(node.value)
        elif isinstance(node, ast.Raise) or (works and isinstance(node, ast.AnnAssign)):
            passed.update(ast.walk(node))
    for node in ast.walk(tree):
        if text(node) and node not in passed and PROSE.search(bare(text(node))):
            yield f"line {node.lineno}: {text(node)!r}"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Line":
            for part in ast.walk(node.args[0]):
                if text(part) and not KEY.fullmatch(text(part)):
                    yield f"line {part.lineno}: {text(part)!r} is no key"


def used(trees: Iterable[ast.Module]) -> set[str]:
    """The keys that code names, and the titles of the theorems that it states."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if KEY.fullmatch(text(node)):
            found.add(text(node))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Theorem":
            names = (word.value for word in node.keywords if word.arg == "name")
            found |= {f"{text(name)}.title" for name in names}
    return found


def parsed(paths: Iterable[Path]) -> dict[str, ast.Module]:
    return {
        f"{path.parent.name}/{path.name}": ast.parse(path.read_text(encoding="utf-8"))
        for path in paths
    }
