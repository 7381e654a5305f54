"""One pass through the user's model: forward, the loss, and back by the framework's own autograd."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.engine.magnitude import LOG10_2
from gradcheck.errors import GradcheckError
from gradcheck.flow.gradient_flow import LayerFlow, OutputFlow
from gradcheck.flow.model_flow import Kind, ModelFlow
from gradcheck.torch.graph import Activity, factors
from gradcheck.torch.layers import Layer, is_finite, printable
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.error_text import complaint
from gradcheck.torch.probing.hooks import Call, Recording, as_array, recording
from gradcheck.torch.probing.losses import Loss, LossFunction, chosen_loss, drawn_targets
from gradcheck.torch.probing.measuring import (
    Gradients,
    activities,
    count_rows,
    fans,
    layer_flow,
    on_trunk,
    scoring,
    weight_gradient_norm,
)
from gradcheck.torch.probing.precision import Precision, autocast
from gradcheck.torch.probing.route import Course, course_of, gradient_at_end, shift_for, shut_by_end, turn


class Passed(NamedTuple):
    """What one pass found.

    Attributes
    ----------
    flow : ModelFlow
    layers : tuple of Layer
        Those of the flow.
    readout : Layer or None
    loss : Loss
    targets : object
        The given ones, or those drawn.
    unused, silent : tuple of str
        Parameters that no gradient comes to, and those whose gradient is exactly zero.
    closed : Cause or None
        What lets no gradient through between loss and read-out, if anything does.
    first_rms : float
        Root mean square of the floats that go in; nan without any.
    calls : dict
        Each layer's uses.
    gradients : Gradients
        Those of 2**shift times the loss.
    shift : int
    factors : set of Parameter
        Those that something else is multiplied by.
    opened : tuple of str
        Weights of zero, or next to it, that were measured as their first step opens them.
    """

    flow: ModelFlow
    layers: tuple[Layer, ...]
    readout: Layer | None
    loss: Loss
    targets: Any
    unused: tuple[str, ...]
    silent: tuple[str, ...]
    closed: Cause | None
    first_rms: float
    calls: dict[Layer, list[Call]]
    gradients: Gradients
    shift: int
    factors: set[Tensor]
    opened: tuple[str, ...] = ()


def passed(
    model: nn.Module,
    batch: Batch,
    loss: str | LossFunction | None,
    generator: torch.Generator,
    precision: Precision | None = None,
) -> Passed:
    """Pass one batch forward and its gradient back, and measure every layer.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, has no layers, or its loss doesn't hang on them.
    """
    batch, leaves = batch.with_gradient()
    with recording(model) as record, autocast(model, precision):
        output = _forward(model, batch, record)
        course = course_of(record, model)
        chosen = chosen_loss(loss, output, batch.targets)
        targets = batch.targets if batch.targets is not None else drawn_targets(chosen.name, output, generator)
        value, course = _loss(chosen, output, targets, course, record)
    root, seed = turn(value, course, record)
    following: dict[Call, list[Activity]] = {}
    trunk, multiplied = set[Call](), set[Tensor]()
    if root is not None:
        following, trunk = activities(record, root.grad_fn), on_trunk(record, root, leaves)
        multiplied = factors(root.grad_fn)
        for call in scoring(record, root.grad_fn):
            call.scores = True
    closed, shift = None, 0
    gradients: Gradients = {}
    if root is not None and seed is not None:
        try:
            at_end = gradient_at_end(root, seed, course, record)
            shift = shift_for(at_end) if precision is None else precision.shift
            closed = shut_by_end(at_end, root, course, record)
            gradients = _backward(model, root, seed, leaves, shift, record)
        except RuntimeError as error:  # what the graph needs was changed in place
            raise GradcheckError(f"the gradient can't go back: {complaint(error)}") from error
    flow, layers = _flow(course, record, following, trunk, gradients, batch.examples, shift, value)
    for call in record.calls:
        call.let_go()
    unused, silent = _ungraded(model, gradients)
    rms = [float(leaf.detach().abs().double().square().mean().sqrt()) for leaf in leaves if is_finite(leaf)]
    calls = {layer: record.of(layer) for layer in (*course.hidden, *([course.readout] if course.readout else []))}
    return Passed(
        flow, layers, course.readout, chosen, targets, unused, silent, closed, max(rms, default=math.nan), calls,
        gradients, shift, multiplied,
    )  # fmt: skip


def _forward(model: nn.Module, batch: Batch, record: Recording) -> object:
    try:
        with torch.enable_grad():
            return model(*batch.arguments, **batch.keywords)
    except GradcheckError:
        raise
    except Exception as error:  # whatever the user's own code raises
        raise GradcheckError(complaint(error, record)) from error


def _loss(chosen: Loss, output: object, targets: object, course: Course, record: Recording) -> tuple[Any, Course]:
    """Return the loss, and the course with what became of it; no loss where the signal isn't finite."""
    if course.obstacle:
        return None, course
    try:
        value = chosen.function(output, targets)
    except GradcheckError:
        raise
    except Exception as error:
        raise GradcheckError(f"the loss {chosen.name} can't be computed: {complaint(error, record)}") from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise GradcheckError(f"the loss {chosen.name} returned {shape}, not one number: take its mean")
    if not value.requires_grad:
        raise GradcheckError(
            f"the loss {chosen.name} doesn't hang on any parameter: is the model run without gradient?"
        )
    if not is_finite(value):
        return None, course._replace(obstacle="nan" if bool(torch.isnan(value).any()) else "overflow")
    return (value if value.dtype == torch.float64 else value.float()).reshape(()), course


def _backward(
    model: nn.Module,
    root: Tensor,
    seed: Tensor,
    leaves: Sequence[Tensor],
    shift: int,
    record: Recording,
) -> Gradients:
    """Send the gradient of 2**shift times the loss back; the layers' calls note what passes them."""
    wanted = [one for one in model.parameters() if one.requires_grad]
    record.listening = True
    found = torch.autograd.grad(root, [*wanted, *leaves], seed * 2.0**shift, allow_unused=True)
    record.listening = False
    return dict(zip(wanted, found, strict=False))


def _flow(
    course: Course, record: Recording, following: dict[Call, list[Activity]], trunk: set[Call],
    gradients: Gradients, examples: int, shift: int, value: Tensor | None,
) -> tuple[ModelFlow, tuple[Layer, ...]]:  # fmt: skip
    """Lay out the layers that a gradient comes to, and those that the signal doesn't reach."""
    calls = {layer: record.of(layer) for layer in course.hidden}
    arrived = [layer for layer in course.hidden[: course.reached] if any(one.alive is not None for one in calls[layer])]
    beyond = course.hidden[course.reached :]
    if not arrived and not beyond:
        raise GradcheckError("no layer but the last receives a gradient: look for detach() or no_grad in forward")
    with np.errstate(all="ignore"):
        flows = [layer_flow(one, calls[one], following, gradients, examples, shift) for one in arrived]
        output = _output(course.readout, record, gradients, shift, value)
    layers = (*arrived, *beyond)
    shapes = [fans(layer, calls[layer][-1]) for layer in layers]
    return ModelFlow(
        fan_in=tuple(one.fan_in for one in shapes),
        fan_out=tuple(one.fan_out for one in shapes),
        layers=(*flows, *(LayerFlow() for _ in beyond)),
        output=output,
        reached=len(arrived),
        obstacle=course.obstacle,
        labels=tuple(layer.name for layer in layers),
        kinds=tuple(_kind(layer, calls[layer], examples) for layer in layers),
        trunk=tuple(any(call in trunk for call in calls[layer]) for layer in layers),
        normalized=tuple(layer.is_vector or any(call.normalized for call in calls[layer]) for layer in layers),
        rows=min(count_rows(layer, calls[layer][-1]) for layer in layers),
        features=1 if record.calls[0].features == 1 and record.calls[0] in trunk else math.inf,
    ), layers


def _kind(layer: Layer, calls: Sequence[Call], examples: int) -> Kind:
    kind = layer.kind(calls[-1].output, examples)
    return kind._replace(name=f"{kind.name} of scores") if all(call.scores for call in calls) else kind


def _output(
    readout: Layer | None, record: Recording, gradients: Gradients, shift: int, value: Tensor | None
) -> OutputFlow:
    if value is None:
        return OutputFlow()
    loss = float(value.detach())
    if readout is None:
        return OutputFlow(loss)
    norm = weight_gradient_norm(gradients.get(weight) for weight in readout.matrices) - shift * LOG10_2
    return OutputFlow(loss, record.of(readout)[-1].log10_rms, norm)


def _ungraded(model: nn.Module, gradients: Gradients) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parameters that no gradient comes to, and those whose gradient is exactly zero."""
    if not gradients:
        return (), ()
    named = [(printable(name), gradients.get(one)) for name, one in model.named_parameters() if one.requires_grad]
    unused = tuple(name for name, gradient in named if gradient is None)
    silent = tuple(name for name, gradient in named if gradient is not None and not as_array(gradient).any())
    return unused, silent
