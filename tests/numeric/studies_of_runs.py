"""Diagnoses of small drawn nets, made once."""

from __future__ import annotations

from functools import cache

from derive import catalogue
from numeric.bounds.diagnosis import Diagnosis, diagnose
from numeric.bounds.drawn import draw
from numeric.meaning.sizes import usual_sizes


@cache
def diagnosed(name: str, size: int = 4, along: bool = True) -> Diagnosis:
    """The diagnosis of a cell of the catalogue along nine steps, or for a box of inputs."""
    cell = catalogue[name]
    sizes = usual_sizes(cell, size, 3)
    drawn = draw(cell, sizes, 1.0, 9, 0, 0.5)
    inputs = drawn["inputs"] if along else None
    return diagnose(cell, drawn["parameters"], sizes, inputs=inputs, windows=(1,))
