"""The pytest plugin: a test of a cell's gradients in one line.

In: a test that asks for the fixture `verify_cell` or `verify_gradients`. Out: the function of
`numeric.testing`, with the profile of `--bptt-profile`. Nothing else is imported before a test
asks: starting pytest costs neither NumPy nor SymPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

import pytest

PROFILES: Final = ("dev", "ci", "nightly")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--bptt-profile`: how many examples each check sees."""
    parser.getgroup("bptt").addoption(
        "--bptt-profile", choices=PROFILES, default="dev",
        help="examples for verify_cell and verify_gradients: %(choices)s (%(default)s)",
    )  # fmt: skip


@pytest.fixture
def verify_cell(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`numeric.testing.verify_cell`, in the profile of the command line."""
    return _asked(request, "verify_cell")


@pytest.fixture
def verify_gradients(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`numeric.testing.verify_gradients`, in the profile of the command line."""
    return _asked(request, "verify_gradients")


def _asked(request: pytest.FixtureRequest, name: str) -> Callable[..., Any]:
    function = getattr(import_module("numeric.testing"), name)
    return partial(function, profile=request.config.getoption("--bptt-profile"))
