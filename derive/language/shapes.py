"""Syntax trees → what every name is and every shape, by unification.

In: the assignments of a cell and what it declares. Out: `Shapes`: each `@`, `+`, `*` and
`concat` ties the sizes of its operands; what stays open gets a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympy import Expr, MatrixSymbol, S

from derive.language.calls import infer_call
from derive.language.expr import size, size_name
from derive.language.matrices import (
    known_functions,
    left_of_product,
    matrix_names,
    products_in_rows,
    refused_in_rows,
)
from derive.language.syntax import PREVIOUS, Assignment, CellError, Node, states_of
from derive.language.unification import ONE, SCALAR, Shape, Size, Unknown, resolve, unify


@dataclass
class Shapes:
    """The role of every name and the shape of every node of a cell's syntax trees."""

    assignments: tuple[Assignment, ...]
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    scalars: tuple[str, ...]
    declared: tuple[str, ...]
    sizes: Mapping[str, str]
    cell: str
    text: str
    outputs: tuple[str, ...] = ()
    shapes: dict[str, Shape] = field(default_factory=dict)
    node_shapes: dict[int, Shape] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def error(self, message: str, node: Node | None = None) -> CellError:
        """The error to raise, at the place of a node."""
        if node is None:
            return CellError(message, cell=self.cell)
        line = self.text.split("\n")[node.line - 1].rstrip()
        return CellError(message, cell=self.cell, line=node.line, column=node.column, text=line)

    def run(self) -> None:
        """Find the roles, tie the sizes line by line, name what stays open.

        Raises:
            CellError: at the line whose shapes cannot meet, or whose sizes grow too long.
        """
        self.roles()
        for assignment in self.assignments:
            try:
                shape = self.infer(assignment.value)
                own = self.shapes.setdefault(assignment.target.value, shape)
                same = unify(own[0], shape[0]) and unify(own[1], shape[1])
            except CellError as problem:
                if problem.line:
                    raise
                raise self.error(problem.message, assignment.target) from None
            if not same:
                raise self.clash(assignment.target, "=", own, shape)
        self.label()

    def shape_of(self, node: Node) -> tuple[Expr, Expr]:
        """The shape of a node, once the sizes have names."""
        rows, cols = self.node_shapes[id(node)]
        return self.extent(rows), self.extent(cols)

    # ---- names ------------------------------------------------------------------------------

    def roles(self) -> None:
        """Find out what every name is, and give each a shape to be tied.

        Raises:
            CellError: for a name assigned twice, used before its line, or never assigned.
        """
        if not self.assignments:
            raise self.error("no equations: a cell needs at least one state, as in h = f(h_prev)")
        assigned: dict[str, int] = {}
        targets = {a.target.value: a.target for a in self.assignments}
        self.targets = {*targets}
        self.states = states_of(self.assignments)
        left = {node.value for a in self.assignments for node in left_of_product(a.value)}
        self.matrices = {*self.declared, *left} - {*self.inputs}
        changing = {*self.inputs, *self.targets}
        in_rows = (*products_in_rows(self.assignments, self.matrices, changing, self.named),)
        known = matrix_names(self.assignments, self.states, self.matrices, self.declared, in_rows)
        self.of_matrices = tuple(state for state in self.states if state in known)
        for assignment in self.assignments:
            target = assignment.target
            for what, names in (("input", self.inputs), ("constant", self.constants)):
                if target.value in names:
                    raise self.error(
                        f"{target.value!r} is declared as {what}: it cannot be assigned", target
                    )
            for node in assignment.value.walk():
                if node.kind == "name":
                    self._check_use(node, target, assigned, targets)
            if target.value in assigned:
                raise self.error(
                    f"{target.value!r} is assigned in line {assigned[target.value]} already: "
                    "give the second value a name of its own",
                    target,
                )
            if target.value.endswith(PREVIOUS):
                raise self.error(
                    f"{target.value!r} is the value one step earlier: assign to "
                    f"{target.value.removesuffix('_prev')!r}",
                    target,
                )
            assigned[target.value] = target.line
        used = {
            node.value for a in self.assignments for node in a.value.walk() if node.kind == "name"
        }
        if not self.states:
            raise self.error(
                "no state: use some name's previous value, as in h = tanh(W @ h_prev + U @ x)"
                + self._unassigned(used)
            )
        self._check_declared(assigned, used)
        for node in in_rows:
            if told := refused_in_rows(node, known & changing):
                raise self.error(told, node)

    def _unassigned(self, used: set[str]) -> str:
        """A reminder of the names that are read as parameters; a wrongly written one is there."""
        free = sorted(used - self.targets - {*self.inputs, *self.constants})
        return f"; not assigned, so parameters: {', '.join(free)}" if free else ""

    def _check_use(
        self, node: Node, target: Node, assigned: dict[str, int], targets: dict[str, Node]
    ) -> None:
        name = node.value.removesuffix(PREVIOUS)
        if name in known_functions() and name not in self.named | {*targets}:
            raise self.error(
                f"{name!r} is a function: give it an argument in brackets; for a symbol of that "
                f'name say so, as in sizes = {{ {name} = "n" }}',
                node,
            )
        if node.value.endswith(PREVIOUS):
            if name in self.inputs:
                raise self.error(
                    f"{node.value!r}: {name!r} is an input and has no previous value; keep it in "
                    f"a state of its own, as in {name}_last = {name}",
                    node,
                )
            if name not in targets:
                raise self.error(
                    f"the state {name!r} is never assigned: add a line '{name} = …' or drop "
                    f"{node.value!r}",
                    node,
                )
        elif name == target.value and name not in assigned:
            raise self.error(
                f"{name!r} is used in the line that assigns it: use {name + PREVIOUS!r} for its "
                "value one step earlier, or assign to another name",
                node,
            )
        elif name in targets and name not in assigned:
            raise self.error(
                f"{name!r} is used before line {targets[name].line} defines it: move that line "
                f"up, or use {name + PREVIOUS!r} for its value one step earlier",
                node,
            )

    def _check_declared(self, assigned: dict[str, int], used: set[str]) -> None:
        for what, names in (
            ("input", self.inputs), ("constant", self.constants), ("scalar", self.scalars),
            ("matrix", self.declared),
        ):  # fmt: skip
            for name in names:
                if not {name, name + PREVIOUS} & used:
                    raise self.error(
                        f"{what} {name!r} is in no equation: use it or drop it"
                        + self._unassigned({name for name in used if not name.endswith(PREVIOUS)})
                    )
                if names.count(name) > 1:
                    raise self.error(f"{what} {name!r} is declared twice")
        for name in self.scalars:
            if name in assigned and name not in self.states:
                raise self.error(
                    f"scalar {name!r} is no parameter, constant, input or state: drop it from "
                    "'scalars'"
                )
        for name in self.declared:
            if name in {*assigned, *self.inputs} - {*self.states}:
                raise self.error(
                    f"matrix {name!r} is no parameter, constant or state: drop it from 'matrices'"
                )
            if name in self.scalars:
                raise self.error(f"{name!r} is declared as scalar and as matrix")
        for name in self.inputs:
            if name in self.constants:
                raise self.error(f"{name!r} is declared as input and as constant")
        self._check_outputs(assigned, used)
        for name in self.sizes:
            if name not in used | set(assigned):
                raise self.error(f"'sizes' names {name!r}, which is in no equation")
        for assignment in self.assignments:
            name = assignment.target.value
            if name not in used and name not in {*self.states, *self.outputs}:
                raise self.error(
                    f"{name!r} is assigned and never used: drop the line, use "
                    f"{name + PREVIOUS!r} somewhere to make it a state, or name it in 'outputs'",
                    assignment.target,
                )

    def _check_outputs(self, assigned: dict[str, int], used: set[str]) -> None:
        for name in self.outputs:
            if self.outputs.count(name) > 1:
                raise self.error(f"output {name!r} is declared twice")
            if name not in assigned:
                raise self.error(f"output {name!r} is never assigned: add a line '{name} = …'")
            if name in self.states:
                raise self.error(
                    f"output {name!r} is a state, which is returned anyway: drop it from 'outputs'"
                )
            if name in used:
                raise self.error(
                    f"output {name!r} is read by another equation: nobody may read an output; "
                    f"give what is read a name of its own, and {name!r} the line '{name} = …' of it"
                )

    @property
    def named(self) -> set[str]:
        """The names that a declaration says to be symbols."""
        declared = {*self.constants, *self.scalars, *self.declared, *self.sizes}
        return {*self.inputs, *self.outputs, *declared}

    def shape_of_name(self, name: str) -> Shape:
        """The shape of a symbol, unknown sizes made for it when it is first met."""
        base = name.removesuffix(PREVIOUS)
        if base not in self.shapes:
            column = (ONE,)
            if base in self.scalars:
                self.shapes[base] = SCALAR
            elif base in self.of_matrices or (base in self.matrices and base not in self.states):
                self.shapes[base] = ((Unknown(),), (Unknown(),))
            else:
                self.shapes[base] = ((Unknown(),), column)
        return self.shapes[base]

    # ---- first walk: shapes -----------------------------------------------------------------

    def infer(self, node: Node) -> Shape:
        """The shape of a node, its operands' sizes tied on the way."""
        children = [self.infer(child) for child in node.children]
        match node.kind:
            case "number":
                shape = SCALAR
            case "name":
                shape = self.shape_of_name(node.value)
            case "negate":
                shape = children[0]
            case "transpose":
                shape = (children[0][1], children[0][0])
            case "@":
                if not unify(children[0][1], children[1][0]):
                    raise self.clash(node, "@", children[0], children[1])
                shape = (children[0][0], children[1][1])
            case "call":
                shape = infer_call(self, node, children)
            case _:
                shape = self.meet(node, *children)
        self.node_shapes[id(node)] = shape
        return shape

    def meet(self, node: Node, left: Shape, right: Shape) -> Shape:
        """The common shape of two operands; a scalar takes the other's."""
        for one, other in ((left, right), (right, left)):
            if self.is_scalar(one):
                return other
        if not (unify(left[0], right[0]) and unify(left[1], right[1])):
            raise self.clash(node, node.kind, left, right)
        return left

    def is_scalar(self, shape: Shape) -> bool:
        """Whether the shape is (1, 1)."""
        return resolve(shape[0]) == (ONE,) == resolve(shape[1])

    def is_matrix(self, shape: Shape) -> bool:
        """Whether the shape has more than one column, as far as is known."""
        return resolve(shape[1]) != (ONE,)

    def clash(self, node: Node, operator: str, left: Shape, right: Shape) -> CellError:
        """The error of two shapes that cannot meet."""
        self.label()
        rule = "both must have one shape (numbers and scalars fit any)"
        if operator == "@":
            rule = "the columns of the left must be the rows of the right"
        vectors = {*self.inputs, *self.states, *(state + PREVIOUS for state in self.states)}
        for inner in node.walk():
            if inner.kind == "@" and inner.children[0].value in vectors:
                vector, matrix = inner.children
                turned = matrix.kind == "transpose"
                named = matrix.children[0] if turned else matrix
                if named.kind != "name" or named.value in vectors:
                    continue
                name = named.value
                if vector.value.removesuffix(PREVIOUS) in self.of_matrices:
                    rule += f". {name} is taken for a vector: name it in 'matrices' if it is none"
                    break
                rule += (
                    f". {vector.value} is a column here: write {name}{'' if turned else '.T'} @ "
                    f"{vector.value} for {vector.value} @ {name}{'.T' if turned else ''}"
                )
                break
        sides = [self.is_matrix(left), self.is_matrix(right)]
        if operator in {"*", "/"} and sides in ([True, False], [False, True]):
            rule += (
                ". A vector meets a matrix in one of two ways: diag(f) @ S scales the rows, "
                "S @ diag(g) the columns"
            )
        return self.error(
            f"shapes clash at {operator!r}: {self.spell(left)} on the left, "
            f"{self.spell(right)} on the right; {rule}",
            node,
        )

    def spell(self, shape: Shape) -> str:
        """A shape as it is written: (n, m)."""
        return "(" + ", ".join(size_name(self.extent(side)) for side in shape) + ")"

    # ---- sizes get names --------------------------------------------------------------------

    def label(self) -> None:
        """Name the sizes: n and m, n_<state>, m_<input>, then k1, k2, … as they appear."""
        holders: dict[str, Size] = {}

        def give(name: str, extent: Size) -> None:
            if name in holders:
                if not unify(holders[name], extent):
                    raise self.error(f"'sizes' ties sizes to {name!r} that cannot be equal")
                return
            holders[name] = extent
            parts = resolve(extent)
            for unknown, other in pending:
                if parts == (unknown,):
                    raise self.error(f"'sizes' calls one size both {other!r} and {name!r}")
            if len(parts) == 1 and not parts[0].name:
                pending.append((parts[0], name))

        pending: list[tuple[Unknown, str]] = []
        for symbol, name in self.sizes.items():
            give(name, self.shape_of_name(symbol)[0])
        states, inputs = ([name for name in group if name not in self.scalars]
                          for group in (self.states, self.inputs))  # fmt: skip
        automatic = [
            *(("n" if i == 0 else f"n_{s}", s) for i, s in enumerate(states)),
            *(("m" if i == 0 else f"m_{x}", x) for i, x in enumerate(inputs)),
        ]
        columns = [("k" if i == 0 else f"k_{s}", s) for i, s in enumerate(self.of_matrices)]
        for side, named in enumerate((automatic, columns)):
            for name, symbol in named:
                parts = resolve(self.shape_of_name(symbol)[side])
                taken = any(unknown in parts for unknown, _ in pending)
                unnamed = len(parts) == 1 and not parts[0].name and not taken
                if (unnamed or name in holders) and (side or symbol not in self.sizes):
                    give(name, parts)
        for unknown, name in pending:
            root = resolve((unknown,))
            if len(root) == 1 and not root[0].name:
                root[0].name = name
        count = 0
        for shape in self.shapes.values():
            for unknown in (*resolve(shape[0]), *resolve(shape[1])):
                if not unknown.name:
                    count += 1
                    unknown.name = f"k{count}"

    def extent(self, side: Size) -> Expr:
        """A size as an expression of the named sizes."""
        parts = resolve(side)
        return S.One if parts == (ONE,) else sum((size(u.name) for u in parts), S.Zero)

    def symbol(self, name: str) -> MatrixSymbol:
        """The matrix symbol of a name."""
        rows, cols = self.shape_of_name(name)
        return MatrixSymbol(name, self.extent(rows), self.extent(cols))
