"""The README's snippets: a cell of five lines trains in PyTorch and in JAX."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from numeric import compile_cell

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
VARIANCE = 1 / 144  # of the mean of twelve numbers in [0, 1]: the loss of the best constant
CELL = next(
    text for text in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if '"my_unit"' in text
)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_the_snippet_trains_the_cell(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    (tmp_path / "my_unit.toml").write_text(CELL, encoding="utf-8")
    source = compile_cell(tmp_path / "my_unit.toml", target=framework).source
    (tmp_path / f"my_unit_{framework}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (snippet,) = (
        text
        for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if f"from my_unit_{framework} import" in text
    )
    scope: dict[str, Any] = {}
    try:
        exec(compile(snippet, "<README>", "exec"), scope)
    finally:
        sys.modules.pop(f"my_unit_{framework}", None)
    loss: Any = scope["loss"]
    assert float(loss.detach() if framework == "torch" else loss) < VARIANCE / 2


def test_the_cell_of_the_snippets_has_a_name() -> None:
    assert re.search(r'^name = "my_unit"$', CELL, re.MULTILINE)
