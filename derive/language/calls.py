"""The shapes of calls: what each function of the notation takes, and of which shape its value is.

In: a call in a syntax tree, and the shapes of its arguments. Out: its own shape, sizes tied on
the way.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Protocol

from derive.language.expr import VECTOR_FUNCTIONS
from derive.language.functions import FUNCTIONS, SLOPES_OF_STEP
from derive.language.habits import call_instead
from derive.language.matrices import DIAG, OUTER, known_functions
from derive.language.pairs import PAIR_FUNCTIONS
from derive.language.reductions import REDUCTIONS
from derive.language.syntax import ROTATE, STEP, CellError, Node
from derive.language.unification import ONE, SCALAR, Shape, resolve, unify


class Tying(Protocol):
    """What ties the sizes of a cell's operations."""

    def error(self, message: str, node: Node | None = None) -> CellError:
        """The error to raise, at the place of a node."""

    def meet(self, node: Node, left: Shape, right: Shape) -> Shape:
        """The common shape of two operands."""

    def is_scalar(self, shape: Shape) -> bool:
        """Whether the shape is (1, 1)."""


def infer_call(shapes: Tying, node: Node, children: list[Shape]) -> Shape:
    """The shape of a function of its arguments.

    Raises:
        CellError: for an unknown function, or arguments it does not take.
    """
    if node.value == "concat":
        for child, shape in zip(node.children, children, strict=True):
            if not unify(shape[1], (ONE,)) or shapes.is_scalar(shape):
                raise shapes.error("concat takes vectors", child)
        return resolve(tuple(part for shape in children for part in shape[0])), (ONE,)
    if node.value in {OUTER, DIAG}:
        return _infer_matrix(shapes, node, children)
    if node.value in REDUCTIONS:
        return _infer_reduction(shapes, node, children)
    if node.value in PAIR_FUNCTIONS or node.value == "power":
        if len(children) != 2:
            raise shapes.error(f"{node.value} takes two arguments, came {len(children)}", node)
        return shapes.meet(node, *children) if node.value in PAIR_FUNCTIONS else children[0]
    if node.value in VECTOR_FUNCTIONS:
        if len(children) != 1 or not unify(children[0][1], (ONE,)):
            raise shapes.error(f"{node.value} takes one vector", node)
        return children[0]
    if node.value not in FUNCTIONS:
        if node.value == ROTATE:
            said = f"{ROTATE} makes two values: write u, v = {ROTATE}(a, b, theta)"
            raise shapes.error(said, node)
        known, what, name = sorted(known_functions()), "function", node.value
        if name.startswith(f"{STEP}_"):
            known, what, name = [*SLOPES_OF_STEP], "slope of step", name.removeprefix(f"{STEP}_")
        near, written = get_close_matches(name, known, 1), call_instead(name)
        hint = f"the nearest is {near[0]}; " if near else ""
        hint = f"write {written}; " if written else hint
        raise shapes.error(f"unknown {what} {name!r}: {hint}known are {', '.join(known)}", node)
    allowed = len(FUNCTIONS[node.value].parameters)
    if not 1 <= len(children) <= 1 + allowed:
        raise shapes.error(
            f"{node.value} takes one argument"
            + (f" and up to {allowed} numbers" if allowed else "")
            + f", came {len(children)}",
            node,
        )
    if node.children[0].kind == "number":
        raise shapes.error(f"{node.value} of a number: write the value itself", node)
    return children[0]


def _infer_matrix(shapes: Tying, node: Node, children: list[Shape]) -> Shape:
    """The shape of what makes a matrix of vectors.

    Raises:
        CellError: for other arguments.
    """
    wanted = 2 if node.value == OUTER else 1
    columns = [unify(child[1], (ONE,)) and not shapes.is_scalar(child) for child in children]
    if len(children) != wanted or not all(columns):
        many = "two vectors, as in outer(v, k)" if wanted == 2 else "one vector"
        raise shapes.error(f"{node.value} takes {many}", node)
    return children[0][0], children[-1][0]


def _infer_reduction(shapes: Tying, node: Node, children: list[Shape]) -> Shape:
    """The shape of a function of whole columns: a scalar, or the column's own.

    Raises:
        CellError: for arguments it does not take.
    """
    row = REDUCTIONS[node.value]
    numbers = [child.kind == "number" for child in node.children]
    given = numbers.index(True) if True in numbers else len(numbers)
    most = row.columns + row.takes_number
    if given != row.columns or not row.columns <= len(children) <= most:
        what = "one vector" if row.columns == 1 else "two vectors"
        more = ", and a number after it" if row.takes_number else ""
        raise shapes.error(f"{row.name} takes {what}{more}", node)
    for child, shape in zip(node.children, children[: row.columns], strict=False):
        if shapes.is_scalar(shape) or not unify(shape[1], (ONE,)):
            raise shapes.error(f"{row.name} takes vectors", child)
    column = children[0] if row.columns == 1 else shapes.meet(node, *children)
    return SCALAR if row.is_scalar else column
