"""Modules, parameters and buffers of a model, in PyTorch's order.

``nn.Module.named_modules`` nests a generator for each level, so that a walk costs modules times depth; a probe asks for
dozens of walks, and for a small model they would take longer than its passes.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn


class Walked(NamedTuple):
    """What a walk through a model has found."""

    modules: list[tuple[str, nn.Module]]
    parameters: list[tuple[str, nn.Parameter]]


#: Models whose parts nothing changes at the moment.
_WALKED: dict[nn.Module, Walked] = {}


@contextmanager
def walked(model: nn.Module) -> Iterator[None]:
    """Walk through a model once for as long as the context lasts: its parts stay what they are."""
    modules = [*_named_modules(model)]
    _WALKED[model] = Walked(modules, [*_named_parameters(modules)])
    try:
        yield
    finally:
        del _WALKED[model]


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module once, under its first name: as ``model.named_modules()`` does."""
    known = _WALKED.get(model)
    return _named_modules(model) if known is None else iter(known.modules)


def all_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Yield every module once: as ``model.modules()`` does."""
    known = _WALKED.get(model)
    return _all_modules(model) if known is None else (module for _, module in known.modules)


def named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield every parameter once, under its first name: as ``model.named_parameters()`` does."""
    known = _WALKED.get(model)
    return _named_parameters(_named_modules(model)) if known is None else iter(known.parameters)


def all_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield every parameter once: as ``model.parameters()`` does."""
    known = _WALKED.get(model)
    if known is not None:
        return (one for _, one in known.parameters)
    return _each(module._parameters for module in _all_modules(model))


def all_buffers(model: nn.Module) -> Iterator[Tensor]:
    """Yield every buffer once: as ``model.buffers()`` does."""
    return _each(module._buffers for module in all_modules(model))


def _named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
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


def _all_modules(model: nn.Module) -> Iterator[nn.Module]:
    seen, waiting = set[nn.Module](), [model]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        yield module
        if module._modules:
            waiting.extend(one for one in reversed(module._modules.values()) if one is not None)


def _named_parameters(modules: Iterable[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Parameter]]:
    seen = set[int]()  # by their ids: a tensor's own hash is a call of Python's
    for name, module in modules:
        for key, one in module._parameters.items():
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                yield f"{name}.{key}" if name else key, one


def _each(held: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield what modules hold, each once."""
    seen = set[int]()
    for of_module in held:
        for one in of_module.values():
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                yield one


@contextmanager
def in_eval_mode(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let modules compute as they do after training, as long as the context lasts."""
    modes = [(one, one.training) for one in modules]
    try:
        for one, _ in modes:
            one.training = False
        yield
    finally:
        for one, training in modes:
            one.training = training
