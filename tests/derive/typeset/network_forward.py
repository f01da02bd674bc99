"""What `bptt show` prints of a network, up to its loss: for the reader.

In: a network. Out: `Forward`: the lines of one layer with each layer's letters and what joins
them give the values of all layers, of the readout and of the loss.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from derive.network import Network
from numeric import compile_network
from reports.terminal.derivation import show_network_text
from tests.derive.typeset.cell_page import FORWARD, FUNCTIONS, Page, column, nfd, target
from tests.derive.typeset.network_letters import (
    LAYERS,
    LOSS,
    PRIME,
    READOUT,
    TABLE,
    TURNED,
    UP,
    Line,
    View,
    apart,
    marked,
    plain,
    printed_lines,
    with_marks,
)
from tests.derive.typeset.printed_names import Known, extent, join_name, split_name
from tests.derive.typeset.printed_values import dense
from tests.derive.typeset.reader import read

Array = Any
STEPS: Final = 3


class Forward:
    """What is printed of a network, with numbers for what it declares, up to the loss."""

    def __init__(
        self, network: Network, alter: Callable[[Line], Line] = lambda line: line, seed: int = 5
    ) -> None:
        self.network = network
        self.text = show_network_text(network)
        self.lines = [alter(line) for line in printed_lines(self.text)]
        self.page = Page(network.cell)
        self.printed = self.page.printed
        self.rng = np.random.default_rng(seed)
        self.kernel = compile_network(network, "textbook")
        self.given = self.draw()
        self.forward()

    # ---- numbers ---------------------------------------------------------------------------

    def draw(self) -> dict[str, dict[str, Array]]:
        """Arguments of the emitted module for one sample."""
        module, rng, network = self.kernel.module, self.rng, self.network
        tables = (module.PARAMETERS, module.INPUTS, module.STATES, module.CONSTANTS)
        names = re.findall(
            r"[^\W\d]\w*", " ".join(d for t in tables for k in t.values() for d in k)
        )
        names = [join_name(*apart(name)) for name in (*names, "q", "v")]
        self.sizes = {size: 3 + k % 4 for k, size in enumerate(dict.fromkeys(names))}
        of = Known(sizes=self.sizes)

        def array(dims: tuple[str, ...], *lead: int) -> Array:
            return 0.6 * rng.normal(size=(*lead, *(extent(dim, of) for dim in dims)))

        v, q, lead = (
            self.sizes["v"],
            self.sizes["q"],
            (1,) if network.loss_at == "last" else (STEPS, 1),
        )
        return {
            "params": {k: array(d) for k, d in module.PARAMETERS.items()},
            "inputs": {k: array(d, STEPS, 1) if d else rng.integers(v, size=(STEPS, 1))
                       for k, d in module.INPUTS.items()},
            "targets": rng.integers(q, size=lead) if network.loss == "cross_entropy"
            else array(("q",), *lead),
            "initial": {k: array(d, 1) for k, d in module.STATES.items()},
            "constants": {k: array(d[1:], STEPS, 1) if d[:1] == ("T",) else array(d)
                          for k, d in module.CONSTANTS.items()},
        }  # fmt: skip

    def of(self, *sections: str) -> list[Line]:
        """The lines of some sections."""
        return [line for line in self.lines if line.section in sections]

    @property
    def directions(self) -> tuple[bool, ...]:
        """From 1 to T, and back where there is such a one."""
        return (False, True)[: 1 + self.network.bidirectional]

    def layer(self, depth: int, reverse: bool) -> View:
        """The letters of a direction of a layer: parameters, constants, initial states."""
        given, cell = self.given, self.network.cell
        known = [Known(functions=FUNCTIONS, times={"T": STEPS}, sizes=self.joint.sizes)
                 for _ in range(2)]  # fmt: skip
        marks = LAYERS[depth] * (self.network.layers > 1) + PRIME * reverse
        view = View(depth, reverse, *known, self.joint, marks)
        if reverse:  # an unprimed letter is of the other direction
            other = self.views[depth, False].bare
            view.primed.still |= other.still
            view.primed.timed |= other.timed
        prefix = f"layer{depth}{'.reverse' * reverse}."
        for symbol in cell.parameters:
            value = column(given["params"][prefix + symbol.name])
            view.put(self.printed[symbol.name], None, value)
        for symbol in cell.states:
            value = column(given["initial"][prefix + symbol.name][0])
            view.put(self.printed[symbol.name], STEPS + 1 if reverse else 0, value)
        for symbol in cell.constants:
            name, value = self.printed[symbol.name], given["constants"][symbol.name]
            if symbol.name not in cell.sequences:
                view.share(name, None, column(value))
                continue
            for t in range(1, STEPS + 1):
                view.share(name, t, column(value[t - 1, 0]))
        return view

    # ---- forward ---------------------------------------------------------------------------

    def values(
        self, line: Line, layer: int = 0, times: Any = None
    ) -> Iterator[tuple[str, int | None, Any]]:
        """The symbol, the time and the value of a line of the whole network, at each step."""
        left, right = marked(line.left, layer), marked(line.right, layer)
        for t in times or range(1, STEPS + 1):
            now = self.joint.at(t=t)
            yield *target(left, now), read(right, now)

    def own_lines(self, view: View, section: str) -> Iterator[tuple[int, Line, Known]]:
        """The lines of one layer, and what they are read with; turned where it is said so."""
        turned = {line.source: line for line in self.of(TURNED)} if view.reverse else {}
        for line in self.of(section):
            instead = turned.get(line.number)
            yield (line.number, *((instead, view.primed) if instead else (line, view.bare)))

    def order(self, view: View) -> range:
        """The steps in the order in which a direction takes them."""
        return range(STEPS, 0, -1) if view.reverse else range(1, STEPS + 1)

    @property
    def when(self) -> range:
        """The steps that have a loss."""
        return range(STEPS if self.network.loss_at == "last" else 1, STEPS + 1)

    def forward(self) -> None:
        """Every layer, the readout, and the loss by its definition."""
        self.joint = Known(functions=FUNCTIONS, times={"T": STEPS})
        self.joint.sizes = {**self.page.known.sizes, **self.sizes}
        self.views: dict[tuple[int, bool], View] = {}
        self.read_letters()
        for depth in range(self.network.layers):
            for reverse in self.directions:
                view = self.views[depth, reverse] = self.layer(depth, reverse)
                if not depth:
                    self.feed(view)
            if depth:
                self.hand_up(depth)
            for reverse in self.directions:
                view = self.views[depth, reverse]
                for t in self.order(view):
                    for _, line, known in self.own_lines(view, FORWARD):
                        now = known.at(t=t)
                        name, time = target(marked(line.left), now)
                        value = dense(read(marked(line.right), now))
                        view.put(plain(name), time, value)
        for line in self.of(READOUT):
            for name, time, value in self.values(line, times=self.when):
                self.joint.put(name, time, dense(value))

    def read_letters(self) -> None:
        """The readout's letters and the target's: they stand where an affine map and a loss do."""
        affine, slope = self.of(READOUT)[0].right, self.of(LOSS)[0].right
        entropy, last = self.network.loss == "cross_entropy", self.network.loss_at == "last"
        self.letters = {"readout.V": affine.split(" ")[0], "readout.c": affine.split(" + ")[-1]}
        for key, name in self.letters.items():
            self.joint.put(name, None, column(self.given["params"][key]))
        found = re.search(r"−(\w+)_[tT]/" if entropy else r"− (\w+)_[tT]$", slope)
        assert found is not None, slope
        self.wanted = found[1]
        for t in self.when:
            value = self.given["targets"][0] if last else self.given["targets"][t - 1, 0]
            value = np.eye(self.sizes["q"])[value] if entropy else value
            self.joint.put(self.wanted, t, column(value))

    def feed(self, view: View) -> None:
        """The inputs of the lowest layer; that of an index by its line."""
        first = self.network.cell.inputs[0].name
        for symbol in self.network.cell.inputs:
            name, value = self.printed[symbol.name], self.given["inputs"][symbol.name]
            if symbol.name == first and self.network.embedding:
                (line,) = self.of(TABLE)
                table, index = (part.rstrip("ᵀ_t") for part in line.right.split(" "))
                self.letters["embedding.E"] = table
                self.joint.put(table, None, self.given["params"]["embedding.E"])
                for t in range(1, STEPS + 1):
                    self.joint.put(index, t, column(np.eye(self.sizes["v"])[value[t - 1, 0]]))
                made = [dense(x) for _, _, x in self.values(line)]
            else:
                made = [column(x[0]) for x in value]
            for t, x in enumerate(made, 1):
                view.share(name, t, x)
                self.joint.put(name, t, x)
        for line in self.of(UP):
            left = marked(line.left, 2)  # of the lowest layer only its own lines speak
            if view.marks and view.reverse and view.marks in left and "(l" not in line.left:
                for t in range(1, STEPS + 1):
                    now = view.primed.at(t=t)
                    name, time = target(left, now)
                    view.put(plain(name), time, read(marked(line.right, 2), now))

    def hand_up(self, depth: int) -> None:
        """What a layer receives, by the lines that say it; other inputs are the lowest layer's."""
        cell = self.network.cell
        for line in self.of(UP):
            if LAYERS[depth] not in marked(line.left, depth + 1):
                continue
            mask = re.match(r"(\w+?)_t\^\{\S+\} ⊙", line.right) if self.network.dropout else None
            if mask:
                value = self.given["constants"][f"layer{depth - 1}.dropout"]
                for t in range(1, STEPS + 1):
                    name = with_marks(mask[1], LAYERS[depth - 1])
                    self.joint.put(name, t, column(value[t - 1, 0]))
            for name, time, value in self.values(line, depth + 1):
                self.joint.put(name, time, dense(value))
                own = plain(name)
                if own == self.printed[cell.inputs[0].name]:  # what both directions read
                    for view in self.of_layer(depth):
                        view.share(own, time, dense(value))
                        for known in (view.bare, view.primed):  # the matrices there are wider
                            known.sizes = {**known.sizes, "m": len(value)}
                else:
                    self.views[depth, PRIME in name].put(own, time, dense(value))
        for symbol in cell.inputs[1:]:
            if self.network.lower_state(symbol) is None:
                for reverse in self.directions:
                    for t, value in (
                        self.views[0, reverse].bare.timed[self.printed[symbol.name]].items()
                    ):
                        self.views[depth, reverse].share(self.printed[symbol.name], t, value)

    @property
    def loss(self) -> float:
        """Cross-entropy, or half a squared distance."""
        made = self.joint.timed[split_name(self.of(READOUT)[-1].left)[0]]
        wanted = self.joint.timed[self.wanted]
        if self.network.loss == "cross_entropy":
            return float(sum(-np.sum(wanted[t] * np.log(made[t])) for t in self.when))
        return float(sum(np.sum((made[t] - wanted[t]) ** 2) / 2 for t in self.when))

    @property
    def count(self) -> float:
        """The number of parameters, by the formula that is printed."""
        found = re.search(r"^(.*) parameters in the whole network$", self.text, flags=re.MULTILINE)
        assert found is not None
        return float(np.squeeze(read(nfd(found[1]), Known(sizes=self.joint.sizes))))

    def slope(self, change: dict[str, dict[str, Array]], step: float = 1e-5) -> float:
        """That of the loss along a change of what is given, by small steps through the lines."""
        held, ends = self.given, []
        for size in (step, -step):
            self.given = held | {group: {k: v + size * change[group][k] if k in change[group] else v
                                         for k, v in arrays.items()}
                                 for group, arrays in held.items() if group in change}  # fmt: skip
            self.forward()
            ends.append(self.loss)
        self.given = held
        self.forward()
        return (ends[0] - ends[1]) / (2 * step)
