"""Whatever a symbol is called, the code computes what it computes for any other name."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from profiles import by_day, night_alone

from derive import Cell, Network
from numeric import compile_cell, verify
from numeric.compiler.array_names import array_names, local
from numeric.compiler.kernel import compile_network

PLAIN = "plain"
ODD = """
B T t I E S N O Q pi beta zeta n m k1 np range len dict params inputs initial constants tape sizes
cotangents kinds like forward INPUTS PARAMETERS true false match type _take _a a_ a__b x_bar x_bars
h_bar h_all h_initial h_carry x_bar_carry T_bar tmp_1 tmp_1_bar W_T T_ T_size B_size t_index
tanh_slope inside __debug__ sum max both kept dropout input reverse layer0_h error logits targets
lengths outputs v q
""".split()  # noqa: SIM905
ROLES = {
    "a parameter": "h = tanh(W @ h_prev + {0} @ x + b)",
    "a state": "{0} = tanh(W @ {0}_prev + U @ x)",
    "a gate": "{0} = sigmoid(U @ x)\nh = (1 - {0}) * h_prev + {0} * tanh(W @ h_prev)",
    "an input": "h = tanh(W @ h_prev + U @ {0})",
}
SIZES = {"n": 3, "m": 2, "q": 4}


def cell_of(role: str, name: str) -> Cell:
    inputs = (name,) if role == "an input" else ("x",)
    sizes = {"sum": "n"} if name == "sum" and role == "a parameter" else None  # else a function
    return Cell.parse(name="odd", equations=ROLES[role].format(name), inputs=inputs, sizes=sizes)


def arrays(rng: np.random.Generator, declared: dict[str, tuple[str, ...]], *lead: int) -> Any:
    def extent(size: str) -> int:
        return sum(SIZES.get(part, 3) for part in size.split("+"))

    return {key: rng.normal(size=(*lead, *map(extent, dims))) for key, dims in declared.items()}


def flat(gradients: dict[str, dict[str, Any]]) -> list[Any]:
    return [array for group in gradients.values() for array in group.values()]


def of_cell(cell: Cell, style: str) -> list[Any]:
    module: Any = compile_cell(cell, style).module
    rng = np.random.default_rng(0)
    params, inputs = arrays(rng, module.PARAMETERS), arrays(rng, module.INPUTS, 4, 5)
    initial = arrays(rng, module.STATES, 5)
    states, tape = module.forward(params, inputs, initial)
    cotangents = {key: np.cos(array) for key, array in states.items()}
    return [*states.values(), *flat(module.backward(params, tape, cotangents))]


def of_network(cell: Cell) -> list[Any]:
    network = Network(cell, layers=2, bidirectional=True, readout="softmax", loss="cross_entropy")
    module: Any = compile_network(network).module
    rng = np.random.default_rng(0)
    params, inputs = arrays(rng, module.PARAMETERS), arrays(rng, module.INPUTS, 4, 5)
    initial, targets = arrays(rng, module.STATES, 5), rng.integers(0, 4, (4, 5))
    lengths = np.array([4, 2, 3, 4, 1])
    loss, found = module.loss_and_gradient(params, inputs, targets, initial, lengths=lengths)
    return [loss, *flat(found)]


@pytest.mark.by_default("a parameter")
@pytest.mark.parametrize("role", by_day(ROLES, 2))
def test_a_cell_computes_the_same_under_every_name(role: str) -> None:
    plain = {style: of_cell(cell_of(role, PLAIN), style) for style in ("textbook", "fused")}
    for name in by_day(ODD, 6, len(role) % 6):
        for style, want in plain.items():
            for ours, theirs in zip(of_cell(cell_of(role, name), style), want, strict=True):
                np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}, {style}")


@pytest.mark.by_default("a gate")
@pytest.mark.parametrize("role", by_day([*ROLES], 2))
def test_a_network_computes_the_same_under_every_name(role: str) -> None:
    want = of_network(cell_of(role, PLAIN))
    for name in by_day(ODD, 20, len(role) % 20):
        for ours, theirs in zip(of_network(cell_of(role, name)), want, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)


TANGLED = Cell.parse(
    name="tangled", inputs=("I",), scalars=("np",), sizes={"sigmoid": "n", "S": "n"},
    equations="""
t = sigmoid(B @ I + T @ S_prev + x_bar)
E = tanh(pi @ I + tmp_1 @ (t * h_all_prev) + sigmoid)
S = t * S_prev + np * E
h_all = (1 - t) * h_all_prev + t * E * _a__b
""",
)  # fmt: skip


@night_alone
def test_a_cell_of_such_names_is_verified() -> None:
    verdict = verify(compile_cell(TANGLED, "fused"))
    assert verdict.status == "pass", verdict


def test_the_authors_names_stay_and_the_modules_own_make_way() -> None:
    source = compile_cell(TANGLED, "textbook").source
    assert 'T_size = sizes["T"]' in source
    assert 'T = params["T"]' in source
    assert "for t_index in range(T_size):" in source
    assert "E[t_index] = np.tanh(a_E)" in source
    assert 'np_ = params["np"]' in source


def test_a_name_that_is_free_stays() -> None:
    assert not array_names(["W", "h", "h_prev", "T", "W_T", "hidden_size"])


def test_no_array_is_called_like_another_or_like_a_word_of_the_code() -> None:
    symbols = [*ODD, "x", "h", "h_prev", "x_", "tmp_1_", "_tmp_1_", "h_all_", "np_"]
    names = array_names(symbols)
    made = [names.get(symbol, symbol) for symbol in symbols]
    assert len(set(made)) == len(made)
    assert not {*made} & {*dir(builtins), "np", "params", "_take"}
    assert not [name for name in made if name.endswith(("_bar", "_all")) or name[:4] == "tmp_"]


def test_an_array_outside_of_the_layers_is_not_called_like_one_of_the_networks() -> None:
    assert local("logits") == "logits_given"
    assert local("x") == "x"
