"""`bptt emit`: a module is written if it was verified, and only then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from c_code import needs_compiler
from command_line import is_refusal

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network, same_code
from numeric.compiler.to_c.target import C
from reports.commands import emit


def test_emit_prints_the_module_and_says_what_was_verified(bptt: Any) -> None:
    said = bptt("emit", "rnn", "--style", "textbook")
    assert said.status == 0
    assert said.err == ""
    source = compile_cell(catalogue["rnn"], "textbook").source
    assert same_code(said.out, source)
    assert "\nVerified: " in said.out
    assert "exact" in said.out.split("Verified: ")[1].split("\n")[0]
    assert catalogue["rnn"].digest in said.out


def test_emit_writes_the_same_file_each_time_and_check_sees_any_change(bptt: Any) -> None:
    assert bptt("emit", "rnn", "-o", "rnn.py").status == 0
    path = Path("rnn.py")
    first = path.read_bytes()
    assert bptt("emit", "rnn", "-o", "rnn.py").status == 0
    assert path.read_bytes() == first
    assert bptt("emit", "rnn", "-o", "rnn.py", "--check").status == 0

    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Made by ", "Made by another "), encoding="utf-8")
    assert bptt("emit", "rnn", "-o", "rnn.py", "--check").status == 0
    path.write_text(text.replace("np.tanh", "np.sinh"), encoding="utf-8")
    said = bptt("emit", "rnn", "-o", "rnn.py", "--check", "--json")
    assert said.status == 1
    assert said.data["status"] == "stale"
    assert "np.sinh" in path.read_text(encoding="utf-8")
    assert [p.name for p in Path().iterdir()] == ["rnn.py"]


def test_emit_writes_nothing_that_is_not_verified(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cell: Any, style: str, **verified: str) -> Any:
        kernel = compile_cell(cell, style, **verified)
        source = kernel.source.replace("return 1 / (1 +", "return 1 / (2 +")
        return type(kernel)(cell, style, source)

    monkeypatch.setattr(emit, "compile_cell", broken)
    said = bptt("emit", "lstm", "--style", "textbook", "-o", "lstm.py")
    assert said.status == 1
    assert not Path("lstm.py").exists()


def test_emit_writes_a_network_verified(bptt: Any) -> None:
    words = ("emit", "rnn", "--layers", 2, "--bidirectional", "--readout", "softmax", "-o", "f.py")
    data = bptt(*words, "--json").data
    assert data["network"] == {
        "name": "rnn_2l_bi_softmax_cross_entropy_all", "layers": 2, "bidirectional": True,
        "readout": "softmax", "loss": "cross_entropy", "loss_at": "all",
        "embedding": False, "dropout": False,
    }  # fmt: skip
    text = Path("f.py").read_text(encoding="utf-8")
    assert same_code(text, compile_network(Network(catalogue["rnn"], 2, True)).source)
    assert "\nVerified: derivation, interface, arguments, padding, autograd" in text
    assert bptt(*words, "--check").status == 0
    Path("f.py").write_text(text.replace("np.tanh", "np.sinh"), encoding="utf-8")
    said = bptt(*words, "--check")
    assert said.status == 1
    assert "bptt emit rnn --bidirectional --layers 2 --readout softmax --style" in said.out
    assert bptt("emit", "rnn", "-o", "f.py", "--check").status == 1


@pytest.mark.long
def test_a_network_can_have_an_embedding_and_dropout(bptt: Any) -> None:
    words = ("emit", "rnn", "--layers", 2, "--embedding", "--dropout", "-o", "f.py")
    assert bptt(*words).status == 0
    network = Network(catalogue["rnn"], 2, embedding=True, dropout=True)
    text = Path("f.py").read_text(encoding="utf-8")
    assert same_code(text, compile_network(network).source)
    assert network.name in text
    Path("f.py").write_text("", encoding="utf-8")
    assert "--embedding --dropout --layers 2" in bptt(*words, "--check").out
    assert "Ē = ∑_{t=1}^{T} e_t x̄_tᵀ" in bptt("show", "rnn", "--embedding").out
    assert bptt("bounds", "rnn", "--embedding").status == 2


def test_a_network_can_return_its_final_states(bptt: Any) -> None:
    words = ("emit", "rnn", "--layers", 2, "--final-states", "-o", "f.py")
    data = bptt(*words, "--json").data
    assert data["network"]["final_states"] is True
    network = Network(catalogue["rnn"], 2, final=True)
    text = Path("f.py").read_text(encoding="utf-8")
    assert same_code(text, compile_network(network).source)
    assert bptt(*words, "--check").status == 0
    Path("f.py").write_text("", encoding="utf-8")
    assert "bptt emit rnn --layers 2 --final-states --style" in bptt(*words, "--check").out
    for target, name in (("jax", "f.py"), ("torch", "f.py"), ("onnx", "f.onnx")):
        said = bptt("emit", "rnn", "--final-states", "--target", target, "-o", name, "--force")
        assert said.status == 2
        assert "cell" in said.err


@pytest.mark.long
@needs_compiler
def test_a_network_in_c_can_return_its_final_states(bptt: Any) -> None:
    said = bptt("emit", "rnn", "--final-states", "--target", "c", "--main", "-o", "f.c")
    assert said.status == 0, said.err
    assert "const float *layer0_h; /* (B, n); NULL: zero */" in Path("f.h").read_text("utf-8")
    text = Path("f.c").read_text(encoding="utf-8")
    assert "given.final_cotangents.layer0_h = " in text


@pytest.mark.long
def test_emit_writes_no_network_that_is_not_verified(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(network: Any, style: str, **verified: str) -> Any:
        kernel = compile_network(network, style, **verified)
        source = kernel.source.replace("axis=-1) - 1, axis=-1)", "axis=-1) - 2, axis=-1)")
        return type(kernel)(network, style, source)

    monkeypatch.setattr(emit, "compile_network", broken)
    said = bptt("emit", "rnn", "--layers", 1, "-o", "f.py")
    assert said.status == 1
    assert "rnn_1l_softmax_cross_entropy_all" in said.out
    assert not Path("f.py").exists()


@needs_compiler
def test_emit_writes_c_and_its_header_and_check_sees_any_change(bptt: Any) -> None:
    said = bptt("emit", "rnn", "--target", "c", "-o", "rnn.c")
    assert said.status == 0, said.err
    assert sorted(p.name for p in Path().iterdir()) == ["rnn.c", "rnn.h"]
    text = Path("rnn.c").read_text(encoding="utf-8")
    assert same_code(text, compile_cell(catalogue["rnn"], "fused", "c").source)
    assert "\n * Verified: " in text
    assert "interface, arguments, autograd, high_precision;" in text.split("Verified: ")[1]
    for name in ("rnn.c", "rnn.h"):
        held = Path(name).read_text(encoding="utf-8")
        assert bptt("emit", "rnn", "--target", "c", "-o", "rnn.c", "--check").status == 0
        Path(name).write_text(held.replace("rnn_sizes", "rnn_size"), encoding="utf-8")
        said = bptt("emit", "rnn", "--target", "c", "-o", "rnn.c", "--check")
        assert said.status == 1
        assert "bptt emit rnn --style fused --target c -o rnn.c" in said.out
        Path(name).write_text(held, encoding="utf-8")


@pytest.mark.long
@needs_compiler
def test_c_that_is_not_verified_is_not_written(bptt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(cell: Any, style: str, **more: str) -> Any:
        kernel = compile_cell(cell, style, **more)
        source = kernel.source.replace("R(1.0) - h * h", "R(1.0) + h * h")
        assert source != kernel.source
        return type(kernel)(cell, style, source, "c")

    monkeypatch.setattr(emit, "compile_cell", broken)
    assert bptt("emit", "rnn", "--target", "c", "-o", "rnn.c").status == 1
    assert not list(Path().iterdir())


def test_c_is_refused_in_a_line_where_it_cannot_be(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = bptt("emit", "rnn", "--target", "c", "-o", "rnn.h")
    assert is_refusal(said)
    assert "expected a name that ends in .c" in said.err
    said = bptt("emit", "rnn", "--target", "c", "--style", "textbook", "-o", "rnn.c")
    assert is_refusal(said)
    assert "style: expected one of fused, stable, came 'textbook'" in said.err
    monkeypatch.setenv("CC", "no-such-compiler")
    for words in (("emit", "rnn", "--target", "c", "-o", "rnn.c"),
                  ("verify", "rnn", "--target", "c")):  # fmt: skip
        said = bptt(*words)
        assert is_refusal(said)
        assert "install one: apt-get install gcc" in said.err
    assert not list(Path().iterdir())


@needs_compiler
def test_emit_adds_a_self_test_to_c(bptt: Any) -> None:
    assert is_refusal(bptt("emit", "rnn", "--main"))
    words = ("emit", "rnn", "--target", "c", "--main", "-o", "rnn.c")
    assert bptt(*words).status == 0
    assert "#ifdef RNN_MAIN\n" in Path("rnn.c").read_text(encoding="utf-8")
    assert bptt(*words, "--check").status == 0
    assert bptt("emit", "rnn", "--target", "c", "-o", "rnn.c", "--check").status == 1


def test_emit_writes_over_no_file_but_its_own(bptt: Any) -> None:
    path = Path("mine.py")
    path.write_text("mine = 1\n", encoding="utf-8")
    said = bptt("emit", "rnn", "-o", "mine.py")
    assert is_refusal(said)
    assert "--force" in said.err
    assert path.read_text(encoding="utf-8") == "mine = 1\n"
    assert bptt("emit", "rnn", "-o", "mine.py", "--force").status == 0
    assert bptt("emit", "rnn", "-o", "mine.py").status == 0


def test_check_reads_the_style_and_the_target_from_the_file(bptt: Any) -> None:
    source = compile_cell(catalogue["rnn"], "stable").source
    Path("rnn.py").write_text(source, encoding="utf-8")
    assert bptt("emit", "rnn", "-o", "rnn.py", "--check").status == 0
    said = bptt("emit", "rnn", "-o", "rnn.py", "--check", "--style", "fused")
    assert said.status == 1
    c = compile_cell(catalogue["rnn"], "stable", "c")
    for path, text in emit.files_of(Path("rnn.c"), c.source, C).items():
        path.write_text(text, encoding="utf-8")
    assert bptt("emit", "rnn", "-o", "rnn.c", "--check").status == 0


def test_what_is_written_to_a_pipe_arrives_and_the_pipe_stays(bptt: Any) -> None:
    os.mkfifo("pipe.py")
    reader = os.open("pipe.py", os.O_RDONLY | os.O_NONBLOCK)
    assert bptt("emit", "rnn", "-o", "pipe.py").status == 0
    assert os.read(reader, 40).startswith(b'"""States and gradients')
    assert Path("pipe.py").is_fifo()
    os.close(reader)


@pytest.mark.long
@needs_compiler
def test_emit_writes_a_network_in_c(bptt: Any) -> None:
    words = ("emit", "rnn", "--embedding", "--target", "c", "--main", "-o", "net.c")
    said = bptt(*words)
    assert said.status == 0, said.err
    text = Path("net.c").read_text(encoding="utf-8")
    assert "padding, autograd, high_precision;" in text.split("Verified: ")[1]
    assert "#ifdef RNN_1L_SOFTMAX_CROSS_ENTROPY_ALL_EMBEDDING_MAIN\n" in text
    assert "const ptrdiff_t *lengths;" in Path("net.h").read_text(encoding="utf-8")
    assert bptt(*words, "--check").status == 0
