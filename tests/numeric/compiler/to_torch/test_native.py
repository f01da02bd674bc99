"""The C code that a PyTorch file carries: its own results, without PyTorch as well."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from dataclasses import replace
from inspect import signature
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from profiles import by_day

from derive import Cell, catalogue
from derive.cell import declared
from numeric import compile_cell
from numeric.compiler import kernel
from numeric.compiler.target import load
from numeric.compiler.to_c.target import C
from numeric.compiler.to_torch.module import class_name
from numeric.compiler.to_torch.native import carried
from numeric.meaning.sizes import size_names
from numeric.verification.problems.of_cell import CellProblem

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the text of a file reads of PyTorch when it is imported."""
    stand_in: Any = ModuleType("torch")
    stand_in.float32, stand_in.float64 = np.dtype("f4"), np.dtype("f8")
    stand_in.get_num_threads = lambda: 1
    stand_in.nn = SimpleNamespace(Module=object)
    stand_in.autograd = SimpleNamespace(Function=object)
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    return stand_in  # type: ignore[no-any-return]


def everything(passes: Any, case: Any) -> dict[Any, Any]:
    forward, backward = passes
    states, tape = forward(case.params, case.inputs, case.initial, case.constants)
    found = backward(case.params, tape, case.cotangents)
    return {**states, **{(g, n): v for g, group in found.items() for n, v in group.items()}}


def case_of(cell: Cell, batch: int = 2) -> Any:
    sizes = {name: 3 + place for place, name in enumerate(size_names(cell))}
    return CellProblem(cell).case(sizes, steps=4, batch=batch, seed=0)


def assert_carried_code_agrees(cell: Cell) -> None:
    module: Any = load(compile_cell(cell, "fused", "torch").source, cell.name)
    assert_agrees(module._passes(np.dtype("f8")), module, case_of(cell))


def assert_agrees(passes: Any, module: Any, case: Any) -> None:
    got = everything(passes, case)
    want = everything((module.forward, module.backward), case)
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert got[key].shape == value.shape
        assert np.max(np.abs(got[key] - value), initial=0.0) <= 1e-12 * np.max(np.abs(value)), key


@pytest.mark.by_default("rnn")
@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", by_day(["rnn", "scrn", "delta_net"], 2))  # one with constants
def test_the_carried_code_computes_what_the_numpy_code_does(name: str) -> None:
    assert_carried_code_agrees(catalogue[name])


@pytest.mark.by_default("scrn")
@pytest.mark.parametrize("name", by_day(["scrn", "gru", "delta_net"], 2))
def test_a_batch_is_split_over_as_many_threads_as_pytorch_has(
    name: str, without_torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = catalogue[name]
    module: Any = load(compile_cell(cell, "fused", "torch").source, cell.name)
    passes, case = module._passes(np.dtype("f8")), case_of(cell, 13)
    monkeypatch.setattr(module, "LEAST", 0)
    monkeypatch.setattr(without_torch, "get_num_threads", lambda: 3)
    _, (*_, tapes) = passes[0](case.params, case.inputs, case.initial, case.constants)
    assert [part.stop - part.start for part, *_ in tapes] == [4, 4, 5]
    for _ in range(3):  # memory is used again
        assert_agrees(passes, module, case)
    assert_agrees(passes, module, case_of(cell, 7))
    monkeypatch.setattr(module, "shares", lambda *_: [slice(0, 6), slice(6, 12)])
    with pytest.raises(AssertionError):
        assert_agrees(passes, module, case)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes that go on as copies")
def test_a_forked_process_goes_on_with_one_thread(
    without_torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = load(compile_cell("rnn", "fused", "torch").source, "rnn")
    passes, case = module._passes(np.dtype("f8")), case_of(catalogue["rnn"], 13)
    monkeypatch.setattr(module, "LEAST", 0)
    monkeypatch.setattr(without_torch, "get_num_threads", lambda: 3)
    everything(passes, case)  # the parent has its threads
    child = multiprocessing.get_context("fork").Process(target=everything, args=(passes, case))
    child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    assert ended == 0


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang")
@pytest.mark.usefixtures("without_torch")
def test_no_second_openmp_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clang's and Intel's in one process end it."""
    monkeypatch.setenv("CC", "clang")
    module: Any = load(compile_cell("rnn", "fused", "torch").source, "rnn")
    with pytest.raises(module.NoCompilerError, match="OpenMP is another one"):
        module.library(module._SOURCE + module._TOGETHER, "rnn", "f8", module.FLAGS)
    passes = module._passes(np.dtype("f8"))
    assert passes[0].__self__.together is None
    assert_agrees(passes, module, case_of(catalogue["rnn"]))


@pytest.mark.usefixtures("without_torch")
def test_a_compiler_without_openmp_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = load(compile_cell("rnn", "fused", "torch").source, "rnn")
    library = module.library

    def refuses(source: str, prefix: str, kind: str, flags: Any = None) -> Any:
        if flags is not None and "-fopenmp" in flags:
            raise module.NoCompilerError("no OpenMP")
        return library(source, prefix, kind, flags)

    monkeypatch.setattr(module, "library", refuses)
    monkeypatch.setattr(module, "LEAST", 0)
    monkeypatch.setattr(module.torch, "get_num_threads", lambda: 3)
    passes, case = module._passes(np.dtype("f8")), case_of(catalogue["rnn"], 13)
    assert passes[0].__self__.together is None
    assert_agrees(passes, module, case)


@pytest.mark.usefixtures("without_torch")
def test_what_a_caller_holds_is_not_written_again() -> None:
    module: Any = load(compile_cell("rnn", "fused", "torch").source, "rnn")
    forward, backward = module._passes(np.dtype("f8"))
    case = case_of(catalogue["rnn"])
    states, tape = forward(case.params, case.inputs, case.initial)
    first = backward(case.params, tape, case.cotangents)
    copies = [states["h"].copy(), first["params"]["W"].copy()]
    for _ in range(3):
        doubled = {name: 2 * array for name, array in case.params.items()}
        everything((forward, backward), replace(case, params=doubled))
    assert np.array_equal(states["h"], copies[0])
    assert np.array_equal(first["params"]["W"], copies[1])
    again = backward(case.params, tape, case.cotangents)
    assert np.array_equal(again["params"]["W"], copies[1])


@pytest.mark.usefixtures("without_torch")
def test_an_output_of_one_number_has_room_for_it() -> None:
    text = "h = tanh(W @ x + U @ h_prev)\no = sum(h_prev)"
    assert_carried_code_agrees(
        Cell.parse(name="summed", equations=text, outputs=("o",), source="a test")
    )


@pytest.mark.usefixtures("without_torch")
def test_a_size_that_only_an_initial_state_shows_is_asked_for() -> None:
    cell = Cell.parse(name="halved", equations="h = tanh(U @ h_prev + x)\ns = 0.5 * s_prev")
    module: Any = load(compile_cell(cell, "fused", "torch").source, cell.name)
    forward, _ = module._passes(np.dtype("f8"))
    assert forward != module.forward
    given = {"U": np.ones((3, 3))}, {"x": np.ones((4, 2, 3))}
    with pytest.raises(ValueError, match="initial: expected a state that has the size n_s: no"):
        forward(*given)
    states, _ = forward(*given, {"s": np.ones((2, 5))})
    assert states["s"].shape == (4, 2, 5)


@pytest.mark.usefixtures("without_torch")
def test_without_a_compiler_it_says_so_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = load(compile_cell("rnn", "fused", "torch").source, "rnn")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.warns(RuntimeWarning, match=r"rnn: .*no-such-compiler.* in NumPy, more slowly"):
        passes = module._passes(np.dtype("f4"))
    assert passes == (module.forward, module.backward)
    assert module._passes(np.dtype("f4")) == passes  # a second warning would be an error here


def test_a_cell_that_c_cannot_write_goes_without_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(*_: object) -> str:
        raise ValueError("columns: their order depends on the sizes")

    style = replace(kernel.find_style("fused", "c"), target=replace(C, emit=refuses))
    found = kernel.find_style
    monkeypatch.setattr(
        kernel, "find_style", lambda s, t="numpy": style if t == "c" else found(s, t)
    )
    cell = Cell.parse(name="unwritten", equations="h = tanh(U @ h_prev + x)", source="a test")
    source = compile_cell(cell, "fused", "torch").source
    assert "Computed in NumPy: columns: their order depends on the sizes." in source
    assert "_Native" not in source


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize(
    ("cell", "given"),
    [
        ({"equations": "h = a * h_prev + b * x", "scalars": ("a", "b", "x", "h")}, []),
        ({"equations": "h = tanh(h_prev + x)", "sizes": {"h": "self"}}, ["self_"]),
        ({"equations": "h = tanh(h_prev + x)", "sizes": {"h": "super"}}, ["super_"]),
    ],
)
def test_a_class_asks_for_its_sizes_by_names_that_it_does_not_use(
    cell: dict[str, Any], given: list[str]
) -> None:
    module: Any = load(compile_cell(Cell.parse(name="own", **cell), target="torch").source, "own")
    assert [*signature(module.Own.__init__).parameters] == ["self", *given, "dtype"]


def test_a_class_is_not_called_as_something_that_the_file_uses() -> None:
    text = catalogue["rnn"].text
    for name, want in (("path", "PathCell"), ("value_error", "ValueErrorCell"), ("toy", "Toy")):
        cell = Cell.parse(name=name, equations=text, inputs=("x",), source="a test")
        assert f"\nclass {want}(torch.nn.Module)" in compile_cell(cell, "fused", "torch").source
    assert class_name("path") == "Path"


def test_other_text_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the listing of its arrays"):
        carried("int main(void) { return 0; }", "rnn", declared(catalogue["rnn"]))
