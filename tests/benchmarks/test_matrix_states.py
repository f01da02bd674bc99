"""benchmarks/matrix_states.py: it compares what computes the same gradients."""

import json

import pytest
from scripts import module_at

TINY = ("--steps", "5", "--batch", "3", "--inputs", "4", "--size", "5", "--rounds", "2")


@pytest.mark.long
def test_everyone_computes_the_same_gradients(monkeypatch, capsys):
    module = module_at("benchmarks/matrix_states.py", monkeypatch)
    assert module.main([*TINY, "--dtype", "float64", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "bptt.matrix_states/1"
    for result in found["cells"].values():
        assert result["gradients_agree"]
        assert {"fused", "hand-written", "autograd"} <= result["milliseconds"].keys()
        assert max(result["scaled_errors"].values()) < 1e-11
    assert {*found["cells"]} == {"delta_net", "mlstm"}


@pytest.mark.parametrize("cell", ["delta_net", "mlstm"])
def test_a_wrong_gradient_by_hand_would_be_seen(cell, monkeypatch):
    module = module_at("benchmarks/matrix_states.py", monkeypatch)
    right = module.BY_HAND[cell]

    def wrong(task):
        return lambda: {k: 1.01 * v for k, v in right(task)().items()}

    monkeypatch.setitem(module.BY_HAND, cell, wrong)
    found = module.compare(module.MatrixTask(cell, 3, 2, 4, 5, "float64"), 1, "wall")
    assert not found["gradients_agree"]
