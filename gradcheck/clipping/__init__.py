"""Gradient clipping: one table of rules, each with the semantics that people rely on, on plain NumPy arrays.

``clip(gradients, "global-norm:1.0")`` clips once; a ``Clipper`` remembers what the adaptive rules need.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.base.calls import public
from gradcheck.clipping.adaptive import ADAPTIVE_RULES, NORM_EPSILON, LimitOf
from gradcheck.clipping.effect import Clipped, ClipReport, Task, report, report_nonfinite
from gradcheck.clipping.libraries import LIBRARY_RULES
from gradcheck.engine.magnitude import Norm, joint_norm, scaled
from gradcheck.engine.types import Array
from gradcheck.errors import OptionError, one_of, shown
from gradcheck.spec.clip_libraries import LIBRARIES
from gradcheck.spec.clip_rules import Rule, rule_of

#: Smallest norm of a unit's weights that the adaptive rule uses: Brock et al. 2021, eq. 3.
SMALLEST_UNIT = 1e-3


@public
def clip(
    gradients: Sequence[npt.NDArray[Any]],
    rule: "str | Rule | Clipper",
    parameters: Sequence[npt.NDArray[Any]] | None = None,
    *,
    unit_axis: int = -1,
    library: str | None = None,
) -> tuple[list[Array], ClipReport]:
    """Clip a list of gradients.

    Parameters
    ----------
    gradients : sequence of array
        Of any shapes, floating point; they are not changed.
    rule : str, Rule or Clipper
        ``none``, ``value:c``, ``norm:c``, ``global-norm:c``, ``agc:λ``, ``percentile:p`` or ``zscore:z``. The last
        two judge by the norms seen so far: pass the same ``Clipper`` each time.
    parameters : sequence of array, optional
        What the gradients belong to, in the same shapes; ``agc`` needs them, and leaves a unit alone whose weights
        are not finite.
    unit_axis : int
        Axis along which the units lie, for ``agc``: the last for fan_in × fan_out, 0 for PyTorch's weights.
    library : str, optional
        Clip as this library does, in the gradients' own precision: ``torch``, ``optax``, ``keras``, ``paddle``,
        ``mlx``, ``timm``, ``lightning``, ``accelerate``. Gradients that are not finite are clipped then, too.

    Returns
    -------
    clipped : list of array
        In the shapes and types of `gradients`; unless `library` says otherwise, all come back as they are where an
        entry is not finite.
    report : ClipReport

    Raises
    ------
    OptionError
        There is no such rule, its threshold would be meaningless, the library doesn't have it, or the parameters
        don't fit the gradients.
    """
    clipper = rule if isinstance(rule, Clipper) else Clipper(rule, library)
    return clipper(gradients, parameters, unit_axis=unit_axis)


class Clipper:
    """A rule together with the norms that it has seen.

    Parameters
    ----------
    rule : str or Rule
    library : str, optional
        The library as which it clips.

    Attributes
    ----------
    rule : Rule
    library : str or None
    """

    @public
    def __init__(self, rule: str | Rule, library: str | None = None) -> None:
        self.library = None if library is None else one_of("library", library, LIBRARIES)
        self.rule = rule_of(rule, self.library)
        if self.library is None or self.rule.name == "none":
            self._apply = _RULES[self.rule.name](self.rule.threshold)
        else:
            self._apply = _as_in(self.library, self.rule)

    def __call__(
        self,
        gradients: Sequence[npt.NDArray[Any]],
        parameters: Sequence[npt.NDArray[Any]] | None = None,
        *,
        unit_axis: int = -1,
    ) -> tuple[list[Array], ClipReport]:
        """Clip a list of gradients; the arguments are those of ``clip``."""
        if isinstance(gradients, np.ndarray):
            raise OptionError("clip", "takes a list of arrays, not one array: its rows would be clipped one by one")
        if not isinstance(gradients, Iterable):
            raise OptionError("clip", f"takes a list of arrays, not {shown(gradients)}")
        arrays = [_floating(gradient) for gradient in gradients]
        before = joint_norm(arrays)
        if self.library is None and not math.isfinite(before.mantissa):
            return arrays, report_nonfinite(arrays, None)
        task = Task(arrays, before, _fitting(arrays, parameters), unit_axis)
        with np.errstate(all="ignore"):
            clipped = self._apply(task)
        for either in (arrays, clipped.gradients) if self.library else ():
            if not all(np.isfinite(one).all() for one in either):
                return clipped.gradients, report_nonfinite(either, clipped.threshold)
        return clipped.gradients, report(task, clipped)


def _as_in(library: str, rule: Rule) -> Callable[[Task], Clipped]:
    """Return a rule as a library has it."""
    clip_them, limit = LIBRARY_RULES[library][rule.name], rule.threshold
    assert limit is not None

    def apply(task: Task) -> Clipped:
        over = task.norm.value > limit if rule.name == "global-norm" else None
        return Clipped(clip_them(task, limit) if task.gradients else [], limit, over)

    return apply


def _floating(gradient: npt.NDArray[Any]) -> Array:
    array = np.asarray(gradient)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise OptionError("clip", f"takes arrays of float16, float32 or float64, not of {array.dtype}")
    return array


def _fitting(gradients: list[Array], parameters: Sequence[npt.NDArray[Any]] | None) -> Sequence[Array] | None:
    """Return the parameters if they have the gradients' shapes."""
    if parameters is None:
        return None
    shapes, theirs = [one.shape for one in gradients], [np.shape(one) for one in parameters]
    if shapes != theirs:
        raise OptionError("clip", f"takes gradients {shapes} with parameters of the same shapes, not {theirs}")
    return [np.asarray(one) for one in parameters]


# ---- rules that remember nothing: (task, threshold) ↦ what is done with each gradient


def _none(task: Task, threshold: None) -> Clipped:
    return Clipped(task.gradients, None)


def _value(task: Task, limit: float) -> Clipped:
    """Each entry to [−c, c], where the array's type has numbers as large as c."""
    clipped = [
        np.clip(one, -limit, limit).astype(one.dtype, copy=False) if limit < np.finfo(one.dtype).max else one
        for one in task.gradients
    ]
    return Clipped(clipped, limit)


def _norm(task: Task, limit: float) -> Clipped:
    """Each tensor scaled by min(1, c/‖g‖)."""
    return Clipped([_shrunk(gradient, limit, joint_norm([gradient])) for gradient in task.gradients], limit)


def _shrunk(gradient: Array, limit: float, norm: Norm) -> Array:
    """Scale an array by min(1, limit/norm), where the norm may be beyond the range of floats."""
    return gradient if norm.value <= limit else scaled(gradient, limit / norm.mantissa, -norm.exponent)


def _global_norm(task: Task, limit: float) -> Clipped:
    """All tensors scaled by min(1, c/(‖g‖ + ε))."""
    norm = task.norm
    if math.isinf(norm.value):  # ε is negligible
        return Clipped([_shrunk(gradient, limit, norm) for gradient in task.gradients], limit, over=True)
    scale = limit / (norm.value + NORM_EPSILON)
    clipped = [scaled(gradient, scale) for gradient in task.gradients] if scale < 1 else task.gradients
    return Clipped(clipped, limit, over=norm.value > limit)


def _agc(task: Task, clipping: float) -> Clipped:
    """Each unit's gradient scaled by min(1, λ·max(‖W_i‖, 1e-3)/‖g_i‖); a vector is one unit."""
    if task.parameters is None:
        raise OptionError("clip", "agc needs the gradients' parameters: type clip(gradients, rule, parameters)")
    pairs = zip(task.gradients, task.parameters, strict=True)
    return Clipped([_unitwise(gradient, weight, clipping, task.unit_axis) for gradient, weight in pairs], clipping)


def _unitwise(gradient: Array, weight: Array, clipping: float, unit_axis: int) -> Array:
    largest, relative = _unit_norms(gradient, unit_axis)
    of_weight, weight_relative = _unit_norms(weight, unit_axis)
    limit = clipping * np.maximum(of_weight * weight_relative, SMALLEST_UNIT)
    over = largest * relative > limit
    factor = np.divide(limit, relative, out=np.zeros_like(relative), where=over)
    clipped: Array = np.where(over, gradient / largest * factor, gradient).astype(gradient.dtype, copy=False)
    return clipped


def _unit_norms(array: Array, unit_axis: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the norm over all axes but that of the units, to be broadcast; of a vector or number, its own.

    The largest entry (1 for zero) and the norm over that: their product may be beyond the range of floats.
    """
    if array.ndim > 1 and not -array.ndim <= unit_axis < array.ndim:
        problem = f"{unit_axis} is not an axis of an array of shape {array.shape}"
        raise OptionError("unit_axis", f"{problem}; type -1 for fan_in by fan_out, 0 for PyTorch's weights")
    units = unit_axis % array.ndim if array.ndim > 1 else None
    others = tuple(axis for axis in range(array.ndim) if axis != units)
    largest = np.abs(array).max(others, keepdims=True, initial=0).astype(np.float64)
    largest = np.where(largest > 0, largest, 1)
    return largest, np.sqrt(np.square(array / largest).sum(others, keepdims=True))


# ---- adaptive rules: a threshold ↦ a rule that remembers the norms it has seen


def _with_memory(rule: Callable[[float], LimitOf]) -> Callable[[float], Callable[[Task], Clipped]]:
    """Return what makes a rule of a threshold: the global norm clipped to what the adaptive rule allows it."""

    def made(threshold: float) -> Callable[[Task], Clipped]:
        limit_of = rule(threshold)

        def apply(task: Task) -> Clipped:
            limit = limit_of(task.norm.value)
            return Clipped(task.gradients, None) if limit is None else _global_norm(task, limit)

        return apply

    return made


def _without_memory(rule: Callable[[Task, Any], Clipped]) -> Callable[[Any], Callable[[Task], Clipped]]:
    """Return what makes a rule of a threshold, as the adaptive rules do; this one does the same each time."""
    return lambda threshold: lambda task: rule(task, threshold)


_RULES: dict[str, Callable[[Any], Callable[[Task], Clipped]]] = {
    "none": _without_memory(_none),
    "value": _without_memory(_value),
    "norm": _without_memory(_norm),
    "global-norm": _without_memory(_global_norm),
    "agc": _without_memory(_agc),
    **{name: _with_memory(rule) for name, rule in ADAPTIVE_RULES.items()},
}
