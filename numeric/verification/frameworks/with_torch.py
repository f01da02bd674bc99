"""PyTorch as a framework whose code is verified: functions, `autograd.Function`s and modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch.func import functional_call

from numeric.verification.frameworks.framework import (
    Callee,
    Framework,
    Function,
    Key,
    Pullback,
    arguments_of,
)

Tensor = Any


class Torch(Framework):
    """PyTorch's arrays and its reverse accumulation, which calls a backward pass of one's own."""

    others = ", an autograd.Function or a class of modules"

    def prepare(self) -> None:
        """One thread: the arrays are small."""
        torch.set_num_threads(1)

    def array(self, value: Any) -> Tensor:
        """The array, not differentiated."""
        return torch.tensor(np.asarray(value))

    def is_array(self, value: Any) -> bool:
        """Whether the value is a floating tensor."""
        return isinstance(value, torch.Tensor) and value.is_floating_point()

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Along a new first axis."""
        return torch.stack([*tensors])

    def joined(self, tensors: Sequence[Tensor]) -> Tensor:
        """One below the other."""
        return torch.cat([*tensors])

    def swapped(self, tensor: Tensor) -> Tensor:
        """The first two axes exchanged."""
        return tensor.transpose(0, 1)

    def numbers(self, tensor: Tensor) -> Any:
        """A NumPy array of its own."""
        return tensor.detach().numpy().copy()

    def pulled_back(
        self, function: Function, arrays: Mapping[Key, Any], fixed: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Pullback]:
        """What the function makes of arrays and constants, and its gradients by cotangents.

        A state that is detached has none, and is left out.
        """
        leaves = {key: self.array(value).requires_grad_() for key, value in arrays.items()}
        made = function(leaves, {name: self.array(value) for name, value in fixed.items()})
        outputs = {name: value for name, value in made.items() if value.requires_grad}

        def pullback(cotangents: Mapping[str, Any]) -> dict[Key, Any]:
            told = {name: bar for name, bar in cotangents.items() if name in outputs}
            if not outputs:
                return dict.fromkeys(leaves)
            if not told:
                told = {name: np.zeros(tuple(value.shape)) for name, value in outputs.items()}
            found = torch.autograd.grad(
                [outputs[name] for name in told], [*leaves.values()],
                [self.array(bar).to(outputs[name].dtype) for name, bar in told.items()],
                retain_graph=True, allow_unused=True,
            )  # fmt: skip
            return {
                key: None if gradient is None else self.numbers(gradient)
                for key, gradient in zip(leaves, found, strict=True)
            }

        return {name: self.numbers(value) for name, value in outputs.items()}, pullback

    def makes_modules(self, thing: Any) -> bool:
        """Whether it is a class of modules."""
        return isinstance(thing, type) and issubclass(thing, torch.nn.Module)

    def is_module(self, thing: Any) -> bool:
        """Whether it is a module."""
        return isinstance(thing, torch.nn.Module)

    def module(self, made: Any, dtype: Any) -> Callee:
        """The module as what is called, in the dtype."""
        made.to(getattr(torch, np.dtype(dtype).name))

        def call(
            parameters: Mapping[str, Tensor], places: Sequence[Tensor], names: Mapping[str, Tensor]
        ) -> Any:
            return functional_call(made, dict(parameters), tuple(places), dict(names))

        shapes = {name: tuple(value.shape) for name, value in made.named_parameters()}
        return Callee(call, arguments_of(made.forward), parameters=shapes)

    def function(self, thing: Any) -> Callee | None:
        """A function, or an `autograd.Function` by its `apply`."""
        if isinstance(thing, type):
            if not issubclass(thing, torch.autograd.Function):
                return None
            made: Any = thing
            own = made.setup_context is not torch.autograd.Function.setup_context
            arguments = arguments_of(made.forward)[0 if own else 1 :]
            return Callee(lambda _, places, names: made.apply(*places), arguments, by_place=True)
        if not callable(thing):
            return None
        return Callee(lambda _, places, names: thing(*places, **names), arguments_of(thing))


FRAMEWORK: Final = Torch()
