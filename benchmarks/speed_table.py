"""How `speed.py` shows what it measured: the machine and tables.

In: results of `compare`. Out: text and Markdown.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from required import C_FLOOR, C_LIMIT, C_PEAK, C_POINTERS, FUSED, JAX, LAYER, LOOP, LOOP_COMPILED

TOLERANCES: Final = {"float32": 1e-5, "float64": 1e-12}
THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS")
Result = Mapping[str, Any]


def processor() -> str:
    """The processor's name, as exactly as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, load, threads, versions."""
    affinity = getattr(os, "sched_getaffinity", None)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {"Python": platform.python_version(), "BLAS": f"{blas['name']} {blas['version']}"}
    for package in ("numpy", "autograd", "torch", "jax"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": {name: os.environ.get(name, "not set") for name in THREADS},
        "versions": versions,
    }


def table(cell: str, result: Result) -> str:
    """The result of one cell, for people."""
    sizes = ", ".join(f"{name} = {result[name]}" for name in ("T", "B", "m", "n"))
    clock = "" if result["clock"] == "wall" else ", time of the processor"
    lines = [
        f"{cell}: forward and backward, {sizes}, {result['dtype']}, {result['rounds']} rounds"
        f"{clock}",
        f"  {'':<26}{'ms':>9}{'fastest':>9}   time over {result['over']} (quartiles)   error",
    ]
    for name, row in result["contenders"].items():
        low, high = row["ratio_quartiles"]
        error = row.get("scaled_error", "")
        error = f"{error:.0e}" if isinstance(error, float) else "infinite" * (error is None)
        lines.append(
            f"  {name:<26}{row['milliseconds']:9.3f}{row['fastest']:9.3f}   "
            f"{row['ratio']:9.2f} ({low:.2f} to {high:.2f}){error:>19}"
        )
    lines += [f"  {name:<26} not available" for name in result["not_installed"]]
    agree = "agree" if result["gradients_agree"] else "DISAGREE"
    lines.append(
        f"  gradients {agree} (to {TOLERANCES[result['dtype']]:g} of each array's largest)"
    )
    lines += [f"  {'met' if r['met'] else 'MISSED'}: {r['text']}" for r in result["requirements"]]
    return "\n".join(lines)


COLUMNS: Final = (
    FUSED, C_POINTERS, C_FLOOR, C_PEAK, C_LIMIT, LAYER, JAX, LOOP, LOOP_COMPILED,
)  # fmt: skip
TITLES: Final = {
    FUSED: "NumPy", C_POINTERS: "prepared", C_FLOOR: "products alone", C_PEAK: "at peak",
    C_LIMIT: "peak, then functions",
    LAYER: "PyTorch layer",
    JAX: "JAX jit", LOOP: "PyTorch loop", LOOP_COMPILED: "loop, compiled cell",
}  # fmt: skip


def markdown(results: Sequence[Result]) -> str:
    """One table of all: milliseconds of our code, and the others' time over it."""
    columns = [name for name in COLUMNS if any(name in r["contenders"] for r in results)]
    ours = results[0]["over"]
    heads = ["cell", "T, B, m, n", "dtype", f"{ours}, ms", *(TITLES[name] for name in columns)]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|---" + "|---:" * (len(heads) - 3) + "|"]
    for result in results:
        rows = result["contenders"]
        sizes = ", ".join(str(result[name]) for name in ("T", "B", "m", "n"))
        cells = [result["cell"], sizes, result["dtype"], short(rows[ours]["milliseconds"])]
        cells += [short(rows[name]["ratio"]) if name in rows else "–" for name in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def short(number: float) -> str:
    """A number to two digits, or whole."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"
