"""The typical flow of several draws."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow, PerLayer
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.flow.quantities import QUANTITIES

#: Fields whose mean over the draws is geometric: positive, and not logarithms already.
GEOMETRIC = {"loss", *(name for name, one in QUANTITIES.items() if not (one.magnitude or one.signed))}


def average(flows: Sequence[GradientFlow]) -> GradientFlow:
    """Return the typical flow of several draws: the mean of logarithms, the geometric mean of the rest.

    ``input_cosine``, which can be negative, is averaged as it is. Anything that is nan in one draw is nan.
    """
    if len(flows) == 1:
        return flows[0]
    draws = np.array([flow.layers for flow in flows])  # (draws, layers, fields)
    outputs = np.array([flow.output for flow in flows])  # (draws, fields)
    stopped = min(flows, key=lambda flow: (flow.reached, not flow.obstacle))
    layers = tuple(LayerFlow(*row) for row in _typical(draws, LayerFlow._fields).tolist())
    return replace(stopped, layers=layers, output=OutputFlow(*_typical(outputs, OutputFlow._fields).tolist()))


def _typical(draws: PerLayer, names: Sequence[str]) -> PerLayer:
    """Average (draws, …, fields) over the draws, each field by its own mean."""
    positive = np.isin(names, list(GEOMETRIC))
    with np.errstate(all="ignore"):
        mean, geometric = draws.mean(0), np.exp(np.log(np.where(positive, draws, 1)).mean(0))
    typical: PerLayer = np.where(positive, geometric, mean)
    return typical
