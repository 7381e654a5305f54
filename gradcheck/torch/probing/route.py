"""The route of the signal through a model's layers, and where its gradient starts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import GradcheckError
from gradcheck.probing.limits import LARGE, shift_to_one
from gradcheck.torch.graph import Node, signed
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.hooks import Call, Recording
from gradcheck.torch.probing.unregistered import kept_apart

#: The largest power of two that a loss is scaled by where half precision has to hold it.
MOST_IN_HALF = 15


class Route(NamedTuple):
    """Which layers the signal goes through."""

    hidden: list[Layer]  # in the order of their first use
    readout: Layer | None  # the last one that is used; None where there is only one
    end: Call  # the last use of the read-out, or of the only layer
    reached: int  # hidden layers before the first one whose output isn't finite
    obstacle: str  # ``overflow``, ``nan``, or empty


def route_of(record: Recording, model: nn.Module) -> Route:
    """Return the route of a recorded pass.

    Raises
    ------
    GradcheckError
        The model has no layers, or runs none.
    """
    layers = record.layers()
    if not layers:
        parameters = next(model.parameters(), None)
        what = "has no parameters" if parameters is None else "runs none of its layers, or without gradient"
        if apart := list(kept_apart(model).values()):
            kept = apart[0].rpartition("[")[0] or apart[0]
            what += f" that PyTorch sees, and keeps some in {kept}: make it an nn.ModuleList, ModuleDict or Parameter"
            raise GradcheckError(f"{type(model).__name__} {what}")
        raise GradcheckError(f"{type(model).__name__} {what}: there is no layer to measure")
    end = next(call for call in reversed(record.calls) if call.layer in layers)
    readout = end.layer if len(layers) > 1 else None
    hidden = [layer for layer in layers if layer is not readout]
    finite = [all(call.finite for call in record.of(layer)) for layer in (*hidden, end.layer)]
    reached = min([*finite, False].index(False), len(hidden))
    if all(finite):
        return Route(hidden, readout, end, reached, "")
    holds_nan = any(bool(torch.isnan(one).any()) for one in model.parameters())
    return Route(hidden, readout, end, reached, "nan" if holds_nan or _becomes_nan(record) else "overflow")


def _becomes_nan(record: Recording) -> bool:
    """Whether the first output that isn't finite is NaN although nothing before it was large: no overflow."""
    first = [call.finite for call in record.calls].index(False)
    output = record.calls[first].output
    moderate = all(call.log10_rms < LARGE for call in record.calls[:first])
    return moderate and bool(torch.isnan(output).any()) and not bool(torch.isinf(output).any())


def start_of_gradient(value: Tensor | None, route: Route, record: Recording) -> tuple[Tensor | None, Tensor | None]:
    """Return where the gradient starts, and what it starts with.

    Without a finite loss it is that of the mean squared output of the last finite layer; of a loss without a graph
    there is none.
    """
    if value is not None:
        return (None, None) if value.grad_fn is None else (value, torch.ones_like(value))
    if not route.reached:
        return None, None
    last = record.of(route.hidden[route.reached - 1])[-1].output
    return (last, last.detach() / (last.numel() / 2)) if last.requires_grad else (None, None)


def gradient_at_end(root: Tensor, seed: Tensor, route: Route) -> Tensor | None:
    """Return ∂loss/∂output of the last layer; None where the loss doesn't depend on it."""
    if route.obstacle:
        return seed
    if route.end.node is None:
        return None
    edge = torch.autograd.graph.GradientEdge(route.end.node, 0)
    (found,) = torch.autograd.grad(root, edge, seed, retain_graph=True, allow_unused=True)
    return found


def find_shut_end(at_end: Tensor | None, root: Tensor, route: Route) -> Cause | None:
    """Return what lets nothing through between loss and read-out, if anything does."""
    if route.obstacle or at_end is None or bool(at_end.any()):
        return None
    node = root.grad_fn
    while node is not None and node is not route.end.node:
        name = node.name()
        function = {"function": name.partition("Backward")[0].lower()}
        if "Softmax" in name and (1 in route.end.output.shape[-1:] or is_of_one(node)):
            return Cause("softmax-of-one")
        if name.startswith(("Relu", "Clamp", "Hardtanh")):
            return Cause("output-shut", details=function)
        if name.startswith(("Sigmoid", "Tanh", "Softmax")):
            return Cause("output-saturated", details=function)
        node = next((one for one, _ in node.next_functions if one is not None), None)
    return Cause("constant-loss")


def is_of_one(node: Node) -> bool:
    """Whether a node is a softmax over a single number."""
    if not node.name().startswith(("Softmax", "LogSoftmax")):
        return False
    known: Sequence[Any] = getattr(node, "_input_metadata", ())  # what it saved may be freed
    axis = signed(node._saved_dim)
    return bool(known) and bool(known[0].shape) and known[0].shape[axis] == 1


def shift_for(at_end: Tensor | None) -> int:
    """Return the power of two that brings the gradient at the end to about 1, as far as its numbers go."""
    if at_end is None:
        return 0
    shift = shift_to_one(float(at_end.detach().abs().max()))
    return min(shift, MOST_IN_HALF) if at_end.dtype == torch.float16 else shift
