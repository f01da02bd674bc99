"""A C file as a module: with `forward` and `backward`, or `loss_and_gradient` for a network.

In: the source of a C file, and nothing else. Out: the module.
"""

from __future__ import annotations

from types import ModuleType

from numeric.compiler.to_c.interface import read
from numeric.compiler.to_c.threads import ThreadedCalls, ThreadedNetworkCalls


def load(source: str, name: str) -> ModuleType:
    """The module that a C file of ours is."""
    module, interface = ModuleType(name), read(source)
    if interface.is_network:
        network = ThreadedNetworkCalls(source, interface)
        declared = network.declared
        final = interface.returns_final
        called = network.with_final_states if final else network.loss_and_gradient
        vars(module).update(loss_and_gradient=called)
    else:
        calls = ThreadedCalls(source, interface)
        declared = calls.declared
        vars(module).update(forward=calls.forward, backward=calls.backward)
    held = {group: names for group, names in declared.items() if names or group != "OUTPUTS"}
    vars(module).update(held)
    return module
