"""A model's state, put back after everything that is tried on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import nn


@contextmanager
def untouched(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
    """Put parameters, buffers, gradients, mode and optimizer back as they were."""
    tensors = [*model.parameters(), *model.buffers()]
    held = [(module, module._parameters.copy(), module._buffers.copy()) for module in model.modules()]
    kept = [tensor.detach().clone() for tensor in tensors]
    gradients = [(one, one.grad) for one in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    state = None if optimizer is None else deepcopy(optimizer.state_dict())
    try:
        yield
    finally:
        for module, parameters, buffers in held:  # forward may have replaced them
            module._parameters.update(parameters)
            module._buffers.update(buffers)
        with torch.no_grad():
            for tensor, before in zip(tensors, kept, strict=True):
                tensor.copy_(before)
        for one, gradient in gradients:
            one.grad = gradient
        for module, training in modes:
            module.training = training
        if optimizer is not None and state is not None:
            optimizer.state.clear()
            optimizer.load_state_dict(state)
