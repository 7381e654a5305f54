"""What is measured at one hidden layer: everything, or no more than a verdict rests on."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.engine.diversity import effective_rank, mean_cosine
from gradcheck.engine.gram import gram, is_wide
from gradcheck.engine.layered import Cotangents, LayerPass
from gradcheck.engine.linear import Linear, log10_weight_gradient_norm
from gradcheck.engine.magnitude import (
    LOG10_2,
    Scaled,
    log10_joint_norm,
    log10_norm,
    log10_rms,
    log10_rms_and_std,
    rescaled,
)
from gradcheck.engine.pieces import PIECE, in_pieces
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
    log10_leverage: float = math.nan


def forward_flow(layer_pass: LayerPass) -> LayerFlow:
    """Measure one layer's forward pass."""
    if is_wide(layer_pass.activity):
        gram(layer_pass.activity)  # most of what follows is read off it
    output = rescaled(layer_pass.activity)
    return judged_forward_flow(layer_pass)._replace(
        log10_preactivation_std=log10_rms_and_std(layer_pass.preactivation)[1],
        log10_activation_rms=log10_rms(output),
        input_cosine=mean_cosine(output.mantissa),
        effective_rank=effective_rank(output.mantissa),
        log10_weight_norm=log10_joint_norm([one.log10_weight_norm for one in layer_pass.maps]),
    )


def judged_forward_flow(layer_pass: LayerPass) -> LayerFlow:
    """Measure what flags, verdict and score rest on; the ranks, of which they need the least, are left out."""
    asleep = [_asleep(slope, SATURATED_BELOW * steepest) for slope, steepest in layer_pass.slopes]
    return LayerFlow(
        dead_fraction=_mean([dead for dead, _ in asleep]),
        saturated_fraction=_mean([saturated for _, saturated in asleep]),
    )


def with_gradient(layer: LayerFlow, back: Cotangents[Scaled], maps: Sequence[Linear] = ()) -> LayerFlow:
    """Add what comes back to a layer through its linear maps."""
    gradients = [log10_weight_gradient_norm(*one) for one in back.products]
    return layer._replace(
        log10_gradient_rms=log10_rms(back.at_z),
        log10_weight_gradient_norm=log10_joint_norm(gradients),
        log10_leverage=_log10_leverage(maps[0], *back.products[0], gradients[0]) if len(maps) == 1 else math.nan,
    )


def _log10_leverage(one: Linear, x: Scaled, delta: Scaled, log10_weight_gradient: float) -> float:
    """Return log10 of what the loss changes by as weights and biases move at random by as much as the weights are.

    To first order: the root mean square of a weight, times ‖(∂𝓛/∂W, ∂𝓛/∂b)‖.
    """
    size = one.log10_weight_norm - 0.5 * math.log10(x.mantissa.shape[1] * delta.mantissa.shape[1])
    at_bias = log10_norm(delta.mantissa.sum(0)) + delta.exponent * LOG10_2
    return size + log10_joint_norm([log10_weight_gradient, at_bias])


def _asleep(slope: Array, bound: float) -> tuple[float, float]:
    """Return the share of units whose slope (batch, units) is zero for all examples, and of entries below a bound."""
    counts: list[tuple[int, int]] = []  # in any order: they are added up

    def count(units: slice) -> None:
        size = np.abs(slope[:, units])
        saturated = int(np.count_nonzero(size < bound))
        may_be_dead = saturated >= len(slope) or not bound > 0  # a unit that is has as many slopes of zero
        counts.append((int(np.count_nonzero(size.max(axis=0) == 0)) if may_be_dead else 0, saturated))

    in_pieces(slope.shape[1], count, max(1, PIECE // len(slope)))
    dead, saturated = map(sum, zip(*counts, strict=True))
    return dead / slope.shape[1], saturated / slope.size


def _mean(numbers: Sequence[float]) -> float:
    """Return the mean over a layer's activations, several of equal width; nan where it has none."""
    return sum(numbers) / len(numbers) if numbers else math.nan
