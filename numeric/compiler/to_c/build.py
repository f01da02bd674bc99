"""C source → a shared library, through the system's compiler and a cache.

In: source and dtype. Out: the library's path. The key is the digest of source, compiler and flags;
a library is built under a name of its own and then moved to its place, so that builds side by
side do not meet and nobody ever loads half of one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from numeric.compiler.target import MissingError

FLAGS: tuple[str, ...] = (
    "-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math",
    "-ffp-contract=fast", "-fPIC", "-shared",
)  # fmt: skip
DEFINES: Final = {"f4": (), "f8": ("DOUBLE",)}
_COMPILERS: Final = ("cc", "gcc", "clang")


class NoCompilerError(MissingError):
    """There is no C compiler, or it refuses the file."""


def compiler() -> str:
    """The path of the C compiler: $CC, or the first that is found.

    Raises:
        NoCompilerError: saying which package has one.
    """
    wanted = os.environ.get("CC")
    for name in (wanted,) if wanted else _COMPILERS:
        if found := shutil.which(name):
            return found
    missing = f"$CC names {wanted!r}, which is not found" if wanted else "no C compiler is found"
    raise NoCompilerError(f"target c: {missing}; install one: apt-get install gcc")


@lru_cache(maxsize=8)
def _version(path: str, flags: tuple[str, ...]) -> str:
    """What the compiler says of itself and of the processor it would build for."""
    about = [path, *flags, "-Q", "--help=target"] if "clang" not in path else [path, "--version"]
    named = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    target = subprocess.run(about, capture_output=True, text=True, check=False)
    return named.stdout + target.stdout


def cache_folder() -> Path:
    """Where built libraries are kept: $BPTT_CACHE, else the user's cache folder."""
    if own := os.environ.get("BPTT_CACHE"):
        return Path(own)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "bptt"


def library(source: str, prefix: str, kind: str, flags: tuple[str, ...] | None = None) -> Path:
    """The library of a file for "f4" or "f8", built unless the cache has it; by default `FLAGS`.

    Raises:
        NoCompilerError: if there is no compiler, or it refuses the file.
        OSError: if the cache cannot be written.
    """
    path, flags = compiler(), FLAGS if flags is None else flags
    defines = [f"-D{prefix.upper()}_{word}" for word in DEFINES[kind]]
    parts = "\0".join([source, path, _version(path, flags), *flags, *defines])
    digest = hashlib.sha256(parts.encode()).hexdigest()[:32]
    folder = cache_folder()
    built = folder / f"{prefix}_{kind}_{digest}.so"
    if built.is_file():
        return built
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as room:
        text, made = Path(room) / f"{prefix}.c", Path(room) / f"{prefix}.so"
        text.write_text(source, encoding="utf-8")
        command = [path, *flags, *defines, str(text), "-o", str(made), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not made.is_file():
            said = next((line for line in done.stderr.split("\n") if "error" in line), "")
            raise NoCompilerError(
                f"target c: {path} refuses the file of {prefix!r}: {said.strip()}"
            )
        os.replace(made, built)
    return built
