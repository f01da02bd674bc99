"""The formulas of memory and work, against what is allocated and what is counted."""

import tracemalloc

import pytest
from c_code import case_of
from profiles import by_day
from sympy import Symbol

from derive.calculus.through_time import derivation_of
from derive.cell import catalogue
from numeric.compiler.costs import costs_of
from numeric.compiler.kernel import compile_cell
from numeric.compiler.lower import lower
from numeric.compiler.passes import optimise
from numeric.compiler.targets import find_style


def costs(name, style):
    chosen = find_style(style)
    return costs_of(
        optimise(lower(derivation_of(catalogue[name]), chosen.slope_from), chosen.passes)
    )


@pytest.mark.by_default("lstm-fused")
@pytest.mark.parametrize("style", ["fused", "textbook"])
@pytest.mark.parametrize("name", by_day(["rnn", "delta_net", "mlstm", "gru", "lstm", "gla"], 3, 1))
def test_what_is_allocated_is_what_the_formulas_say(name, style):
    cell = catalogue[name]
    kernel, said = compile_cell(cell, style), costs(name, style)
    case = case_of(cell, 8, steps=1000, batch=2, regime="contracting")
    sizes = {"T": case.steps, "B": case.batch, **case.sizes}

    def bytes_of(formula):
        return 8 * int(formula.subs({s: sizes[str(s)] for s in formula.free_symbols}))

    tracemalloc.start()
    try:
        states, tape = kernel.forward(case.params, case.inputs, case.initial)
        held, forward = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        gradients = kernel.backward(case.params, tape, case.cotangents)
        _, backward = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert states
    assert gradients
    assert forward < 1.1 * bytes_of(said.forward)  # of sums some are written into their terms
    assert abs(held / bytes_of(said.tape) - 1) < 0.1
    assert abs(backward / bytes_of(said.backward) - 1) < 0.1


def test_the_products_of_the_lstm_are_counted():
    T, B = (Symbol(name, integer=True) for name in "TB")
    found = costs("lstm", "fused").operations
    m, n = (next(s for s in found.free_symbols if str(s) == name) for name in "mn")
    assert (found - 24 * T * B * n * (m + n)).expand() == 0


def test_the_header_says_them():
    source = compile_cell("lstm").source
    assert "Products with weights: 24 B T n (m + n) operations in both passes." in source
    assert "Memory in numbers of the dtype: tape " in source
    assert "Products with weights: 24 B T n (m + n)" in compile_cell("lstm", "fused", "c").source
