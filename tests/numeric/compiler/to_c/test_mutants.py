"""Mistakes in the C that every file shares, each of which the checks must notice."""

import numpy as np
import pytest
from c_code import (
    DTYPES,
    NETWORKS,
    case_of,
    largest_error,
    loaded,
    needs_compiler,
    network_case,
    network_result,
    network_source,
    result,
    source_of,
)
from profiles import by_day, night_alone

from derive.cell import catalogue
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.to_c.products import PRODUCTS
from numeric.compiler.to_c.samples import SAMPLES
from numeric.compiler.to_c.vectors import HELPERS
from numeric.verification.verify import TOLERANCES

pytestmark = needs_compiler

MUTANTS = [
    ("an entry of the tile is not added", "+= x * w[v];", "= x * w[v];"),
    ("the sum's rest is left out", "for (; k < depth; k++) {", "for (; k < depth - 1; k++) {"),
    ("the second chain is lost", "for (int i = 1; i < chains; i++)",
     "for (int i = 2; i < chains; i++)"),
    ("what was there is not added to", "sum[r * vectors + v] += load(c + r * c_row + v * LANES);",
     "sum[r * vectors + v] += splat(R(0.0));"),
    ("the last rows of a panel are left out", "rows / count + (i < rows % count);",
     "rows / count;"),
    ("an edge begins at zero", "j < columns ? c[(first + r) * c_row + j] : R(0.0)", "R(0.0)"),
    ("an edge is a column short", "for (ptrdiff_t j = 0; j < columns; j++)\n                    c[",
     "for (ptrdiff_t j = 0; j + 1 < columns; j++)\n                    c["),
    ("the next run overwrites", "grow || i > 0, a + i * gap", "grow, a + i * gap"),
    ("the next run meets the first weights", "b + i * depth * whole(some)", "b"),
    ("runs of one part stand one width apart", "if (gap == depth) {", "if (1) {"),
    ("weights are packed from the wrong row", "first * step + (at - start)", "(at - start)"),
    ("a ragged vector of weights is whole", "l < some ? from[k * k_step + l * j_step] : R(0.0);",
     "l + 1 < some ? from[k * k_step + l * j_step] : R(0.0);"),
    ("the sum of rows skips one", "for (ptrdiff_t i = 0; i < rows; i++)\n            UNROLL",
     "for (ptrdiff_t i = 1; i < rows; i++)\n            UNROLL"),
    ("three of four sums of rows are kept", "for (int v = 0; v < 4; v++)\n            store(",
     "for (int v = 0; v < 3; v++)\n            store("),
    ("σ takes the wrong side", "vmax(-a, R(2.0) - MOST)", "vmax(a, R(2.0) - MOST)"),
    ("σ is clamped too early", "MOST), MOST), &shifted", "MOST), R(3.0)), &shifted"),
    ("tanh is clamped too early", "vmin(vmax(a, -R(20.0)), R(20.0))",
     "vmin(vmax(a, -R(3.0)), R(3.0))"),
    ("columns beside are the first ones", "load(u + k * u_row + j + i)", "load(u + k * u_row + i)"),
    ("rows beside are a vector short", "i < some; i += LANES)\n                store(beside",
     "i + LANES < some; i += LANES)\n                store(beside"),
    ("a gradient is transposed", "+ a[j * a_row + i];", "+ a[i * a_row + j];"),
    ("a chunk loses its last step", "least(T, t0 + forward_steps);",
     "least(T, t0 + forward_steps - 1);"),
    ("the first chunk is left out", "for (ptrdiff_t t1 = T, t0; t1 > 0; t1 = t0)",
     "for (ptrdiff_t t1 = T, t0; t1 > backward_steps; t1 = t0)"),
    ("a state is read where it is written", "h_at + t * B * n", "h_at + (t + 1) * B * n"),
    ("a missing cotangent is a row", "given->cotangents.c ? n : 0;", "n;"),
]  # fmt: skip


OF_NETWORKS = [
    ("a sample ends a step too late", "t + row / batch >= lengths", "t + row / batch > lengths"),
    ("a run of rows is one too long", "return end - *row;",
     "return end - *row + (end > *row && end < rows);"),
    ("a place is passed over", "table[places[i] * columns + j] += a[i * a_row + j];",
     "table[places[i] * columns + j] = a[i * a_row + j];"),
    ("the target's 1 is not taken off", "c[targets[i]] -= R(1.0);", "c[targets[i]] -= R(0.0);"),
    ("the largest logit is no part of the loss", "- (a[targets[i]] - most);", "- a[targets[i]];"),
    ("the last classes are left out", "for (; j < columns; j++)\n        total += c[j];", ""),
    ("the loss is that of the last chunk", "*loss += sum;", "*loss = sum;"),
    ("a reverse layer starts from the wrong side", "layer0_reverse_h_at + ((t + 1) * B) * n",
     "layer0_reverse_h_at + (t * B) * n"),
]  # fmt: skip


OF_FINAL_STATES = [
    ("what comes later is never taken", "if (layer1_h_bar_carry_initial_at)", "if (0)"),
    ("it is another state's", "= given->final_cotangents.layer1_c;",
     "= given->final_cotangents.layer1_h;"),
    ("a reverse layer takes what its neighbour does", "final_cotangents.layer0_reverse_h;",
     "final_cotangents.layer0_h;"),
]  # fmt: skip


def test_mutants_are_of_the_text_that_every_file_shares():
    shared = "".join(text for text, _ in {**PRODUCTS, **HELPERS}.values())
    assert sum(old in shared for _, old, _ in MUTANTS) >= 15
    shared = "".join(text for text, _ in SAMPLES.values())
    assert sum(old in shared for _, old, _ in OF_NETWORKS) >= 6


def noticed(source):
    """Whether some case shows that the code computes something else.

    At 130 units in double the rows of four gates take more than a page each.
    """
    cell = catalogue["lstm"]
    module, plain = loaded(source), compile_cell(cell, "textbook")
    for dtype in DTYPES:
        for n, steps, batch in ((9, 3, 2), (16, 40, 7), (130, 3, 13), (4, 300, 1), (1, 70, 1)):
            case = case_of(cell, n, steps=steps, batch=batch, dtype=dtype, seed=1)
            for array in case.params.values():
                array *= 0.5
            case.inputs["x"][0] *= 20
            if n == 9:
                del case.cotangents["c"]
            want = result(plain, case)
            if not largest_error(result(module, case), want) <= 10 * TOLERANCES[dtype]:
                return True
    return False


@pytest.mark.by_default(
    "the sum of rows skips one",
    "a chunk loses its last step",
    "the last rows of a panel are left out",
)
@pytest.mark.parametrize(
    ("what", "old", "new"), by_day(MUTANTS, 4), ids=[m[0] for m in by_day(MUTANTS, 4)]
)
def test_a_mistake_is_noticed(what, old, new):
    source = source_of("lstm")
    assert source.count(old) >= 1, "the mutant's place is gone"
    with np.errstate(all="ignore"):
        assert noticed(source.replace(old, new)), what


def noticed_in_network(source, name="deep"):
    network = NETWORKS[name]
    module, plain = loaded(source), compile_network(network, "textbook")
    for seed, steps, batch in ((1, 4, 3), (2, 40, 7)):
        case = network_case(network, 9, steps=steps, batch=batch, dtype="float32", seed=seed)
        case.params["readout.c"][:] += 30
        want = network_result(plain, case)
        if not largest_error(network_result(module, case), want) <= 10 * TOLERANCES["float32"]:
            return True
    return False


@pytest.mark.by_default("the largest logit is no part of the loss")
@pytest.mark.parametrize(
    ("what", "old", "new"), by_day(OF_NETWORKS, 4), ids=[m[0] for m in by_day(OF_NETWORKS, 4)]
)
def test_a_mistake_in_a_network_is_noticed(what, old, new):
    source = network_source("deep")
    assert source.count(old) >= 1, "the mutant's place is gone"
    with np.errstate(all="ignore"):
        assert noticed_in_network(source.replace(old, new)), what


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "old", "new"),
    by_day(OF_FINAL_STATES, 2),
    ids=[m[0] for m in by_day(OF_FINAL_STATES, 2)],
)
def test_a_mistake_about_final_states_is_noticed(what, old, new):
    source = network_source("states that go on")
    assert source.count(old) == 1, "the mutant's place is gone"
    assert noticed_in_network(source.replace(old, new), "states that go on"), what


@night_alone
@pytest.mark.parametrize("name", ["deep", "states that go on"])
def test_the_network_as_it_is_is_right(name):
    assert not noticed_in_network(network_source(name), name)


def test_the_code_as_it_is_is_right():
    assert not noticed(source_of("lstm"))
