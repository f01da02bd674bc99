"""Which names are matrices, read off the form of the equations before any shape is known.

In: syntax trees. Out: the names that stand left of `@`, the names whose equations make matrices,
and the products that are written for a batch in rows; besides the names of all functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from derive.language.expr import VECTOR_FUNCTIONS
from derive.language.functions import FUNCTIONS
from derive.language.pairs import PAIR_FUNCTIONS
from derive.language.reductions import REDUCTIONS
from derive.language.syntax import PREVIOUS, STEP, Assignment, Node
from derive.language.written import written

OUTER: Final = "outer"
DIAG: Final = "diag"  # these two make a matrix of vectors


def known_functions() -> set[str]:
    """The names that are functions where an argument follows."""
    own = {"concat", "power", OUTER, DIAG}
    plain = {STEP if row.surrogate else name for name, row in FUNCTIONS.items()}
    return {*plain, *own, *VECTOR_FUNCTIONS, *PAIR_FUNCTIONS, *REDUCTIONS}


def matrix_names(
    assignments: tuple[Assignment, ...], states: tuple[str, ...], matrices: set[str],
    declared: tuple[str, ...], in_rows: tuple[Node, ...] = (),
) -> set[str]:  # fmt: skip
    """The names that are matrices, states and results among them: declared, or made of matrices.

    What an equation makes is read off its form: `outer`, `diag`, matrices entry by entry. A
    product of `in_rows` is meant as a column.
    """
    found = {state for state in states if state in declared}
    plain, columns = matrices - {*states}, frozenset(map(id, in_rows))
    while True:
        known = plain | found
        for assignment in assignments:
            name = assignment.target.value
            known -= {name} - found
            if _axes(assignment.value, known, columns) == _MATRIX:
                known.add(name)
        if {*states} & known == found:
            return known
        found |= {*states} & known


def products_in_rows(
    assignments: tuple[Assignment, ...], matrices: set[str], varying: set[str], declared: set[str]
) -> Iterator[Node]:
    """The products that are written as for samples in rows, `x @ W.T`, `h_prev @ (W - V).T`.

    Right stands a row of parameters, and no other place or declaration says of each what it is.
    """
    for assignment in assignments:
        for node in assignment.value.walk():
            if node.kind == "@":
                left, right = (
                    {n.value.removesuffix(PREVIOUS) for n in side.walk() if n.kind == "name"}
                    for side in node.children
                )
                is_open = right - matrices - declared and not right & varying
                if is_open and left & varying and _axes(node.children[1], matrices) == _ROW:
                    yield node


def refused_in_rows(node: Node, known: set[str]) -> str:
    """What to write for a product in rows of a column; empty where its left side is no column."""
    left, right = node.children
    for inner in left.walk():
        if inner.value in {OUTER, DIAG} and inner.kind == "call":
            return ""
        if inner.kind == "name" and inner.value.removesuffix(PREVIOUS) in known:
            return ""
    if _axes(left, set()) != _COLUMN:
        return ""
    turned = Node("transpose", ".T", (right,), 0, 0)
    matrix = right.children[0] if right.kind == "transpose" else turned
    return (
        f"{written(left)} is a column here: write {written(matrix, 2)} @ {written(left, 2)} for "
        f"{written(left, 2)} @ {written(right, 2)}, or outer({written(left)}, {written(matrix)}) "
        "for their outer product"
    )


_NUMBER, _COLUMN, _ROW, _MATRIX = range(4)


def _axes(node: Node, matrices: set[str], columns: frozenset[int] = frozenset()) -> int:
    """Whether a node is a number or anything, a column, a row or a matrix, by its form."""
    if id(node) in columns:
        return _COLUMN
    parts = [_axes(child, matrices, columns) for child in node.children]
    match node.kind, node.value:
        case "number", _:
            return _NUMBER
        case "name", name:
            return _MATRIX if name.removesuffix(PREVIOUS) in matrices else _COLUMN
        case "transpose", _:
            return {_COLUMN: _ROW, _ROW: _COLUMN}.get(parts[0], parts[0])
        case "@", _:
            left, right = parts
            if right == _COLUMN:
                return _NUMBER if left == _ROW else _COLUMN
            return _ROW if left == _ROW else _MATRIX if right == _MATRIX == left or (
                left, right) in {(_COLUMN, _ROW), (_MATRIX, _ROW)} else _COLUMN  # fmt: skip
        case "call", name if name in REDUCTIONS:
            return _NUMBER if REDUCTIONS[name].is_scalar else _COLUMN
        case "call", "outer" | "diag":
            return _MATRIX
        case "call", name if name in {"concat", *VECTOR_FUNCTIONS}:
            return _COLUMN
    if node.kind == "call" and node.value not in PAIR_FUNCTIONS:
        return parts[0]
    return max(parts)


def left_of_product(node: Node) -> Iterator[Node]:
    """The names inside a left operand of `@`; of a function's argument, what has its shape.

    Under a transpose a function may be of a column: `sigmoid(a + b).T @ v`.
    """
    if node.kind == "@":
        stack = [(node.children[0], False, False)]
        while stack:
            inner, turned, called = stack.pop()
            turns = turned or inner.kind == "transpose"
            if inner.kind == "name":
                yield inner
            elif inner.kind == "call":
                if inner.value in PAIR_FUNCTIONS:
                    stack += [(child, turned, True) for child in inner.children]
                elif not turned and inner.value in {*FUNCTIONS, "power"}:
                    stack.append((inner.children[0], turned, True))
            elif not called or inner.kind not in {"@", "transpose"}:
                stack += [(child, turns, called) for child in inner.children]
    for child in node.children:
        yield from left_of_product(child)
