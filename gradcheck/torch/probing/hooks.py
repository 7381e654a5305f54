"""Hooks: what passes through a model's layers, forward and back."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gradcheck.engine.magnitude import log10_joint_norm, log10_norm, log10_rms_and_std
from gradcheck.engine.types import Array
from gradcheck.torch.graph import Activity, Node, in_backward
from gradcheck.torch.layers import Layer, alive_channels, candidates, is_finite, main_tensor

RECURRENT = (nn.RNNBase, nn.RNNCellBase)


@dataclass(eq=False)
class Call:
    """One use of a layer, and whether its output was finite."""

    layer: Layer
    output: Tensor  # what it returned; an activation in place may have changed it since, see `version`
    version: int
    # of the graph: at its output, and at its first input; None where no gradient is wanted
    node: Node
    input_node: Node
    features: float  # numbers in a row of its first input; inf where that is no tensor of floats
    # of the output as it was returned
    log10_rms: float
    log10_std: float
    finite: bool
    log10_gradient_norm: float = math.nan  # of δ, the gradient at the output; nan until one has arrived
    alive: npt.NDArray[np.bool_] | None = None  # (channels,) where δ is not exactly zero throughout
    gradient_zeros: float = math.nan  # share of δ's entries that are exactly zero
    activities: list[Activity] = field(default_factory=list)  # the activation functions that follow it
    normalized: bool = False  # a norm follows
    scores: bool = False  # the output reaches the loss only through a softmax
    on_trunk: bool = False  # all of the signal goes through it
    hooks: list[Any] = field(default_factory=list)  # what listens to the gradient
    # of a recurrent module or cell, what it was given and what it returned
    inputs: tuple[Any, ...] = ()
    returned: Any = None

    @property
    def axis(self) -> int:
        """Of the channels."""
        return self.layer.channel_axis(self.output)

    def free(self) -> None:
        """Drop tensors and graph: they hold the call, as it holds them, where no garbage collector looks."""
        for hook in self.hooks:
            hook.remove()
        self.output, self.activities = self.output.new_empty(0), []
        self.node = self.input_node = self.returned = None
        self.inputs, self.hooks = (), []

    def receive(self, delta: Tensor) -> None:
        """Measure the gradient at the output, or at what else it returned: the last states of a recurrent module."""
        axis = self.axis if delta.shape == self.output.shape else delta.dim() - 1
        self.alive = alive_channels(delta, axis).cpu().numpy()
        array = as_array(delta)
        self.gradient_zeros = 1 - np.count_nonzero(array) / array.size
        before = [] if math.isnan(self.log10_gradient_norm) else [self.log10_gradient_norm]
        self.log10_gradient_norm = log10_joint_norm([*before, log10_norm(array)])


@dataclass
class Recording:
    """Everything that happened in one pass."""

    calls: list[Call] = field(default_factory=list)  # in the order in which they ended
    # the modules that are being run, outermost first: where an error comes from; of each input shape and type
    inside: list[tuple[str, nn.Module, tuple[Any, ...]]] = field(default_factory=list)
    listening: bool = False  # whether gradients that arrive are measured
    ungraded: list[Layer] = field(default_factory=list)  # layers that ran where no gradient is wanted
    with_ungraded: bool = False  # these are calls, too: all of the model runs so
    starved: list[Layer] = field(default_factory=list)  # those in re-entrant checkpoints none of whose inputs wants one
    hiding: str | None = None  # the function of the graph that may run layers in the backward pass only

    def layers(self) -> list[Layer]:
        """Return the layers that were used, in the order of their first use; of nested ones the innermost."""
        used = list(dict.fromkeys(call.layer for call in self.calls))
        modules = {layer.module for layer in used}
        return [layer for layer in used if not modules & {*layer.module.modules()} - {layer.module}]

    def of(self, layer: Layer) -> list[Call]:
        """Return a layer's calls."""
        return [call for call in self.calls if call.layer is layer]

    def enter(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note that a module begins."""
        given = tuple((tuple(getattr(one, "shape", ())), getattr(one, "dtype", None)) for one in inputs)
        self.inside.append((name, module, given))

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        """Note that the innermost module has ended."""
        self.inside.pop()

    def add_call(self, layer: Layer, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        """Note what a layer returned, and listen to its gradient."""
        if in_backward():
            return
        if not torch.is_grad_enabled():
            self.ungraded.append(layer)
        if not (torch.is_grad_enabled() or self.with_ungraded):
            return
        tensor, given = main_tensor(output), main_tensor(inputs)
        if tensor is None or not tensor.numel():
            return
        with np.errstate(all="ignore"):
            rms, std = log10_rms_and_std(as_array(tensor))
        finite = math.isfinite(rms) or is_finite(tensor)
        node, features = (None, math.inf) if given is None else (given.grad_fn, layer.rows(given).shape[1])
        call = Call(layer, tensor, version_of(tensor), tensor.grad_fn, node, features, rms, std, finite)
        self.calls.append(call)
        listened = [tensor]
        if isinstance(layer.module, RECURRENT):
            call.inputs = inputs
        if isinstance(layer.module, nn.RNNBase):
            call.returned = output
            listened += states_of(output)
        for one in listened:
            if one.requires_grad:
                call.hooks.append(one.register_hook(lambda delta: call.receive(delta) if self.listening else None))


def version_of(tensor: Tensor) -> int:
    """Return how often a tensor was changed in place, where PyTorch counts that."""
    return 0 if tensor.is_inference() else int(tensor._version)


def states_of(returned: Any) -> list[Tensor]:  # noqa: ANN401
    """Return the last states that a recurrent module returned: one, or an LSTM's two."""
    states = returned[1]
    return [*states] if isinstance(states, tuple | list) else [states]


@contextmanager
def recording(model: nn.Module) -> Iterator[Recording]:
    """Watch a model's layers as long as the context lasts."""
    record = Recording()
    handles = [layer.module.register_forward_hook(partial(record.add_call, layer)) for layer in candidates(model)]
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(partial(record.enter, name or type(model).__name__)))
        handles.append(module.register_forward_hook(record.leave))
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


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
