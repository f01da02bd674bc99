r"""The same C on other machines: 64-bit ARM under an emulator, and a microcontroller.

Each cell's file with its self-test is compiled for 64-bit ARM, with vectors and plainly, in both
dtypes, and run by qemu: its numbers are those of fifty digits or it says WRONG. For a Cortex-M4
the files are compiled for size, and a trainable GRU 2 → 3 → 1 over five steps is counted out: code,
and all memory that one gradient needs.

    apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user \
        gcc-arm-none-eabi libnewlib-arm-none-eabi
    python benchmarks/other_machines.py

Exit status: 0; 1 if a self-test fails or the GRU needs more than 2 kB; 2 if a tool is missing.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
from math import prod
from pathlib import Path
from typing import Any, Final

from derive import catalogue
from derive.network import Network
from numeric.compiler.kernel import compile_cell, compile_network
from numeric.compiler.to_c import build
from numeric.compiler.to_c.calls import Calls
from numeric.compiler.to_c.interface import read
from numeric.compiler.to_c.target import C
from numeric.verification.self_test import self_tested

CELLS: Final = ("rnn", "irnn", "lstm", "peephole_lstm", "coupled_lstm", "gru", "gru_reset_after",
                "clockwork_rnn", "mgu", "mut1")  # fmt: skip
ARM64: Final = ("aarch64-linux-gnu-gcc", "qemu-aarch64")
CORTEX: Final = ("arm-none-eabi-gcc", "arm-none-eabi-size")
FLAGS: Final = ("-std=gnu11", "-O2", "-ffp-contract=fast", "-fno-math-errno", "-static")
SMALL: Final = ("-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard",
                "-mfpu=fpv4-sp-d16", "-ffunction-sections", "-fdata-sections")  # fmt: skip
TINY: Final = {"T": 5, "B": 1, "m": 2, "n": 3, "q": 1}
MOST: Final = 2048  # bytes


def said(command: list[str]) -> str:
    """What a command prints; its complaint, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or f"status {done.returncode}: {done.stderr.strip()[-300:]}"


def self_tests(folder: Path) -> dict[str, dict[str, str]]:
    """For each cell and form of its file what its self-test says on 64-bit ARM."""
    found: dict[str, dict[str, str]] = {}
    for name in CELLS:
        source = self_tested(catalogue[name], C, compile_cell(name, "fused", "c").source)
        upper = read(source).prefix.upper()
        path, program = folder / f"{name}.c", folder / name
        path.write_text(source, encoding="utf-8")
        found[name] = {}
        for form in ("vectors, float", "vectors, double", "plain, float", "plain, double"):
            words = ["MAIN", *["PLAIN"] * ("plain" in form), *["DOUBLE"] * ("double" in form)]
            defines = [f"-D{upper}_{word}" for word in words]
            subprocess.run(
                [ARM64[0], *FLAGS, *defines, str(path), "-o", str(program), "-lm"], check=True
            )
            found[name][form] = said([ARM64[1], str(program)])
    return found


def code_size(name: str, source: str, folder: Path) -> dict[str, int]:
    """Bytes of code, data and zeroed memory of a file on the Cortex-M4, in float."""
    path, made = folder / f"{name}.c", folder / f"{name}.o"
    path.write_text(source, encoding="utf-8")
    plain = f"-D{read(source).prefix.upper()}_PLAIN"
    subprocess.run([CORTEX[0], *SMALL, plain, "-c", str(path), "-o", str(made)], check=True)
    text, data, bss = said([CORTEX[1], str(made)]).splitlines()[1].split()[:3]
    return {"text": int(text), "data": int(data), "bss": int(bss)}


def memory_of_one_gradient(source: str) -> dict[str, int]:
    """Every byte that the file asks for, in float and plainly, by what it is for."""
    interface = read(source)
    upper = interface.prefix.upper()
    flags = (*build.FLAGS, f"-D{upper}_PLAIN")
    opened: Any = ctypes.CDLL(str(build.library(source, interface.prefix, "f4", flags)))
    calls = Calls(source, interface)
    sizes = ctypes.byref(calls.size_type(*(TINY[name] for name, _ in interface.sizes)))
    found: dict[str, int] = {}
    for what in ("tape", "workspace"):
        function = getattr(opened, f"{interface.prefix}_f4_{what}_bytes")
        function.restype, function.argtypes = ctypes.c_ssize_t, [ctypes.c_void_p]
        found[what] = int(function(sizes))
    for slot in interface.slots:
        if slot.group == "lengths":
            continue  # NULL
        dims = [sum(TINY[part] for part in size.split("+")) for size in slot.dims]
        dims[0:1] = [dims[0] + 1] if slot.group == "states" else dims[0:1]
        group = slot.group.replace("gradients.", "gradients of ")
        found[group] = found.get(group, 0) + 4 * prod(dims)
    return {**found, "in all": sum(found.values())}


def main(words: list[str] | None = None) -> int:
    """Print what each machine says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    options = parser.parse_args(words)
    missing = [tool for tool in (*ARM64, *CORTEX) if shutil.which(tool) is None]
    if missing:
        print(f"other_machines: {', '.join(missing)} not found; see --help", file=sys.stderr)
        return 2
    network = Network(catalogue["gru"], readout="linear", loss="squared_error")
    tiny = compile_network(network, "fused", "c").source
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        tests = self_tests(folder)
        sizes = {
            name: code_size(name, compile_cell(name, "fused", "c").source, folder) for name in CELLS
        }
        sizes["GRU 2 → 3 → 1, with loss"] = code_size("tiny", tiny, folder)
    memory = memory_of_one_gradient(tiny)
    right = all(line.endswith(": right") for forms in tests.values() for line in forms.values())
    small = memory["in all"] <= MOST
    if options.json:
        print(json.dumps({"arm64": tests, "cortex_m4": sizes, "gru_2_3_1_bytes": memory}, indent=2))
        return 0 if right and small else 1
    print(f"64-bit ARM, {said([ARM64[0], '--version']).splitlines()[0]}, under qemu:")
    for name, forms in tests.items():
        same = {*forms.values()} == {f"{name}: right"}
        print(f"  {name:<18}" + ("right in all four forms" if same else str(forms)))
    print(f"Cortex-M4, {said([CORTEX[0], '--version']).splitlines()[0]}, float, -Os:")
    for name, size in sizes.items():
        print(f"  {name:<26}{size['text']:6} bytes of code, {size['data'] + size['bss']} of data")
    print("a gradient of the GRU 2 → 3 → 1 over five steps, bytes:")
    for what, count in memory.items():
        print(f"  {what:<22}{count:6}")
    print(f"  {'met' if small else 'MISSED'}: at most {MOST} bytes in all")
    return 0 if right and small else 1


if __name__ == "__main__":
    sys.exit(main())
