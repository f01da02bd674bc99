"""What an emitted module says of its use is so: the lines run, the shapes are those it takes."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest

from derive import catalogue
from derive.network import Network
from numeric import compile_cell, compile_network
from numeric.compiler.to_numpy.usage import LICENCE

SIZES = {"T": 4, "B": 2, "n": 3, "m": 2, "q": 3}
SHAPE = re.compile(r"([\w.]+) \(([^()]*)\)")


def arrays(doc: str) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of the shapes that a docstring gives."""
    rng, made = np.random.default_rng(0), {}
    for line in re.sub(r"\n {8}", " ", doc).split("\n"):
        group, colon, rest = line.strip().partition(": ")
        if colon and group in {"params", "inputs", "initial", "constants", "states"}:
            made[group] = {
                name: rng.normal(size=[
                    sum(SIZES[part] for part in size.split("+"))
                    for size in sizes.replace(" ", "").strip(",").split(",") if size
                ]) for name, sizes in SHAPE.findall(rest)
            }  # fmt: skip
    return made


def use(doc: str) -> str:
    """The lines that say how."""
    lines = doc.partition("To use it:\n\n")[2].partition("\n\n")[0]
    return "\n".join(line.removeprefix("    ") for line in lines.split("\n"))


@pytest.mark.parametrize("name", ["lstm", "rnn", "indrnn"])
@pytest.mark.parametrize("style", ["fused", "textbook"])
def test_the_lines_of_use_run_with_arrays_of_the_shapes_that_are_given(name, style):
    source = compile_cell(catalogue[name], style).source
    doc, space = ast.get_docstring(ast.parse(source)), {}
    exec(source, space)
    given = arrays(doc)
    parameter = next(iter(given["params"]))
    before = given["params"][parameter].copy()
    assert len(use(doc).split("\n")) == 5
    exec(use(doc), space | given | {"wanted": 0.5})
    assert (given["params"][parameter] != before).any()
    states, _ = space["forward"](given["params"], given["inputs"], given["initial"])
    for function in ast.parse(source).body:
        if getattr(function, "name", "") == "forward":
            said = arrays(ast.get_docstring(function))
    assert {k: v.shape for k, v in states.items()} == {
        k: v.shape for k, v in said["states"].items()
    }
    assert doc.endswith(LICENCE)


def test_the_lines_of_use_of_a_network_run(capsys):
    source = compile_network(Network(catalogue["rnn"], 2, bidirectional=True)).source
    doc, space = ast.get_docstring(ast.parse(source)), {}
    exec(source, space)
    given = arrays(doc)
    targets = np.zeros((SIZES["T"], SIZES["B"]), dtype=int)
    exec(use(doc), space | given | {"targets": targets})
    losses = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < losses[0]


def test_an_array_that_is_wrong_is_blamed():
    kernel, rng = compile_cell("lstm"), np.random.default_rng(0)
    given = arrays(ast.get_docstring(ast.parse(kernel.source)))
    with pytest.raises(ValueError, match=r"inputs\['x'\]: expected shape .*, 2\), came .*, 5\)"):
        kernel.forward(given["params"], {"x": rng.normal(size=(4, 2, 5))})
    with pytest.raises(ValueError, match=r"params\['W_fh'\]: expected shape \(n, n\) = \(3, 3\)"):
        kernel.forward(given["params"] | {"W_fh": rng.normal(size=(4, 4))}, given["inputs"])
    with pytest.raises(ValueError, match=r"inputs\['x'\]: expected float64"):
        kernel.forward(given["params"], {"x": np.zeros((4, 2, 2), dtype=np.float32)})
