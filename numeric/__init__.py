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
    "Diagnosis", "Kernel", "NetworkKernel", "Verdict", "compile_cell", "compile_network",
    "diagnose", "from_keras", "from_onnx", "from_torch", "layer_prefix", "map_weights",
    "read_arrays", "same", "to_keras", "to_onnx", "to_torch", "verify", "verify_cell",
    "verify_framework", "verify_gradients",
]  # fmt: skip

__getattr__, __dir__ = lazily(
    __name__,
    {
        "numeric.bounds.diagnosis": ["Diagnosis"],
        "numeric.checked": ["diagnose"],
        "numeric.compiler.kernel": ["Kernel", "NetworkKernel", "compile_cell", "compile_network"],
        "numeric.dialects.same": ["same"],
        "numeric.testing": ["verify_cell", "verify_framework", "verify_gradients"],
        "numeric.verification.verify": ["Verdict", "verify"],
        "numeric.weights.formats.readers": ["read_arrays"],
        "numeric.weights.layouts": [
            "from_keras", "from_onnx", "from_torch", "layer_prefix", "to_keras", "to_onnx",
            "to_torch",
        ],
        "numeric.weights.mapping": ["map_weights"],
    },
)  # fmt: skip
