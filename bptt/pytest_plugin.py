"""The pytest plugin: a test of a cell's gradients in one line.

In: a test that asks for the fixture `verify_cell` or `verify_gradients`. Out: the function of
`numeric.testing`, with the profile of `--bptt-profile`. pytest loads this file in every run of
every project, before any test: it imports nothing of ours, so that the start costs neither NumPy
nor SymPy and a project's own folder `numeric`, `reports` or `derive` breaks nothing. A test that
asks while such a folder hides our package errs, and says which folder and how to get round it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, Final

import pytest

from bptt.shadows import ShadowedError, require

PROFILES: Final = ("dev", "ci", "nightly")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--bptt-profile`: how many examples each check sees."""
    parser.getgroup("bptt").addoption(
        "--bptt-profile",
        choices=PROFILES,
        default="dev",
        help="examples for verify_cell and verify_gradients: %(choices)s (%(default)s)",
    )


@pytest.fixture
def verify_cell(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`numeric.testing.verify_cell`, in the profile of the command line."""
    return _asked(request, "verify_cell")


@pytest.fixture
def verify_gradients(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`numeric.testing.verify_gradients`, in the profile of the command line."""
    return _asked(request, "verify_gradients")


def _asked(request: pytest.FixtureRequest, name: str) -> Callable[..., Any]:
    reason = ""
    try:
        require("derive", "numeric")
    except ShadowedError as problem:
        reason = f"{name}: {problem}"
    if reason:  # outside the except: pytest would show the error a second time
        pytest.fail(reason, pytrace=False)
    function = getattr(import_module("numeric.testing"), name)
    return partial(function, profile=request.config.getoption("--bptt-profile"))
