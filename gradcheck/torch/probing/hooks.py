"""Hooks: what passes through a model's layers, forward and back."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gradcheck.engine.magnitude import log10_norm, log10_rms, log10_std, rescaled
from gradcheck.engine.types import Array
from gradcheck.torch.graph import Node
from gradcheck.torch.layers import Layer, by_channel, candidates, is_finite, main_tensor


@dataclass(eq=False)
class Call:
    """One use of a layer.

    Attributes
    ----------
    layer : Layer
    output : Tensor
        What it returned; an activation in place may have changed it since, see `version`.
    version : int
    node, input_node : Node
        Of the graph: at its output, and at its first input; None where no gradient is wanted.
    features : float
        Numbers in a row of its first input; inf where that is no tensor of floats.
    log10_rms, log10_std : float
        Of the output as it was returned.
    finite : bool
    log10_gradient_norm : float
        Of δ, the gradient at the output; nan as long as none has come.
    alive : array of bool, or None
        (channels,) where δ is not exactly zero throughout.
    gradient_zeros : float
        Share of δ's entries that are exactly zero.
    normalized : bool
        A norm follows.
    scores : bool
        The output reaches the loss by a softmax only.
    hook : handle
        What listens to the gradient.
    """

    layer: Layer
    output: Tensor
    version: int
    node: Node
    input_node: Node
    features: float
    log10_rms: float
    log10_std: float
    finite: bool
    log10_gradient_norm: float = math.nan
    alive: npt.NDArray[np.bool_] | None = None
    gradient_zeros: float = math.nan
    normalized: bool = False
    scores: bool = False
    hook: Any = None

    @property
    def axis(self) -> int:
        """Of the channels."""
        return self.layer.channel_axis(self.output)

    def let_go(self) -> None:
        """Forget tensors and graph: they hold the call, as it holds them, where no garbage collector looks."""
        if self.hook is not None:
            self.hook.remove()
        self.output, self.node, self.input_node, self.hook = self.output.new_empty(0), None, None, None

    def receive(self, delta: Tensor) -> None:
        """Measure what has come back."""
        self.alive = by_channel(delta != 0, self.axis).any(0).cpu().numpy()
        self.gradient_zeros = float((delta == 0).double().mean())
        self.log10_gradient_norm = log10_norm(as_array(delta))


@dataclass
class Recording:
    """Everything that happened in one pass.

    Attributes
    ----------
    calls : list of Call
        In the order in which they ended.
    inside : list of (str, Module, inputs)
        The modules that are being run, outermost first: where an error comes from; of each input shape and type.
    listening : bool
        Whether gradients that come back are measured.
    """

    calls: list[Call] = field(default_factory=list)
    inside: list[tuple[str, nn.Module, tuple[Any, ...]]] = field(default_factory=list)
    listening: bool = False

    def layers(self) -> list[Layer]:
        """Return the layers that were used, in the order of their first use; of nested ones the innermost."""
        used = list(dict.fromkeys(call.layer for call in self.calls))
        modules = {layer.module for layer in used}
        return [layer for layer in used if not modules & {*layer.module.modules()} - {layer.module}]

    def of(self, layer: Layer) -> list[Call]:
        """Return a layer's calls."""
        return [call for call in self.calls if call.layer is layer]


def as_array(tensor: Tensor) -> Array:
    """Return a tensor as NumPy's; half precision as float32, complex numbers as two in the last axis."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj()).reshape(*tensor.shape[:-1], -1)
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    array: Array = wide.cpu().numpy()
    return array


@contextmanager
def recording(model: nn.Module) -> Iterator[Recording]:
    """Watch a model's layers as long as the context lasts."""
    record = Recording()
    handles = []
    for layer in candidates(model):
        handles.append(layer.module.register_forward_hook(_noting(record, layer)))
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(_entering(record, name or type(model).__name__)))
        handles.append(module.register_forward_hook(_leaving(record)))
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def _entering(record: Recording, name: str) -> Any:  # noqa: ANN401
    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        given = tuple((tuple(getattr(one, "shape", ())), getattr(one, "dtype", None)) for one in inputs)
        record.inside.append((name, module, given))

    return enter


def _leaving(record: Recording) -> Any:  # noqa: ANN401
    def leave(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        record.inside.pop()

    return leave


def _noting(record: Recording, layer: Layer) -> Any:  # noqa: ANN401
    def note(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        tensor = main_tensor(output)
        if tensor is None or not tensor.numel() or not torch.is_grad_enabled():
            return
        first = main_tensor(inputs)
        call = _call(layer, tensor, first)
        record.calls.append(call)
        if tensor.requires_grad:
            call.hook = tensor.register_hook(lambda delta: call.receive(delta) if record.listening else None)

    return note


def _call(layer: Layer, tensor: Tensor, given: Tensor | None) -> Call:
    with np.errstate(all="ignore"):
        output = rescaled(as_array(tensor))
        rms, std = log10_rms(output), log10_std(output)
    finite = math.isfinite(rms) or is_finite(tensor)
    node, features = (None, math.inf) if given is None else (given.grad_fn, layer.rows(given).shape[1])
    return Call(layer, tensor, tensor._version, tensor.grad_fn, node, features, rms, std, finite)
