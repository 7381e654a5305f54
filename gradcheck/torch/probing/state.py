"""A model's state, put back after everything that is tried on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn


@contextmanager
def untouched(
    model: nn.Module, optimizer: torch.optim.Optimizer | None = None, *, lean: bool = False
) -> Iterator[None]:
    """Put parameters, buffers, gradients, mode and optimizer back as they were.

    Parameters
    ----------
    model : nn.Module
    optimizer : Optimizer, optional
    lean : bool
        Nothing but the first forward pass may change parameters: the copies of those that it leaves alone make room
        for the gradients.
    """
    held = [(one, one._parameters.copy(), one._buffers.copy(), one._modules.copy()) for one in model.modules()]
    tensors = {id(one): one for _, *parts, _ in held for part in parts for one in part.values() if one is not None}
    copies = {key: one.detach().clone() for key, one in tensors.items()}
    kept = [(key, one, one.requires_grad, one.grad) for key, one in tensors.items()]
    modes = [(module, module.training) for module, *_ in held]
    state = None if optimizer is None else deepcopy(optimizer.state_dict())

    def release(*passed: object) -> None:
        handle.remove()
        for key, one in tensors.items():
            if isinstance(one, nn.Parameter) and _is_as_before(one, copies[key]):
                del copies[key]

    handle = model.register_forward_hook(release)
    if not lean:
        handle.remove()
    try:
        yield
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
        for module, *parts in held:  # forward may have replaced them, or made others
            for now, before in zip((module._parameters, module._buffers, module._modules), parts, strict=True):
                now.clear()
                now.update(before)
        for key, tensor, wanted, gradient in kept:
            if key in copies:
                _put_back(tensor, copies[key])
            tensor.grad = gradient
            if tensor.is_leaf:
                tensor.requires_grad_(wanted)
        if optimizer is not None and state is not None:
            optimizer.state.clear()
            optimizer.load_state_dict(state)


def _is_as_before(tensor: Tensor, before: Tensor) -> bool:
    return tensor.shape == before.shape and bool(torch.equal(tensor.detach(), before))


def _put_back(tensor: Tensor, before: Tensor) -> None:
    """Give a tensor the values that it had; one that still has them is left alone, so that graphs that hold it last."""
    if _is_as_before(tensor, before):
        return
    with torch.no_grad():
        try:
            tensor.copy_(before)
        except RuntimeError:  # another shape, or several entries in one place
            tensor.data = before
