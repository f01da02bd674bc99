"""`bptt emit`: a module is written if it was verified, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network, same_code


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
    from reports.commands import emit

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


def test_emit_writes_no_network_that_is_not_verified(
    bptt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reports.commands import emit

    def broken(network: Any, style: str, **verified: str) -> Any:
        kernel = compile_network(network, style, **verified)
        source = kernel.source.replace("axis=-1) - 1, axis=-1)", "axis=-1) - 2, axis=-1)")
        return type(kernel)(network, style, source)

    monkeypatch.setattr(emit, "compile_network", broken)
    said = bptt("emit", "rnn", "--layers", 1, "-o", "f.py")
    assert said.status == 1
    assert "rnn_1l_softmax_cross_entropy_all" in said.out
    assert not Path("f.py").exists()
