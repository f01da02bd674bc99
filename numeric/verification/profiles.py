"""How many examples each check of a verification sees.

In: what is verified and a profile's name. Out: `Profile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from derive.network import Network
from numeric.verification.scope import Scope


@dataclass(frozen=True)
class Profile:
    """How many examples each check sees."""

    autograd: int
    high_precision: int
    exact: int


PROFILES: Final[Mapping[str, Profile]] = {
    "dev": Profile(autograd=80, high_precision=16, exact=10),
    "ci": Profile(autograd=200, high_precision=40, exact=25),
    "nightly": Profile(autograd=2000, high_precision=200, exact=200),
}
NETWORK_PROFILES: Final[Mapping[str, Profile]] = {
    "dev": Profile(autograd=16, high_precision=2, exact=4),
    "ci": Profile(autograd=80, high_precision=16, exact=10),
    "nightly": Profile(autograd=800, high_precision=80, exact=80),
}


FRAMEWORK_PROFILES: Final[Mapping[str, Profile]] = {
    "dev": Profile(autograd=24, high_precision=6, exact=1),
    "ci": Profile(autograd=80, high_precision=20, exact=1),
    "nightly": Profile(autograd=800, high_precision=100, exact=1),
}  # JAX compiles each shape anew


def profile_of(network: Network | None, scope: Scope, name: str) -> Profile:
    """How many examples each check sees: fewer where a call takes long."""
    if network is not None:
        return NETWORK_PROFILES[name]
    return (FRAMEWORK_PROFILES if scope.framework else PROFILES)[name]
