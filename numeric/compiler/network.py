"""Network → loop program: each layer the cell's own program, renamed and joined end to end.

In: a network. Out: one `Program` that computes the loss and every gradient. A layer's states
feed the layer above; the cotangent of a layer's input is the loss term of the layer below. A
layer that runs from T to 1 is the same program with its loops turned round. Where a sample has
ended (`outside`) states are held and their cotangents handed on, and what reaches a layer from
above is zero there; sums over the samples leave it out (`padding`): padding adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sympy import Expr, Integer, MatrixSymbol, Rational, S

from derive.calculus.through_time import derivation_of
from derive.language.expr import size
from derive.network import Layer, Network
from numeric.compiler.array_names import local
from numeric.compiler.final_states import with_final_states
from numeric.compiler.lower import lower
from numeric.compiler.padding import INSIDE, OUTSIDE, OUTSIDE_EACH
from numeric.compiler.program import (
    BATCH,
    LENGTH,
    TEMPORARY,
    Argument,
    Block,
    Carry,
    Dims,
    Operand,
    Program,
    Statement,
)

TARGETS, ENDS, LOSS = "targets", "ends", "loss"
VOCABULARY, OUTPUTS = size("v"), size("q")


@dataclass
class _Composer:
    network: Network
    base: Program
    arguments: list[Argument] = field(default_factory=list)
    forward: list[Block] = field(default_factory=list)
    backward: list[Block] = field(default_factory=list)
    results: list[Argument] = field(default_factory=list)
    dims: dict[str, Dims] = field(default_factory=dict)
    shifted: dict[str, str] = field(default_factory=dict)
    backwards: set[str] = field(default_factory=set)
    nothing: set[str] = field(default_factory=set)  # cotangents that no loss reaches

    def argue(self, group: str, key: str, name: str, dims: Dims) -> str:
        self.dims[name] = dims
        self.arguments.append(Argument(group, key, name))
        return name

    def put(
        self, blocks: list[Block], phase: str, target: str, op: str, operands: tuple[Operand, ...],
        dims: Dims, *settings: object,
    ) -> str:  # fmt: skip
        """One statement outside the loops."""
        self.dims[target] = dims
        blocks.append(Block(phase, (Statement(target, op, operands, settings),)))
        return target

    def inside(self, name: str) -> str:
        """The cotangent with zeros where a sample has ended."""
        return self.put(self.backward, "backward", f"{name}_inside", INSIDE, (name, OUTSIDE),
                        self.dims[name])  # fmt: skip

    def argument(self, group: str, symbol: MatrixSymbol) -> str:
        """The array of the cell's program that a symbol is given in."""
        return _named(self.base.arguments, group, symbol)

    def result(self, group: str, symbol: MatrixSymbol) -> str:
        """The array of the cell's program that a state, or a symbol's gradient, is made in."""
        return _named(self.base.results, group, symbol)

    def outer(self, symbol: MatrixSymbol, ending: str = "") -> str:
        """What an input of the network is called where it is no layer's, or its indices."""
        return (str if ending else local)(self.argument("inputs", symbol)) + ending

    def own(self, depth: int, word: str) -> str:
        """The name of an array of a layer that is none of the cell's."""
        while word in self.base.dims:
            word += "_"
        return f"layer{depth}_{word}"

    # ---- a layer ----------------------------------------------------------------------------

    def prefix(self, layer: Layer) -> str:
        """What the layer's names begin with; no name of the cell looks like another direction's."""
        reverse = "reverse"
        while any(name.startswith(f"{reverse}_") for name in self.base.dims):
            reverse += "d"
        return f"layer{layer.depth}_" + f"{reverse}_" * layer.reverse

    def rename(self, layer: Layer, name: str) -> str:
        """What an array of the cell's program is called in the layer."""
        if name in {a.name for a in self.base.arguments if a.group == "constants"}:
            return local(name)
        prefix = self.prefix(layer)
        if name.startswith(TEMPORARY):
            return TEMPORARY + prefix + name.removeprefix(TEMPORARY)
        return prefix + name

    def layer(self, layer: Layer, fed: dict[str, str]) -> tuple[Block, ...]:
        """The layer's blocks; `fed` says which array stands for each of the cell's inputs."""
        base = self.base
        widened = self.network.sizes_in(layer)
        names = {name: self.rename(layer, name) for name in base.dims} | fed
        for name, dims in base.dims.items():
            if name not in fed:
                self.dims[names[name]] = tuple(extent.xreplace(widened) for extent in dims)
        for argument in base.arguments:
            name = names[argument.name]
            if argument.group in {"params", "initial"}:
                key = f"{layer.name}.{argument.key}"
                self.arguments.append(Argument(argument.group, key, name))
            elif argument.group == "constants" and name not in {a.name for a in self.arguments}:
                self.arguments.append(Argument("constants", argument.key, name))
        for result in base.results:
            if result.group in {"params", "initial"}:
                key = f"{layer.name}.{result.key}"
                self.results.append(Argument(result.group, key, names[result.name]))
        for before, state in base.shifted.items():
            self.shifted[names[before]] = names[state]
            if layer.reverse:
                self.backwards.add(names[state])
        turned = {"forward": "reverse", "reverse": "forward", "": ""}

        def renamed(block: Block) -> Block:
            statements = tuple(
                replace(
                    s,
                    target=names[s.target],
                    operands=tuple(names[o] if isinstance(o, str) else o for o in s.operands),
                    settings=tuple(x.xreplace(widened) if isinstance(x, Expr) else x
                                   for x in s.settings),
                )
                for s in block.statements
            )  # fmt: skip
            carries = tuple(Carry(names[c.name], names[c.update]) for c in block.carries)
            loop = turned[block.loop] if layer.reverse else block.loop
            held = tuple(self.held(layer, statements, carries)) if loop else statements
            return Block(block.phase, held, loop, carries)

        return tuple(map(renamed, base.blocks))

    def held(
        self, layer: Layer, statements: tuple[Statement, ...], carries: tuple[Carry, ...]
    ) -> Iterator[Statement]:
        """Where a sample has ended its states stay, and their cotangents pass by as they arrived.

        What the step makes of the rest there goes nowhere.
        """
        prefix = self.prefix(layer)
        stays = {prefix + state: prefix + before for before, state in self.base.shifted.items()}
        stays |= {carry.update: carry.name for carry in carries}
        for s in statements:
            if s.target not in stays or s.accumulate:
                yield s
                continue
            made = f"{TEMPORARY}{s.target}_inside"
            self.dims[made] = tuple(d for d in self.dims[s.target] if d != LENGTH)
            mask = OUTSIDE_EACH if len(self.dims[made]) > 2 else OUTSIDE
            yield replace(s, target=made)
            yield Statement(s.target, "select", (mask, stays[s.target], made))

    # ---- the network ------------------------------------------------------------------------

    def run(self) -> Program:
        network, cell = self.network, self.network.cell
        self.argue("mask", OUTSIDE, OUTSIDE, dims := (LENGTH, BATCH, S.One))
        if derivation_of(cell).has_matrices:
            self.put(self.forward, "forward", OUTSIDE_EACH, "lift", (OUTSIDE,), (*dims, S.One))
        fed = self.bottom()
        stages: list[tuple[list[Layer], list[tuple[Block, ...]]]] = []
        for depth in range(network.layers):
            layers = [layer for layer in network.stack if layer.depth == depth]
            parts = []
            for layer in layers:
                wired = {self.argument("inputs", x): fed[layer.reverse, x.name]
                         for x in cell.inputs}  # fmt: skip
                parts.append(self.layer(layer, wired))
            stages.append((layers, parts))
            for part in parts:
                self.forward += [block for block in part if block.phase == "forward"]
            fed = self.handed_up(layers, depth)
        top_bar = self.readout(fed[False, cell.inputs[0].name])
        for layers, parts in reversed(stages):
            arrived = self.split(layers, top_bar)
            for layer, part in zip(layers, parts, strict=True):
                blocks = [block for block in part if block.phase == "backward"]
                self.backward += self.with_cotangents(layer, blocks, arrived)
            top_bar = self.handed_down(layers)
        self.bottom_gradients(top_bar)
        return Program(
            arguments=tuple(self.arguments),
            blocks=(*self.forward, *self.backward),
            results=tuple(self.results),
            dims=self.dims,
            shifted=self.shifted,
            backwards=frozenset(self.backwards),
        )

    def bottom(self) -> dict[tuple[bool, str], str]:
        """The network's own inputs."""
        first, *others = self.network.cell.inputs
        fed: dict[tuple[bool, str], str] = {}
        width = self.network.input_size
        if self.network.embedding:
            table = self.argue("params", "embedding.E", "embedding_E", (VOCABULARY, width))
            named = self.outer(first, "_indices")
            places = self.argue("indices", first.name, named, (LENGTH, BATCH))
            dims, name = (LENGTH, BATCH, width), self.outer(first)
            name = self.put(self.forward, "forward", name, "embed", (table, places), dims)
        else:
            name = self.argue("inputs", first.name, self.outer(first), (LENGTH, BATCH, width))
        for x in others:
            dims = (LENGTH, BATCH, x.shape[0])
            name_there = self.argue("inputs", x.name, self.outer(x), dims)
            fed[False, x.name] = fed[True, x.name] = name_there
        fed[False, first.name] = fed[True, first.name] = name
        return fed

    def handed_up(self, layers: list[Layer], depth: int) -> dict[tuple[bool, str], str]:
        """What the layer above, or the readout, receives."""
        network = self.network
        output = self.result("states", network.output)
        names = [self.prefix(layer) + output for layer in layers]
        dims = (LENGTH, BATCH, network.width)
        whole = names[0]
        if len(names) > 1:
            both = self.own(depth, "both")
            whole = self.put(self.forward, "forward", both, "concat", tuple(names), dims)
        if network.dropout and depth < network.layers - 1:
            key = f"layer{depth}.dropout"
            mask = self.argue("constants", key, self.own(depth, "dropout"), dims)
            whole = self.put(self.forward, "forward", self.own(depth, "kept"), "multiply",
                             (whole, mask), dims)  # fmt: skip
        first, *others = network.cell.inputs
        fed = {(reverse, first.name): whole for reverse in (False, True)}
        for x in others:
            state = network.lower_state(x)
            for layer in layers:
                fed[layer.reverse, x.name] = self.outer(x) if state is None else (
                    self.prefix(layer) + self.result("states", state))  # fmt: skip
        return fed

    def readout(self, top: str) -> str:
        """Logits, loss, and the cotangent of what the top layer hands up."""
        network, width = self.network, self.network.width
        lead: Dims = (LENGTH, BATCH)
        both: list[Block] = self.backward
        last = network.loss_at == "last"
        if last:
            self.argue("ends", ENDS, ENDS, (BATCH,))
            lead = (BATCH,)
            top = self.put(self.forward, "forward", "top_last", "at_end", (top, ENDS),
                           (BATCH, width))  # fmt: skip
        V = self.argue("params", "readout.V", "readout_V", (OUTPUTS, width))
        c = self.argue("params", "readout.c", "readout_c", (OUTPUTS,))
        dims = (*lead, OUTPUTS)
        made = self.put(self.forward, "forward", f"{TEMPORARY}logits", "apply", (top, V), dims)
        logits = self.put(self.forward, "forward", "logits", "add", (made, c), dims, 1, 1)
        masked = () if last else (OUTSIDE,)
        if network.loss == "cross_entropy":
            self.argue("targets", TARGETS, TARGETS, lead)
            self.put(self.forward, "forward", LOSS, "cross_entropy", (logits, TARGETS, *masked), ())
            slope = self.put(both, "backward", "logits_bar", "cross_entropy_slope",
                             (logits, TARGETS, *masked), dims)  # fmt: skip
        else:
            self.argue("targets", TARGETS, TARGETS, dims)
            slope = self.squared_error(logits, dims, masked)
        grow, rows = self.put, (LENGTH, BATCH)
        grow(both, "backward", "readout_V_bar", "outer", (slope, top), (OUTPUTS, width))
        grow(both, "backward", "readout_c_bar", "gather", (slope,), (OUTPUTS,), OUTPUTS)
        self.results += [Argument("loss", LOSS, LOSS)]
        self.results += [Argument("params", "readout.V", "readout_V_bar"),
                         Argument("params", "readout.c", "readout_c_bar")]  # fmt: skip
        bar = grow(both, "backward", "top_bar", "pull", (slope, V), (*lead, width))
        if last:
            spread = (*rows, width)
            bar = grow(both, "backward", "top_bars", "from_end", (bar, ENDS), spread, *spread)
        return bar

    def squared_error(self, logits: str, dims: Dims, masked: tuple[str, ...]) -> str:
        softmax = self.network.readout == "softmax"
        out = logits
        if softmax:
            out = self.put(self.forward, "forward", "outputs", "softmax", (logits,), dims)
        error = self.put(self.forward, "forward", "error", "add", (out, TARGETS), dims, 1, -1)
        if masked:
            error = self.put(self.forward, "forward", "error_inside", "select",
                             (*masked, S.Zero, error), dims)  # fmt: skip
        square = self.put(self.forward, "forward", f"{TEMPORARY}square", "multiply",
                          (Rational(1, 2), error, error), dims)  # fmt: skip
        self.put(self.forward, "forward", LOSS, "gather", (square,), ())
        if not softmax:
            return error
        entries = f"{TEMPORARY}entries"
        self.put(self.backward, "backward", entries, "multiply", (out, error), dims)
        total = self.put(self.backward, "backward", f"{TEMPORARY}mean", "total", (entries,),
                         (*dims[:-1], S.One))  # fmt: skip
        both = (error, total)
        less = self.put(self.backward, "backward", f"{TEMPORARY}less", "add", both, dims, 1, -1)
        slope = self.put(self.backward, "backward", "logits_bar", "multiply", (out, less), dims)
        return self.inside(slope) if masked else slope

    def split(self, layers: list[Layer], whole: str) -> dict[str, str]:
        """The loss term of each state of a layer, from the cotangent of what it handed up."""
        network, depth = self.network, layers[0].depth
        n = network.output.shape[0]
        dims = (LENGTH, BATCH, network.width)
        if network.dropout and depth < network.layers - 1:
            whole = self.put(self.backward, "backward", self.own(depth, "kept_bar"), "multiply",
                             (whole, self.own(depth, "dropout")), dims)  # fmt: skip
        arrived: dict[str, str] = {}
        for place, layer in enumerate(layers):
            name = self.prefix(layer) + self.argument("cotangents", network.output)
            if len(layers) > 1:
                self.put(self.backward, "backward", name, "columns", (whole,),
                         (LENGTH, BATCH, n), Integer(place) * n, n)  # fmt: skip
            arrived[name] = name if len(layers) > 1 else whole
            for x in network.cell.inputs[1:]:
                state = network.lower_state(x)
                if state is not None and depth < network.layers - 1:
                    above = replace(layer, depth=depth + 1)
                    bars = self.prefix(layer) + self.argument("cotangents", state)
                    part = self.inside(self.prefix(above) + self.result("inputs", x))
                    if bars in arrived:
                        part = self.put(self.backward, "backward", f"{bars}_bars", "add",
                                        (arrived[bars], part), self.dims[part], 1, 1)  # fmt: skip
                    arrived[bars] = part
        return arrived

    def with_cotangents(
        self, layer: Layer, blocks: list[Block], arrived: dict[str, str]
    ) -> Iterator[Block]:
        """The layer's backward blocks, its loss terms put in; what is made of none, left out."""
        nothing = {self.prefix(layer) + self.argument("cotangents", symbol)
                   for symbol in self.network.cell.returned} - {*arrived}  # fmt: skip
        sums = {s.target for block in blocks for s in block.statements if s.op == "zeros"}
        for block in blocks:
            statements = []
            for s in block.statements:
                kept = [(place, arrived.get(o, o) if isinstance(o, str) else o)
                        for place, o in enumerate(s.operands) if o not in nothing]  # fmt: skip
                fewer = len(kept) < len(s.operands)
                if fewer and (s.op != "add" or not kept):
                    nothing |= {s.target} - sums
                    continue
                signs = tuple(s.settings[place] for place, _ in kept) if fewer else s.settings
                statements.append(replace(s, operands=tuple(o for _, o in kept), settings=signs))
            yield replace(block, statements=tuple(statements))
        self.nothing |= nothing

    def added(self, target: str, names: list[str]) -> str:
        """The sum of cotangents; zeros where no loss reaches any of them."""
        kept, dims = [name for name in names if name not in self.nothing], self.dims[names[0]]
        if len(kept) == 1:
            return kept[0]
        operands: tuple[Operand, ...] = tuple(kept) or (S.Zero,)
        return self.put(self.backward, "backward", target, "add" if kept else "spread", operands,
                        dims, *([1] * len(kept) or dims))  # fmt: skip

    def handed_down(self, layers: list[Layer]) -> str:
        """The cotangent of what a layer received, both directions added."""
        first = self.result("inputs", self.network.cell.inputs[0])
        names = [self.prefix(layer) + first for layer in layers]
        return self.inside(self.added(self.own(layers[0].depth, "input_bar"), names))

    def bottom_gradients(self, bar: str) -> None:
        network = self.network
        first, *others = network.cell.inputs
        if network.embedding:
            dims = (VOCABULARY, network.input_size)
            table = self.put(self.backward, "backward", "embedding_E_bar", "scatter",
                             (bar, self.outer(first, "_indices")), dims, *dims)  # fmt: skip
            self.results.append(Argument("params", "embedding.E", table))
        else:
            self.results.append(Argument("inputs", first.name, bar))
        for x in others:
            names = [self.prefix(layer) + self.result("inputs", x) for layer in network.stack
                     if layer.depth == 0 or network.lower_state(x) is None]  # fmt: skip
            total = self.added(self.result("inputs", x), names)
            self.results.append(Argument("inputs", x.name, self.inside(total)))


def _named(arrays: tuple[Argument, ...], group: str, symbol: MatrixSymbol) -> str:
    return next(a.name for a in arrays if (a.group, a.key) == (group, symbol.name))


def compose(network: Network, slope_from: str = "output") -> Program:
    """The program of the loss and all its gradients; of the final states where they are asked."""
    program = _Composer(network, lower(derivation_of(network.cell), slope_from)).run()
    return with_final_states(program) if network.final else program
