"""A model's state, put back after everything that is tried on it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gradcheck.torch.modules import all_buffers, all_modules, all_parameters
from gradcheck.torch.probing.keeping import give_values, has_values, keep_optimizer, put_optimizer_back

#: Models that an inner ``untouched`` holds: what the outer one has let go is its affair until it ends.
_HELD: list[nn.Module] = []


@contextmanager
def untouched(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    beside: Sequence[nn.Module] = (),
    *,
    lean: bool = False,
) -> Iterator[None]:
    """Put parameters, buffers, gradients, mode and optimizer back as they were, those of modules beside it, too.

    If it is to be lean, nothing but forward passes may change parameters: copies are made for each pass, and those that
    it leaves alone make room for the gradients. Hooks of the user's may change parameters on the way back: not so then.
    """
    modules = dict.fromkeys(one for part in (model, *beside) for one in all_modules(part))
    trained = [one for group in optimizer.param_groups for one in group["params"]] if optimizer is not None else []
    tensors = dict.fromkeys([*all_parameters(model), *all_buffers(model), *trained, *_changing(beside)])
    held = [(one, one._parameters.copy(), one._buffers.copy(), one._modules.copy()) for one in modules]
    copies = {one: one.detach().clone() for one in tensors}
    kept = [(one, one.requires_grad, one.grad) for one in tensors]
    modes = [(module, module.training) for module in modules]
    state = None if optimizer is None else keep_optimizer(optimizer)
    lean = lean and not any(map(_has_backward_hooks, (*modules, *tensors)))
    handles = _letting_go(model, copies) if lean else []
    for one in tensors:
        one.grad = None  # forward could change it in place
    if not lean:
        _HELD.append(model)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        if not lean:
            _HELD.remove(model)
        for module, training in modes:
            module.training = training
        for module, *parts in held:  # forward may have replaced them, or made others
            for now, before in zip((module._parameters, module._buffers, module._modules), parts, strict=True):
                now.clear()
                now.update(before)
        for tensor, wanted, gradient in kept:
            if tensor in copies:
                give_values(tensor, copies[tensor])
            tensor.grad = gradient
            if tensor.is_leaf:
                tensor.requires_grad_(wanted)
        if optimizer is not None and state is not None:
            put_optimizer_back(optimizer, state)


@contextmanager
def held(model: nn.Module) -> Iterator[None]:
    """Change a model's weights for a pass, and put them back oneself: what ``untouched`` let go stays so.

    It would take the changed weights for its own where that pass is broken off.
    """
    _HELD.append(model)
    try:
        yield
    finally:
        _HELD.remove(model)


def _letting_go(model: nn.Module, copies: dict[Tensor, Tensor]) -> list[RemovableHandle]:
    """Let go the copies of parameters that a forward pass leaves alone, until the next one begins."""
    gone: list[Tensor] = []

    def renew(*passed: object) -> None:
        if not any(one is model for one in _HELD):
            with torch._C.DisableTorchFunction():  # a watch needn't see this
                copies.update((one, one.detach().clone()) for one in gone)
            gone.clear()

    def release(*passed: object) -> None:
        with torch._C.DisableTorchFunction():
            gone.extend(one for one in copies if isinstance(one, nn.Parameter) and has_values(one, copies[one]))
        for one in gone:
            copies.pop(one, None)

    return [model.register_forward_pre_hook(renew), model.register_forward_hook(release)]


def _has_backward_hooks(one: nn.Module | Tensor) -> bool:
    return bool(getattr(one, "_backward_hooks", None) or getattr(one, "_backward_pre_hooks", None))


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Put the states of PyTorch's, NumPy's and Python's own random numbers back as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


def seed_all(seed: int) -> None:
    """Seed all random numbers that a user's code may draw: PyTorch's, NumPy's and Python's own."""
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


@cache
def _has_accelerator() -> bool:
    """Whether there may be a device with random numbers of its own.

    Where there is none, ``torch.manual_seed`` notes each seed for CUDA, XPU and MTIA, should they come, each with a
    traceback of the call: that takes as long as a pass of a small model.
    """
    return not hasattr(torch, "accelerator") or bool(torch.accelerator.is_available())


def _changing(beside: Sequence[nn.Module]) -> Iterator[Tensor]:
    """Yield what a pass may change of modules beside the model; their frozen weights, which may be large, it can't."""
    for part in beside:
        yield from all_buffers(part)
        yield from (one for one in all_parameters(part) if one.requires_grad)
