"""Numbers: loop programs, gradient code, its verification, measured and certified norms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazy import lazily

if TYPE_CHECKING:
    from numeric.bounds.diagnosis import Diagnosis
    from numeric.checked import diagnose
    from numeric.compiler.kernel import Kernel, NetworkKernel, compile_cell, compile_network
    from numeric.dialects.same import same
    from numeric.testing import verify_cell, verify_framework, verify_gradients
    from numeric.verification.verify import Verdict, verify
    from numeric.weights.formats.readers import read_arrays
    from numeric.weights.layouts import (
        from_keras,
        from_onnx,
        from_torch,
        layer_prefix,
        to_keras,
        to_onnx,
        to_torch,
    )
    from numeric.weights.mapping import map_weights

__all__ = [
    "Diagnosis",
    "Kernel",
    "NetworkKernel",
    "Verdict",
    "compile_cell",
    "compile_network",
    "diagnose",
    "from_keras",
    "from_onnx",
    "from_torch",
    "layer_prefix",
    "map_weights",
    "read_arrays",
    "same",
    "to_keras",
    "to_onnx",
    "to_torch",
    "verify",
    "verify_cell",
    "verify_framework",
    "verify_gradients",
]

_LAYOUTS = "numeric.weights.layouts"
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Diagnosis": "numeric.bounds.diagnosis",
        "Kernel": "numeric.compiler.kernel",
        "NetworkKernel": "numeric.compiler.kernel",
        "Verdict": "numeric.verification.verify",
        "compile_cell": "numeric.compiler.kernel",
        "compile_network": "numeric.compiler.kernel",
        "diagnose": "numeric.checked",
        "from_keras": _LAYOUTS,
        "from_onnx": _LAYOUTS,
        "from_torch": _LAYOUTS,
        "layer_prefix": _LAYOUTS,
        "map_weights": "numeric.weights.mapping",
        "read_arrays": "numeric.weights.formats.readers",
        "same": "numeric.dialects.same",
        "to_keras": _LAYOUTS,
        "to_onnx": _LAYOUTS,
        "to_torch": _LAYOUTS,
        "verify": "numeric.verification.verify",
        "verify_cell": "numeric.testing",
        "verify_framework": "numeric.testing",
        "verify_gradients": "numeric.testing",
    },
)
