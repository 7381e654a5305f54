"""A model's state, put back after everything that is tried on it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn


@contextmanager
def untouched(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    beside: Sequence[nn.Module] = (),
    *,
    lean: bool = False,
) -> Iterator[None]:
    """Put parameters, buffers, gradients, mode and optimizer back as they were, those of modules beside it, too.

    Parameters
    ----------
    model : nn.Module
    optimizer : Optimizer, optional
    beside : sequence of nn.Module
    lean : bool
        Nothing but the first forward pass may change parameters: the copies of those that it leaves alone make room
        for the gradients.
    """
    modules = dict.fromkeys(one for part in (model, *beside) for one in part.modules())
    trained = [one for group in optimizer.param_groups for one in group["params"]] if optimizer is not None else []
    tensors = dict.fromkeys([*model.parameters(), *model.buffers(), *trained, *_changing(beside)])
    held = [(one, one._parameters.copy(), one._buffers.copy(), one._modules.copy()) for one in modules]
    copies = {one: one.detach().clone() for one in tensors}
    kept = [(one, one.requires_grad, one.grad) for one in tensors]
    modes = [(module, module.training) for module in modules]
    state = None if optimizer is None else deepcopy(optimizer.state_dict())

    def release(*passed: object) -> None:
        handle.remove()
        for one in tensors:
            if isinstance(one, nn.Parameter) and _is_as_before(one, copies[one]):
                del copies[one]

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
        for tensor, wanted, gradient in kept:
            if tensor in copies:
                _put_back(tensor, copies[tensor])
            tensor.grad = gradient
            if tensor.is_leaf:
                tensor.requires_grad_(wanted)
        if optimizer is not None and state is not None:
            optimizer.state.clear()
            optimizer.load_state_dict(state)


def _is_as_before(tensor: Tensor, before: Tensor) -> bool:
    return tensor.shape == before.shape and bool(torch.equal(tensor.detach(), before))


def _changing(beside: Sequence[nn.Module]) -> Iterator[Tensor]:
    """Yield what a pass may change of modules beside the model; their frozen weights, which may be large, it can't."""
    for part in beside:
        yield from part.buffers()
        yield from (one for one in part.parameters() if one.requires_grad)


def _put_back(tensor: Tensor, before: Tensor) -> None:
    """Give a tensor the values that it had; one that still has them is left alone, so that graphs that hold it last."""
    if _is_as_before(tensor, before):
        return
    with torch.no_grad():
        try:
            tensor.copy_(before)
        except RuntimeError:  # another shape, or several entries in one place
            tensor.data = before
