"""A recurrent cell as data: its equations, symbols and source, checked when made.

In: the reading of an equation text (`notation`) or expressions. Out: `Cell`, the value that
every later stage starts from.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sympy import MatrixExpr, MatrixSymbol, Tuple

from derive.cells import dialect_tables, read_tables, tables
from derive.language import build as notation
from derive.language import syntax
from derive.language.cell_keys import check_keys
from derive.language.defaults import check_defaults
from derive.language.expr import size_name, symbols_of
from derive.language.numbers import check_numbers
from derive.language.stages import Stage, check_parts, read_stages
from derive.language.syntax import PREVIOUS, CellError
from derive.typeset.alike import written
from derive.typeset.layout import Notation
from derive.typeset.letters import own
from derive.typeset.notebook import html_of, latex_of


@dataclass(frozen=True)
class Equation:
    """`target = value`, both of one shape."""

    target: MatrixExpr
    value: MatrixExpr

    def __post_init__(self) -> None:
        """Refuse unequal shapes.

        Raises:
            CellError: if target and value differ in shape.
        """
        if tuple(self.target.shape) != tuple(self.value.shape):
            raise CellError(
                f"{self.target} is {self.target.shape} but its value is {self.value.shape}"
            )

    def _repr_latex_(self) -> str:
        return latex_of([(self.target, self.value, None)])

    def _repr_html_(self) -> str:
        return html_of([(self.target, self.value, None)])


@dataclass(frozen=True)
class Cell:
    """One step of a recurrent network: s_t = F(s_{t−1}, x_t; θ), as the author wrote it.

    A state's value one step earlier is the symbol of the same name with `_prev`. `outputs` are
    assigned, are no states, and no equation reads them: y_t = G(s_{t−1}, x_t; θ), for the loss.
    `sequences` names the constants given anew at each step; `latex` maps a symbol to LaTeX;
    `defaults` maps a constant to a number, values or a rule (`derive.language.defaults`).
    `stages` tell the forward pass, `parts` name targets (`derive.language.stages`).
    """

    name: str
    inputs: tuple[MatrixSymbol, ...]
    states: tuple[MatrixSymbol, ...]
    parameters: tuple[MatrixSymbol, ...]
    equations: tuple[Equation, ...]
    constants: tuple[MatrixSymbol, ...] = ()
    outputs: tuple[MatrixSymbol, ...] = ()
    sequences: frozenset[str] = frozenset()
    source: str = ""
    title: str = ""
    latex: Mapping[str, str] = field(default_factory=dict, hash=False)
    defaults: Mapping[str, Any] = field(default_factory=dict, hash=False)
    stages: tuple[Stage, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    text: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hold the promises: declared once, assigned once, nothing used before it is defined.

        Raises:
            CellError: if one of them is broken.
        """
        if not self.inputs:
            raise CellError("no inputs: a cell needs one, which tells T and B", cell=self.name)
        declared = [*self.inputs, *self.parameters, *self.constants]
        known = {symbol.name: symbol for symbol in (*declared, *map(previous, self.states))}
        if len(known) != len(declared) + len(self.states):
            raise CellError("a symbol is declared twice", cell=self.name)
        assigned: list[str] = []
        for equation in self.equations:
            for symbol in symbols_of(equation.value):
                if known.get(symbol.name) != symbol:
                    raise CellError(
                        f"{symbol} is used in the equation of {equation.target} before it is "
                        "defined, or with another shape",
                        cell=self.name,
                    )
            if equation.target.name in known:
                raise CellError(f"{equation.target} is assigned twice", cell=self.name)
            known[equation.target.name] = equation.target
            assigned.append(equation.target.name)
            check_numbers(equation.value, equation.target.name, self.name)
        for state in self.states:
            if assigned.count(state.name) != 1:
                raise CellError(f"the state {state} needs one equation", cell=self.name)
        read = {s for equation in self.equations for s in symbols_of(equation.value)}
        for output in self.outputs:
            if output.name not in assigned or output in {*read, *self.states}:
                raise CellError(
                    f"the output {output} needs one equation, no state, that no other one reads",
                    cell=self.name,
                )
        for constant in self.constants:
            if constant.name in self.sequences and constant.shape[1] != 1:
                said = f"the constant {constant.name}[t] is a matrix that changes with time: only "
                raise CellError(f"{said}vectors and numbers may be given anew", cell=self.name)
        check_defaults(self.defaults, self.constants, self.sequences, self.name)
        object.__setattr__(self, "stages", read_stages(self.stages, assigned, self.name))
        check_parts(self.parts, assigned, self.name)
        fixed = timeless_symbols(self, self.equations)
        every = *self.inputs, *(known[name] for name in assigned), *declared
        rest = *map(previous, self.states), *(s for s in every if s in fixed)
        timed = [s for s in every if s not in fixed]
        object.__setattr__(self, "latex", written(self.latex, self.states, timed, rest, self.name))

    @classmethod
    def parse(
        cls,
        *,
        name: str,
        equations: str,
        inputs: Iterable[str] = ("x",),
        source: str = "",
        title: str = "",
        outputs: Iterable[str] = (),
        constants: Iterable[str] = (),
        scalars: Iterable[str] = (),
        matrices: Iterable[str] = (),
        sizes: Mapping[str, str] | None = None,
        latex: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        stages: Iterable[Any] = (),
        parts: Mapping[str, str] | None = None,
    ) -> Cell:
        """The cell that the equation text means; shapes follow from the equations.

        Raises:
            CellError: where the text or a declaration cannot be, with line and column.
        """
        if not name.isidentifier() or not name.isascii() or len(name) > syntax.MAX_NAME:
            raise CellError(
                f"the name must be letters, digits and _, at most {syntax.MAX_NAME}", cell=name
            )
        bare = tuple(constant.removesuffix("[t]") for constant in constants)
        for what, declared in (
            ("inputs", tuple(inputs)), ("outputs", tuple(outputs)), ("constants", bare),
            ("scalars", tuple(scalars)), ("matrices", tuple(matrices)),
            ("sizes", tuple((sizes or {}).values())),
        ):  # fmt: skip
            refusal = syntax.size_refusal if what == "sizes" else syntax.refusal
            for symbol in declared:
                if reason := refusal(symbol):
                    raise CellError(f"in {what!r}: {reason}", cell=name)
        reading = notation.read(
            syntax.parse(equations, name),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            constants=bare,
            scalars=tuple(scalars),
            matrices=tuple(matrices),
            sizes=sizes,
            cell=name,
            text=equations,
        )
        return cls(
            name=name,
            inputs=reading.inputs,
            states=reading.states,
            parameters=reading.parameters,
            constants=reading.constants,
            outputs=reading.outputs,
            sequences=frozenset(c.removesuffix("[t]") for c in constants if c.endswith("[t]")),
            equations=tuple(Equation(*pair) for pair in reading.equations),
            source=source,
            title=title or name,
            latex=dict(latex or {}),
            defaults=dict(defaults or {}),
            stages=tuple(stages),
            parts=dict(parts or {}),
            text=equations.strip("\n"),
        )

    @property
    def previous_states(self) -> tuple[MatrixSymbol, ...]:
        """The states one step earlier, in the order of the states."""
        return tuple(map(previous, self.states))

    @property
    def returned(self) -> tuple[MatrixSymbol, ...]:
        """What a forward pass returns of every step and a loss may weigh: states, then outputs."""
        return (*self.states, *self.outputs)

    @cached_property
    def notation(self) -> Notation:
        """How the cell's symbols are written: its own LaTeX, and which names bear a time."""
        fixed = timeless_symbols(self, self.equations)
        symbols = *self.inputs, *self.states, *self.constants, *(e.target for e in self.equations)
        timed = frozenset(s.name for s in symbols if s not in fixed)
        held = (*self.parameters, *symbols)
        names = {str(n) for s in held for n in (s.name, *Tuple(*s.shape).free_symbols)}
        return Notation(self.latex, timed, **own(names, self.latex))

    def _repr_latex_(self) -> str:
        return latex_of([(e.target, e.value, None) for e in self.equations], self.notation)

    def _repr_html_(self) -> str:
        return html_of([(e.target, e.value, None) for e in self.equations], self.notation)

    @cached_property
    def digest(self) -> str:
        """A fingerprint of the mathematics: symbols, shapes and equations."""
        parts = [
            f"{role} {s.name} {dimensions(s)} {s.name in self.sequences}"
            for role in ("inputs", "states", "parameters", "constants", "outputs")
            for s in getattr(self, role)
        ]
        parts += [f"{e.target.name} = {e.value!r}" for e in self.equations]
        return hashlib.sha256("\n".join([self.name, *parts]).encode()).hexdigest()[:16]


def previous(state: MatrixSymbol) -> MatrixSymbol:
    """The state one step earlier."""
    return MatrixSymbol(state.name + PREVIOUS, *state.shape)


def timeless_symbols(cell: Cell, equations: tuple[Equation, ...]) -> frozenset[MatrixSymbol]:
    """The symbols that neither time nor the batch changes: θ, fixed constants, their kin.

    What a forward pass returns has a value for every step, though all of them may be equal.
    """
    fixed = {*cell.parameters, *(c for c in cell.constants if c.name not in cell.sequences)}
    for equation in equations:
        if equation.target not in cell.returned and fixed.issuperset(symbols_of(equation.value)):
            fixed.add(equation.target)
    return frozenset(fixed)


def dimensions(symbol: MatrixSymbol, moves: bool = False) -> tuple[str, ...]:
    """The size names of a symbol: ("n", "m") a matrix, ("n",) a column, () a scalar.

    What each step has of its own, inputs, states, outputs, keeps its axis: ("1",) a scalar.
    """
    rows, cols = symbol.shape
    if cols != 1:
        return size_name(rows), size_name(cols)
    return () if rows == 1 and not moves else (size_name(rows),)


def declared(cell: Cell) -> dict[str, dict[str, tuple[str, ...]]]:
    """The module constants of the cell: name → size names, for each group.

    OUTPUTS is a group of cells that have outputs alone.
    """
    groups = {"PARAMETERS": cell.parameters, "INPUTS": cell.inputs, "STATES": cell.states}
    groups |= {"OUTPUTS": cell.outputs} if cell.outputs else {}
    groups["CONSTANTS"] = cell.constants
    moving = {*cell.inputs, *cell.returned}
    return {
        group: {
            s.name: (("T",) * (s.name in cell.sequences) + dimensions(s, s in moving))
            for s in symbols
        }
        for group, symbols in groups.items()
    }


def load(path: Path) -> dict[str, Cell]:
    """The cells of a file: one at the top level, or a table for each.

    Raises:
        CellError: if the file is no cell file, or a cell of it cannot be.
        OSError: if it cannot be read.
    """
    return {name: build(name, table, path.name) for name, table in read_tables(path).items()}


def build(name: str, table: Mapping[str, Any], file: str) -> Cell:
    """The cell of one table.

    Raises:
        CellError: if a key is unknown or of the wrong type, or the cell cannot be.
    """
    check_keys(name, table, file)
    return Cell.parse(**{"inputs": ["x"], **table, "name": name})


_FILE: Final = re.compile(r"(?P<path>.*\.toml)(?::(?P<name>\w+))?", re.DOTALL)


class UnknownCellError(CellError, KeyError):
    """A name that no cell of the catalogue has."""

    def __init__(self, name: str, nearest: Iterable[str] = ()) -> None:
        near = " or ".join(nearest)
        hint = f"did you mean {near}?" if near else "list(catalogue) shows the names"
        super().__init__(f"no such cell; expected a name of the catalogue; {hint}", cell=name)

    __str__ = Exception.__str__  # a KeyError shows its message in quotation marks


class Catalogue(Mapping[str, Cell]):
    """The cells that come with the package, each parsed when it is first asked for."""

    def __init__(self, tables: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._tables = tables
        self._cells: dict[str, Cell] = {}

    def __getitem__(self, name: str) -> Cell:
        """The cell of that name.

        Raises:
            UnknownCellError: a `KeyError` that names the nearest, if there is none.
        """
        if name not in self._cells:
            if name not in self:
                raise UnknownCellError(name, self.nearest(str(name)))
            self._cells[name] = build(name, self._tables()[name], name)
        return self._cells[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tables()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables())

    def __len__(self) -> int:
        return len(self._tables())

    def __repr__(self) -> str:
        return f"<catalogue of {len(self)} cells: {', '.join(self)}>"

    def nearest(self, name: str) -> tuple[str, ...]:
        """The names of the catalogue that look most like a name, the nearest first."""
        return tuple(get_close_matches(name.lower(), self, n=3, cutoff=0.5))


catalogue: Final = Catalogue(tables)
dialects: Final = Catalogue(dialect_tables)  # the forms in which frameworks compute some of them


def cell_of(cell: Cell | str | Path) -> Cell:
    """The cell, given itself, by its name in the catalogue, or by the path of a cell file.

    FILE.toml:NAME is the path of one that holds several. Whatever takes a cell takes all of these.

    Raises:
        UnknownCellError: for a name that the catalogue or the file has not; the nearest is named.
        CellError: for a file that is no cell file, or holds several.
        OSError: if the file cannot be read.
        TypeError: for anything else.
    """
    if isinstance(cell, Path) or (isinstance(cell, str) and _FILE.fullmatch(cell)):
        return _in_file(str(cell))
    if isinstance(cell, str):
        return dialects[cell] if cell in dialects else catalogue[cell]
    if isinstance(cell, Cell):
        return cell
    raise TypeError(f"cell: expected a Cell or a name of the catalogue, came {type(cell).__name__}")


def _in_file(text: str) -> Cell:
    """The cell of FILE.toml, or of several the one of FILE.toml:NAME.

    Raises:
        UnknownCellError: if there is none of that name.
        CellError: if there are several, or the file is no cell file.
    """
    found = _FILE.fullmatch(text)
    path, name = (found["path"], found["name"]) if found else (text, None)
    tables = read_tables(Path(path))
    if name is None:
        if len(tables) > 1:
            raise CellError(f"{path}: {len(tables)} cells; say {path}:NAME, of {', '.join(tables)}")
        (name,) = tables
    if name not in tables:
        raise UnknownCellError(name, tables)
    return build(name, tables[name], Path(path).name)
