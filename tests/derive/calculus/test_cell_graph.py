"""The computation graph: its edges are what the equations use, its numbers those of the steps."""

from __future__ import annotations

import pytest
from profiles import by_day

from derive import Cell, catalogue, differentiate
from derive.calculus.cell_graph import AT_LOSS, GIVEN, LATER, LOSS, cell_graph, chain_graph
from derive.language.expr import symbols_of
from derive.language.syntax import BAR


@pytest.mark.parametrize("name", by_day(catalogue, 6))
def test_edges_and_numbers_are_those_of_the_equations(name):
    derivation = differentiate(catalogue[name])
    graph = cell_graph(derivation)
    keys = [node.key for node in graph.nodes]
    assert len(keys) == len({*keys})
    assert {key for edge in graph.edges for key in (edge.start, edge.end)} <= {*keys}
    steps = {step.number: step for step in derivation.steps}
    for node in graph.nodes:
        made = [steps[number].equation for number in node.forward]
        if made:
            assert made[-1].target.args[0].name == node.key
        if node.adjoint is not None:
            assert steps[node.adjoint].equation.target.args[0].name == node.key + BAR
    told = [number for node in graph.nodes for number in node.forward]
    numbers = [step.number for step in derivation.part("forward")]
    moving = [number for number, equation in zip(numbers, derivation.forward, strict=True)
              if equation.target not in derivation.timeless]  # fmt: skip
    assert sorted(told) == moving


def test_the_long_memory_hands_its_state_to_four_places():
    graph = cell_graph(differentiate(catalogue["lstm"]))
    assert {e.end for e in graph.edges if e.start == "c"} == {"h", "", AT_LOSS}
    assert {e.end for e in graph.edges if e.start == "c_prev"} == {"c"}
    by_key = {node.key: node for node in graph.nodes}
    assert by_key["f"].does == ("sigmoid",)
    assert [node.kind for node in graph.nodes[-2:]] == [LATER, LOSS]
    assert all(edge.back for edge in graph.edges)


def test_no_cotangent_comes_back_to_a_constant():
    graph = cell_graph(differentiate(catalogue["clockwork_rnn"]))
    assert [edge.start for edge in graph.edges if not edge.back] == ["clock"]
    derivation = differentiate(catalogue["clockwork_rnn"])
    constant = next(s for s in derivation.timeless if s.name == "blocks")
    assert constant in {s for e in derivation.forward for s in symbols_of(e.value)}
    assert "blocks" not in {node.key for node in graph.nodes}


@pytest.mark.parametrize("name", ["L", "step", "T"])
def test_no_name_of_an_author_meets_one_of_the_picture(name):
    cell = Cell.parse(name="met", equations=f"{name} = {name}_prev + x\nh = tanh({name} + h_prev)")
    for graph in (cell_graph(differentiate(cell)), chain_graph(differentiate(cell))):
        keys = [node.key for node in graph.nodes]
        assert len(keys) == len({*keys})


def test_the_loss_reads_outputs_and_matrix_states_have_nodes():
    cell = Cell.parse(name="rows", outputs=["y"], equations="""
S = S_prev + outer(W_k @ x, W_v @ x)
y = S @ (W_q @ x)
""")  # fmt: skip
    graph = cell_graph(differentiate(cell))
    assert {e.start for e in graph.edges if e.end == AT_LOSS} == {"S", "y"}
    assert {e.end for e in graph.edges if e.start == "S"} >= {"y", "", AT_LOSS}


def test_the_chain_has_a_loss_and_inputs_at_every_step():
    graph = chain_graph(differentiate(catalogue["lstm"]), 3)
    assert [node.step for node in graph.nodes if node.kind == LOSS] == [1, 2, 3]
    assert [n.key for n in graph.nodes if n.kind == GIVEN and not n.step] == ["c 0", "h 0"]
    between = [(e.start, e.end, e.symbol.name, e.step) for e in graph.edges if e.symbol]
    assert between == [(f" step {k}", f" step {k + 1}", s, k) for k in (1, 2) for s in "ch"]
