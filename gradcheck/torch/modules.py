"""Modules, parameters and buffers of a model, in PyTorch's order.

``nn.Module.named_modules`` nests a generator for each level, so that a walk costs modules times depth; a probe asks for
dozens of walks, and for a small model they would take longer than its passes.
"""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module once, under its first name: as ``model.named_modules()`` does."""
    seen, waiting = set[nn.Module](), [("", model)]
    while waiting:
        name, module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        yield name, module
        if module._modules:
            parts = [(f"{name}.{key}" if name else key, one) for key, one in module._modules.items() if one is not None]
            waiting.extend(reversed(parts))


def all_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Yield every module once: as ``model.modules()`` does."""
    return (module for _, module in named_modules(model))


def named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield every parameter once, under its first name: as ``model.named_parameters()`` does."""
    return _named(model, lambda module: module._parameters)


def all_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield every parameter once: as ``model.parameters()`` does."""
    return (one for _, one in named_parameters(model))


def all_buffers(model: nn.Module) -> Iterator[Tensor]:
    """Yield every buffer once: as ``model.buffers()`` does."""
    return (one for _, one in _named(model, lambda module: module._buffers))


def _named(model: nn.Module, held: Callable[[nn.Module], dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield what modules hold by name, each once, under its first name."""
    seen = set[Tensor]()
    for name, module in named_modules(model):
        for key, one in held(module).items():
            if one is not None and one not in seen:
                seen.add(one)
                yield f"{name}.{key}" if name else key, one
