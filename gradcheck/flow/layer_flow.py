"""What is measured at one hidden layer: everything, or no more than a verdict rests on."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.diversity import effective_rank, mean_cosine
from gradcheck.engine.layered import Cotangents, LayerPass
from gradcheck.engine.linear import log10_weight_gradient_norm
from gradcheck.engine.magnitude import Scaled, log10_joint_norm, log10_rms, log10_std, rescaled
from gradcheck.engine.types import Array

#: An entry is saturated where |φ'| is below this part of the activation's largest.
SATURATED_BELOW = 0.01


class LayerFlow(NamedTuple):
    """What is measured at one hidden layer (definitions: ``gradcheck.flow.quantities``).

    The logarithm of an exact zero is −inf. What doesn't exist (the cosine of a single example, anything after
    an overflow) is nan.
    """

    log10_preactivation_std: float = math.nan
    log10_activation_rms: float = math.nan
    input_cosine: float = math.nan
    effective_rank: float = math.nan
    dead_fraction: float = math.nan
    saturated_fraction: float = math.nan
    log10_gradient_rms: float = math.nan
    log10_weight_norm: float = math.nan
    log10_weight_gradient_norm: float = math.nan


def layer_flow(layer_pass: LayerPass, back: Cotangents[Scaled]) -> LayerFlow:
    """Measure one layer, given its forward pass and what comes back to it."""
    output = rescaled(layer_pass.activity)
    return judged_layer_flow(layer_pass, back)._replace(
        log10_preactivation_std=log10_std(rescaled(layer_pass.preactivation)),
        log10_activation_rms=log10_rms(output),
        input_cosine=mean_cosine(output.mantissa),
        effective_rank=effective_rank(output.mantissa),
        log10_weight_norm=log10_joint_norm([one.log10_weight_norm for one in layer_pass.maps]),
    )


def judged_layer_flow(layer_pass: LayerPass, back: Cotangents[Scaled]) -> LayerFlow:
    """Measure what flags, verdict and score rest on; the ranks, of which they need the least, are left out."""
    slopes = layer_pass.slopes
    return LayerFlow(
        dead_fraction=_mean(_dead_fraction(slope) for slope, _ in slopes),
        saturated_fraction=_mean(_saturated_fraction(*one) for one in slopes),
        log10_gradient_rms=log10_rms(back.at_z),
        log10_weight_gradient_norm=log10_joint_norm([log10_weight_gradient_norm(*one) for one in back.products]),
    )


def _dead_fraction(slope: Array) -> float:
    """Return the share of the units whose derivative is zero for every example."""
    units: int = slope.shape[1]
    return (units - int(np.count_nonzero(slope.any(axis=0)))) / units


def _saturated_fraction(slope: Array, steepest: float) -> float:
    """Return the share of the entries whose derivative is a small part of the largest."""
    return int(np.count_nonzero(np.abs(slope) < SATURATED_BELOW * steepest)) / slope.size


def _mean(values: Iterable[float]) -> float:
    """Return the mean over a layer's activations, several of equal width; nan where it has none."""
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else math.nan
