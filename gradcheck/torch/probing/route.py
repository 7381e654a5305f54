"""The way that the signal takes through a model's layers, and the turn at its end."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import GradcheckError
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.hooks import Recording

#: Powers of two that the loss is scaled by at most, so that its gradient begins at 1.
LARGEST_SHIFT = 100

#: log10 of numbers from which sums of squares may overflow.
LARGE = 15


class Course(NamedTuple):
    """Which layers the signal goes through.

    Attributes
    ----------
    hidden : list of Layer
        In the order of their first use.
    readout : Layer or None
        The last one that is used; None where there is one only.
    reached : int
        Hidden layers before the first one whose output isn't finite.
    obstacle : str
        ``overflow``, ``nan``, or empty.
    """

    hidden: list[Layer]
    readout: Layer | None
    reached: int
    obstacle: str


def course_of(record: Recording, model: nn.Module) -> Course:
    """Return the course of a recorded pass.

    Raises
    ------
    GradcheckError
        The model has no layers, or runs none.
    """
    layers = record.layers()
    if not layers:
        what = (
            "runs none of its layers, or without gradient"
            if any(True for _ in model.parameters())
            else "has no parameters"
        )
        raise GradcheckError(f"{type(model).__name__} {what}: there is no layer to measure")
    used = set(layers)
    last = next(call.layer for call in reversed(record.calls) if call.layer in used)
    readout = last if len(layers) > 1 else None
    hidden = [layer for layer in layers if layer is not readout]
    sick = [any(not call.finite for call in record.of(layer)) for layer in hidden]
    reached = sick.index(True) if True in sick else len(hidden)
    end_is_sick = readout is not None and any(not call.finite for call in record.of(readout))
    if reached == len(hidden) and not end_is_sick:
        return Course(hidden, readout, reached, "")
    holds_nan = any(bool(torch.isnan(one).any()) for one in model.parameters())
    return Course(hidden, readout, reached, "nan" if holds_nan or _becomes_nan(record) else "overflow")


def _becomes_nan(record: Recording) -> bool:
    """Whether the first output that isn't finite is no number without anything having been large: no overflow."""
    sick = [call.finite for call in record.calls].index(False)
    output = record.calls[sick].output
    moderate = all(call.log10_rms < LARGE for call in record.calls[:sick])
    return moderate and bool(torch.isnan(output).any()) and not bool(torch.isinf(output).any())


def turn(value: Tensor | None, course: Course, record: Recording) -> tuple[Tensor | None, Tensor | None]:
    """Return where the gradient starts, and what it starts with.

    Without a finite loss it is that of the mean squared output of the last finite layer.
    """
    if value is not None:
        return value, torch.ones_like(value)
    if not course.reached:
        return None, None
    last = record.of(course.hidden[course.reached - 1])[-1].output
    if not last.requires_grad:
        return None, None
    return last, last.detach() / (last.numel() / 2)


def gradient_at_end(root: Tensor, seed: Tensor | None, course: Course, record: Recording) -> Tensor | None:
    """Return ∂loss/∂output of the last layer; None where the loss takes another way."""
    if course.obstacle:
        return seed
    end = record.of(course.readout or course.hidden[-1])[-1]
    if end.node is None:
        return None
    (found,) = torch.autograd.grad(
        root, torch.autograd.graph.GradientEdge(end.node, 0), seed, retain_graph=True, allow_unused=True
    )
    return found


def shift_for(at_end: Tensor | None) -> int:
    """Return the power of two that brings the gradient at the end to about 1: it has the range of floats before it."""
    largest = 0.0 if at_end is None else float(at_end.detach().abs().max())
    if not largest or not math.isfinite(largest):
        return 0
    return max(-LARGEST_SHIFT, min(LARGEST_SHIFT, -math.frexp(largest)[1]))


def shut_by_end(at_end: Tensor | None, root: Tensor, course: Course, record: Recording) -> Cause | None:
    """Return what lets nothing through between loss and read-out, if anything does."""
    if course.obstacle or at_end is None or bool(at_end.any()):
        return None
    end = record.of(course.readout or course.hidden[-1])[-1]
    node = root.grad_fn
    while node is not None and node is not end.node:
        name = node.name()
        function = {"function": name.partition("Backward")[0].lower()}
        if "Softmax" in name and 1 in end.output.shape[-1:]:
            return Cause("softmax-of-one")
        if name.startswith(("Relu", "Clamp", "Hardtanh")):
            return Cause("output-shut", details=function)
        if name.startswith(("Sigmoid", "Tanh", "Softmax")):
            return Cause("output-saturated", details=function)
        node = next((one for one, _ in node.next_functions if one is not None), None)
    return Cause("constant-loss")
