"""What a clipping rule is given, what it gives back, and what that did to the gradient."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.engine.magnitude import Norm, joint_norm
from gradcheck.engine.types import Array

#: Norms between these are compared as they are.
UNIT_SIZED = (1e-70, 1e70)


class Task(NamedTuple):
    """What a rule is given: finite gradients, their global norm, their parameters, the axis of the units."""

    gradients: list[Array]
    norm: Norm
    parameters: Sequence[Array] | None
    unit_axis: int


class Clipped(NamedTuple):
    """What a rule makes of it.

    Attributes
    ----------
    gradients : list of Array
    threshold : float or None
        The limit that was applied; None for none.
    over : bool or None
        Whether the global norm was above it; None where the rule doesn't look at that.
    """

    gradients: list[Array]
    threshold: float | None
    over: bool | None = None


class ClipReport(NamedTuple):
    """What a rule did to one gradient.

    Attributes
    ----------
    clipped : bool
        It changed something; of the global rules, the norm was above the limit (the ε in their denominator alone
        doesn't count).
    norm_before, norm_after : float
        Global norm; nan where an entry is not finite, inf beyond the range of floats.
    threshold : float or None
        The limit that was applied: the rule's own, or what an adaptive rule made of its history; None for none.
    cosine : float
        Between clipped and raw gradient, the mean over the tensors; 1 where the direction of each is kept. A tensor
        that is zero before or after counts as kept.
    global_cosine : float
        The same with all tensors as one vector.
    kept : float
        Length of the clipped gradient along the raw one, over the raw one's: what is left of the learning rate.
    nonfinite : tuple of int
        Tensors with an entry that is not finite before clipping; if there is none, those that a library's rule made so.
    """

    clipped: bool
    norm_before: float
    norm_after: float
    threshold: float | None
    cosine: float
    global_cosine: float
    kept: float
    nonfinite: tuple[int, ...] = ()


def report_nonfinite(arrays: Sequence[Array], threshold: float | None) -> ClipReport:
    """Report on gradients that are not all finite; without a threshold they were left alone."""
    wrong = tuple(index for index, one in enumerate(arrays) if not np.isfinite(one).all())
    return ClipReport(threshold is not None, math.nan, math.nan, threshold, math.nan, math.nan, math.nan, wrong)


def report(task: Task, clipped: Clipped) -> ClipReport:
    """Compare the clipped gradient with the raw one."""
    before = task.norm.value
    pairs = zip(clipped.gradients, task.gradients, strict=True)
    if all(one is raw or np.array_equal(one, raw) for one, raw in pairs):
        return ClipReport(False, before, before, clipped.threshold, 1.0, 1.0, 1.0)
    after = joint_norm(clipped.gradients)
    new, new_exponent = _unit_sized(clipped.gradients, after)
    old, old_exponent = _unit_sized(task.gradients, task.norm)
    products = [(_dot(one, raw), _dot(one, one), _dot(raw, raw)) for one, raw in zip(new, old, strict=True)]
    total, new_square, old_square = map(math.fsum, zip(*products, strict=True))
    return ClipReport(
        clipped=clipped.over is not False,
        norm_before=before,
        norm_after=after.value,
        threshold=clipped.threshold,
        cosine=math.fsum(_cosine(*product) for product in products) / len(products),
        global_cosine=_cosine(total, new_square, old_square),
        kept=math.ldexp(total / old_square, new_exponent - old_exponent),
    )


def _unit_sized(arrays: Sequence[Array], norm: Norm) -> tuple[Sequence[Array], int]:
    """Return the arrays over a power of two, and its exponent, so that their products neither over- nor underflow."""
    if UNIT_SIZED[0] < norm.value < UNIT_SIZED[1] or norm.mantissa == 0:
        return arrays, 0
    exponent = norm.exponent + math.frexp(norm.mantissa)[1]
    return [np.ldexp(array, -exponent) for array in arrays], exponent


def _dot(one: Array, other: Array) -> float:
    return float(np.vdot(one.astype(np.float64, copy=False), other.astype(np.float64, copy=False)))


def _cosine(product: float, square: float, other_square: float) -> float:
    """Return the cosine of two vectors; 1 where one of them is zero."""
    lengths = math.sqrt(square) * math.sqrt(other_square)
    return min(1.0, product / lengths) if lengths else 1.0
