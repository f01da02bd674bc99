"""What every test may use: golden files with one flag to renew them; which tests run.

Of the packages nothing is imported here, but in `few_examples.py`, which is loaded where tests run:
the process that hands them out has no use for SymPy, and the others wait until it has begun.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import profiles
import pytest
from profiles import NIGHTLY, mark_long_cases

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy reads it; two workers share two cores

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="write the golden files instead of comparing"
    )


def pytest_configure(config: pytest.Config) -> None:
    if NIGHTLY and config.option.markexpr == "not long":  # the default: the night leaves out none
        config.option.markexpr = ""
    profiles.all_drawn = config.option.markexpr != "not long"
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        config.pluginmanager.import_plugin("few_examples")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_long_cases(items)


def pytest_collection_finish() -> None:
    gc.freeze()  # nothing that was imported and collected is ever garbage


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name, or renew the file."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regenerate"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {name}; make it with pytest --regenerate"
        assert text == path.read_text(encoding="utf-8"), (
            f"{name} changed; if it should, renew it with pytest --regenerate"
        )

    return check
