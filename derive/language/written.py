"""Syntax trees → the text that reads as they do.

In: a node. Out: its text, with the brackets that are needed and no others.
"""

from __future__ import annotations

from typing import Final

from derive.language.syntax import Node, call_text

_LOOSE: Final = {"+": 0, "-": 0, "*": 1, "/": 1, "@": 1, "negate": 1}


def written(node: Node, level: int = 0) -> str:
    """The text of a syntax tree, brackets where they are needed; 2 for a whole in brackets."""
    if _LOOSE.get(node.kind, 9) < level:
        return f"({written(node)})"
    match node.kind:
        case "name" | "number":
            return node.value
        case "call":
            return call_text(node.value, *map(written, node.children))
        case "negate":
            return f"-{written(node.children[0], 2)}"
        case "transpose":
            return f"{written(node.children[0], 3)}.T"
    left, right = node.children
    own = _LOOSE[node.kind]
    return f"{written(left, own)} {node.value} {written(right, own + 1)}"
