"""What `bptt show` prints of a network, with numbers for what it declares: for the reader.

In: a network. Out: `NetworkPage`: every line is read forward from the inputs to the loss
(`network_forward.py`), and here back from it; gradients are compared with the emitted module's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.derive.typeset.cell_page import ADJOINT, GRADIENTS, RECURSION, column, nfd, target
from tests.derive.typeset.network_forward import STEPS, Forward
from tests.derive.typeset.network_letters import (
    DOWN,
    LAYERS,
    LOSS,
    OF_READOUT,
    PRIME,
    READOUT,
    TABLE,
    TABLE_BACK,
    TOP,
    TURNED,
    UP,
    Line,
    View,
    marked,
    plain,
    with_marks,
)
from tests.derive.typeset.printed_names import BAR, CARRY, Known, join_name, split_name
from tests.derive.typeset.printed_values import dense, sized
from tests.derive.typeset.reader import read


class NetworkPage(Forward):
    """What is printed of a network, with numbers for what it declares."""

    # ---- backward --------------------------------------------------------------------------

    def same(self, what: object, expected: Any, found: Any, within: float = 1e-7) -> None:
        """Two values that a line says are one."""
        found = sized(found, np.shape(expected))
        assert np.shape(found) == np.shape(expected), f"({what}) of {self.network.name}"
        scale = 1e-12 + np.abs(expected).max(initial=0.0)
        assert np.abs(found - expected).max(initial=0.0) < within * scale, (
            f"({what}) of {self.network.name}\n{found}\n{expected}"
        )

    def of_layer(self, depth: int) -> list[View]:
        """The directions of a layer."""
        return [self.views[depth, reverse] for reverse in self.directions]

    def check(self) -> None:
        """Every line from the loss to the lowest layer, and every gradient."""
        _, self.gradients = self.kernel.loss_and_gradient(**self.given)
        joint, top = self.joint, self.network.layers - 1
        for line in self.of(LOSS):
            for name, time, value in self.values(line, times=self.when):
                if time in joint.timed.get(name, {}):
                    self.same(line.number, joint.timed[name][time], value)
                joint.put(name, time, dense(value))
        for line in self.of(OF_READOUT):
            (key,) = (k for k, name in self.letters.items() if nfd(name + BAR) == line.left)
            self.same(line.number, column(self.gradients["params"][key]),
                      read(marked(line.right), joint))  # fmt: skip
        for view in self.views.values():  # a state that nothing reads outside its layer has no loss
            for symbol in self.network.cell.returned:
                name = self.printed[symbol.name]
                for t in range(1, STEPS + 1):
                    view.put("∂L/∂" + name, t, np.zeros_like(view.bare.timed[name][t]))
        for line in self.of(TOP):
            left = re.sub(r"^∂\w+_[tT]/∂", "", marked(line.left))
            for t in self.when:
                now = joint.at(t=t)
                name, time = target(left, now)
                view = self.views[top, PRIME in name]
                value = dense(read(marked(line.right), now))
                self.same(line.number, np.zeros(view.shape(plain(name))), 0 * value)
                view.put("∂L/∂" + plain(name), time, value)
        for depth in range(top, -1, -1):
            for view in self.of_layer(depth):
                self.backward(view)
                self.check_layer(view)
            self.hand_down(depth)

    def received(self, view: View) -> dict[int, Line]:
        """The lines of a layer below that say what arrives from above, by those they stand for."""
        if view.depth == self.network.layers - 1:
            return {}
        layer = view.depth + 2
        marks = [re.sub(f"[^{LAYERS}{PRIME}]", "", marked(line.left, layer))
                 for line in self.of(DOWN)]  # fmt: skip
        return {line.source: line for line, own in zip(self.of(DOWN), marks, strict=True)
                if own == view.marks}  # fmt: skip

    def backward(self, view: View) -> None:
        """The adjoint lines from a direction's last step to its first, each carry between two."""
        instead = self.received(view)
        recursion = [(line, known) for _, line, known in self.own_lines(view, RECURSION)
                     if CARRY in line.left]  # fmt: skip
        for line, known in recursion:
            if line.right == "0":
                base, last = split_name(marked(line.left))
                assert last == ("1" if view.reverse else "T"), line.left
                name = plain(base)
                view.put(name, known.time(last), np.zeros(view.shape(name)))
        for t in reversed(self.order(view)):
            for number, line, own in self.own_lines(view, ADJOINT):
                read_in, known = (instead[number], self.joint) if number in instead else (line, own)
                self.put_line(view, read_in, known.at(t=t))
            for line, known in recursion:
                if line.right != "0":
                    self.put_line(view, line, known.at(t=t))

    def put_line(self, view: View, line: Line, now: Known) -> None:
        """The value of a line at a step, for the letter on its left."""
        name, time = target(marked(line.left, view.depth + 2), now)
        value = read(marked(line.right, view.depth + 2), now)
        view.put(plain(name), time, sized(value, view.shape(plain(name))))

    def check_layer(self, view: View) -> None:
        """The recursion put into the states, and the gradients of a layer's parameters."""
        inner = range(2, STEPS + 1) if view.reverse else range(1, STEPS)
        if view.depth == self.network.layers - 1:
            for number, line, known in self.own_lines(view, RECURSION):
                for t in inner if CARRY not in line.left else ():
                    now = known.at(t=t)
                    name, time = target(marked(line.left), now)
                    self.same(number, known.value_at(name, time), read(marked(line.right), now))
        named = {printed: name for name, printed in self.printed.items()}
        prefix = f"layer{view.depth}{'.reverse' * view.reverse}."
        states = {symbol.name for symbol in self.network.cell.states}
        for number, line, known in self.own_lines(view, GRADIENTS):
            left, right = marked(line.left), marked(line.right)
            base, *below = split_name(plain(left))
            name = join_name(base.replace(BAR, "", 1), below)
            first = target(plain(left), known)
            if name in named:
                expected = column(self.gradients["params"][prefix + named[name]])
                self.same(number, expected, read(right, known))
            elif named.get(first[0].replace(BAR, "")) in states:
                assert first[1] == (STEPS + 1 if view.reverse else 0), line.left
                key = prefix + named[first[0].replace(BAR, "")]
                self.same(number, column(self.gradients["initial"][key][0]), read(right, known))
            elif below[-1:] == ["t"]:
                for t in range(1, STEPS + 1):
                    now = known.at(t=t)
                    view.put(*target(plain(left), now), dense(read(right, now)))
            else:
                view.put(join_name(base, below), None, dense(read(right, known)))

    def hand_down(self, depth: int) -> None:
        """The cotangent of what a layer received; at the bottom the gradients of inputs, table."""
        cell, joint = self.network.cell, self.joint
        first = with_marks(self.printed[cell.inputs[0].name], BAR)
        views = self.of_layer(depth)
        summed = {t: sum(view.bare.timed[first][t] for view in views) for t in range(1, STEPS + 1)}
        for line in self.of(DOWN if depth else TABLE_BACK):
            if split_name(plain(marked(line.left, depth + 1)))[0] != first:
                continue
            for name, time, value in self.values(line, depth + 1):
                self.same(line.number, summed[time], value)
                joint.put(name, time, dense(value))
        if depth:
            return
        x = cell.inputs[0].name
        if self.network.embedding:
            line = self.of(TABLE_BACK)[-1]
            assert line.left == nfd(self.letters["embedding.E"] + BAR)
            self.same(line.number, self.gradients["params"]["embedding.E"],
                      read(marked(line.right), joint))  # fmt: skip
        else:
            for t, value in summed.items():
                self.same(x, column(self.gradients["inputs"][x][t - 1, 0]), value)

    # ---- other notations -------------------------------------------------------------------

    def same_lines(self, others: Iterator[tuple[str, str, str]]) -> None:
        """The lines that join layers, in another notation: each side says what it says in text."""
        found = {number: (left, right) for number, left, right in others}
        (last,) = (view for view in self.of_layer(0)[-1:])
        for line in self.of(TABLE, UP, READOUT, LOSS, OF_READOUT, TOP, DOWN, TABLE_BACK, TURNED):
            time = STEPS if self.network.loss_at == "last" else 2
            known = (last.primed if line.section == TURNED else self.joint).at(t=time)
            left, right = (marked(side, 2) for side in (line.left, line.right))
            other_left, other_right = (marked(side, 2) for side in found[str(line.number)])
            if left.startswith("∂"):
                left, other_left = (re.sub(r"^\(?∂\w+_\{?(\w)\}?/∂(.*?)\)?$", r"\2 of \1", side)
                                    for side in (left, other_left))  # fmt: skip
                (left, by), (other_left, other_by) = (s.split(" of ") for s in (left, other_left))
                assert by == other_by
            assert target(left, known) == target(other_left, known)
            self.same(line.number, dense(read(right, known)), read(other_right, known))
