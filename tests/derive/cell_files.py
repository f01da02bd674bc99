"""Cell files that may mean anything or nothing: for the fuzz of the parser.

`cell_file(seed)` is the bytes of one; the same seed gives the same bytes.
"""

import random
from pathlib import Path

from derive.cells import FOLDER
from derive.language.functions import FUNCTIONS

FILES = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.toml"))]
CELLS = ["[" + part for text in FILES for part in text.split("\n[") if "equations" in part]
CELLS = [part.replace("[[", "[", 1) for part in CELLS]
NAMES = ["h", "c", "x", "u", "W", "U", "V", "b", "s", "k", "h_prev", "c_prev", "x_prev", "W_h"]
ODD = ["_", "h__x", "if", "np", "T", "h_bar", "tmp_a", "é", "ħ", "n", "m", "1", "B", "h_prev_prev"]
NUMBERS = ["0", "1", "2", "0.5", ".5", "3.", "1e3", "1e-300", "1e999", "00", "1e-999", "٣", "1_0"]
SIGNS = ["+", "-", "*", "/", "@", "(", ")", ",", "=", ".T", "\n", "#", " ", ";", "[", "]", "**"]
CALLS = [*FUNCTIONS, "concat", "softmax", "eval", "max"]
CHARACTERS = "\x00\t\r\x0b\x85\u2028\ufeff\u202e\U0001f600\ud7ff²′é٣\"'\\#{}[]()@=,.\n _aT09-+"
VALUES = [
    "1", "-1", "1.5", "inf", "nan", "true", '"h"', '"n"', '""', "[]", "{}", '["x"]', '["x", "x"]',
    '["k[t]"]', '["k"]', '["a b"]', "[1, 2]", "[[1, 2], [3]]", '[["x"]]', '{ x = "n" }',
    '{ h = "\\\\tilde{h}" }', '{ k = 1 }', '{ k = "clock" }', '{ k = [1, 2] }', '{ "a b" = "n" }',
    "1979-05-27", "07:32:00", "9" * 5000, "0x" + "f" * 5000, "1e400", '{ k = 0x' + "f" * 6000 + "}",
    '{ h = "' + "{" * 3000 + '" }', '{ h = "' + "\\\\bar" * 3000 + ' h" }', "[" * 2000 + "]" * 2000,
]  # fmt: skip
KEYS = ["name", "source", "title", "inputs", "constants", "scalars", "sizes", "latex", "defaults"]


def cell_file(seed: int) -> bytes:
    """One file: a mutated cell of the catalogue, or drawn, deep, huge, mistyped or mangled."""
    rng = random.Random(seed)
    return KINDS[seed % len(KINDS)](rng)


def mutated(rng):
    """A cell of the catalogue with a few words or characters changed."""
    text = list(rng.choice(CELLS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        upto = at + rng.randint(1, 8)
        match rng.randrange(6):
            case 0:
                del text[at:upto]
            case 1:
                text[at:at] = rng.choice(NAMES + ODD + NUMBERS + SIGNS + CALLS)
            case 2:
                text[at:upto] = rng.choice(SIGNS)
            case 3:
                text[at:at] = text[at:upto] * rng.randint(1, 3)
            case 4:
                other = rng.choice(CELLS)
                start = rng.randrange(len(other))
                text[at:at] = other[start : start + rng.randint(1, 60)]
            case _:
                text[at] = rng.choice(CHARACTERS)
        text = text or ["="]
    return "".join(text).encode()


def expression(rng, depth):
    """A sentence of the grammar, whether it means anything or not."""
    if depth <= 0 or rng.random() < 0.25:
        return rng.choice(NAMES) if rng.random() < 0.85 else rng.choice(NUMBERS[:8])
    match rng.randrange(8):
        case 0:
            return f"{rng.choice(CALLS)}({expression(rng, depth - 1)})"
        case 1:
            count = rng.randint(1, 3)
            return f"concat({', '.join(expression(rng, depth - 1) for _ in range(count))})"
        case 2 | 3:
            return f"{rng.choice(['W', 'U', 'V', 'W.T', '(W - W.T)'])} @ {rng.choice(NAMES)}"
        case 4:
            return f"-({expression(rng, depth - 1)})"
    left, right = expression(rng, depth - 1), expression(rng, depth - 1)
    return f"({left} {rng.choice('+-*/@')} {right})"


def wrapped(equations, declared=""):
    """The file that holds the equations."""
    return f"equations = '''\n{equations}\n'''\n{declared}".encode()


def drawn(rng):
    """Assignments of sentences of the grammar, the last one a state's."""
    lines = [f"a{k} = {expression(rng, 3)}" for k in range(rng.randint(0, 2))]
    used = "".join(f" + a{k}" for k in range(len(lines)))
    lines.append(f"h = tanh({expression(rng, 3)}) + W @ h_prev + U @ x{used}")
    if rng.random() < 0.3:
        lines.append(f"c = {expression(rng, 2)} + c_prev")
    declared = f"{rng.choice(KEYS[3:])} = {rng.choice(VALUES[:25])}" * (rng.random() < 0.2)
    return wrapped("\n".join(lines), declared)


def tokens(rng):
    """Words of the notation in any order."""
    words = NAMES * 2 + ODD + NUMBERS + SIGNS * 3 + CALLS
    said = "".join(rng.choice(words) for _ in range(rng.randint(1, 60)))
    return wrapped(rng.choice(["h = ", "h = h_prev + ", ""]) + said)


def deep(rng):
    """Something inside itself, up to thousands of times."""
    times = int(10 ** rng.uniform(0.5, 3.6))
    opened, closed = rng.choice([
        ("(", ")"), ("-", ""), ("+", ""), ("tanh(", ")"), ("concat(h_prev, ", ")"), ("", ".T"),
        ("W @ ", ""), ("(W @ ", ")"), ("x - (", ")"), ("x / (", ")"), ("(1 - ", ")"), ("", " * x"),
        ("softmax(", ")"), ("2 * ", ""), ("x +\n", ""), ("(W.T @ W) @ ", ""), ("", " / 3"),
    ])  # fmt: skip
    return wrapped(f"h = h_prev + {opened * times}{rng.choice(['x', '2', ''])}{closed * times}")


def huge(rng):
    """Long names, long numbers, many lines, sizes that double from line to line."""
    times = int(10 ** rng.uniform(0.5, 3))
    names = [f"a{k}" for k in range(times)]
    match rng.randrange(8):
        case 0:
            return wrapped(f"h = h_prev + {'x' * times * 10}")
        case 1:
            return wrapped(f"h = h_prev + {rng.choice('0129')}{'9' * times * 8} * x")
        case 2:
            return wrapped("\n".join(["h = x + h_prev", *(f"{name} = h + x" for name in names)]))
        case 3:
            lines = [f"{new} = concat({old}, {old})" for old, new in zip(["x", *names], names)]  # noqa: B905
            return wrapped("\n".join([*lines, f"h = W @ {names[-1]} + h_prev"]))
        case 4:
            return wrapped(f"h = h_prev + W @ concat({', '.join(['x'] * times * 4)})")
        case 5:
            return wrapped(f"h = h_prev + x{' * 1e300' * (times % 50)}{' / 3e-300' * (times % 9)}")
        case 6:
            lines = [f"{new} = {old} * {old} + x" for old, new in zip(["x", *names], names)]  # noqa: B905
            return wrapped("\n".join([*lines, f"h = {names[-1]} + h_prev"]))
    listed = ", ".join(f'"{name}"' for name in names)
    return wrapped(f"h = h_prev + {' + '.join(names)}", f"inputs = [{listed}]")


def mistyped(rng):
    """A cell whose keys hold values of any type."""
    lines = [f"{key} = {rng.choice(VALUES)}" for key in rng.sample(KEYS, rng.randint(1, 3))]
    return wrapped("h = tanh(W @ h_prev + k * x) + s", "\n".join(lines))


def mangled(rng):
    """Bytes of a cell file with some replaced by any, cut, or thrown together."""
    data = bytearray(rng.choice(CELLS).encode())
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    if rng.random() < 0.2:
        data[:0] = rng.choice([b"\xff\xfe", b"\xef\xbb\xbf", b"\x00" * 40, b"PK\x03\x04"])
    return bytes(data)


KINDS = (mutated, mutated, drawn, tokens, deep, huge, mistyped, mangled)


def example_files(folder: Path, count: int):
    """The seed and the path of each file, one after the other."""
    path = folder / "cell.toml"
    for seed in range(count):
        path.write_bytes(cell_file(seed))
        yield seed, path
