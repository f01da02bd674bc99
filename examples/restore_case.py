"""The letter case of English restored from its lower-cased form, with emitted gradient code.

A tagger reads a lower-cased paragraph of the manual from both sides and says of each character
whether it was upper case. It is trained with the loss and gradients of the module that

    bptt emit lstm --layers 2 --bidirectional --readout softmax -o f.py

writes: the same network is compiled here, or such a file is read with --module f.py. A batch
holds paragraphs, or lines of long ones, of different lengths; what pads the shorter ones adds
nothing. The bar to beat is the best guess from one neighbour on either side: the most frequent
case of a letter, counted in the training part, given itself and the characters before and
after it.

    python examples/restore_case.py
    python examples/restore_case.py --module f.py
    python examples/restore_case.py --cell gru --size 64 --seconds 90

Exit status: 0 if more letters of the held-out text are right than by the guess (always 0 with
--quick), 1 if not, 2 if the cell or the module cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

# As in char_rnn.py: many small products, which two BLAS threads only slow down.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pydoc_text import PARAGRAPH, encoded, numbered, read_text, split
from recurrent import Array, Arrays, Model, Plan, find_cell, load_module, train

from derive import CellError
from derive.network import Network
from numeric.compiler.kernel import compile_network

LONGEST = 80  # characters of a piece
LIKE = 32  # pieces whose lengths differ by less may share a batch
CHARACTERS = 1500  # of a batch, with its padding
QUICK_UPDATES = 20
ROUNDING = 1e-4
SHOWN = 700


# ---- the text, and the best guess from its neighbours ---------------------------------------


def pieces(text: str) -> list[str]:
    """The text cut after each paragraph, and in long ones after a line; joined, the text."""
    found, rest = list[str](), text
    while rest:
        part = rest[:LONGEST]
        end = part.find(PARAGRAPH) + len(PARAGRAPH)
        if end < len(PARAGRAPH):
            whole = len(part) == len(rest)
            end = len(part) if whole else (part.rfind("\n") + 1 or part.rfind(" ") + 1 or LONGEST)
        found.append(rest[:end])
        rest = rest[end:]
    return found


def raised(character: str) -> str:
    """The character in upper case, if that is one character: ß stays."""
    return upper if len(upper := character.upper()) == 1 else character


def is_letter(character: str) -> bool:
    """Whether the character has two cases."""
    return raised(character) != character.lower()


def in_case(characters: str, upper: Array) -> str:
    """The characters, upper case where asked for."""
    return "".join(raised(c) if up else c for c, up in zip(characters, upper, strict=True))


def votes(text: str) -> Counter[str]:
    """How often a letter is upper less how often it is lower: alone, and between neighbours."""
    found = Counter[str]()
    for character, triple in zip(text, triples(text), strict=True):
        vote = 1 if character.isupper() else -1
        found[triple] += vote
        found[triple[1]] += vote
    return found


def triples(text: str) -> Iterator[str]:
    """Each character between its neighbours, all in lower case."""
    padded = f"\n{text.lower()}\n"
    return map("".join, zip(padded, padded[1:], padded[2:], strict=False))


def guess(counted: Counter[str], text: str) -> str:
    """The text in its most frequent case: given both neighbours, or none where they are new."""
    upper = [counted[t if t in counted else t[1]] > 0 for t in triples(text)]
    return in_case(text.lower(), np.array(upper))


@dataclass(frozen=True)
class Score:
    """How many letters of a text have their right case, and how many of the upper-case ones."""

    letters: float
    capitals: float

    @classmethod
    def of(cls, restored: str, text: str) -> Score:
        """Parts of the letters of `text`, and of those that are upper case, that are right."""
        right = [(a == b, b.isupper()) for a, b in zip(restored, text, strict=True) if is_letter(b)]
        return cls(
            float(np.mean([same for same, _ in right])),
            float(np.mean([same for same, upper in right if upper])),
        )

    def __str__(self) -> str:
        return f"{self.letters:8.2%} {self.capitals:8.2%}"


# ---- batches --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Pieces side by side, one a column, padded at their ends to the longest."""

    ids: Array
    upper: Array
    lengths: Array

    @classmethod
    def of(cls, texts: list[str], alphabet: Mapping[str, int]) -> Batch:
        """Shapes: ids and upper (T, B), lengths (B,)."""
        lengths = np.array([len(text) for text in texts])
        ids, upper = np.zeros((2, lengths.max(), len(texts)), dtype=np.intp)
        for column, text in enumerate(texts):
            ids[: len(text), column] = encoded(text.lower(), alphabet)
            upper[: len(text), column] = [character.isupper() for character in text]
        return cls(ids, upper, lengths)


def groups(texts: list[str], order: Array) -> list[list[int]]:
    """Places in `texts`: lengths alike within a group, otherwise in the order given."""
    found, longest = [list[int]()], 0
    for place in sorted(order, key=lambda place: len(texts[place]) // LIKE):
        longest = max(longest, len(texts[place]))
        if longest * (len(found[-1]) + 1) > CHARACTERS:
            found.append([])
            longest = len(texts[place])
        found[-1].append(int(place))
    return found


def batches(
    texts: list[str], alphabet: Mapping[str, int], rng: np.random.Generator
) -> Iterator[Batch]:
    """All pieces in random order, again and again."""
    while True:
        found = groups(texts, rng.permutation(len(texts)))
        for place in rng.permutation(len(found)):
            yield Batch.of([texts[p] for p in found[place]], alphabet)


def restore(model: Model, params: Arrays, text: str, alphabet: Mapping[str, int]) -> str:
    """The text in the case that the model finds likelier at each character."""
    texts = pieces(text.lower())
    restored = dict[int, str]()
    for group in groups(texts, np.arange(len(texts))):
        batch = Batch.of([texts[place] for place in group], alphabet)
        log_p, _ = model.run(params, batch.ids, None, batch.lengths)
        upper = log_p[..., 1] > log_p[..., 0]
        for column, place in enumerate(group):
            length = len(texts[place])
            restored[place] = in_case(texts[place], upper[:length, column])
    return "".join(restored[place] for place in range(len(texts)))


def marked(restored: str, text: str) -> str:
    """The restored lines; under each that is not right, a ^ below every wrong letter."""
    lines = []
    for line, truth in zip(restored.split("\n"), text.split("\n"), strict=True):
        lines.append(line)
        if line != truth:
            signs = (" " if a == b else "^" for a, b in zip(line, truth, strict=True))
            lines.append("".join(signs).rstrip())
    return "\n".join(lines)


# ---- the command ----------------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="restore letter case with emitted code")
    parser.add_argument("--cell", default="lstm", help="a name in the catalogue, or a .toml file")
    parser.add_argument("--module", help="what bptt emit wrote for this cell; it is executed")
    parser.add_argument("--seconds", type=float, default=60.0, help="training time")
    parser.add_argument("--size", type=int, default=48, help="units of each layer and direction")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20 updates, to see that it runs")
    options = parser.parse_args(arguments)
    if options.size < 2 or not options.seconds > 0:
        parser.error("expected --size of 2 or more, --seconds above 0")
    return options


def build(options: argparse.Namespace, vocabulary: int) -> Model:
    """The tagger, with the module in the file given, else compiled here.

    Raises:
        CellError: if the cell is unknown or has more than one input.
        ValueError: if the module is not that of the network.
        OSError: if a file cannot be read.
    """
    network = Network(find_cell(options.cell), layers=2, bidirectional=True, readout="softmax")
    module = compile_network(network, "fused").module
    if options.module:
        module = load_module(options.module, module)
    return Model(network, module, vocabulary, 2, options.size, width=options.size // 2)


def check(model: Model, params: Arrays, batch: Batch, options: argparse.Namespace) -> None:
    """Compare the module's loss with that of the forward code, by which the tagger is judged.

    Raises:
        ValueError: if they differ by more than rounding: the module is of another cell.
    """
    apart = model.disagreement(params, batch.ids, batch.upper, batch.lengths)
    if not apart < ROUNDING:
        raise ValueError(
            f"{options.module}: its loss and that of the forward code of {options.cell!r} are "
            f"{apart:.1e} apart; expected less than {ROUNDING}: name the module's cell with --cell"
        )


def main(arguments: list[str] | None = None) -> int:
    """Train, show progress and a restored text, say whether the guess was beaten."""
    options = parse_arguments(arguments)
    text = read_text()
    alphabet = numbered(text.lower())
    training, held_out = split(text)
    rng = np.random.default_rng(options.seed)
    source = batches(pieces(training), alphabet, rng)
    try:
        model = build(options, len(alphabet))
        params = model.initial_params(rng)
        check(model, params, next(source), options)
    except (CellError, OSError, ValueError) as problem:
        print(f"restore_case: {problem}", file=sys.stderr)
        return 2
    bar = Score.of(guess(votes(training), held_out), held_out)
    own = Score.of(guess(votes(held_out), held_out), held_out)
    lower = Score.of(held_out.lower(), held_out)
    print(
        f"text        {len(training)} characters to train on, {len(held_out)} held out, "
        f"{len(alphabet)} different in lower case\n"
        f"right case    letters upper case\n"
        f"all lower  {lower}\n"
        f"guess      {bar}   from both neighbours, counted in the training part\n"
        f"own guess  {own}   counted in the held-out part itself, which no such guess beats\n"
        f"model       {model.network.name}, float32, {options.size} units, "
        f"{sum(value.size for value in params.values())} parameters, seed {options.seed}, "
        f"module {options.module or 'compiled here'}\n"
    )
    restored, reached = list[str](), list[Score]()

    def step() -> tuple[float, Arrays]:
        batch = next(source)
        return model.loss_and_gradient(params, batch.ids, batch.upper, None, batch.lengths)

    def look(_: float) -> str:
        restored.append(restore(model, params, held_out, alphabet))
        reached.append(Score.of(restored[-1], held_out))
        return f"{reached[-1]}" + "   above guess" * (reached[-1].letters > bar.letters)

    seconds, updates, pause = (
        (inf, QUICK_UPDATES, inf) if options.quick else (options.seconds, inf, 5.0)
    )
    print(f"{'time':>6} {'updates':>8} {'loss':>9} {'letters':>8} {'upper':>8}")
    train(Plan(seconds, updates, rate=1.5e-2, pause=pause), params, step, look)
    shown = held_out[: held_out.rindex(PARAGRAPH, 0, SHOWN)]
    print("\nheld-out text from its lower case, wrong letters marked:\n")
    print(marked(restored[-1][: len(shown)], shown))
    better = reached[-1].letters > bar.letters
    print(
        f"\nverdict: {reached[-1].letters:.2%} of the held-out letters right, "
        f"{'more' if better else 'not more'} than by the guess from both neighbours, "
        f"{bar.letters:.2%}; of those in upper case {reached[-1].capitals:.2%}, by the guess "
        f"{bar.capitals:.2%}"
    )
    return 0 if better or options.quick else 1


if __name__ == "__main__":
    sys.exit(main())
