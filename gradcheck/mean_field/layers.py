"""A given network, infinitely wide: the signal's variance and the gradient's gain, layer by layer."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from gradcheck.engine.normalization import EPSILON
from gradcheck.engine.types import Array
from gradcheck.mean_field.kernels import Kernel, Moments

#: A mean square too large to compute with.
LARGEST = 1e150


class LayerLaw(NamedTuple):
    """How a layer's weights and biases are drawn."""

    fan_in: int
    fan_out: int
    weight: float  # variance of a weight
    bias: float  # variance of a bias
    frame: bool = False  # the weights are orthogonal: they keep lengths

    def forward(self, kernel: Array) -> Array:
        """Return the covariances of the outputs, given those of the inputs, (rows, rows) each."""
        return self.fan_in * self.weight * kernel + self.bias

    def backward(self, kernel: Array) -> Array:
        """Return the covariances of the gradient at the inputs, given those at the outputs."""
        return self.fan_out * self.weight * kernel


class Architecture(NamedTuple):
    """What the layers have in common: x ↦ φ(norm(z)), or x + scale·φ(norm(z)) from the second layer on."""

    kernel: Kernel
    norm: str  # ``none``, ``batch``, ``layer`` or ``rms``
    skip_scale: float | None  # scale of the branch beside the identity; None without a skip connection


class Signal(NamedTuple):
    """A layer's output: mean and mean square over its units, and the variance over the batch."""

    mean: float
    square: float
    spread: float


class WideLayer(NamedTuple):
    """A hidden layer."""

    law: LayerLaw
    q: float  # mean square of the pre-activation
    moments: Moments  # of φ, after the norm
    # mean square of the factor from ∂𝓛/∂y to ∂𝓛/∂z: E[φ'²] over the norm's divisor, times the branch's scale²
    squared_slope: float
    square: float  # mean square of the layer's output
    skips: bool  # there is a skip connection around it

    @property
    def branch_gain(self) -> float:
        """The factor of the squared gradient through the branch, from the layer's output to its input: χ."""
        return self.law.fan_out * self.law.weight * self.squared_slope

    @property
    def spread_of_slopes(self) -> float:
        """Variance of E[φ'²] over a layer's units, relative, as the gradient weighs them: 3(E[φ'⁴]/E[φ'²]² − 1)."""
        return 3 * max(0.0, self.moments.slope_fourth / self.moments.slope_square**2 - 1)


def follow_signal(architecture: Architecture, laws: Iterable[LayerLaw], signal: Signal) -> list[WideLayer]:
    """Pass a signal through the layers, as far as it stays within the range of floats.

    q = fan_in · Var W · E[x²] + σ_b² (Poole et al. 2016), whatever the width; a skip connection adds moments, as W is
    independent of x (Yang & Schoenholz 2017). Layer and RMS norm divide by √(q + ε), batch norm by the deviation over
    the batch, which biases don't change.
    """
    layers = []
    for index, law in enumerate(laws):
        if not signal.square < LARGEST:
            break
        weight = law.fan_in * law.weight
        q = weight * signal.square + law.bias
        over_batch = weight * signal.spread
        divisor = {"none": 1.0, "batch": over_batch + EPSILON}.get(architecture.norm, q + EPSILON)
        moments = architecture.kernel.moments((over_batch if architecture.norm == "batch" else q) / divisor)
        scale = architecture.skip_scale if index else None
        slope = moments.slope_square / divisor * (1.0 if scale is None else scale**2)
        signal = _output(moments, signal, scale)
        layers.append(WideLayer(law, q, moments, slope, signal.square, scale is not None))
    return layers


def _output(moments: Moments, x: Signal, scale: float | None) -> Signal:
    """Return the output of a layer with input x."""
    y = Signal(moments.mean, moments.square, moments.square - moments.mean**2)
    if scale is None:
        return y
    return Signal(
        x.mean + scale * y.mean,
        x.square + 2 * scale * x.mean * y.mean + scale**2 * y.square,
        x.spread + scale**2 * y.spread,
    )


def log_gains(layers: Sequence[WideLayer], homogeneous: bool = False) -> list[float]:
    """Return the logarithm of mean square (∂𝓛/∂z) of each layer over that of the next: one fewer than layers.

    The weights of the backward pass count as independent of those of the forward pass (Schoenholz et al. 2017; Yang &
    Schoenholz 2017 with skip connections). Each of fan_in inputs of the next layer gets the sum over its fan_out units:
    Var W times their mean square times fan_out.

    One direction is not independent: that of the signal x itself. Where y(x) is `homogeneous`, y(tx) = t·y(x), the
    product ⟨∂𝓛/∂x, x⟩ is the same at each layer (Euler), so that the gradient along x grows as 1/‖x‖, starting from
    1/width of a random gradient's square. A residual stream with a growing mean grows faster than random gradients do,
    and in a deep network of finite width this direction wins.
    """
    steps = [math.log(after.branch_gain + (1.0 if after.skips else 0.0)) for after in layers[1:]]
    outputs = sums_from_the_end(steps)  # log mean square (∂𝓛/∂y) of each layer over the last one's
    if homogeneous:
        last = layers[-1]
        along = [math.log(last.square / one.square / last.law.fan_out) for one in layers]
        outputs = [_log_sum(*both) for both in zip(outputs, along, strict=True)]
    slopes = [math.log(one.squared_slope) for one in layers]
    levels = [output + slope for output, slope in zip(outputs, slopes, strict=True)]
    return [here - after for here, after in pairwise(levels)]


def sums_from_the_end(steps: Sequence[float]) -> list[float]:
    """Return the sum of all steps from each point to the last: one more than steps."""
    return list(accumulate(reversed(steps), initial=0.0))[::-1]


def _log_sum(one: float, other: float) -> float:
    """Return log(e^one + e^other)."""
    return max(one, other) + math.log1p(math.exp(-abs(one - other)))


def log_variances(layers: Sequence[WideLayer]) -> tuple[list[float], list[float]]:
    """Return the variances of `log_gains` among networks of finite width, and of each layer's over the last layer's.

    To first order in 1/width, for one example, with the forward signal of an infinitely wide network. Without skip
    connections a step has two independent sources: the length of Wᵀδ, 2/n (0 for orthogonal weights), and the
    units whose slopes δ happens to weigh, 3(E[φ'⁴]/E[φ'²]² − 1)/n. For ReLU that is 5/n a layer, as in Hanin & Nica
    2020. With a skip connection of branch gain r a step has (r²·(both) + 4r)/(1 + r)²/n, 4r from the product of
    the two paths; the slopes of the first and last layer are added.
    """
    steps = [_step_variance(here, after) for here, after in pairwise(layers)]
    ends = [one.spread_of_slopes / one.law.fan_out if one.skips else 0.0 for one in layers]
    near = [step + before + after for step, (before, after) in zip(steps, pairwise(ends), strict=True)]
    far = [total + end + ends[-1] for total, end in zip(sums_from_the_end(steps), ends[:-1], strict=False)]
    return near, [*far, 0.0]


def _step_variance(here: WideLayer, after: WideLayer) -> float:
    """Return the relative variance that a step back adds for good."""
    of_length = 0.0 if after.law.frame else 2.0
    if not after.skips:
        return (of_length + here.spread_of_slopes) / here.law.fan_out
    branch = after.branch_gain
    return (branch**2 * (of_length + after.spread_of_slopes) + 4 * branch) / (1 + branch) ** 2 / here.law.fan_out
