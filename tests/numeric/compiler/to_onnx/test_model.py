"""Which cells have models, and what a model looks like."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from derive import Cell, catalogue
from derive.calculus.through_time import derivation_of
from derive.language.functions import FUNCTIONS
from derive.language.syntax import call_text
from numeric.compiler.lower import lower
from numeric.compiler.target import MissingError
from numeric.compiler.to_onnx.graph import onnx
from numeric.compiler.to_onnx.model import given_of, model_of
from numeric.compiler.to_onnx.operations import WRITTEN

with_onnx = pytest.mark.skipif(onnx is None, reason="onnx is not installed")


@pytest.mark.parametrize("name", ["lstm", "delta_net", "wmc_lstm", "ttt_linear"])
def test_the_operations_of_forward_passes_have_nodes(name: str) -> None:
    program = lower(derivation_of(catalogue[name]), "output")
    asked = {s.op for block in program.blocks if block.phase == "forward" for s in block.statements}
    assert asked <= {*WRITTEN}


@pytest.mark.skipif(onnx is not None, reason="onnx is installed")
def test_where_onnx_is_missing_it_says_so() -> None:
    with pytest.raises(MissingError, match=r"pip install 'bptt-toolkit\[onnx\]'"):
        model_of(catalogue["rnn"])


@with_onnx
def test_a_model_names_what_it_takes_and_gives() -> None:
    model = model_of(catalogue["gru"], np.float32)
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.input][-2:] == ["x", "h_initial"]
    assert [one.name for one in model.graph.output] == ["h"]
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    assert scan.output[-1] == "h"


@with_onnx
@pytest.mark.parametrize("name", [name for name, row in FUNCTIONS.items() if not row.parameters])
def test_every_function_has_nodes(name: str) -> None:
    cell = Cell.parse(name="toy", equations=f"h = {call_text(name, 'W @ h_prev + U @ x')}",
                      source="a test")  # fmt: skip
    onnx.checker.check_model(model_of(cell), full_check=True)


@pytest.mark.parametrize("constants", [(), ("h_initial",)])
def test_a_name_of_the_cells_that_the_model_has_for_a_state_is_refused(
    constants: tuple[str, ...],
) -> None:
    text = "h = tanh(h_initial @ x + U @ h_prev)"
    cell = Cell.parse(name="begun", equations=text, constants=constants)
    with pytest.raises(ValueError, match="expected another name for the cell's own h_initial"):
        given_of(lower(derivation_of(cell), "output"))


@with_onnx
def test_an_operation_without_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[str, Any]", WRITTEN), "gather")
    with pytest.raises(ValueError, match="no nodes for 'gather'; target numpy writes this cell"):
        model_of(catalogue["ttt_linear"])
