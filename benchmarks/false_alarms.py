"""How often is a right program refused, and how often one that is wrong by a billionth accepted?

The right ones are the 20 programs of tests/audit/styles.py: three cells, tanh and σ by
exponentials, float32 within, einsum, loops over samples, arrays of objects refused. The wrong ones
are right files in which one entry of one gradient is off by 1e-9 of itself, at a place drawn anew.
Each is verified at every seed, and every verdict appended to a file: a run that is broken off goes
on where it was.

    python benchmarks/false_alarms.py [--seeds 50] [--seconds S] [-o false_alarms.jsonl]

Exit status 1 if a right program was refused or a wrong one accepted at any seed run so far.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

AUDIT = Path(__file__).resolve().parents[1] / "tests" / "audit"
sys.path.insert(0, str(AUDIT))

from corpus import right  # noqa: E402 (the programs lie beside the tests)
from styles import styles  # noqa: E402

from derive import catalogue  # noqa: E402
from numeric.compiler.target import load  # noqa: E402
from numeric.verification.verify import verify  # noqa: E402

OFF = 1e-9
CELLS = ("rnn", "lstm", "gru", "peephole_lstm")
RIGHT, WRONG = "right", "off by 1e-9"


@dataclass(frozen=True)
class Item:
    """One program at one seed."""

    kind: str
    name: str
    seed: int

    @property
    def key(self) -> str:
        """What it is called in the file of results."""
        return f"{self.kind}/{self.name}/{self.seed}"


def items(seeds: int) -> Iterator[Item]:
    """Every program at the first seed, then at the next."""
    names = [str(number) for number, _ in enumerate(styles())]
    for seed in range(seeds):
        yield from (Item(RIGHT, name, seed) for name in names)
        yield from (Item(WRONG, cell, seed) for cell in CELLS)


def status(item: Item) -> str:
    """The verdict on the program."""
    if item.kind == RIGHT:
        style = styles()[int(item.name)]
        cell = catalogue[style.cell]
        return verify(load(style.source(), "style"), cell=cell, seed=item.seed).status
    return verify(spoilt(item.name, item.seed), cell=catalogue[item.name], seed=item.seed).status


def spoilt(cell: str, seed: int) -> Any:
    """The right file, one entry of a gradient off by 1e-9 of itself."""
    module = load(right(cell), "file")
    rng = np.random.default_rng(seed)

    def backward(params: Any, tape: Any, cotangents: Any) -> Any:
        found = module.backward(params, tape, cotangents)
        array = found["params"][chosen]
        array[(0,) * array.ndim] *= np.asarray(1 + OFF, array.dtype)
        return found

    chosen = str(rng.choice(sorted(module.PARAMETERS)))
    names = {group: getattr(module, group) for group in ("PARAMETERS", "INPUTS", "STATES")}
    return SimpleNamespace(**names, forward=module.forward, backward=backward)


def known(path: Path) -> dict[str, str]:
    """The verdicts so far, by item."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {entry["item"]: entry["status"] for entry in map(json.loads, lines)}


def bad(key: str, verdict: str) -> bool:
    """Whether a right program was refused, or a wrong one not."""
    return verdict == "fail" if key.startswith(RIGHT) else verdict != "fail"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left, print the counts."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("-o", type=Path, default=Path("false_alarms.jsonl"), metavar="FILE")
    chosen = parser.parse_args(arguments)
    end, found = time.monotonic() + chosen.seconds, known(chosen.o)
    wanted = [*items(chosen.seeds)]
    for item in wanted:
        if item.key in found or time.monotonic() > end:
            continue
        found[item.key] = status(item)
        with chosen.o.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"item": item.key, "status": found[item.key]}) + "\n")
    counted = {item: found[item.key] for item in wanted if item.key in found}
    for kind in (RIGHT, WRONG):
        verdicts = Counter(verdict for item, verdict in counted.items() if item.kind == kind)
        seeds = len({item.seed for item in counted if item.kind == kind})
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        print(f"{kind}: {verdicts.total()} verdicts at {seeds} seeds: {said or 'none'}")
    alarms = [item.key for item, verdict in counted.items() if bad(item.kind, verdict)]
    for key in alarms:
        print(f"  {key}: {found[key]}")
    print(f"{len(wanted) - len(counted)} left to run" if len(counted) < len(wanted) else "all run")
    return 1 if alarms else 0


if __name__ == "__main__":
    raise SystemExit(main())
