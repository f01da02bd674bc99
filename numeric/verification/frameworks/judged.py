"""What a framework's code is judged by: float64, and the cell with as many biases as it has.

In: a cell. Out: what the code is `asked`, and `verify_framework`, the verdict on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sympy import MatrixExpr, MatrixSymbol

from derive.cell import Cell, declared
from derive.language.expr import add
from derive.language.expr import replace as exchange
from numeric.verification.frameworks.asked import Asked
from numeric.verification.frameworks.names import own_bias
from numeric.verification.frameworks.settle import Known
from numeric.verification.oracles import autograd_answer
from numeric.verification.problems.of_cell import CellProblem
from numeric.verification.scope import Scope
from numeric.verification.verdict import Verdict
from numeric.verification.verify import verify
from numeric.verification.watch import Subject

SCOPE: Final = Scope(dtypes=("float64",), framework=True)
_STEPS, _BATCH = 6, 5  # no size of an ordinary case


def asked(cell: Cell, framework: str, *, batch_first: bool = False) -> Asked:
    """What is asked of code of the cell."""
    problem = CellProblem(cell)
    case = problem.case(problem.ordinary_sizes(), steps=_STEPS, batch=_BATCH)
    states = autograd_answer(problem, case).states
    known = Known(case.params, case.inputs, case.initial, case.constants, states)
    return Asked(framework, cell.name, declared(cell), known, batch_first)


def verify_code(subject: Subject, cell: Cell, **more: Any) -> Verdict:
    """Whether a framework's code computes the cell; with the biases that it has beside it."""
    own = {symbol.name for symbol in cell.parameters}
    second = [name for name in subject.declared["PARAMETERS"] if name not in own]
    return verify(subject, cell=with_second_biases(cell, second), scope=SCOPE, **more)


def with_second_biases(cell: Cell, names: Iterable[str]) -> Cell:
    """The cell with each of the biases beside its own: b + b_hh where b stood."""
    parameters = {symbol.name: symbol for symbol in cell.parameters}
    second = {name: MatrixSymbol(name, *parameters[own_bias(name)].shape) for name in names}
    if not second:
        return cell
    sums: dict[MatrixExpr, MatrixExpr] = {
        parameters[own_bias(name)]: add(parameters[own_bias(name)], symbol)
        for name, symbol in second.items()
    }
    return replace(
        cell, parameters=(*cell.parameters, *second.values()), text="",
        equations=tuple(replace(e, value=exchange(e.value, sums)) for e in cell.equations),
    )  # fmt: skip
