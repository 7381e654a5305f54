"""Hooks: what passes through a model's layers, forward and back."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gradcheck.engine.diversity import Diversity
from gradcheck.engine.magnitude import Scaled, log10_joint_norm, log10_norm, log10_rms, log10_rms_and_std, rescaled
from gradcheck.engine.types import Array
from gradcheck.flow.number_formats import Tally
from gradcheck.probing.measuring import Response
from gradcheck.torch.graph import Node, in_backward
from gradcheck.torch.layers import Layer, alive_channels, by_channel, candidates, is_finite, is_zero, main_tensor
from gradcheck.torch.modules import named_modules

RECURRENT = (nn.RNNBase, nn.RNNCellBase)

#: An example's gradient is next to nothing where it is so small beside the root mean square of all.
UNHEARD = 1e-4


@dataclass(eq=False)
class Call:
    """One use of a layer, and whether its output was finite."""

    layer: Layer
    # what it returned: an activation in place may have changed it since, see `version`; its shape alone once measured
    output: Tensor
    version: int
    # of the graph: at its output, and at its first input; None where no gradient is wanted
    node: Node
    input_node: Node
    features: float  # numbers in a row of its first input; inf where that is no tensor of floats
    # of the output as it was returned
    log10_rms: float
    log10_std: float
    finite: bool
    heard: bool = False  # δ, the gradient at the output, has arrived
    log10_gradient_norm: float = math.nan
    # (channels,) where δ is not exactly zero throughout; None where the activation lets something of each through
    alive: npt.NDArray[np.bool_] | None = None
    examples: int = 0  # how many of them to ask whether δ is next to nothing; 0 where nobody asks
    unheard: float = math.nan  # their share for which it is
    gradient_zeros: float = math.nan  # share of δ's entries that are exactly zero; nan where nobody asks
    responses: list[Response] = field(default_factory=list)  # of the activation functions that follow it
    diversity: Diversity = field(default_factory=Diversity)  # of what it passes on, after its activation
    normalized: bool = False  # a norm follows
    scores: bool = False  # the output reaches the loss only through a softmax
    on_trunk: bool = False  # all of the signal goes through it
    ends: int = 0  # at which uses of a read-out it arrives that is used several times, one bit for each
    hooks: list[Any] = field(default_factory=list)  # what listens to the gradient
    # of a recurrent module or cell, what it was given and what it returned
    inputs: tuple[Any, ...] = ()
    returned: Any = None

    @property
    def axis(self) -> int:
        """Of the channels."""
        return self.layer.channel_axis(self.output)

    @property
    def moved(self) -> bool:
        """Whether a gradient has arrived that isn't zero throughout."""
        return self.heard and self.log10_gradient_norm != -math.inf

    def free(self) -> None:
        """Drop tensors and graph: they hold the call, as it holds them, where no garbage collector looks."""
        for hook in self.hooks:
            hook.remove()
        self.forget_output()
        self.node = self.input_node = self.returned = None
        self.inputs, self.hooks = (), []

    def forget_output(self) -> None:
        """Let the output go, but for its shape."""
        if not self.output.is_meta:
            self.output = self.output.detach().to("meta")

    def receive(self, delta: Tensor, *, count_zeros: bool, brief: bool) -> None:
        """Measure the gradient at the output, or at what else it returned: the last states of a recurrent module.

        In brief, only whether it is zero.
        """
        if not all(one.passing.all() for one in self.responses):
            axis = self.axis if delta.shape == self.output.shape else delta.dim() - 1
            self.alive = alive_channels(delta, axis).cpu().numpy()
        if count_zeros:
            array = as_array(delta)
            self.gradient_zeros = 1 - np.count_nonzero(array) / array.size
        if self.examples and self.examples == len(delta):
            self.unheard = share_unheard(delta)
        norm = (-math.inf if is_zero(delta) else 0.0) if brief else log10_norm(as_array(delta))
        before = [self.log10_gradient_norm] if self.heard else []
        self.heard, self.log10_gradient_norm = True, log10_joint_norm([*before, norm])


@dataclass
class Recording:
    """Everything that happened in one pass."""

    calls: list[Call] = field(default_factory=list)  # in the order in which they ended
    by_layer: dict[Layer, list[Call]] = field(default_factory=dict)
    count_zeros: bool = False  # whether the share of zeros in each gradient is asked for
    brief: bool = False  # whether it is only of interest through which layers no gradient goes
    tally: Tally | None = None  # what counts the losses of number formats, if anything does
    idle: frozenset[str] = frozenset()  # layers that are left aside
    shift: int = 0  # log2 of what multiplies the loss
    # the modules that are being run, outermost first, and what each was given: where an error comes from
    inside: list[tuple[str, nn.Module, tuple[Any, ...]]] = field(default_factory=list)
    listening: bool = False  # whether gradients that arrive are measured
    ungraded: list[Layer] = field(default_factory=list)  # layers that ran where no gradient is wanted
    with_ungraded: bool = False  # these are calls, too: all of the model runs so
    starved: list[Layer] = field(default_factory=list)  # those in re-entrant checkpoints none of whose inputs wants one
    # the floats that the first layer is given: how many, and log10 of their root mean square
    given: tuple[int, float] = (0, math.nan)
    hiding: str | None = None  # the function of the graph that may run layers in the backward pass only

    def layers(self) -> list[Layer]:
        """Return the layers that were used, in the order of their first use; of nested ones the innermost."""
        modules = {layer.module for layer in self.by_layer}
        return [
            layer
            for layer in self.by_layer
            if not layer.module._modules or not modules & {*layer.module.modules()} - {layer.module}
        ]

    def of(self, layer: Layer) -> list[Call]:
        """Return a layer's calls."""
        return self.by_layer.get(layer, [])

    def enter(self, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note that a module begins."""
        self.inside.append((name, module, inputs))

    def leave(self, layer: Layer | None, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        """Note that the innermost module has ended; it may be a layer.

        A model none of whose parts is run uses their weights itself: it is one layer.
        """
        self.inside.pop()
        ran = self.calls or self.ungraded or self.starved
        if layer is None and not self.inside and not ran and next(module.parameters(), None) is not None:
            layer = Layer(type(module).__name__, module)
        if layer is not None:
            with torch._C._DisableFuncTorch(), torch._C.DisableTorchFunction():  # a watch needn't see this
                self._add_call(layer, inputs, output)

    def _add_call(self, layer: Layer, inputs: tuple[Any, ...], output: object) -> None:
        """Note what a layer returned, and listen to its gradient."""
        if in_backward():
            return
        if not torch.is_grad_enabled():
            self.ungraded.append(layer)
        if not (torch.is_grad_enabled() or self.with_ungraded):
            return
        tensor, given = _plain(main_tensor(output)), _plain(main_tensor(inputs))
        if tensor is None or not tensor.numel():
            return
        with np.errstate(all="ignore"):
            rms, std = (math.nan, math.nan) if self.brief else log10_rms_and_std(as_array(tensor))
        finite = math.isfinite(rms) or is_finite(tensor)
        node, features = (None, math.inf) if given is None else (given.grad_fn, layer.row_shape(given)[1])
        if not self.calls and given is not None:
            self.given = given.numel(), log10_rms(rescaled(as_array(given)))
        call = Call(layer, tensor, version_of(tensor), tensor.grad_fn, node, features, rms, std, finite)
        self.calls.append(call)
        self.by_layer.setdefault(layer, []).append(call)
        if self.tally is not None and given is not None:
            self.tally.add(layer, "activations", Scaled(as_rows(layer, given)))
        listened = [tensor]
        if isinstance(layer.module, RECURRENT):
            call.inputs = inputs
        if isinstance(layer.module, nn.RNNBase):
            call.returned = output
            listened += states_of(output)
        for one in listened:
            if one.requires_grad:
                call.hooks.append(one.register_hook(partial(self.receive, call)))

    def receive(self, call: Call, delta: Tensor | None) -> None:
        """Note a gradient that arrives at what a call returned: none at what goes unused of several things."""
        if self.listening and delta is not None:
            call.receive(delta, count_zeros=self.count_zeros, brief=self.brief)
            if self.tally is not None:
                self.tally.add(call.layer, "gradients", Scaled(as_rows(call.layer, delta), -self.shift))


def share_unheard(delta: Tensor) -> float:
    """Return the share of the examples whose gradient is next to nothing beside that of a typical one."""
    sizes = torch.linalg.vector_norm(delta.detach().flatten(1), dim=1).double()
    return float((sizes < UNHEARD * sizes.square().mean().sqrt()).double().mean())


def _plain(tensor: Tensor | None) -> Tensor | None:
    """Return what torch.func's vmap and grad wrap in a tensor of their own, which has no numbers to be read."""
    while tensor is not None and torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def version_of(tensor: Tensor) -> int:
    """Return how often a tensor was changed in place, where PyTorch counts that."""
    return 0 if tensor.is_inference() else int(tensor._version)


def states_of(returned: Any) -> list[Tensor]:  # noqa: ANN401
    """Return the last states that a recurrent module returned: one, or an LSTM's two."""
    states = returned[1]
    return [*states] if isinstance(states, tuple | list) else [states]


class Watched(TypedDict, total=False):
    """What is asked for beside the usual; see ``Recording``."""

    count_zeros: bool
    brief: bool
    tally: Tally | None
    idle: frozenset[str]


@contextmanager
def recording(model: nn.Module, **watched: Unpack[Watched]) -> Iterator[Recording]:
    """Watch a model's layers as long as the context lasts."""
    record = Recording(**watched)
    if record.tally is not None:
        record.tally.clear()  # of a pass that failed
    layers = {layer.module: layer for layer in candidates(model)}
    handles = []
    for name, module in named_modules(model):
        handles.append(module.register_forward_pre_hook(partial(record.enter, name or type(model).__name__)))
        handles.append(module.register_forward_hook(partial(record.leave, layers.get(module))))
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def as_rows(layer: Layer, tensor: Tensor) -> Array:
    """Return what goes into a layer, or comes back to it, as (rows, channels)."""
    return as_array(by_channel(tensor.detach(), min(layer.channel_axis(tensor), tensor.dim() - 1)))


def as_array(tensor: Tensor) -> Array:
    """Return a tensor as NumPy's; half precision as float32, complex numbers as two in the last axis."""
    tensor = tensor.detach()
    if tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.layout is torch.strided:
        plain: Array = tensor.numpy()
        return plain
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj()).reshape(*tensor.shape[:-1], -1)
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    array: Array = wide.cpu().numpy()
    return array
