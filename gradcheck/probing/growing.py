"""Layers that give ever more, as where residual blocks add up: nearer to the fault than a read-out that is large."""

import math
from collections.abc import Iterator

import numpy as np

from gradcheck.base.record import power_of_ten
from gradcheck.diagnosis.causes import Cause
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.first_loss import LARGE_INPUTS, FirstLoss
from gradcheck.probing.first_loss import causes_of as of_sizes

#: Blocks that there are at least, and the decades by which what their layers give grows from the first to the last.
BLOCKS, DECADES = 4, 1.0

#: The share of the blocks that give more than the one before.
STEADY = 0.75

#: The outputs are large because the blocks grow, or what the read-out is given is large, where that is this share of
#: the decades by which they are above 1.
EXPLAINS = 0.5


def causes_of_growth(flow: ModelFlow) -> Iterator[Cause]:
    """Yield that what residual blocks or layers give grows steadily, and makes the outputs large, where it does.

    Layers in branches are given the sum of all blocks before; a norm at a block's start, or after its sum, keeps that
    from showing, and needs no remedy. Where nothing is added, an input leads round the layers, as a graph's edges do.
    """
    if flow.obstacle or len(flow.trunk) != len(flow.layers):
        return
    growing = max(_rows(flow), key=lambda row: row[1][-1] - row[1][0], default=None)
    if growing is None:
        return
    layers, sizes = growing
    decades = float(sizes[-1] - sizes[0])
    if decades >= max(DECADES, EXPLAINS * flow.output.log10_logit_rms):
        details = {
            "first": flow.name(layers[0] + 1), "last": flow.name(layers[-1] + 1), "count": len(layers),
            "low": 10.0 ** float(sizes[0]), "high": 10.0 ** float(sizes[-1]), "scale": 1 / math.sqrt(len(layers)),
        }  # fmt: skip
        yield Cause("branches-grow" if flow.sums else "layers-grow", None, 10.0**decades, 10.0**DECADES, details)


def why_large(first: FirstLoss, flow: ModelFlow) -> tuple[Cause, ...]:
    """Return why the loss starts far above a constant answer's; what makes the outputs large comes before them."""
    sizes = tuple(of_sizes(first))
    large = any(one.code == "readout-large" for one in sizes)
    return (tuple(causes_of_growth(flow)) if large else ()) or tuple(_with_given(one, first, flow) for one in sizes)


def _with_given(cause: Cause, first: FirstLoss, flow: ModelFlow) -> Cause:
    """Return why outputs are large with what the last layer before the read-out gives, where that is large already."""
    named = cause.code != "readout-large" or first.pair_width or "mean" in cause.details
    if named or not flow.trunk or not flow.trunk[-1]:
        return cause
    given = power_of_ten(flow.layers[-1].log10_activation_rms)
    if not (given > LARGE_INPUTS and given > first.readout_rms**EXPLAINS):
        return cause
    return cause._replace(details={**cause.details, "given": given, "name": flow.name(len(flow.layers))})


def _rows(flow: ModelFlow) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield layers of one kind and role in branches, from 0, that give ever more, and how much in decades."""
    sizes = flow.column("log10_activation_rms")
    for group in flow.groups:
        layers = [int(at) for at in group if not flow.trunk[at] and not flow.kinds[at].is_norm]
        given = sizes[layers]
        if len(layers) >= BLOCKS and np.isfinite(given).all() and np.mean(np.diff(given) > 0) >= STEADY:
            yield layers, given
