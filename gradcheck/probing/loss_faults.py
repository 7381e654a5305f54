"""What is wrong between a model's output and its loss though the gradient may be healthy, of a captured pass.

The loss is asked what it makes of other outputs (``probing.loss_kinds``), and the output is compared with what goes
into the model's last function: what can't be known that way is not said.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.engine.types import Array
from gradcheck.probing.captured import CapturedPass
from gradcheck.probing.evidence import SHARP
from gradcheck.probing.limits import UNREACHED
from gradcheck.probing.loss_kinds import CLOSE, Kind, LossOf, kind_of, sigmoid

#: A loss of more outputs isn't tried.
LARGEST = 2**23

#: Functions at a model's end ↦ the least and the largest value that they have.
RANGES = {"relu": (0.0, math.inf), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}

#: The share of what guessing costs that a loss may cost at best: bounds of logits that keep it above are named.
FLOOR = 0.4

#: Labels that stand for "not counted", as data sets have it.
UNCOUNTED = (-100, -1, 255)


def find_loss_faults(
    captured: CapturedPass, loss_of: Callable[..., float], framework: str, *, by_default: bool
) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Return what is wrong between the outputs and the loss, which may be chosen by default, and what wasn't looked at.

    The loss is asked with another array in place of one of the outputs, ``loss_of(array, place=0)``. The causes have
    the name of the framework whose words help.
    """
    found, unseen = list[Cause](), list[str]()
    for place, (name, loss) in enumerate(captured.loss.parts or (("", captured.loss),)):
        of, output = f" of {name}" if name else "", loss.output
        if output is None or (output.size > LARGEST and output.ndim):
            count = "" if output is None else f" {output.size:,}"
            unseen.append(f"whether the loss fits the{count} outputs{of}")
        elif output.ndim and output.size and np.isfinite(output).all():
            causes, tried = _faults(replace(captured, loss=loss), partial(loss_of, place=place), by_default)
            found += [one._replace(details={**one.details, "part": name}) if name else one for one in causes]
            unseen += [] if tried else [f"whether the loss fits the output{of}"]
    return tuple(_named(found, framework)), tuple(unseen)


def _faults(captured: CapturedPass, loss_of: LossOf, by_default: bool) -> tuple[list[Cause], bool]:
    """Return what is wrong between one output and its loss, and whether the loss could be tried with others."""
    output = captured.loss.output
    assert output is not None
    try:
        with np.errstate(all="ignore"):
            kind = kind_of(loss_of, _as_float(output))
            found = [*_by_default(captured)] if by_default else []
            found += [*_of_output(captured, kind), *_of_classes(captured, kind), *_of_targets(captured, kind, loss_of)]
    except Exception:  # the user's own loss may want more than numbers
        return list(_of_classes(captured, None)), False
    return found, True


def _named(causes: Iterable[Cause], framework: str) -> Iterator[Cause]:
    return (one._replace(details={**one.details, "framework": framework}) for one in causes)


def _as_float(output: Array) -> Array:
    return output if output.dtype == np.float64 else output.astype(np.float32)


def end_of(captured: CapturedPass) -> str:
    """Return the function that makes the output of what the read-out gives; empty where it is none, or not known."""
    given, output = captured.layers[captured.last].uses[-1].output, captured.loss.output
    if output is None or given.size != output.size:
        return ""
    given, output = (one.astype(np.float64).reshape(output.shape) for one in (given, output))
    functions: dict[str, Callable[[Array], Array]] = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: z.clip(0)}
    if np.array_equal(given, output):
        return ""
    made = (name for name, function in functions.items() if np.allclose(function(given), output, CLOSE, 1e-6))
    return "softmax" if sums_to_one(output, -1) else next(made, "")


def floor_of_softmax(low: float, high: float, classes: float) -> float:
    """Return the least loss of a softmax whose logits lie between two bounds: of one high and all others low."""
    return math.log1p((classes - 1) * math.exp(low - high))


def sums_to_one(output: Array, axis: int) -> bool:
    """Whether an output is a distribution along an axis of two or more."""
    if output.ndim < 2 or output.shape[axis] < 2:
        return False
    return bool((output >= 0).all()) and np.allclose(output.sum(axis, dtype=np.float64), 1, atol=CLOSE)


def _of_output(captured: CapturedPass, kind: Kind | None) -> Iterator[Cause]:
    """Yield what the output is, in place of what the loss takes it for."""
    loss, output = captured.loss, captured.loss.output
    if output is None or kind is None or kind.given == "numbers":
        return
    if kind.given == "logits":
        if kind.function == "softmax" and sums_to_one(output, kind.axis):
            shares = output.astype(np.float64)
            room = float((1 - np.square(shares).sum(kind.axis)).mean() / (1 - 1 / output.shape[kind.axis]))
            yield Cause("softmax-twice", None, room, SHARP, {"loss": loss.name})
        elif kind.function == "sigmoid" and (end_of(captured) == "sigmoid" or _is_unit(captured)):
            yield Cause("sigmoid-twice", details={"loss": loss.name})
        elif kind.function == "softmax" and (end := end_of(captured)) in ("sigmoid", "tanh"):
            (low, high), classes = RANGES[end], output.shape[kind.axis]
            floor, guessing = floor_of_softmax(low, high, classes), math.log(classes)
            if floor > FLOOR * guessing:
                yield Cause("loss-floor", None, floor, guessing, {"function": end, "low": low, "high": high})
        elif kind.function == "softmax":
            yield from _over_another_axis(output, kind.axis)
        return
    if kind.function == "softmax":
        yield from _over_another_axis(output, kind.axis)
    high = math.inf if kind.function == "softmax" else 1 + CLOSE  # what classes get may be normalised by the loss
    outside = (output < -CLOSE) | (output > high)
    if outside.any() or not output.any():
        details = {"loss": loss.name, "end": kind.function, "low": float(output.min()), "high": float(output.max())}
        yield Cause("not-probabilities", None, float(outside.mean()), None, details)


def _by_default(captured: CapturedPass) -> Iterator[Cause]:
    """Yield that mean square was chosen for probabilities."""
    end = end_of(captured)
    if captured.loss.name == "mean-square" and end in ("softmax", "sigmoid"):
        yield Cause("loss-of-probabilities", details={"function": end})


def _is_unit(captured: CapturedPass) -> bool:
    """Whether a sigmoid that the framework's own graph shows at the end gives what is between 0 and 1."""
    output = captured.loss.output
    return captured.loss.end == "sigmoid" and output is not None and bool(((output >= 0) & (output <= 1)).all())


def _over_another_axis(output: Array, axis: int) -> Iterator[Cause]:
    """Yield that a softmax was taken over an axis that isn't the classes': the examples', or one within the output."""
    classes = axis % output.ndim
    others = [] if sums_to_one(output, classes) else [one for one in range(output.ndim) if one != classes]
    for one in others:
        if output.shape[one] > 2 and sums_to_one(output, one) and (one or output.ndim == 2):
            details = {} if one == 0 else {"axis": one, "classes": axis}
            yield Cause("softmax-over-batch", None, output.shape[one], None, details)
            return


def _of_classes(captured: CapturedPass, kind: Kind | None) -> Iterator[Cause]:
    """Yield labels that are none of the classes."""
    loss, output, axis = captured.loss, captured.loss.output, kind.axis if kind is not None else -1
    labels = loss.labels
    if labels is None and kind is not None and kind.function == "softmax" and _is_one_a_row(loss.targets, output, axis):
        labels = None if loss.targets is None else loss.targets.reshape(-1)
    if labels is None or output is None or output.shape[axis] < 2 or not labels.size:
        return
    classes = output.shape[axis]
    counted = labels[~np.isin(labels, [one for one in UNCOUNTED if not 0 <= one < classes])]
    signs = classes == 2 and set(np.unique(labels).tolist()) == {-1, 1}
    if signs or (counted.size and not (counted.min() >= 0 and counted.max() < classes)):
        low, high = float(labels.min()), float(labels.max())
        yield Cause("labels-outside", None, high if high >= classes else low, None, _bounds(low, high, classes))


def _bounds(low: float, high: float, classes: int) -> dict[str, Any]:
    return {"low": low, "high": high, "classes": classes}


def _is_one_a_row(targets: np.ndarray | None, output: Array | None, axis: int = -1) -> bool:
    """Whether targets are whole numbers, one for each row of the output."""
    if targets is None or output is None or targets.size * output.shape[axis] != output.size:
        return False
    return bool(targets.dtype.kind in "iu")


def _of_targets(captured: CapturedPass, kind: Kind | None, loss_of: LossOf) -> Iterator[Cause]:
    """Yield targets that the loss, or the function at the model's end, has no use for."""
    loss, output = captured.loss, captured.loss.output
    if loss.targets is None or output is None or not loss.targets.size or loss.targets.dtype.kind not in "fiub":
        return
    targets = loss.targets.astype(np.float64)
    if kind is not None and _compares(kind, targets):
        low, high = float(targets.min()), float(targets.max())
        if kind.function == "sigmoid" and (low < 0 or high > 1):
            yield Cause("labels-outside", None, high if high > 1 else low, None, {"low": low, "high": high})
        if kind.function == "square" and targets.size == output.size and not loss.drawn:
            yield from _out_of_reach(end_of(captured), targets)
    yield from _broadcast(targets, _as_float(output), loss_of)
    of_classes = kind is not None and (kind.function == "softmax" or end_of(captured) == "softmax")
    if of_classes and _is_one_a_row(loss.targets, output):
        yield from _alike_for_classes(targets, _as_float(output), loss_of)


def _compares(kind: Kind, targets: Array) -> bool:
    """Whether a loss compares its input with the targets as they are."""
    away = abs(kind.mean_target - float(targets.mean()))
    return away <= 1e-2 * max(1.0, float(np.abs(targets).max()))


def _out_of_reach(end: str, targets: Array) -> Iterator[Cause]:
    """Yield that the function at the model's end can't give what the targets are."""
    if end not in RANGES:
        return
    missed = np.square(targets - targets.clip(*RANGES[end]))
    if float(missed.mean()) > UNREACHED * float(targets.var()):
        details = {"function": end, "low": float(targets.min()), "high": float(targets.max()), "bounds": RANGES[end]}
        yield Cause("out-of-reach", None, float((missed > 0).mean()), UNREACHED, details)


def _broadcast(targets: Array, output: Array, loss_of: LossOf) -> Iterator[Cause]:
    """Yield that (64, 1) and (64,) make (64, 64): then which output belongs to which target makes no difference."""
    try:
        wide = np.broadcast_shapes(output.shape, targets.shape)
    except ValueError:
        return
    count = math.prod(wide)
    if targets.size != output.size or count <= output.size or not targets.std() > 0:
        return
    near = targets.mean() + 0.8 * (targets - targets.mean())  # inside of their range, as probabilities have to be
    order = np.argsort(near.reshape(-1), kind="stable")
    turned = np.empty_like(near).reshape(-1)
    turned[order] = near.reshape(-1)[order[::-1]]
    tried = (near, turned, near.mean() + 0 * near)
    first, other, flat = (loss_of(one.reshape(output.shape).astype(output.dtype)) for one in tried)
    if abs(first - flat) > CLOSE * abs(first) and abs(first - other) <= CLOSE * abs(first - flat):
        shapes = ("x".join(map(str, shape)) for shape in (output.shape, targets.shape, wide))
        yield Cause("broadcast", None, count, None, dict(zip(("output", "targets", "wide"), shapes, strict=True)))


def _alike_for_classes(targets: Array, output: Array, loss_of: LossOf) -> Iterator[Cause]:
    """Yield that one label is the target of all classes: then which class an output belongs to makes no difference."""
    if np.unique(targets).size < 2:
        return
    shares = np.random.default_rng(0).uniform(0.1, 0.9, output.shape).astype(output.dtype)
    first, other, flat = (loss_of(one) for one in (shares, np.roll(shares, 1, -1), 0 * shares + shares.mean()))
    if abs(first - flat) > CLOSE * abs(first) and abs(first - other) <= CLOSE * abs(first - flat):
        shapes = {"output": "x".join(map(str, output.shape)), "targets": "x".join(map(str, targets.shape))}
        yield Cause("broadcast", None, output.size, None, {**shapes, "wide": shapes["output"], "classes": True})
