"""C as a target: its emitter and how its files become modules."""

from __future__ import annotations

from typing import Final

from numeric.compiler.target import Target
from numeric.compiler.to_c.build import compiler
from numeric.compiler.to_c.formula import spelled
from numeric.compiler.to_c.interface import header_text
from numeric.compiler.to_c.loading import load
from numeric.compiler.to_c.module import emit, emit_network
from numeric.compiler.to_c.self_test import with_main
from numeric.compiler.to_c.writing import SPELLED

C: Final = Target("c", ".c", emit, emit_network, load, spelled, SPELLED, any_numbers=False,
                  ready=compiler, self_test=with_main,
                  beside={".h": header_text})  # fmt: skip
