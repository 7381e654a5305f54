"""What a loss takes its input for, found by what it makes of outputs of one's own: no name and no graph are needed.

A cross-entropy is linear in its targets, so that they drop out of the even part, L(v) + L(−v) − 2 L(0): over the size
of v it has one shape for a softmax, another for a sigmoid, a third for a square.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array

#: The model's output ↦ the loss.
LossOf = Callable[[Array], float]

#: Sizes of the outputs that a loss is tried with, and how far it may be from a law there.
SIZES = np.array([1.0, 2.0, 4.0])
CLOSE = 1e-3

#: What is left of a sum is rounding if it is so small a share of it.
ROUNDING = 1e-5

#: Added to all classes alike, which a softmax doesn't see.
SHIFT = 3.0


class Kind(NamedTuple):
    """What a loss is."""

    function: str  # whose logarithm it takes: ``softmax``, ``sigmoid``; or ``square``
    given: str  # what it takes its input for: ``logits``, ``probabilities``, ``numbers``
    mean_target: float  # the mean of the targets, as the loss has it; nan of a softmax
    axis: int = -1  # that of a softmax's classes: the last one, or one within the output


def softmax(logits: Array, axis: int = -1) -> Array:
    """Return a softmax."""
    powers = np.exp(logits - logits.max(axis, keepdims=True))
    shares: Array = powers / powers.sum(axis, keepdims=True)
    return shares


def sigmoid(logits: Array) -> Array:
    """Return a sigmoid, which may end in 0 and 1."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))


def kind_of(loss_of: LossOf, output: Array) -> Kind | None:
    """Return what a loss takes outputs of this shape for; None where it is none of these."""
    axes = [axis for axis in (-1, *range(1, output.ndim - 1)) if output.ndim > 1 and output.shape[axis] > 1]
    for axis in axes:
        if _is_blind(loss_of, output, axis) and _match(loss_of, output, "softmax", axis):
            return Kind("softmax", "logits", np.nan, axis)
    if found := _match(loss_of, output, "sigmoid"):
        return Kind("sigmoid", "logits", found[1])
    of_two = _match(lambda z: loss_of(sigmoid(z)), output, "sigmoid")
    if of_two and not (axes and abs(of_two[1] - 1) < CLOSE):  # −t log p alone, of classes
        return Kind("sigmoid", "probabilities", of_two[1])
    for axis in axes:
        if _match(_of_shares(loss_of, axis), output, "softmax", axis):
            return Kind("softmax", "probabilities", np.nan, axis)
    found = _match(loss_of, output, "square")
    return Kind("square", "numbers", found[1]) if found else None


def _of_shares(loss_of: LossOf, axis: int) -> LossOf:
    """Return the loss of the softmax of what it is given."""
    return lambda logits: loss_of(softmax(logits, axis))


def _is_blind(loss_of: LossOf, output: Array, axis: int) -> bool:
    """Whether a loss doesn't see what is added to all classes alike, another number for each row of them."""
    logits, zero = SIZES[1] * _signs(output, axis), loss_of(0 * output)
    shifts = SHIFT * np.random.default_rng(0).uniform(0.5, 1, np.take(output, [0], axis).shape)
    before, after = loss_of(logits), loss_of((logits + shifts).astype(output.dtype))
    curved = abs(before + loss_of(-logits) - 2 * zero)  # whatever else is in the loss drops out
    return abs(before - after) <= CLOSE * max(curved, abs(before - zero))


def _signs(output: Array, axis: int = -1) -> Array:
    """Return +1 and −1 by turns over the classes, of the output's shape."""
    signs = 1 - 2.0 * (np.arange(output.shape[axis]) % 2)
    return np.moveaxis(np.broadcast_to(signs, np.moveaxis(output, axis, -1).shape), -1, axis).astype(output.dtype)


def _match(loss_of: LossOf, output: Array, law: str, axis: int = -1) -> tuple[float, float] | None:
    """Return a loss's weight and the mean of its targets, if its even part follows a law; or None."""
    direction = _signs(output, axis) if law == "softmax" else np.ones_like(output)
    zero = loss_of(0 * direction)
    sides = np.array([[loss_of((sign * size * direction).astype(output.dtype)) for sign in (1, -1)] for size in SIZES])
    up, down = _of_rows(law, float((direction > 0).mean()))
    weights = (sides.sum(1) - 2 * zero) / (up + down)
    weight = float(weights.mean())
    if not weight > ROUNDING * abs(zero) or not np.abs(weights - weight).max() <= CLOSE * weight:
        return None
    odds = ((sides[:, 0] - sides[:, 1]) / weight - (up - down)) / SIZES
    odd = float(odds.mean())
    if not np.abs(odds - odd).max() <= CLOSE * (1 + abs(odd)):  # what the targets add is linear in the output
        return None
    return weight, -odd / 4 if law == "square" else -odd / 2


def _of_rows(law: str, positive: float) -> tuple[Array, Array]:
    """Return L(v) − L(0) and L(−v) − L(0) of one row, or entry, without targets; this share of v is positive."""
    if law == "square":
        return SIZES**2, SIZES**2
    if law == "sigmoid":
        return np.logaddexp(0, SIZES) - np.log(2), np.logaddexp(0, -SIZES) - np.log(2)
    up, down = np.exp(SIZES), np.exp(-SIZES)
    return np.log(positive * up + (1 - positive) * down), np.log(positive * down + (1 - positive) * up)
