"""The flow points of a transformer whose tokens have been followed: what theory predicts of each of them."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradcheck.engine.types import Array
from gradcheck.mean_field.blocks import SublayerPass, Tokens
from gradcheck.mean_field.layers import sums_from_the_end
from gradcheck.mean_field.predicted import HALF_DECADES, LayerPrediction
from gradcheck.mean_field.tokens import LastGradient


def flow_points(passes: Sequence[SublayerPass], last: LastGradient, width: int) -> tuple[LayerPrediction, ...]:
    """Return three flow points a block: what attention adds, what the MLP adds, and the stream after both."""
    levels, variances = _followed_back(passes, last, width)
    points = [
        point for attention, mlp in zip(passes[::2], passes[1::2], strict=True) for point in _points(attention, mlp)
    ]
    gains = [here - after for here, after in pairwise(levels)]
    far = sums_from_the_end(variances)
    rows = zip(points, [*gains, None], levels, [*variances, None], far, strict=True)
    return tuple(
        point._replace(
            log10_local_gain=gain,
            log10_gradient_ratio=level,
            log10_local_gain_std=None if near is None else HALF_DECADES * math.sqrt(near),
            log10_gradient_ratio_std=HALF_DECADES * math.sqrt(total),
        )
        for point, gain, level, near, total in rows
    )


def _points(attention: SublayerPass, mlp: SublayerPass) -> tuple[LayerPrediction, ...]:
    """Return what is predicted of a block's tokens; the gradient is filled in afterwards."""
    focus = attention.focus
    assert focus is not None
    of_attention, of_mlp, of_stream = (
        LayerPrediction(_root_mean_square(x), None, math.nan, None, None, mean_token_cosine(x.kernel))
        for x in (_without_mean(attention.added), _without_mean(mlp.added), mlp.output)
    )
    return of_attention._replace(score_std=focus.score_std, attended=focus.attended), of_mlp, of_stream


def _without_mean(kernel: Array) -> Tokens:
    return Tokens(kernel, np.zeros(len(kernel)))


def _root_mean_square(x: Tokens) -> float:
    """Return the standard deviation over rows and width."""
    return math.sqrt(max(0.0, float(x.kernel.diagonal().mean() - x.mean.mean() ** 2)))


def mean_token_cosine(kernel: Array) -> float | None:
    """Return the mean cosine of two rows; None of a single one."""
    rows, scales = len(kernel), 1 / np.sqrt(kernel.diagonal())
    return float(scales @ kernel @ scales - rows) / (rows * (rows - 1)) if rows > 1 else None


def _followed_back(passes: Sequence[SublayerPass], last: LastGradient, width: int) -> tuple[list[float], list[float]]:
    """Return log10 of each point's gradient over the last one's, and the variance that lies between each and the next.

    The variances are of the natural logarithm of the squared gradient.
    """
    size = float(last.kernel.trace())  # 1 from step to step: it neither under- nor overflows
    total, gradient, alignment = 0.0, last.kernel / size, last.alignment.over(size)
    levels, variances = [0.0], [0.0]  # last to first
    for one in reversed(passes):
        back = one.backward(gradient, alignment, width)
        levels.append(total + float(np.log(back.at_added.trace())))
        if one is passes[0]:
            break
        factor = float(back.at_input.trace())
        if not 0 < factor < math.inf:
            raise FloatingPointError(f"a gradient of {factor}")
        total, gradient, alignment = total + math.log(factor), back.at_input / factor, back.alignment.over(factor)
        variances.append(back.variance)
        if one.focus is not None:  # the stream after the block before
            levels.append(total)
            variances.append(0.0)
    return [HALF_DECADES * one for one in reversed(levels)], variances[::-1]
