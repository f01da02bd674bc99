"""Time in segments: less memory, or gradients that look back only so far.

In: how many steps. Out: `Segments`, which emitters read, and the words for it. States are kept
where a segment begins; the pass back computes the rest of a segment again. A truncated gradient
hands nothing back from one segment to the one before.

Source: Chen, Xu, Zhang, Guestrin 2016 (checkpoints); Williams, Peng 1990 (truncation).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segments:
    """`steps` of a segment, 0 for the root of T; nothing is handed back over a multiple of `cut`.

    Of `cut` 0 all is handed back: the gradient is whole.
    """

    steps: int
    cut: int = 0

    def __post_init__(self) -> None:
        """Refuse what no code can be made of.

        Raises:
            ValueError: naming it.
        """
        if min(self.steps, self.cut) < 0:
            raise ValueError("segments: expected whole numbers of steps, 1 or more")
        if self.cut and (not self.steps or self.cut % self.steps):
            raise ValueError(
                f"segments: expected to truncate at a multiple of the {self.steps} steps between "
                f"checkpoints, came {self.cut}"
            )

    def lines(self) -> tuple[str, ...]:
        """What a header says of it."""
        kept = f"every {self.steps} steps" if self.steps else "every k steps, k the root of T"
        said = [
            f"Checkpoints: states are kept {kept}; the pass back computes the rest again.",
        ]
        if self.cut:
            said += [
                f"Truncated: no gradient goes back over a multiple of {self.cut} steps. Of dL/dθ",
                "this omits ∑ ∂L/∂s_t ∂s_t/∂s_j ∂s_j/∂θ over all t and k with a multiple j of",
                f"{self.cut} between them, k ≤ j < t; of dL/dx_k and dL/ds_0 the same.",
            ]
        return tuple(said)


def segments(checkpoint: int | None, truncate: int | None) -> Segments | None:
    """What the two flags ask for; None for neither. `checkpoint` 0: the root of T.

    Raises:
        ValueError: if they do not go together.
    """
    if checkpoint is None and truncate is None:
        return None
    if truncate is not None and truncate < 1:
        raise ValueError(f"truncate: expected 1 step or more, came {truncate}")
    return Segments(checkpoint or truncate or 0, truncate or 0)
