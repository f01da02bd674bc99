"""What every test may use: Hypothesis profiles, and golden files with one flag to renew them."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import profiles
import pytest
from hypothesis import HealthCheck, settings
from profiles import NIGHTLY, PROFILE, mark_long_cases

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy reads it; two workers share two cores

from numeric.bounds import study
from numeric.compiler.to_c import build
from numeric.numbers.garbage import collect_rarely
from numeric.verification.explain import search
from numeric.verification.verify import NETWORK_PROFILES, PROFILES, Profile

GOLDEN = Path(__file__).parent / "golden"

for day in ("dev", "ci"):  # the same examples each day; the night goes on searching
    settings.register_profile(
        day, deadline=None, derandomize=True, print_blob=True, max_examples=20
    )
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(PROFILE)
collect_rarely()  # as the command does: the search for garbage took a ninth of the suite
if not NIGHTLY:  # by day C is built quickly; what users get is built by night, and by programs
    build.FLAGS = tuple("-O0" if flag == "-O3" else flag for flag in build.FLAGS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="write the golden files instead of comparing"
    )


def pytest_configure(config: pytest.Config) -> None:
    if NIGHTLY and config.option.markexpr == "not long":  # the default: the night leaves out none
        config.option.markexpr = ""
    profiles.all_drawn = config.option.markexpr != "not long"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_long_cases(items)


def pytest_collection_finish() -> None:
    gc.freeze()  # nothing that was imported and collected is ever garbage


@pytest.fixture(autouse=True)
def few_examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few examples a check, few pairs of mistakes, small nets, unless the night is long."""
    if not NIGHTLY and request.node.get_closest_marker("whole_profile") is None:
        few = Profile(autograd=4, high_precision=1, exact=1)
        monkeypatch.setitem(PROFILES, "dev", few)
        monkeypatch.setitem(NETWORK_PROFILES, "dev", replace(few, exact=4))
        monkeypatch.setattr(search, "PAIRS", 1000)
        for name, value in (("SIZE", 6), ("INPUT_SIZE", 3), ("STEPS", 24)):
            monkeypatch.setattr(study, name, value)


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
