"""Numbers: loop programs, gradient code, its verification, measured and certified norms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numeric.compiler.kernel import Kernel, compile_cell, compile_network
    from numeric.verification.verify import Verdict, verify

__all__ = ["Kernel", "Verdict", "compile_cell", "compile_network", "verify"]

_HOMES: Final = {
    "Kernel": "numeric.compiler.kernel", "compile_cell": "numeric.compiler.kernel",
    "compile_network": "numeric.compiler.kernel",
    "Verdict": "numeric.verification.verify", "verify": "numeric.verification.verify",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when first used.

    Raises:
        AttributeError: for any other name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'numeric' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
