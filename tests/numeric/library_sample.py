"""What a library computes with a file of its own, beside the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "weights" / "files"
STEPS: Final = 5


@dataclass(frozen=True)
class Sample:
    """A module of a file, the cell that it is, an input (T, B, m) and the library's output."""

    file: str
    module: str | None
    cell: str
    x: Any
    y: Any

    @property
    def name(self) -> str:
        return f"{self.file}:{self.module or ''}:{self.cell}"

    @property
    def close(self) -> float:
        """How near the library comes: TensorFlow Lite has float32 alone, a sum near 10 to 1e-6.

        Keras 3.15.1 multiplies float64 matrices in float32.
        """
        if self.file == "clipped.tflite":
            return 1e-5
        single = self.file.startswith("net.") and self.module in {"before", "simple"}
        return 1e-6 if single or self.file.endswith(".tflite") else 1e-12
