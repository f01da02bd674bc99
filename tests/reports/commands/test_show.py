"""`bptt show`: what was derived, as text and as LaTeX."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("form", ["text", "latex"])
def test_show_prints_what_was_derived(form: str, bptt: Any) -> None:
    said = bptt("show", "rnn", "--format", form)
    assert said.status == 0
    assert said.err == ""
    assert "tanh" in said.out
    data = bptt("show", "rnn", "--format", form, "--json").data
    assert data["schema"] == "bptt.show/1"
    assert data["cell"] == "rnn"
    assert data["text"].strip() == said.out.strip()
