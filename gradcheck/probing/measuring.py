"""What one layer shows, by its uses: the same numbers whoever took them."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gradcheck.engine.diversity import Diversity
from gradcheck.engine.magnitude import LOG10_2, log10_joint_norm, log10_norm, log10_rms, mean, rescaled
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import LayerFlow

#: Rows from which rank and cosine are computed, evenly picked where there are more: examples, and tokens. The limit of
#: a healthy rank was found with 64 rows, and above 12 a rank counts for no more.
EXAMPLES, TOKENS = 1024, 64


class Response(NamedTuple):
    """An activation function that follows a layer, in a few numbers."""

    log10_rms: float  # of its output
    saturated: float  # share of its entries that are
    passing: npt.NDArray[np.bool_]  # (channels,) whose slope is not exactly zero throughout


class Measured(Protocol):
    """One use of a layer, in numbers."""

    @property
    def log10_rms(self) -> float:
        """Of the output."""

    @property
    def log10_std(self) -> float:
        """Of the output."""

    @property
    def responses(self) -> Sequence[Response]:
        """Of the activation functions that follow it."""

    @property
    def diversity(self) -> Diversity:
        """Of what it passes on, after its activation."""

    @property
    def heard(self) -> bool:
        """δ, the gradient at the output, has arrived."""

    @property
    def log10_gradient_norm(self) -> float:
        """Of δ."""

    @property
    def alive(self) -> npt.NDArray[np.bool_] | None:
        """(channels,) where δ is not exactly zero throughout; None where each activation lets something through."""


def rows_to_take(rows: int, examples: int) -> int:
    """Return from how many of an output's rows, given how many examples there are, the rank is computed."""
    return min(rows, EXAMPLES if rows <= examples else TOKENS)


def layer_flow(
    calls: Sequence[Measured],
    log10_entries: float,
    log10_weight_norm: float,
    log10_weight_gradient_norm: float,
    shift: int,
    log10_leverage: float = math.nan,
) -> LayerFlow:
    """Measure one layer by its uses, at least one; the gradients are those of 2**shift times the loss.

    Notes
    -----
    δ is the gradient at the output. Of a layer on (examples, features), gradient_rms is the root mean square of its
    entries, as in ``simulate``. Where an example has positions (pixels, tokens, the steps of a recurrence), it is the
    root mean square over the examples of each one's norm ‖δ‖, all positions and channels together: random weights of
    variance 2/fan_in followed by a ReLU, or 1/fan_in, preserve that for any number of channels and positions, while
    the gradient per entry shrinks with the number of positions, and says nothing. So there are as many entries
    (log10_entries) as outputs in the one case, and as examples in the other.
    """
    last = calls[-1]
    responses = [one for call in calls for one in call.responses]
    arrived = [one.log10_gradient_norm for one in calls if one.heard]
    unscaled = shift * LOG10_2
    return LayerFlow(
        log10_preactivation_std=_pooled([call.log10_std for call in calls]),
        log10_activation_rms=_activation_rms(calls, responses),
        input_cosine=last.diversity.mean_cosine,
        effective_rank=last.diversity.effective_rank,
        dead_fraction=_dead_fraction(calls),
        saturated_fraction=sum(one.saturated for one in responses) / len(responses) if responses else math.nan,
        log10_gradient_rms=log10_joint_norm(arrived) - 0.5 * log10_entries - unscaled,
        log10_weight_norm=log10_weight_norm,
        log10_weight_gradient_norm=log10_weight_gradient_norm - unscaled,
        log10_leverage=log10_leverage - unscaled,
    )


def leverage(log10_weight_norm: float, weights: int, log10_gradient_norms: Sequence[float]) -> float:
    """Return log10 of what the loss changes by as a linear map moves at random by as much as its weights are.

    It has so many weights; the gradients are of these, and of the bias if there is one.
    """
    return log10_weight_norm - 0.5 * math.log10(weights) + log10_joint_norm(log10_gradient_norms)


def decades_between(gradients: Iterable[Array]) -> float:
    """Return the decades between weights' gradients, per entry; nan without any, and where one isn't finite or is zero.

    Vectors, such as biases and norms, are left out: they have gradients of their own sizes.
    """
    with np.errstate(all="ignore"):
        sizes = [log10_norm(one) - 0.5 * math.log10(one.size) for one in gradients if one.ndim > 1 and one.size]
    return max(sizes) - min(sizes) if sizes and all(map(math.isfinite, sizes)) else math.nan


def distinction(output: Array, log10_gradient_norm: float) -> float:
    """Return log10 of what the loss changes by as the outputs move at random by as much as the examples differ in them.

    Outputs are (examples, units); the gradient with respect to them is nan if it isn't known.
    """
    return log10_rms(rescaled(output - mean(output, 0))) + log10_gradient_norm if len(output) > 1 else math.nan


def _pooled(logarithms: Sequence[float]) -> float:
    """Return log10 of the root mean square of several, of equally many entries each."""
    return log10_joint_norm(logarithms) - 0.5 * math.log10(len(logarithms))


def _activation_rms(calls: Sequence[Measured], responses: Sequence[Response]) -> float:
    return _pooled([one.log10_rms for one in (responses if len(responses) == len(calls) else calls)])


def _dead_fraction(calls: Sequence[Measured]) -> float:
    """Return the share of units whose slope is 0 throughout, and which no gradient reaches by another path."""
    shares = []
    for index in range(max(len(call.responses) for call in calls)):
        active = [_active(call, call.responses[index]) for call in calls if len(call.responses) > index]
        if len({len(one) for one in active}) == 1:
            dead = ~np.logical_or.reduce(active)
            shares.append(np.count_nonzero(dead) / max(1, dead.size))
    return sum(shares) / len(shares) if shares else math.nan


def _active(call: Measured, one: Response) -> npt.NDArray[np.bool_]:
    """Return which units let anything through an activation: (channels,)."""
    return one.passing if call.alive is None or len(call.alive) != len(one.passing) else one.passing | call.alive


def heard_layers(flows: Sequence[LayerFlow], frozen: Sequence[bool]) -> Sequence[int]:
    """Return the places of the layers but frozen ones that no gradient reaches, where none trained goes without."""
    idle = [flow.log10_gradient_rms == -math.inf for flow in flows]
    if all(idle) or any(zero and not still for zero, still in zip(idle, frozen, strict=True)):
        return range(len(flows))
    return [place for place, zero in enumerate(idle) if not zero]
