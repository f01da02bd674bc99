"""What the tests of C code share: cells by day and by night, sizes around a vector, builds."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from profiles import NIGHTLY
from programs import MATRICES, MIXED

from derive.cell import Cell, catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.program import FINAL
from numeric.compiler.to_c.interface import read
from numeric.compiler.to_c.loading import load
from numeric.verification.problems.of_cell import make_case, ordinary_sizes
from numeric.verification.problems.of_network import NetworkProblem, network_sizes

BY_DAY = ("rnn", "lstm", "gru_reset_after", "clockwork_rnn")
# two products whose parts are stacked, done after the loop
LATE = Cell.parse(
    name="late", equations="s = (2 - W.T @ (U @ x + 1)) + s_prev + (3 - V.T @ (B @ x + 1))"
)
OWN = {"mixed": MIXED, "matrices": MATRICES, "late": LATE}
CELLS = [*(catalogue if NIGHTLY else BY_DAY), *OWN]
SIZES = (1, 7, 8, 9, 15, 16, 17, 31, 33)
NETWORKS = {
    "deep": Network(catalogue["rnn"], 2, True, embedding=True, dropout=True),
    "at the end": Network(catalogue["gru"], 1, True, "linear", "squared_error", "last"),
    "squared": Network(catalogue["lstm"], 2, False, "softmax", "squared_error"),
    "memory handed upward": Network(catalogue["depth_gated_lstm"], 2),
    "a clock": Network(catalogue["clockwork_rnn"], 1, True, loss_at="last"),
    "characters": Network(catalogue["rnn"], 1, embedding=True),
    "of matrices": Network(catalogue["delta_net"], 2, True, embedding=True, dropout=True),
    "states that go on": Network(catalogue["lstm"], 2, True, final=True),
}
DTYPES = ("float32", "float64")
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1" if NIGHTLY else "-O0")
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler is installed")


def cell_named(name):
    return OWN.get(name) or catalogue[name]


def source_of(name, style="fused"):
    return compile_cell(cell_named(name), style, "c").source


def network_source(name, style="fused"):
    return compile_network(NETWORKS[name], style, "c").source


def network_case(network, n, *, steps=4, batch=3, dtype="float64", seed=1):
    """A call in which no two sizes are equal, all near n; one seed in four has no lengths."""
    sizes = {name: max(2, n - place) for place, name in enumerate(network_sizes(network))}
    problem = NetworkProblem(network, final=network.final)
    return problem.case(sizes, steps=steps, batch=batch, seed=seed, dtype=dtype)


def network_result(module, case):
    later = [case.cotangents] if case.cotangents else []
    loss, gradients, *final = module.loss_and_gradient(
        case.params, case.inputs, case.targets, case.initial, case.constants, case.lengths, *later
    )
    return {"loss": {"loss": loss}, **gradients, **({FINAL: final[0]} if final else {})}


def case_of(cell, n, *, steps=3, batch=2, dtype="float64", seed=0, regime="ordinary"):
    """A case in which no two sizes are equal, all near n."""
    sizes = {name: max(1, n - place) for place, name in enumerate(ordinary_sizes(cell))}
    return make_case(cell, sizes, steps=steps, batch=batch, seed=seed, dtype=dtype,
                     regime=regime)  # fmt: skip


def result(module, case):
    states, tape = module.forward(case.params, case.inputs, case.initial, case.constants)
    gradients = module.backward(case.params, tape, case.cotangents)
    return {"states": states, **gradients}


def largest_error(got, want):
    """The largest max|got − want| / max|want| of an array."""
    worst = 0.0
    for group, arrays in want.items():
        for name, array in arrays.items():
            off = np.abs(np.asarray(got[group][name], float) - np.asarray(array, float))
            size = float(np.max(np.abs(array), initial=0.0))
            error = float(np.max(off, initial=0.0))
            error = error / size if size else (np.inf if error else 0.0)
            worst = max(worst, np.inf if np.isnan(error) else error)
    return worst


def compiles(compiler, source, folder, *flags):
    """What the compiler says of a file; nothing if it has no complaint."""
    path = folder / "cell.c"
    path.write_text(source, encoding="utf-8")
    command = [compiler, *flags, *WARNINGS, "-c", str(path), "-o", str(folder / "cell.o")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def loaded(source, name="cell"):
    return load(source, name)


def plain_flag(source):
    return f"-D{read(source).prefix.upper()}_PLAIN"
