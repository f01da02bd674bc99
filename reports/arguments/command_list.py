"""The words of the command `bptt`: each command in a line and in full, and its arguments.

In: nothing. Out: `COMMANDS`, which the parser is made of. Needs neither SymPy nor NumPy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from reports.arguments.engine_flags import add_engine_flags
from reports.arguments.network_flags import (
    add_all_network_flags,
    add_code_network_flags,
    add_network_flags,
)
from reports.arguments.numbers import count, seconds, whole_number
from reports.arguments.segment_flags import add_segment_flags
from reports.terminal.completion import SHELLS

STYLES: Final = ("textbook", "fused", "stable")
TARGETS: Final = ("numpy", "c", "jax", "torch")
LANGUAGES: Final = ("en", "zh")
PROFILES: Final = ("dev", "ci", "nightly")
FRAMEWORKS: Final = ("torch", "jax")
_CELL: Final = "a name in the catalogue, a cell file (.toml) or package.module:NAME"


@dataclass(frozen=True)
class Command:
    """A command: what it does in a line and in full, an example, and its arguments."""

    name: str
    short: str
    full: str
    example: str
    arguments: tuple[Callable[[argparse.ArgumentParser], object], ...] = ()

    @property
    def home(self) -> str:
        """The module whose `run` carries it out."""
        return f"reports.commands.{self.name.replace('-', '_')}"


def _argument(*names: str, **settings: object) -> Callable[[argparse.ArgumentParser], object]:
    return lambda parser: parser.add_argument(*names, **settings)  # type: ignore[arg-type]


_ONE_CELL: Final = _argument("cell", metavar="CELL", help=_CELL)
_WRITTEN: Final = ".npz, .safetensors, .pt, .pth, .keras, .weights.h5 or .onnx"
_WEIGHTS: Final = f"{_WRITTEN.replace(' or', ',')} or .tflite"
_MODULE: Final = _argument(
    "--module", metavar="NAME", help="which recurrent module of the file of --weights"
)
_SEED: Final = _argument(
    "--seed",
    type=whole_number,
    default=0,
    metavar="N",
    help="what everything random is drawn from (0)",
)
_OF: Final = _argument(
    "--cell", dest="of", metavar="CELL", help="the cell that FILE.py computes; FILE.py needs it"
)
_LANGUAGE: Final = _argument(
    "--language", choices=LANGUAGES, default="en", help="of what is said: English or Chinese (en)"
)
_PROFILE: Final = _argument(
    "--profile", choices=PROFILES, default="dev", help="how many examples each check sees (dev)"
)
_BATCH_FIRST: Final = _argument(
    "--batch-first", action="store_true", help="sequences of --inputs are (B, T, m)"
)

COMMANDS: Final = (
    Command(
        "list", "the catalogue: name, states, source",
        "Lists the cells of the catalogue by family, with their states and where they come\n"
        "from; some of them by NAME, by family, or by what their title or source says.",
        "bptt list --family gru --match 2014",
        (
            _argument("names", metavar="NAME", nargs="*", help="cells of the catalogue (all)"),
            _argument("--family", metavar="FAMILY", help="one family: rnn, lstm, gru, …"),
            _argument("--match", metavar="WORD", action="append",
                      help="cells whose name, title or source holds it; all WORDs, if several"),
        ),
    ),
    Command(
        "show", "equations, gradients and step Jacobian of a cell",
        "Prints a cell's equations, shapes and parameter count, its adjoint equations, the\n"
        "recursion through time, parameter gradients, step Jacobian and product chain.",
        "bptt show lstm --format latex",
        (
            _ONE_CELL,
            _argument("--format", choices=("text", "latex"), default="text",
                      help="Unicode text, or LaTeX (text)"),
            _LANGUAGE, add_all_network_flags,
        ),
    ),
    Command(
        "emit", "gradient code of a cell, verified before it is written",
        "Writes a module with the functions forward and backward, or for layers of the cell\n"
        "with the function loss_and_gradient. It depends on NumPy alone; with --target c it is\n"
        "one C11 file and its header, which depend on the C library alone.\n"
        "The code is verified first, and its header says what was verified. Without -o it\n"
        "goes to standard output.",
        "bptt emit lstm --style textbook -o lstm.py",
        (
            _ONE_CELL,
            _argument("-o", "--output", type=Path, metavar="FILE.py", help="where to write it"),
            _argument("--style", choices=STYLES,
                      help="for readers, for speed, or for accuracy in saturation (fused; with "
                           "--check, what FILE.py says)"),
            _argument("--target", choices=(*TARGETS, "onnx"),
                      help="the language; of c, -o FILE.c writes FILE.h beside it; onnx is a "
                           "model of the forward pass (numpy; with --check, what FILE.py says)"),
            _argument("--node", type=count, metavar="n",
                      help="of onnx: an RNN, GRU or LSTM node of n units in place of the loop, "
                           "where the cell is one"),
            _argument("--force", action="store_true",
                      help="write over a file that this command did not write"),
            _argument("--main", action="store_true",
                      help="add a self-test to C code: numbers of fifty digits, no Python needed"),
            _argument("--check", action="store_true",
                      help="write nothing; exit status 1 if FILE.py is out of date, its lines on "
                           "versions and verification apart"),
            _SEED, add_segment_flags, add_code_network_flags,
        ),
    ),
    Command(
        "verify", "check gradient code against a cell's equations",
        "Runs every check on our code of CELL in all styles, or on FILE.py, any module with\n"
        "the same functions, against the cell named by --cell: forward and backward, or for\n"
        "layers of the cell loss_and_gradient. FILE.py is your own code: it is run, in a\n"
        "process of its own, with your rights. What it does not return or take is noticed:\n"
        "the rest is judged, and the verdict, partial at best, says what was not and why.\n"
        "Prints a verdict for each gradient, the smallest counterexample and, for a wrong\n"
        "gradient, what is known of the cause.",
        "bptt verify my_lstm.py --cell lstm",
        (
            _argument("cell", metavar="CELL|FILE.py", nargs="?",
                      help=f"{_CELL}; or a Python file"),
            _argument("--all", action="store_true", help="every cell of the catalogue"),
            add_engine_flags,
            _argument("--target", choices=(*TARGETS, "all"), default="numpy",
                      help="the language of our code (numpy)"),
            _OF, _PROFILE, _SEED,
            _argument("--framework", choices=FRAMEWORKS,
                      help="FILE.py:NAME is a function, an autograd.Function or a module of it"),
            _argument("--batch-first", action="store_true",
                      help="sequences in FILE.py are (B, T, m), not (T, B, m)"),
            _argument("--timeout", type=seconds, metavar="SECONDS",
                      help="how long FILE.py may take in all (600; no limit in nightly)"),
            _LANGUAGE, add_segment_flags, add_code_network_flags,
        ),
    ),
    Command(
        "write-test", "a pytest file that verifies gradient code",
        "Prints a pytest file that verifies our code of CELL, or your FILE.py against the cell\n"
        "named by --cell. Paths stand in it as you gave them, so run pytest from here.\n"
        "With --adapter it prints instead a module of at most ten lines to fill in, which calls\n"
        "your layer and gives `bptt verify` what it asks for.",
        "bptt write-test my_lstm.py --cell lstm > test_my_lstm.py",
        (
            _argument("cell", metavar="CELL|FILE.py", help=f"{_CELL}; or a Python file"),
            _OF, _SEED,
            _argument("--adapter", action="store_true",
                      help="a module to fill in, around a layer of your own"),
        ),
    ),
    Command(
        "bounds", "certified bounds on the gradient's growth, beside its measure",
        "Bounds the norm of the Jacobian between two times for a cell with given or drawn\n"
        "weights: for all inputs in a box, and along a sequence, given or drawn. Every bound is\n"
        "certified. With --input-box and no --inputs there is no sequence, and the verdict\n"
        "speaks of all lags; else it speaks of the lag asked for.",
        "bptt bounds lstm --weights lstm.safetensors --inputs x.npy --lag 100",
        (
            _ONE_CELL,
            _argument("--weights", type=Path, metavar="FILE",
                      help=f"{_WEIGHTS} (drawn)"),
            _MODULE,
            _argument("--inputs", type=Path, metavar="FILE",
                      help="sequences (T, m) or (T, B, m), as .npy, .npz or .csv (drawn)"),
            _BATCH_FIRST,
            _argument("--input-box", metavar="X", help="inputs in [-X, X], or LOW,HIGH"),
            _argument("--initial-box", metavar="X", help="initial states likewise (0)"),
            _argument("--size", type=int, metavar="n", help="size of the state (32)"),
            _argument("--gain", type=float, default=1.0, metavar="g",
                      help="drawn recurrent weights have the variance g²/n (1)"),
            _argument("--lag", type=int, metavar="T",
                      help="the largest lag (all steps of --inputs, else 60)"),
            _argument("--truncate", type=int, metavar="K",
                      help="what gradients of parameters leave out that go back over K steps"),
            _argument("--clip", type=float, metavar="C",
                      help="what they lose where the norm of all together is limited to C"),
            _argument("--window", metavar="k,k,…",
                      help="lengths of the products that are multiplied out (1,2,5,10,20)"),
            _argument("--all-methods", action="store_true",
                      help="print every method, path and layer"),
            _SEED, _LANGUAGE, add_network_flags,
        ),
    ),
    Command(
        "parallel", "Newton's iterations over a whole trajectory, each with a certified error",
        "Solves for all steps at once, as parallel machines do, from the states F(0, x). Prints\n"
        "for each iterate how far it is from the exact trajectory: certified, by the theorem of\n"
        "Newton and Kantorovich, and measured. Says how many iterations are known to be enough\n"
        "before the first, where that is known, and the structure of the step Jacobian.",
        "bptt parallel gru --gain 0.9 --steps 400",
        (
            _ONE_CELL,
            _argument("--weights", type=Path, metavar="FILE",
                      help=f"of one layer, {_WEIGHTS} (drawn)"),
            _MODULE, _LANGUAGE,
            _argument("--inputs", type=Path, metavar="FILE.npy",
                      help="a sequence of the shape (T, m) (drawn)"),
            _argument("--size", type=int, metavar="n", help="size of the state (32)"),
            _argument("--gain", type=float, default=1.0, metavar="g",
                      help="drawn recurrent weights have the variance g²/n (1)"),
            _argument("--steps", type=int, metavar="T",
                      help="so many steps (all of --inputs, else 200)"),
            _argument("--sweeps", type=int, metavar="N", help="at most so many iterations (60)"),
            _SEED,
        ),
    ),
    Command(
        "search", "mutants of cells, each proved, bounded and trained; the best of them",
        "Changes the equations of cells at random. Each new cell is derived, its gradient code\n"
        "proved, its growth bounded, and it is trained on the first task; who learns that is\n"
        "tried on the others, at the next lag as long as it learns. Records go to DIR; a search\n"
        "that was interrupted goes on there. With\n"
        "--compare it trains the given cells over several seeds instead.",
        "bptt search --tasks adding --candidates 200 -o found",
        (
            _argument("--tasks", metavar="LIST", default="adding",
                      help="some of adding,copy,arithmetic,xml,text,parity, the easiest first "
                           "(adding)"),
            _argument("--lag", default="10,30,100", metavar="T,…",
                      help="over so many steps, the shortest first (10,30,100)"),
            _argument("--candidates", type=int, default=200, metavar="N",
                      help="so many cells, the ones to start from among them (200)"),
            _argument("-o", "--output", type=Path, metavar="DIR", help="the folder of records"),
            _argument("--start", metavar="CELL,…", default="rnn,gru,lstm",
                      help="cells to start from (rnn,gru,lstm)"),
            _argument("--compare", metavar="CELL,…", help="train these cells instead"),
            _argument("--parameters", type=int, metavar="N",
                      help="with --compare: hidden units of each cell for so many numbers"),
            _argument("--seeds", type=int, default=5, metavar="N",
                      help="so many trainings of each cell that is compared (5)"),
            add_engine_flags,
            _argument("--size", type=int, default=16, metavar="n", help="units (16)"),
            _argument("--updates", type=int, default=120, metavar="N",
                      help="updates of a task for the settings that are left (120)"),
            _argument("--seconds", type=seconds, default=60.0, metavar="S",
                      help="of computing that one candidate may cost (60)"),
            _SEED,
        ),
    ),
    Command(
        "report", "a report on a cell as .tex, .html and .pdf",
        "Writes DIR/NAME.tex, DIR/NAME.html and, where a TeX engine is found, DIR/NAME.pdf for\n"
        "each cell, or for layers of it; figures go to DIR/figures. With --all it writes the\n"
        "whole catalogue with an index.html; what has not changed since is kept.",
        "bptt report rnn lstm -o out",
        (
            _argument("cells", metavar="CELL", nargs="*", help=_CELL),
            _argument("--all", action="store_true", help="every cell of the catalogue"),
            partial(add_engine_flags, workers=2),
            _argument("--short", action="store_true",
                      help="four to six pages, more of a large cell: no proofs, no bounds in "
                           "numbers"),
            _argument("--search", type=Path, metavar="DIR", help="what a search found, instead"),
            _argument("-o", "--output", type=Path, metavar="DIR", required=True,
                      help="the folder, made if it does not exist"),
            _argument("--formats", metavar="LIST",
                      help="some of tex,html,pdf (all of them, pdf only where a TeX engine is "
                           "found; with --all html,tex)"),
            _argument("--weights", type=Path, metavar="FILE",
                      help=f"bounds of these weights, not of drawn ones: {_WEIGHTS}"),
            _MODULE,
            _argument("--inputs", type=Path, metavar="FILE",
                      help="sequences (T, m) or (T, B, m) for them, as .npy, .npz or .csv (drawn)"),
            _BATCH_FIRST, _SEED, _LANGUAGE, add_all_network_flags,
        ),
    ),
    Command(
        "completion", "what a shell needs to complete these words",
        "Prints a script that completes commands, options and names of cells. For bash put\n"
        "eval \"$(bptt completion bash)\" in ~/.bashrc; zsh likewise; for fish save it as\n"
        "~/.config/fish/completions/bptt.fish.",
        "bptt completion bash",
        (
            _argument("shell", choices=SHELLS, help="the shell that reads it"),
        ),
    ),
    Command(
        "same", "whether two cells are one function under a map of parameters",
        "Searches a map of the parameters of CELL to those of OTHER under which both compute the\n"
        "same states, and one back: signs, transposes, sums and offsets of blocks. Prints both,\n"
        "proved over the prime field and with emitted code, or a point where every map searched\n"
        "fails, with exit status 1. Beside the catalogue's cells there are those of frameworks:\n"
        "torch_rnn, torch_lstm, torch_lstm_projected, torch_gru, keras_simple_rnn, keras_lstm,\n"
        "keras_gru, keras_gru_reset_after, onnx_rnn, onnx_lstm, onnx_lstm_peephole, onnx_gru,\n"
        "onnx_gru_linear_before_reset, tf_block_lstm, tf_block_lstm_peephole, tf_block_gru,\n"
        "tflite_rnn, tflite_lstm, tflite_lstm_clip_10, tflite_lstm_peephole,\n"
        "tflite_lstm_projected, tflite_lstm_coupled,\n"
        "d2l_rnn, d2l_lstm, d2l_gru, flax_lstm, flax_gru, flax_nnx_gru, equinox_lstm, equinox_gru.",
        "bptt same torch_gru gru_reset_after",
        (_ONE_CELL, _argument("other", metavar="OTHER", help=_CELL), _SEED, _LANGUAGE),
    ),
    Command(
        "convert", "weights of one file in another, with the proof that both are one function",
        "Reads the weights of a recurrent module, whatever framework wrote FROM, and writes them\n"
        "to TO under our names or PyTorch's, as Keras saves a Sequential model of such layers, or\n"
        "as an ONNX model of a node for each layer. Prints what each array is made of and what\n"
        "opens the file. The framework's equations, the cell's and those of the file written are\n"
        "compared over the prime field, on whole numbers in place of the weights, and in float64\n"
        "with the weights; where they differ, nothing is written.",
        "bptt convert model.onnx weights.safetensors --module encoder.lstm",
        (
            _argument("source", metavar="FROM", type=Path, help=_WEIGHTS),
            _argument("target", metavar="TO", type=Path, help=_WRITTEN),
            _argument("--cell", dest="of", metavar="CELL",
                      help="the cell that it is, where the file does not say"),
            _argument("--module", metavar="NAME", help="which recurrent module of FROM"),
            _argument("--layout", choices=("ours", "pytorch", "keras", "onnx"),
                      help="whose names TO has (ours; pytorch in .pt and .pth; a file of Keras or "
                           "ONNX has theirs alone)"),
            _argument("--force", action="store_true", help="write over a file that is there"),
            _SEED,
        ),
    ),
    Command(
        "doctor", "versions, TeX engine and import paths",
        "Prints the versions in use, the TeX engine that was found, and where the packages\n"
        "derive, numeric, reports and bptt are imported from.",
        "bptt doctor",
    ),
)  # fmt: skip
