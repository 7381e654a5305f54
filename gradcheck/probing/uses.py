"""The numbers of a captured layer: of its uses, its shape, its weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck.engine.diversity import Diversity, measure_diversity
from gradcheck.engine.magnitude import log10_joint_norm, log10_norm, log10_rms_and_std, rescaled
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import SATURATED_BELOW
from gradcheck.flow.model_flow import Kind
from gradcheck.probing.captured import Activity, CapturedLayer, Use, Weight
from gradcheck.probing.measuring import Response, leverage, rows_to_take


@dataclass(frozen=True, eq=False)
class MeasuredUse:
    """One use of a layer, in numbers (``probing.measuring.Measured``)."""

    log10_rms: float
    log10_std: float
    finite: bool
    responses: tuple[Response, ...]
    diversity: Diversity
    heard: bool
    log10_gradient_norm: float
    alive: npt.NDArray[np.bool_] | None


def measured(layer: CapturedLayer, use: Use, examples: int) -> MeasuredUse:
    """Return one use of a layer in numbers."""
    output = as_floats(use.output)
    rms, std = log10_rms_and_std(output)
    finite = math.isfinite(rms) or bool(np.isfinite(output).all())
    responses = tuple(_response(one, output, channel_axis(layer, output)) for one in use.activities)
    passed_on = as_floats(use.activities[0].output) if len(use.activities) == 1 else output
    delta, alive = None if use.gradient is None else as_floats(use.gradient), None
    if delta is not None and not all(one.passing.all() for one in responses):
        alive = _alive(delta, channel_axis(layer, delta))
    return MeasuredUse(
        rms, std, finite, responses, _diversity(layer, passed_on, examples) if finite else Diversity(),
        delta is not None, math.nan if delta is None else log10_norm(delta), alive,
    )  # fmt: skip


def as_floats(array: np.ndarray) -> Array:
    """Return an array in single or double precision; complex numbers as two in the last axis."""
    if np.iscomplexobj(array):
        array = np.stack([array.real, array.imag], -1).reshape(*array.shape[:-1], -1)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def channel_axis(layer: CapturedLayer, output: Array) -> int:
    """Return the axis of an output that counts the units, from 0."""
    return layer.axis % output.ndim if output.ndim > 1 else output.ndim - 1


def fans(layer: CapturedLayer) -> tuple[int, int]:
    """Return a layer's shape as a linear map's: weights of a unit, and units (channels of the output)."""
    output = layer.uses[-1].output
    units = int(output.shape[channel_axis(layer, output)]) if output.ndim else 1
    return max(1, sum(one.value.size for one in matrices(layer)) // units), units


def matrices(layer: CapturedLayer) -> Sequence[Weight]:
    """Return a layer's weights: those of two dimensions or more; where it has none, the others but a bias."""
    weights = [one for one in layer.weights if one.value.ndim > 1 and not one.bias]
    return weights or [one for one in layer.weights if not one.bias] or layer.weights


def is_vector(layer: CapturedLayer) -> bool:
    """Whether it scales and shifts only, as norms do."""
    return not layer.kind and all(one.value.ndim < 2 for one in layer.weights)


def is_flat(layer: CapturedLayer, examples: int) -> bool:
    """Whether an output has no positions: one row an example."""
    output = layer.uses[-1].output
    return not output.ndim or output.size <= examples * output.shape[channel_axis(layer, output)]


def kind_of(layer: CapturedLayer, examples: int) -> Kind:
    """Return what a layer is, as far as its gradient's size depends on that."""
    name = layer.kind
    if not name:
        name = "norm" if is_vector(layer) else "linear"
        name = name if is_flat(layer, examples) else f"{name} over positions"
    name = f"{name} of scores" if all(use.scores for use in layer.uses) else name
    return Kind(name, is_vector(layer), layer.role)


def log10_entries(layer: CapturedLayer, examples: int) -> float:
    """Return log10 of over how many numbers the mean square of a gradient is taken."""
    return math.log10(examples * (fans(layer)[1] if is_flat(layer, examples) else 1))


def log10_weight_norm(layer: CapturedLayer) -> float:
    """Return log10 of the norm of a layer's weights."""
    return log10_joint_norm([log10_norm(as_floats(one.value)) for one in matrices(layer)])


def log10_weight_gradient_norm(layer: CapturedLayer) -> float:
    """Return log10 of the norm of the gradient of all of a layer's weights; nan where none has arrived."""
    arrived = [one.gradient for one in matrices(layer) if one.gradient is not None and one.trained]
    return log10_joint_norm([log10_norm(as_floats(one)) for one in arrived])


def log10_leverage(layer: CapturedLayer, examples: int) -> float:
    """Return ``probing.measuring.leverage`` of a linear map that is used once; nan of any other layer."""
    one, *others = matrices(layer)
    trained = [weight for weight in layer.weights if weight.gradient is not None and weight.trained]
    linear = not layer.kind and not is_vector(layer) and not others and any(weight is one for weight in trained)
    if not linear or len(layer.uses) > 1 or not is_flat(layer, examples):
        return math.nan
    gradients = [log10_norm(as_floats(weight.gradient)) for weight in trained if weight.gradient is not None]
    return leverage(log10_weight_norm(layer), one.value.size, gradients)


def row_count(layer: CapturedLayer, examples: int) -> int:
    """Return from how many rows of a layer's output the rank is computed."""
    return rows_to_take(len(_rows(layer, layer.uses[-1].output)), examples)


def _rows(layer: CapturedLayer, output: Array) -> Array:
    """Return an output as (rows, features): its examples, or all their positions."""
    if output.ndim < 2:
        return output.reshape(-1, 1)
    return output.reshape(len(output), -1) if layer.by_example else output.reshape(-1, output.shape[-1])


def _diversity(layer: CapturedLayer, output: Array, examples: int) -> Diversity:
    """Return how different the rows of an output are, or some of them."""
    rows = _rows(layer, output)
    count = rows_to_take(len(rows), examples)
    if len(rows) > count:
        rows = rows[np.linspace(0, len(rows) - 1, count).astype(int)]
    return measure_diversity(rescaled(rows).mantissa)


def _response(one: Activity, output: Array, axis: int) -> Response:
    """Return an activation that follows an output, in numbers."""
    value, slope = as_floats(one.output), np.abs(as_floats(one.slope))
    saturated = np.count_nonzero(slope < SATURATED_BELOW * one.steepest) / max(1, slope.size)
    along = bool(output.ndim) and slope.ndim > axis and slope.shape[axis] == output.shape[axis]
    return Response(log10_rms_and_std(value)[0], saturated, _alive(slope, axis if along else slope.ndim - 1))


def _alive(values: Array, axis: int) -> npt.NDArray[np.bool_]:
    """Return which channels hold anything but zeros: (channels,); a single number is one."""
    others = tuple(one for one in range(values.ndim) if one != axis)
    found: npt.NDArray[np.bool_] = np.abs(values).max(others).reshape(-1) != 0
    return found
