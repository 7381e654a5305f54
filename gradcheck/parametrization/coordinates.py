"""What is recorded of a network as it trains: the size of each layer's output, and of how far it has moved.

The coordinate check of Yang & Hu et al. 2022 (arXiv 2203.03466, appendix D.1). Whoever trains a network, the engine or
PyTorch, hands these records to ``gradcheck.parametrization.judging``.
"""

import math
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

#: ``hidden``: an activation. ``output``: the logits, a sum over all units. ``scores``: attention's before the softmax,
#: of heads that grow with the width. ``queries``: a layer whose output reaches the loss only through a softmax.
Kind = Literal["hidden", "output", "scores", "queries"]


class Size(NamedTuple):
    """How large the entries of an array are."""

    mean: float  # mean |x|
    rms: float  # √(mean x²): what is judged

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Self:
        """Return the size of an array's entries; inf or nan where one is not finite."""
        with np.errstate(all="ignore"):
            wide = array.astype(np.float64, copy=False)
            return cls(float(np.abs(wide).mean()), math.sqrt(float(np.square(wide).mean())))


class Coordinate(NamedTuple):
    """One layer's output in one network after one step, over the batch that every step is looked at with."""

    scale: int  # the network's width, or its depth
    seed: int
    step: int  # updates that it has had: 0 at initialisation
    layer: str  # the same in networks of all scales: of a depth, the place in the network as a part of the whole
    kind: Kind  # ``hidden``, ``output``, ``scores`` or ``queries``
    size: Size  # of the output
    change: Size | None = None  # of the output minus the output at initialisation, on the same batch; None at step 0
    # of what the layer's own weights have gained, x_t (W_t − W_0) for its present input x_t; None at step 0, and of
    # layers without weights, or where nobody measured it
    update: Size | None = None
