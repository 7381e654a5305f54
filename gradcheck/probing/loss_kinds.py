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

#: Added to all classes alike, which a softmax doesn't see.
SHIFT = 3.0


class Kind(NamedTuple):
    """What a loss is.

    Attributes
    ----------
    function : str
        Whose logarithm it takes: ``softmax``, ``sigmoid``; or ``square``.
    given : str
        What it takes its input for: ``logits``, ``probabilities``, ``numbers``.
    mean_target : float
        The mean of the targets, as the loss has it; nan of a softmax.
    """

    function: str
    given: str
    mean_target: float


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
    several = output.ndim > 1 and output.shape[-1] > 1
    if several and _is_blind(loss_of, output) and _match(loss_of, output, "softmax"):
        return Kind("softmax", "logits", np.nan)
    if found := _match(loss_of, output, "sigmoid"):
        return Kind("sigmoid", "logits", found[1])
    of_two = _match(lambda z: loss_of(sigmoid(z)), output, "sigmoid")
    if of_two and not (several and abs(of_two[1] - 1) < CLOSE):  # −t log p alone, of classes
        return Kind("sigmoid", "probabilities", of_two[1])
    if several and _match(lambda z: loss_of(softmax(z)), output, "softmax"):
        return Kind("softmax", "probabilities", np.nan)
    found = _match(loss_of, output, "square")
    return Kind("square", "numbers", found[1]) if found else None


def _is_blind(loss_of: LossOf, output: Array) -> bool:
    """Whether a loss doesn't see what is added to all classes alike."""
    logits = SIZES[1] * _signs(output)
    before, after = loss_of(logits), loss_of((logits + SHIFT).astype(output.dtype))
    return abs(before - after) <= CLOSE * abs(before)


def _signs(output: Array) -> Array:
    """Return +1 and −1 by turns over the classes, of the output's shape."""
    signs = 1 - 2.0 * (np.arange(output.shape[-1]) % 2)
    return np.broadcast_to(signs, output.shape).astype(output.dtype)


def _match(loss_of: LossOf, output: Array, law: str) -> tuple[float, float] | None:
    """Return a loss's weight and the mean of its targets, if its even part follows a law; or None."""
    direction = _signs(output) if law == "softmax" else np.ones_like(output)
    zero = loss_of(0 * direction)
    sides = np.array([[loss_of((sign * size * direction).astype(output.dtype)) for sign in (1, -1)] for size in SIZES])
    up, down = _of_rows(law, float((direction > 0).mean()))
    weights = (sides.sum(1) - 2 * zero) / (up + down)
    weight = float(weights.mean())
    if not weight > 0 or not np.abs(weights - weight).max() <= CLOSE * weight:
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
