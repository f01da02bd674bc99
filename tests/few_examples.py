"""How tests run by day, in each process that runs any: few examples, C built quickly, small nets.

A plugin of pytest, which `conftest.py` loads.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from profiles import NIGHTLY, PROFILE

from numeric.bounds import study
from numeric.compiler.to_c import build
from numeric.numbers.this_process import collect_rarely
from numeric.verification.explain import search
from numeric.verification.verify import NETWORK_PROFILES, PROFILES, Profile

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
