"""Examples and benchmarks as tests use them: run as a user does, or loaded as a module."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # others share the machine


def run(script, *arguments):
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **ONE_THREAD},
        capture_output=True,
        encoding="utf-8",
        timeout=600,  # a loaded machine is slow; what is asked is counted in updates
        check=False,
    )


def module_at(script, monkeypatch):
    path = ROOT / script
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def looks(output, column):
    """The numbers of a column of the progress lines: time, updates, training, held out."""
    lines = re.findall(r"^ *[\d.]+s +\d+ .*", output, re.MULTILINE)
    return [float(line.split()[column].rstrip("%")) for line in lines]
