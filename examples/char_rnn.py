"""A character model of English, trained with emitted gradient code and NumPy alone.

Loss and gradients of embedding, layers and softmax readout are one network's module that this
toolkit derived and emitted (style `fused`, float32, NumPy or C); clipping and Adam stand in
`recurrent.py` in plain NumPy. The text is Python's own manual (`pydoc_data.topics`). The model has
learnt something beyond pairs of characters when its held-out loss is below the bigram entropy
H(next | previous).

    python examples/char_rnn.py
    python examples/char_rnn.py --layers 2 --readout softmax
    python examples/char_rnn.py --cell rnn --seconds 60
    python examples/char_rnn.py --target c      # loss and gradients in compiled C
    python examples/char_rnn.py --cell my_cell.toml --size 192

Back-propagation is truncated to windows of 64 characters from anywhere in the text, each begun
with states of zero: the module returns no states to go on from. Held-out text is read from end
to end with the states carried on, by the cell's forward code.

Exit status: 0 if the loss fell below the bigram entropy (always 0 with --quick), 1 if not,
2 if the cell cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from itertools import pairwise
from math import e, inf, log2

# Many small products: two BLAS threads gain a third on an idle machine, and lose a factor of
# ten and more to waiting for each other as soon as anything else runs on one of the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pydoc_text import encoded, numbered, read_text, split
from recurrent import Array, Arrays, Model, Plan, find_cell, train

from derive import CellError
from derive.network import Network
from numeric.compiler.kernel import compile_network
from numeric.compiler.target import MissingError
from numeric.compiler.targets import find_style

BATCH, STEPS = 32, 64
TEMPERATURE = 0.7
QUICK_UPDATES = 60
BITS_PER_NAT = log2(e)


def entropies(text: str) -> tuple[float, float]:
    """H(next) and H(next | previous) in bits a character, under the text's own counts."""
    total = len(text) - 1
    following, previous = Counter(text[1:]), Counter(text[:-1])
    pairs = Counter(pairwise(text))
    unigram = -sum(count / total * log2(count / total) for count in following.values())
    bigram = -sum(count / total * log2(count / previous[a]) for (a, _), count in pairs.items())
    return unigram, bigram


def windows(ids: Array, rng: np.random.Generator) -> Array:
    """Pieces of the text from anywhere, one a column. Shapes: ids (length,), (STEPS + 1, BATCH)."""
    starts = rng.integers(len(ids) - STEPS, size=BATCH)
    return ids[np.arange(STEPS + 1)[:, None] + starts]  # type: ignore[no-any-return]


def streams(ids: Array, batch: int) -> Array:
    """The text as `batch` columns, each running on where the column before it stops.

    Shapes: ids (length,), result (length // batch, batch).
    """
    steps = len(ids) // batch
    return np.ascontiguousarray(ids[: steps * batch].reshape(batch, steps).T)


def bits(model: Model, params: Arrays, ids: Array, batch: int = 16, steps: int = 256) -> float:
    """The loss over a whole text, the state carried along each stream, in bits a character."""
    columns = streams(ids, batch)
    state = model.initial_state(batch)
    total = 0.0
    for start in range(0, len(columns) - 1, steps):
        targets = columns[start + 1 : start + steps + 1]
        log_p, state = model.run(params, columns[start : start + len(targets)], state)
        total -= float(np.take_along_axis(log_p, targets[..., None], axis=-1).sum())
    return total / columns[1:].size * BITS_PER_NAT


def sample(
    model: Model, params: Arrays, rng: np.random.Generator, first: int, length: int
) -> Array:
    """Characters drawn one after the other, each fed back."""
    state, ids = model.initial_state(1), [first]
    for _ in range(length):
        log_p, state = model.run(params, np.array([[ids[-1]]]), state)
        p = np.exp(log_p[0, 0].astype(np.float64) / TEMPERATURE)
        ids.append(int(rng.choice(model.outputs, p=p / p.sum())))
    return np.array(ids)


# ---- the command ----------------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="train a character model with emitted code")
    parser.add_argument("--cell", default="lstm", help="a name in the catalogue, or a .toml file")
    parser.add_argument("--layers", type=int, default=1, help="layers of the cell")
    parser.add_argument(
        "--readout", choices=["softmax"], default="softmax", help="readout of the network's module"
    )
    parser.add_argument(
        "--target", choices=["numpy", "c"], default="numpy", help="language of the network's code"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="training time")
    parser.add_argument("--size", type=int, default=128, help="units of each layer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=600, help="characters to generate")
    parser.add_argument("--quick", action="store_true", help="60 updates, to see that it runs")
    options = parser.parse_args(arguments)
    if options.size < 2 or options.sample < 0 or not options.seconds > 0 or options.layers < 1:
        parser.error(
            "expected --size of 2 or more, --sample of 0 or more, --seconds above 0, "
            "--layers of 1 or more"
        )
    return options


def main(arguments: list[str] | None = None) -> int:
    """Train, show progress, write a sample, say whether the bigram entropy was beaten."""
    options = parse_arguments(arguments)
    try:
        network = Network(
            find_cell(options.cell), options.layers, readout=options.readout, embedding=True
        )
        kernel = compile_network(network, "fused", options.target)
        find_style("fused", options.target).target.ready()
    except (CellError, OSError, MissingError) as problem:
        print(f"char_rnn: {problem}", file=sys.stderr)
        return 2
    text = read_text()
    alphabet = numbered(text)
    model = Model(
        network, kernel.module, len(alphabet), len(alphabet), options.size, options.size // 2
    )
    rng = np.random.default_rng(options.seed)
    training, held_out = split(text)
    unigram, bigram = entropies(text)
    own = entropies(held_out)[1]
    bars = {"unigram": unigram, "bigram": bigram, "own bigram": own}
    params = model.initial_params(rng)
    print(
        f"text        {len(training)} characters to train on, {len(held_out)} held out, "
        f"{len(alphabet)} different\n"
        f"unigram     {unigram:.3f} bits a character: H(next) of the text\n"
        f"bigram      {bigram:.3f} bits a character: H(next | previous) of the text\n"
        f"own bigram  {own:.3f} bits a character: the same of the held-out "
        "part alone, which no model of pairs beats there\n"
        f"model       {network.name}, style {kernel.style}, target {kernel.target}, float32, "
        f"{options.size} units, {sum(value.size for value in params.values())} parameters, "
        f"seed {options.seed}\n"
    )
    seconds, updates, pause = (
        (inf, QUICK_UPDATES, inf) if options.quick else (options.seconds, inf, 5.0)
    )
    plan = Plan(seconds, updates, rate=4e-3, pause=pause)
    ids, held_out_ids = encoded(training, alphabet), encoded(held_out, alphabet)
    reached: list[float] = []
    crossed: list[float] = []

    def step() -> tuple[float, Arrays]:
        window = windows(ids, rng)
        nats, gradients = model.loss_and_gradient(params, window[:-1], window[1:])
        return nats * BITS_PER_NAT, gradients

    def look(elapsed: float) -> str:
        reached.append(found := bits(model, params, held_out_ids))
        if found < min(bars.values()):
            crossed.append(elapsed)
        beaten = {value: name for name, value in bars.items() if found < value}
        return f"{found:9.3f}" + (f"   below {beaten[min(beaten)]}" if beaten else "")

    print(f"{'time':>6} {'updates':>8} {'training':>9} {'held out':>9}   bits a character")
    train(plan, params, step, look)
    if options.sample:
        drawn = sample(model, params, rng, alphabet["\n"], options.sample)
        characters = sorted(alphabet)
        print(f"\nsample at temperature {TEMPERATURE}:\n")
        print("".join(characters[place] for place in drawn).strip("\n"))
    relation = "below" if reached[-1] < bigram else "not below"
    since = f", and below both since {crossed[0]:.1f} s" if crossed else ""
    print(
        f"\nverdict: held-out loss {reached[-1]:.3f} bits a character, {relation} the bigram "
        f"entropy {bigram:.3f} (held-out part alone: {own:.3f}){since}"
    )
    return 0 if reached[-1] < bigram or options.quick else 1


if __name__ == "__main__":
    sys.exit(main())
