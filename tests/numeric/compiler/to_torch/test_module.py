"""An emitted PyTorch module: right gradients, and what people do with modules."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from numeric import compile_cell, verify
from numeric.compiler.kernel import Kernel

torch = pytest.importorskip("torch")


def imported(cell: Cell | str, folder: Path, style: str = "fused") -> ModuleType:
    """The emitted file, imported as a user's own."""
    kernel = compile_cell(cell, style, "torch")
    path = folder / f"emitted_{kernel.cell.name}.py"
    path.write_text(kernel.source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["gru", *by_day(catalogue, 28, 3)])
def test_every_check_holds_through_pytorch(name: str) -> None:
    verdict = verify(compile_cell(name, "fused", "torch"))
    assert verdict.status == "pass"
    assert {"exact", "complex_step", "autograd"} <= {
        check for check, found in verdict.checks.items() if found.status == "pass"
    }


@pytest.mark.parametrize(
    ("cell", "sizes"),
    [
        ({"equations": "h = a * h_prev + b * x", "scalars": ("a", "b", "x", "h")}, ()),
        ({"equations": "h = tanh(W @ x + U @ h_prev)", "sizes": {"h": "sum", "x": "self"}}, (3, 2)),
    ],
)
def test_a_module_has_no_sizes_or_such_as_it_has_words_for(
    cell: dict[str, Any], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    layer = imported(Cell.parse(name="named", **cell), tmp_path).Named(*sizes)
    width, given = (*sizes, 1, 1)[:2]
    assert layer(torch.ones(4, 2, given))["h"].shape == (4, 2, width)
    assert layer.sizes == dict(zip(("sum", "self"), sizes, strict=False))


def test_a_parameter_may_be_called_as_what_a_module_has(tmp_path: Path) -> None:
    text = "h = tanh(half @ x + half_ @ h_prev + sizes + training + attributes)"
    layer = imported(Cell.parse(name="taken", equations=text), tmp_path).Taken(3, 2)
    own = {name: name + "_" for name in ("sizes", "training", "attributes")}
    assert layer.attributes == {"half": "half__", "half_": "half_", **own}
    layer.eval()(torch.ones(4, 2, 2))["h"].sum().backward()
    assert all(parameter.grad.any() for parameter in layer.parameters())
    assert {*layer.state_dict()} == {*layer.attributes.values()}


def test_a_wrong_gradient_is_seen_through_pytorch() -> None:
    kernel = compile_cell("rnn", "fused", "torch")
    good = 'groups = (found["params"], found["inputs"], found["initial"])'
    assert kernel.source.count(good) == 1
    bad = kernel.source.replace(
        good, 'found["initial"] = {k: -v for k, v in found["initial"].items()}\n            ' + good
    )
    verdict = verify(Kernel(kernel.cell, "fused", bad, "torch"))
    assert verdict.status == "fail"
    assert verdict.gradients["initial.h"].status == "fail"


def test_a_wrong_term_in_the_carried_c_code_is_seen() -> None:
    kernel = compile_cell("rnn", "fused", "torch")
    at = kernel.source.index("_SOURCE = ")
    right = "R(1.0) - h * h"
    assert kernel.source.count(right, at) >= 1, kernel.source[at:]
    bad = kernel.source[:at] + kernel.source[at:].replace(right, "R(1.0) + h * h")
    verdict = verify(Kernel(kernel.cell, "fused", bad, "torch"))
    assert verdict.status == "fail"
    assert verdict.checks["exact"].status == "pass"  # the NumPy code is right


def test_what_runs_in_place_of_the_c_code_is_not_judged_as_it() -> None:
    kernel = compile_cell("rnn", "fused", "torch")
    at = kernel.source.index("_SOURCE = ")
    bad = kernel.source[:at] + kernel.source[at:].replace("#include", "#no", 1)
    verdict = verify(Kernel(kernel.cell, "fused", bad, "torch"))
    assert verdict.status == "fail"
    assert "refuses the file of 'rnn'" in verdict.checks["interface"].reason


def test_gradcheck_of_a_module(tmp_path: Path) -> None:
    module = imported("lstm", tmp_path)
    layer = module.Lstm(2, 3, dtype=torch.float64)
    params = dict(layer.named_parameters())
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    first = {name: torch.randn(2, 2, dtype=torch.float64, requires_grad=True) for name in "ch"}

    def states(x: Any, c: Any, h: Any, *values: Any) -> Any:
        given = dict(zip(params, values, strict=True))
        return tuple(module.states(given, {"x": x}, {"c": c, "h": h}).values())

    assert torch.autograd.gradcheck(states, (x, first["c"], first["h"], *params.values()))


def test_state_dict_deepcopy_and_pickle(tmp_path: Path) -> None:
    module = imported("gru", tmp_path)
    layer, x = module.Gru(4, 3), torch.randn(5, 2, 3)
    want = layer(x)["h"]
    other = module.Gru(4, 3)
    other.load_state_dict(layer.state_dict())
    for copied in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(copied(x)["h"], want)
        assert copied.W_zh is not layer.W_zh
    assert [*layer.state_dict()] == [*module.PARAMETERS]
    assert layer.double()(x.double())["h"].dtype == torch.float64
    assert repr(layer) == "Gru(n=4, m=3)"


def test_it_trains(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = imported("gru", tmp_path).Gru(8, 1)
    head = torch.nn.Linear(8, 1)
    step = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    x = torch.rand(12, 16, 1)
    losses = []
    for _ in range(60):
        loss = (head(layer(x)["h"][-1]) - x.mean(0)).square().mean()
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10


def test_the_gradients_have_none_of_their_own(tmp_path: Path) -> None:
    layer = imported("rnn", tmp_path).Rnn(2, 3)
    x = torch.randn(4, 1, 3, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x)["h"].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no gradients of their own"):
        first.square().sum().backward()


def test_a_change_before_backward_is_noticed(tmp_path: Path) -> None:
    layer, x = imported("rnn", tmp_path).Rnn(2, 3), torch.randn(4, 1, 3)
    for change in (lambda h: layer.W.add_(1), lambda h: h.add_(1)):
        h = layer(x)["h"]
        with torch.no_grad():
            change(h.detach())
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            h.sum().backward()


@pytest.mark.parametrize("in_numpy", [False, True])
def test_torch_compile_leaves_the_code_as_it_is(
    in_numpy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy's calls are not what PyTorch takes them for; of C it knows nothing."""
    module = imported("rnn", tmp_path)
    if in_numpy:
        monkeypatch.setattr(module, "_passes", lambda dtype: (module.forward, module.backward))
    layer, x = module.Rnn(2, 3), torch.randn(4, 1, 3)
    found = []
    for called in (torch.compile(layer, backend="eager"), layer):
        given = x.clone().requires_grad_()
        called(given)["h"].square().sum().backward()
        found.append(given.grad)
    assert torch.equal(*found)


def test_a_tensor_elsewhere_and_a_wrong_shape_are_refused(tmp_path: Path) -> None:
    layer = imported("rnn", tmp_path).Rnn(2, 3)
    with pytest.raises(ValueError, match="expected tensors on the cpu, came meta"):
        layer(torch.zeros(4, 1, 3, device="meta"))
    with pytest.raises(ValueError, match="expected tensors on the cpu, came ndarray"):
        layer(np.zeros((4, 1, 3), np.float32))  # an array has a device, too
    with pytest.raises(ValueError, match=r"inputs\['x'\]: expected shape"):
        layer(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="expected the inputs x, came 2"):
        layer(torch.zeros(4, 1, 3), torch.zeros(4, 1, 3))
    with pytest.raises(ValueError, match=r"expected float32 or float64, came torch\.bfloat16"):
        layer(torch.zeros(4, 1, 3, dtype=torch.bfloat16))
    with pytest.raises(ValueError, match="give all arrays one dtype"):
        layer(torch.zeros(4, 1, 3, dtype=torch.float64))


def test_constants_and_several_inputs(tmp_path: Path) -> None:
    module = imported("depth_gated_lstm", tmp_path)
    layer = module.DepthGatedLstm(2, 3)
    states = layer(torch.randn(4, 2, 3), torch.randn(4, 2, 2))
    assert states["h"].shape == (4, 2, 2)
    module = imported("scrn", tmp_path)
    layer = module.Scrn(*range(2, 2 + module.Scrn.__init__.__code__.co_argcount - 1))
    m = layer.sizes["m"]
    states = layer(torch.randn(3, 1, m), constants={"alpha": np.float32(0.9)})
    assert all(len(value) == 3 for value in states.values())
