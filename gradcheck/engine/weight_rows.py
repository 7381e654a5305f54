"""Rows of a linear map's matrix, and of one that was never built."""

import numpy as np

from gradcheck.engine.initializers import WEIGHT_STREAM
from gradcheck.engine.linear import Beside, Dense, Linear, Weightless
from gradcheck.engine.subspaces import orthonormalised
from gradcheck.engine.types import Array


def weight_rows(linear: Linear, some: slice) -> Array:
    """Return some rows of W, (rows, fan_out); of a weightless map rows drawn from its law, independent of any pass."""
    if isinstance(linear, Dense):
        return linear.weight[some]
    if isinstance(linear, Beside):
        weights = np.concatenate([weight_rows(one, some) for one in linear.maps], axis=1)
        if linear.columns is not None:
            weights[:, linear.columns] = weights.copy()
        return weights
    assert isinstance(linear, Weightless)
    rows, size = len(range(linear.fan_in)[some]), max(linear.fan_in, linear.fan_out)
    numbers = linear.noise(WEIGHT_STREAM, rows, size if linear.haar else linear.fan_out)
    unit = orthonormalised(numbers)[:, : linear.fan_out] if linear.haar else numbers
    scaled: Array = unit * linear.scale
    return scaled
