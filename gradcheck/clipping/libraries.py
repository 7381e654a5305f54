"""The rules as libraries compute them: in the gradients' own precision, with what that does at the edges.

Norms are arrays of one number, in the type in which the library has them, so that they overflow where it does. What
each does with numbers that are not finite is in ``gradcheck.spec.clip_libraries``, and was measured.
"""

from collections.abc import Callable, Sequence

import numpy as np

from gradcheck.clipping.effect import Task
from gradcheck.engine.types import Array
from gradcheck.errors import OptionError

#: The least norm of a unit's weights, and of its gradient, in adaptive clipping (timm, optax).
SMALLEST_WEIGHTS, SMALLEST_GRADIENT = 1e-3, 1e-6

#: A rule: the task and its threshold ↦ the clipped gradients.
LibraryRule = Callable[[Task, float], list[Array]]


# ---- norms


def _squares(array: Array, axes: tuple[int, ...] | None = None) -> Array:
    """Return Σ x², of at least one axis: squared in the array's type, added up in float32 or wider (XLA)."""
    wide = np.promote_types(array.dtype, np.float32)
    added: Array = np.square(array).sum(axes, dtype=wide, keepdims=True).astype(array.dtype)
    return added if axes is not None else added.reshape(1)


def _widely(array: Array, axes: tuple[int, ...] | None = None) -> Array:
    """Return ‖x‖ as PyTorch does: of several numbers squared in float32 or wider, in the array's type."""
    wide = np.promote_types(array.dtype, np.float32)
    squared = np.square(array.astype(wide)).sum(axes, keepdims=True)
    rooted: Array = (np.abs(array) if squared.size == array.size else np.sqrt(squared)).astype(array.dtype)
    return rooted if axes is not None else rooted.reshape(1)


def _norm(gradients: Sequence[Array]) -> Array:
    """Return the root of all squares, each gradient's added up in its type (optax, Keras, Paddle)."""
    total: Array = np.sqrt(np.sum([_squares(one) for one in gradients], axis=0))
    return total


def _norm_of_norms(gradients: Sequence[Array]) -> Array:
    """Return the norm of the gradients' norms (PyTorch)."""
    return _widely(np.concatenate([_widely(one) for one in gradients]))


# ---- the global norm


def _times(gradients: Sequence[Array], factor: Array) -> list[Array]:
    return [(one * factor.astype(one.dtype)).reshape(one.shape) for one in gradients]


def _torch(task: Task, limit: float) -> list[Array]:
    """Return g · min(1, c / (n + ε))."""
    return _times(task.gradients, np.minimum(limit / (_norm_of_norms(task.gradients) + 1e-6), 1))


def _mlx(task: Task, limit: float) -> list[Array]:
    """The same, with norm and factor in float32 where a gradient has half the precision."""
    wide = [one.astype(np.promote_types(one.dtype, np.float32)) for one in task.gradients]
    factor = np.minimum(limit / (_norm(wide) + 1e-6), 1)
    clipped = _times(wide, factor)
    return [one.astype(raw.dtype) for one, raw in zip(clipped, task.gradients, strict=True)]


def _optax(task: Task, limit: float) -> list[Array]:
    """Return (g / n) · c, unless n < c."""
    norm = _norm(task.gradients)
    if norm[0] < limit:
        return task.gradients
    return [(one / norm.astype(one.dtype) * one.dtype.type(limit)).reshape(one.shape) for one in task.gradients]


def _keras(task: Task, limit: float) -> list[Array]:
    """Return g · (c · min(1/n, 1/c) + (n − n)): the last term makes all gradients NaN where n is not finite."""
    norm = _norm(task.gradients)
    return _times(task.gradients, limit * np.minimum(1 / norm, 1 / limit) + (norm - norm))


def _paddle(task: Task, limit: float) -> list[Array]:
    """Return g · c / max(n, c)."""
    return _times(_no_half(task), limit / np.maximum(_norm(task.gradients), limit))


# ---- each tensor by itself


def _keras_each(task: Task, limit: float) -> list[Array]:
    """Return g · c / max(n, c), in this order: g · c may underflow."""
    return [_divided(one, limit, np.maximum(np.sqrt(_squares(one)), limit)) for one in task.gradients]


def _divided(gradient: Array, limit: float, norm: Array) -> Array:
    return (gradient * gradient.dtype.type(limit) / norm.astype(gradient.dtype)).reshape(gradient.shape)


def _paddle_each(task: Task, limit: float) -> list[Array]:
    """Return g · c / n, unless n ≤ c."""
    return [_times([one], _paddle_factor(_norm([one]), limit))[0] for one in _no_half(task)]


def _paddle_factor(norm: Array, limit: float) -> Array:
    return np.where(norm <= limit, 1, limit / np.where(norm > 0, norm, 1) + (norm - norm if np.isnan(norm[0]) else 0))


def _no_half(task: Task) -> list[Array]:
    """Return the gradients, unless Paddle would refuse them."""
    if any(one.dtype == np.float16 for one in task.gradients):
        raise OptionError("clip", "paddle clips no float16 on a processor; give float32, or another library")
    return task.gradients


# ---- each entry, each unit


def _entries(task: Task, limit: float) -> list[Array]:
    """Each entry to [−c, c]: an infinite one becomes c, one that is not a number stays."""
    return [
        np.clip(one, -limit, limit).astype(one.dtype, copy=False) if limit < np.finfo(one.dtype).max else one
        for one in task.gradients
    ]


def _paddle_entries(task: Task, limit: float) -> list[Array]:
    return _entries(task._replace(gradients=_no_half(task)), limit)


def _timm_units(task: Task, clipping: float) -> list[Array]:
    """Units are those of `unit_axis`, 0 in timm; a bias, or any vector, is one unit."""
    return [
        _unitwise(gradient, weight, clipping, _widely, _others(gradient, task.unit_axis))
        for gradient, weight in _pairs(task)
    ]


def _others(array: Array, unit_axis: int) -> tuple[int, ...]:
    """Return all axes but that of the units; of a vector all."""
    unit = unit_axis % array.ndim if array.ndim > 1 else None
    return tuple(axis for axis in range(array.ndim) if axis != unit)


def _optax_units(task: Task, clipping: float) -> list[Array]:
    """Units by the number of axes: of three the last two tell units apart, of others the last one."""
    return [
        _unitwise(gradient, weight, clipping, lambda array, axes: np.sqrt(_squares(array, axes)), _by_rank(gradient))
        for gradient, weight in _pairs(task)
    ]


def _by_rank(array: Array) -> tuple[int, ...]:
    """Return the axes that optax takes for a unit's: all of a vector, also of one among axes of length 1."""
    if np.squeeze(array).ndim <= 1:
        return tuple(range(array.ndim))
    if array.ndim > 5:
        raise OptionError("clip", f"optax has no units for {array.ndim} axes; five are the most")
    return (0,) if array.ndim == 3 else tuple(range(array.ndim - 1))


def _pairs(task: Task) -> list[tuple[Array, Array]]:
    if task.parameters is None:
        raise OptionError("clip", "agc needs the gradients' parameters: type clip(gradients, rule, parameters)")
    return list(zip(task.gradients, task.parameters, strict=True))


def _unitwise(
    gradient: Array,
    weight: Array,
    clipping: float,
    norm: Callable[[Array, tuple[int, ...]], Array],
    axes: tuple[int, ...],
) -> Array:
    """Return g · λ max(‖w‖, 1e-3) / max(‖g‖, 1e-6), unless ‖g‖ is below λ max(‖w‖, 1e-3)."""
    allowed = np.maximum(norm(weight.astype(gradient.dtype), axes), SMALLEST_WEIGHTS) * gradient.dtype.type(clipping)
    length = norm(gradient, axes)
    clipped: Array = gradient * (allowed / np.maximum(length, SMALLEST_GRADIENT)).astype(gradient.dtype)
    return np.where(length < allowed, gradient, clipped)


_OF_TORCH: dict[str, LibraryRule] = {"value": _entries, "global-norm": _torch}

#: Library ↦ rule ↦ what it does; the names are those of ``gradcheck.spec.clip_libraries.LIBRARIES``.
LIBRARY_RULES: dict[str, dict[str, LibraryRule]] = {
    "torch": _OF_TORCH,
    "optax": {"value": _entries, "global-norm": _optax, "agc": _optax_units},
    "keras": {"value": _entries, "norm": _keras_each, "global-norm": _keras},
    "paddle": {"value": _paddle_entries, "norm": _paddle_each, "global-norm": _paddle},
    "mlx": {"global-norm": _mlx},
    "timm": _OF_TORCH | {"agc": _timm_units},
    "lightning": _OF_TORCH,
    "accelerate": _OF_TORCH,
}
