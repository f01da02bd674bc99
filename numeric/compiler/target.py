"""What a target language and a style of it are: the values that the emitters read.

In: nothing. Out: the types `Target` and `Style`; their rows stand in `targets.py`. A style says
what is decided before anything is spelled (the passes, where slopes come from) and how the
functions of the table are spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Final, Literal

from derive.language.functions import FUNCTIONS, ElementwiseFunction
from numeric.compiler.argument_checks import fixed_sizes
from numeric.compiler.passes import Pass
from numeric.compiler.program import Program
from numeric.compiler.segments import Segments

SlopeForm = Literal["output", "input"]


@dataclass(frozen=True)
class Spelling:
    """Expressions for φ(a), φ′ from the input a, φ′ from the output y (empty: none).

    `error` states what limits the forward value and the slopes.
    """

    value: str
    slope: str
    slope_from_output: str = ""
    error: str = "a few u everywhere"


class MissingError(RuntimeError):
    """What a target's code needs to run is not there: no compiler, say."""


@dataclass(frozen=True)
class Header:
    """What a module says of itself: its title, the lines below it, and the declared names.

    `declared`: PARAMETERS, INPUTS, STATES, CONSTANTS → name → size names. `name`: the cell's.
    `segments`: how the code goes through time, if in parts. `carried`: the source in another
    language that the file takes along. `at_once`: the structure of the step Jacobian, where all
    steps are found together; empty where one comes after the other. `prediction`: the forward pass
    of a network alone. `final`: it returns its final states and takes their cotangents.
    """

    title: str
    lines: tuple[str, ...]
    declared: Mapping[str, Mapping[str, tuple[str, ...]]]
    name: str = ""
    segments: Segments | None = None
    carried: str = ""
    at_once: str = ""
    prediction: Program | None = None
    final: bool = False

    def unused(self, program: Program) -> list[str]:
        """The constants that the program does not take."""
        taken = {a.key for a in program.arguments if a.group == "constants"}
        return [key for key in self.declared["CONSTANTS"] if key not in taken]

    def sizes(self, *known: str) -> str:
        """A dict of the sizes that are known before an array is seen, as text: numbers are."""
        shapes = (dims for group in self.declared.values() for dims in group.values())
        entries = [f'"{name}": {name}' for name in (*known, *fixed_sizes(shapes))]
        return f"{{{', '.join(entries)}}}"


@dataclass(frozen=True)
class Target:
    """A language that code is written in: how a program becomes source, and source a module.

    `emit(program, style, header)` gives the source of a cell's module; `emit_network` takes
    besides the sizes before q of the targets. `load(source, name)` gives what has `forward` and
    `backward`, or `loss_and_gradient`, with PARAMETERS, INPUTS and STATES. `spell(function)`
    writes a function's formula in the language as it stands; `operations` are those of a
    program that it can write. `any_numbers`: its code runs on arrays of whatever numbers, field
    elements and numbers with error bounds among them. `ready()` raises `MissingError` where that
    code cannot run. `self_test(source, sizes, given, want, allowed)` adds a test to a source that
    runs alone. `at_once`: it has code that finds all steps together. `beside` maps the suffix of a
    file that belongs beside the source to its text from the source. `carries` names the target
    whose source a file takes along.
    """

    name: str
    suffix: str
    emit: Callable[[Program, Style, Header], str]
    emit_network: Callable[[Program, Style, Header, tuple[str, ...]], str]
    load: Callable[[str, str], ModuleType]
    spell: Callable[[ElementwiseFunction], Spelling]
    operations: frozenset[str]
    any_numbers: bool = True
    ready: Callable[[], object] = lambda: None
    self_test: Callable[..., str] | None = None
    at_once: bool = False
    beside: Mapping[str, Callable[[str], str]] = field(default_factory=dict, hash=False)
    carries: str = ""


@dataclass(frozen=True)
class Style:
    """One way of writing a target's code.

    `spellings` holds the functions that the style spells better than by their formula.
    `slope_from`: slopes are computed from the function's "output" where that is possible, or
    from its "input" always. `in_place`: loops write into arrays made before them.
    """

    name: str
    target: Target
    passes: tuple[Pass, ...]
    slope_from: SlopeForm
    spellings: Mapping[str, Spelling]
    in_place: bool = False

    def __post_init__(self) -> None:
        """Refuse a form of slopes that the lowering does not know.

        Raises:
            ValueError: naming it.
        """
        if self.slope_from not in _FORMS:
            raise ValueError(
                f"style {self.name!r}: slope_from is 'output' or 'input', came {self.slope_from!r}"
            )

    def spelling(self, name: str) -> Spelling:
        """How the style writes a function of the table: its own way, or the formula as it stands.

        Raises:
            TypeError: if the target's language has no way to write the formula.
        """
        return self.spellings.get(name) or self.target.spell(FUNCTIONS[name])


_FORMS: Final = ("output", "input")


def load(source: str, name: str) -> ModuleType:
    """The module that our own emitted Python source is."""
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), module.__dict__)
    return module
