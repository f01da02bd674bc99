"""What a framework's code is asked: plain data, which a process of its own can be sent.

In: names, and a call with its right states. Out: `Asked`, and by it the code as a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from numeric.verification.frameworks.code import FrameworkCode
from numeric.verification.frameworks.framework import find_framework
from numeric.verification.frameworks.names import Naming
from numeric.verification.frameworks.settle import Known


@dataclass(frozen=True)
class Asked:
    """A framework, a cell's names, a call with its right states, and whether the batch is first."""

    framework: str
    cell: str
    declared: Mapping[str, Mapping[str, Sequence[str]]]
    known: Known
    batch_first: bool

    def message(self) -> dict[str, Any]:
        """It as a message between processes."""
        known = {**self.known.groups, "states": dict(self.known.states)}
        return {"framework": self.framework, "cell": self.cell, "declared": dict(self.declared),
                "known": known, "batch_first": self.batch_first}  # fmt: skip

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """It again."""
        known = Known(**message["known"])
        return cls(**{**message, "known": known})

    def code(self, thing: Any, name: str) -> FrameworkCode:
        """The thing as a module of the cell.

        Raises:
            Misbehaviour: if its names do not say what they stand for, or it raises.
            ImportError: if the framework is not there.
        """
        naming = Naming(self.cell, self.declared)
        framework = find_framework(self.framework)
        return FrameworkCode(
            thing, name, framework, naming, self.known, batch_first=self.batch_first
        )
