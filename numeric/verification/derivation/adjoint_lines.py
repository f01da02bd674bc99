"""Forward, adjoint, recursion and gradient lines against the slope of the loss.

In: `Findings`. Out: the same, with these lines compared; the trajectory holds what they name.
L = Σ_t Σ_s ⟨s̄_loss,t, s_t⟩ over states and outputs, with drawn weights. Where every symbol of
every step moves, the slope of L is Σ ⟨cotangent, direction⟩: one direction decides, one for each
symbol tells which is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sympy import MatrixSymbol, ZeroMatrix

from derive.calculus.adjoint import from_loss
from derive.calculus.through_time import LENGTH, TIME, Step
from derive.cell import Equation
from derive.language.syntax import BAR
from numeric.meaning.over_time import Moment
from numeric.verification.derivation.findings import Findings
from numeric.verification.derivation.trajectory import STEPS

Array = Any
_ALWAYS = -1  # the time of what time does not change


def forward_lines(found: Findings) -> None:
    """Every name gets its value; an author's symbol must have the author's."""
    path, authored = found.path, {e.target.name for e in found.cell.equations}
    for t in range(1, STEPS + 1):
        line = path.line(t=t)
        for step in found.derivation.part("forward"):
            target, value = step.equation.target, line(step.equation.value)
            still = isinstance(target, MatrixSymbol)
            name = target.name if still else target.args[0].name
            if name in authored:
                own = path.timed[name, t]
                found.hold(found.moving.equal(value, own), step, "not the cell's equation")
            if still:
                path.fixed.setdefault(name, value)
            path.timed.setdefault((name, t), value)


def backward_lines(found: Findings) -> None:
    """The lines from T down to 1, as a reader computes them; then against the slope of L."""
    path, part = found.path, found.derivation.part
    for symbol in found.cell.returned:
        for t in range(1, STEPS + 1):
            path.timed[from_loss(symbol).name, t] = path.drawn(symbol)
    lines: dict[Moment, Step] = {}
    end = path.line()
    handed: list[Step] = []
    joined: list[Step] = []
    for step in part("recursion"):
        time = step.equation.target.args[1]
        if time == LENGTH:
            path.timed[end.moment(step.equation.target)] = end(step.equation.value)
        else:
            (handed if time != TIME else joined).append(step)
    for t in range(STEPS, 0, -1):
        line = path.line(t=t)
        for step in part("adjoint"):
            name, _ = moment = line.moment(step.equation.target)
            path.timed[moment] = line(step.equation.value)
            lines[name.removesuffix(BAR), t] = step
        for step in handed:
            path.timed[line.moment(step.equation.target)] = line(step.equation.value)
        for step in joined if t < STEPS else ():
            own = path.timed[line.moment(step.equation.target)]
            same = found.moving.equal(own, line(step.equation.value))
            found.hold(same, step, "not what the lines above give")
    for step in part("gradients"):
        target, value = step.equation.target, step.equation.value
        if isinstance(target, MatrixSymbol):
            path.fixed[target.name] = end(value)
            lines[target.name.removesuffix(BAR), _ALWAYS] = step
            continue
        for t in range(1, STEPS + 1) if target.args[1] == TIME else (0,):
            moment = path.line(t=t).moment(target)
            path.timed[moment] = path.line(t=t)(value)
            lines[moment[0].removesuffix(BAR), t] = step
    _pairings(found, lines)


def _pairings(found: Findings, lines: dict[Moment, Step]) -> None:
    cell, forward = found.cell, found.derivation.forward
    given = {s.name for s in (*cell.parameters, *cell.inputs)}
    outer = [(name, t) for name, t in lines if name in given or t == 0]
    found.lines += len(lines)
    if _paired(found, outer, cell.equations) and _paired(found, lines, forward):
        return
    for moment, step in lines.items():
        equations = cell.equations if moment in outer else forward
        if not _paired(found, [moment], equations):
            found.hold(False, step, "not the derivative of L by the equations")


def _paired(found: Findings, moments: Iterable[Moment], equations: tuple[Equation, ...]) -> bool:
    """Whether the cotangents of these symbols give the slope of L where these symbols move."""
    path, moving, cell = found.path, found.moving, found.cell
    symbols = {s.name: s for s in (*cell.parameters, *cell.inputs, *cell.states)}
    symbols |= {e.target.name: e.target for e in found.derivation.forward}
    ways = {(name, t): path.direction(symbols[name]) for name, t in moments}
    got = want = path.value(ZeroMatrix(1, 1), {})[0, 0]
    for (name, t), way in ways.items():
        cotangent = path.fixed[name + BAR] if t == _ALWAYS else path.timed[name + BAR, t]
        want = want + np.sum(cotangent * moving.speed(way))

    def at(time: int) -> dict[str, Array]:
        return {name: way for (name, t), way in ways.items() if t == time}

    still, moved = at(_ALWAYS), dict(path.fixed)
    moved |= {p.name: moved[p.name] + still[p.name] for p in cell.parameters if p.name in still}
    moved = path.step([e for e in equations if e.target in found.timeless], moved, still)
    states = {s.name: path.timed[s.name, 0] for s in cell.states}
    states |= {name: states[name] + way for name, way in at(0).items()}
    rest = [e for e in equations if e.target not in found.timeless]
    for t in range(1, STEPS + 1):
        push = at(t)
        now = path.before(t, states) | moved
        now |= {x.name: now[x.name] + push[x.name] for x in cell.inputs if x.name in push}
        now = path.step(rest, now, push)
        states = {s.name: now[s.name] for s in cell.states}
        for symbol in cell.returned:
            loss = path.timed[from_loss(symbol).name, t]
            got = got + np.sum(loss * moving.speed(now[symbol.name]))
    return moving.equal(got, want)
