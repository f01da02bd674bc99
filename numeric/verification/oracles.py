"""The oracles: outputs and gradients from the equations that define them.

In: a problem and a `Case`. Out: `Answer`, in the module interface's layout. One oracle is
reverse accumulation by autograd in float64, one forward accumulation in fifty digits, one
the complex step through a module's forward code. None shares code with what it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, add_outgrads
from autograd.extend import defvjp, primitive
from autograd.tracer import getval, isbox, new_box, trace_stack
from autograd.util import toposort

from numeric.numbers.arithmetic import FLOATS, Arithmetic
from numeric.numbers.fifty_digits import MULTIPRECISION, Forward, independent
from numeric.numbers.primitives import NOT_IN_NUMPY, PRIMITIVES, Primitive
from numeric.verification.cases import GROUPS, Case
from numeric.verification.problems.extents import Outputs
from numeric.verification.problems.problem import Problem

Arrays = Mapping[str, Any]
Named = dict[tuple[str, str], Any]
COMPLEX_STEP: Final = 1e-30


@dataclass(frozen=True)
class Answer:
    """What a right module returns: outputs, and gradients by group and name.

    The outputs are a cell's `states` (T, B, n), or a network's loss in their place.
    """

    states: Arrays
    gradients: Mapping[str, Arrays]

    def __post_init__(self) -> None:
        """Make it safe to share: nobody writes to an answer."""
        groups = {group: _frozen(arrays) for group, arrays in self.gradients.items()}
        object.__setattr__(self, "states", _frozen(self.states))
        object.__setattr__(self, "gradients", MappingProxyType(groups))


def _frozen(arrays: Arrays) -> Arrays:
    """The arrays, read only."""
    held = {name: np.asarray(array).view() for name, array in arrays.items()}
    for array in held.values():
        array.flags.writeable = False
    return MappingProxyType(held)


def _traced(row: Primitive) -> Callable[[Any], Any]:
    """A function that neither NumPy nor autograd has, as autograd takes it."""
    function = primitive(row.of_each)
    defvjp(function, lambda _, a: lambda y_bar: y_bar * row.slope(a, anp))
    return function  # type: ignore[no-any-return]


AUTOGRAD: Final = Arithmetic(
    namespace=anp, decide=lambda array: array, constant=getval, reciprocal=anp.reciprocal,
    functions={name: _traced(PRIMITIVES[name]) for name in NOT_IN_NUMPY},
)  # fmt: skip
COMPLEX: Final = Arithmetic(decide=np.real)


def autograd_answer(problem: Problem, case: Case) -> Answer:
    """Outputs and gradients in float64, by autograd over the equations; equal calls share it.

    Assumes: no pre-activation beyond ±700, where 1/(1+exp(−a)) overflows.
    """
    return _by_autograd(_Question.of(problem, case))


def precise_answer(problem: Problem, case: Case) -> Answer:
    """Outputs and gradients to fifty digits, by forward accumulation, rounded once to float64.

    Equal calls share it.
    """
    return _to_fifty_digits(_Question.of(problem, case))


def hand_over(problem: Problem, answers: Iterable[tuple[Case, Answer]]) -> None:
    """Answers of autograd, found together: who asks for one of them next has it from here."""
    _together.clear()
    _together.update((_Question.of(problem, case), answer) for case, answer in answers)


@dataclass(frozen=True)
class _Question:
    """A problem and a case, equal to another with the same problem and the same numbers.

    What code makes of the case is no part of it: an answer is the same whose code it judges.
    """

    problem: Problem
    content: bytes
    case: Case = field(compare=False, repr=False)

    @classmethod
    def of(cls, problem: Problem, case: Case) -> _Question:
        """The question, its numbers in float64 without any rounding."""
        case = case.widened()
        return cls(problem, case.content(), case)


_together: Final[dict[_Question, Answer]] = {}  # answers that nobody has asked for yet


@lru_cache(maxsize=512)
def _by_autograd(question: _Question) -> Answer:
    if (known := _together.pop(question, None)) is not None:
        return known
    problem, case = question.problem, question.case
    named = {(group, name): value for group, name, value in case.groups()}
    kept: dict[str, list[Any]] = {}

    def ends(variables: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
        moved = case.moved(dict(zip(named, variables, strict=True)))
        outputs = problem.outputs(moved, AUTOGRAD)
        kept.update((name, [*map(getval, values)]) for name, values in outputs.items())
        return problem.ends(moved, outputs)

    with np.errstate(all="ignore"):
        if case.empty:
            outputs = problem.outputs(case, FLOATS)
            gradients = [np.zeros(np.shape(value)) for value in named.values()]
            return Answer(_arrays(problem, case, outputs), _grouped(named, gradients))
        gradients = gradients_of(ends, [*named.values()])
    return Answer(_arrays(problem, case, kept), _grouped(named, gradients))


def gradients_of(
    ends: Callable[[Sequence[Any]], Iterable[tuple[Any, Any]]], variables: Sequence[Any]
) -> list[Any]:
    """The gradient for each variable, by autograd; zeros where no end depends on it.

    `ends` gives, of the variables, numbers and the loss's derivative by each. Autograd's own `grad`
    makes one variable of several and one number of all ends, every one of them an operation of its
    own; what it goes through in between, and in which order, is the same.
    """
    roots = [VJPNode.new_root() for _ in variables]
    last = VJPNode.new_root()
    with trace_stack.new_trace() as trace:
        boxes = [new_box(value, trace, root) for value, root in zip(variables, roots, strict=True)]
        seeds = [(end._node, bar) for end, bar in ends(boxes) if isbox(end)]
    last.parents = [node for node, _ in seeds]
    last.vjp = lambda _: [bar for _, bar in seeds]
    found: dict[Any, Any] = {last: (None, False)}
    for node in toposort(last):
        if node.parents:
            for parent, share in zip(node.parents, node.vjp(found.pop(node)[0]), strict=True):
                found[parent] = _with(found.get(parent), share)
    return [found[root][0] if root in found else np.zeros(np.shape(value))
            for root, value in zip(roots, variables, strict=True)]  # fmt: skip


def _with(before: tuple[Any, bool] | None, share: Any) -> tuple[Any, bool]:
    """The sum of shares so far and one more; whether it is an array of its own, to be added to.

    As autograd adds them, which asks of every share what space it is of.
    """
    if before is None or type(share) is not np.ndarray:  # its own has what few entries are of, too
        return add_outgrads(before, share)  # type: ignore[no-any-return]
    total, own = before
    if own:
        total += share
    return (total if own else total + share), True


@lru_cache(maxsize=256)
def _to_fifty_digits(question: _Question) -> Answer:
    problem, case = question.problem, question.case
    named = {(group, name): value for group, name, value in case.groups()}
    lift = np.vectorize(Forward.lift, otypes=[object])
    lifted = case.mapped(lambda array: lift(array) if np.size(array) else array)
    moved = lifted.moved(independent(named))
    with np.errstate(all="ignore"):
        outputs = problem.outputs(moved, MULTIPRECISION)
        total = problem.loss(moved, outputs)
    return Answer(_arrays(problem, case, outputs), _collected(total, named))


def _arrays(problem: Problem, case: Case, outputs: Outputs) -> dict[str, Any]:
    """Each output over time as one array of float64."""
    found = {}
    for name, shape in problem.output_shapes(case).items():
        entries: Any = np.concatenate([np.zeros(0), *map(np.ravel, outputs[name])])
        if entries.dtype == object:
            entries = [float(e.value) if isinstance(e, Forward) else float(e) for e in entries]
        found[name] = np.array(entries, dtype=float).reshape(shape)
    return found


def _grouped(named: Named, gradients: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Gradients by group and by name."""
    found: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for (group, name), gradient in zip(named, gradients, strict=True):
        found[group][name] = gradient
    return found


def _collected(total: Any, named: Named) -> dict[str, dict[str, Any]]:
    """The derivatives of a number, each group's arrays by name, rounded once to float64."""
    count = sum(np.size(value) for value in named.values())
    flat = total.along(count) if isinstance(total, Forward) else np.zeros(count)
    ends = np.cumsum([np.size(value) for value in named.values()])
    parts = np.split(flat, ends[:-1])
    shaped = [part.reshape(np.shape(v)) for part, v in zip(parts, named.values(), strict=True)]
    return _grouped(named, shaped)


def complex_step(
    forward: Callable[..., Any], problem: Problem, case: Case, group: str, name: str,
    direction: Any,
) -> tuple[float, float]:  # fmt: skip
    """Im L(θ + ihd)/h = ⟨∂L/∂θ, d⟩ without subtraction, through the forward code.

    The second number is Σ|s̄ ṡ|, what the sum's rounding is relative to. A state that the code
    does not return is the equations' own.
    """
    case = case.widened().mapped(lambda array: np.asarray(array, dtype=np.complex128))
    value = getattr(case, group)[name]
    case = case.moved({(group, name): value + 1j * COMPLEX_STEP * direction})
    found, _ = forward(case.params, case.inputs, case.initial, case.constants or None)
    if {*case.cotangents} - {*found}:
        ours = problem.outputs(case, COMPLEX)
        found = {**{state: np.stack(values) for state, values in ours.items()}, **found}
    tangents = {state: np.imag(value) / COMPLEX_STEP for state, value in found.items()}
    products = [np.real(case.cotangents[state]) * value for state, value in tangents.items()]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)
