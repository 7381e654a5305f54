"""What a captured pass shows: its flow, and what is wrong beside it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.summary import narrowest
from gradcheck.engine.magnitude import log10_norm
from gradcheck.flow.gradient_flow import OutputFlow
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing import uses
from gradcheck.probing.captured import CapturedLayer, CapturedLoss, CapturedPass
from gradcheck.probing.columns import alike_by_columns
from gradcheck.probing.evidence import AtLoss, Evidence, Trained
from gradcheck.probing.first_loss import FirstLoss
from gradcheck.probing.limits import DIFFERENT, LARGE
from gradcheck.probing.measuring import distinction, heard_layers, layer_flow
from gradcheck.spec.thresholds import USUAL


@dataclass(frozen=True, kw_only=True)
class Findings(Evidence):
    """What a captured pass found."""

    layers: Sequence[CapturedLayer]  # those of the flow
    readout: CapturedLayer | None
    from_zero: bool = False  # the loss is zero at best
    not_looked_at: tuple[str, ...] = ()

    @property
    def ill_layers(self) -> list[int]:
        """Layers, from 1, whose weights are not finite before the pass."""
        return [number for number, layer in enumerate(self.layers, start=1) if not _sound(layer)]

    @property
    def log10_readout_weight(self) -> float:
        """log10 of the norm of the read-out's weights; nan without a read-out."""
        with np.errstate(all="ignore"):
            return math.nan if self.readout is None else uses.log10_weight_norm(self.readout)


class Reach(NamedTuple):
    """How far the forward signal is finite."""

    hidden: tuple[CapturedLayer, ...]
    readout: CapturedLayer | None  # None where there is only one layer
    reached: int
    obstacle: str  # ``overflow``, ``nan``, or empty


def reach_of(layers: Sequence[CapturedLayer], last: int) -> Reach:
    """Return how far a forward signal is finite; the layers need no gradients for that.

    Where there is an obstacle, the gradients that a framework has to give are those of the mean square of the last
    output of layer ``hidden[reached − 1]``.
    """
    readout = layers[last] if len(layers) > 1 else None
    hidden = tuple(layer for layer in layers if layer is not readout)
    finite = [all(bool(np.isfinite(use.output).all()) for use in layer.uses) for layer in (*hidden, layers[last])]
    reached = min([*finite, False].index(False), len(hidden))
    if all(finite):
        return Reach(hidden, readout, reached, "")
    holds_nan = any(bool(np.isnan(one.value).any()) for layer in layers for one in layer.weights)
    return Reach(hidden, readout, reached, "nan" if holds_nan or _becomes_nan(layers) else "overflow")


def _becomes_nan(layers: Sequence[CapturedLayer]) -> bool:
    """Whether the first output that isn't finite is NaN although nothing before it was large: no overflow."""
    for use in (use for layer in layers for use in layer.uses):
        if not np.isfinite(use.output).all():
            return bool(np.isnan(use.output).any()) and not bool(np.isinf(use.output).any())
        if log10_norm(uses.as_floats(use.output)) - 0.5 * math.log10(max(1, use.output.size)) >= LARGE:
            return False
    return False


def find(captured: CapturedPass) -> Findings:
    """Return what a captured pass shows."""
    reach, of_loss = reach_of(captured.layers, captured.last), tuple[Cause, ...]()
    if not reach.obstacle and not math.isfinite(captured.loss.value):
        is_nan = math.isnan(captured.loss.value)
        of_loss = (Cause("loss-nonfinite", details={"operation": "", "where": "", "nan": is_nan}),)
        reach = reach._replace(obstacle="nan" if is_nan else "overflow")
    with np.errstate(all="ignore"):
        layers, flow, cut = _flow(captured, reach)
        first = first_loss(captured.loss)
    origins = tuple(_norm_of_one(captured)) if np.isneginf(flow.column("log10_gradient_rms")).any() else ()
    if not origins and narrowest(flow)[1] < USUAL.min_rank:
        origins = tuple(_inputs_alike(captured))
    return Findings(
        columns=alike_by_columns(captured.inputs, flow),
        flow=flow, loss=captured.loss.name, layers=layers, readout=reach.readout, first_rms=_largest_rms(captured),
        at_loss=AtLoss(first), trained=_trained(captured), closed=None if reach.obstacle else _closed(captured),
        cut=cut, unused=(*_names(captured, arrived=False), *captured.unused), silent=_names(captured, arrived=True),
        origins=origins, of_loss=of_loss, from_zero=bool(captured.loss.law), lost=captured.lost,
        not_looked_at=captured.not_looked_at,
    )  # fmt: skip


def _measured_layers(captured: CapturedPass, reach: Reach) -> tuple[CapturedLayer, ...]:
    """Return the layers of the flow: those that a gradient reaches, or all where none does, and those after."""
    arrived = tuple(one for one in reach.hidden[: reach.reached] if any(use.gradient is not None for use in one.uses))
    beyond = reach.hidden[reach.reached :]
    return (*arrived, *beyond) or reach.hidden or captured.layers


def _flow(captured: CapturedPass, reach: Reach) -> tuple[Sequence[CapturedLayer], ModelFlow, str]:
    """Return the layers, their flow, and why no layer but the last receives a gradient where none does."""
    layers, examples = _measured_layers(captured, reach), captured.examples
    beyond = len(reach.hidden) - reach.reached
    arrived = layers[: len(layers) - beyond]
    heard = any(use.gradient is not None for layer in arrived for use in layer.uses)
    flows = [_layer_flow(one, captured) for one in arrived]
    if not heard:
        flows = [one._replace(log10_gradient_rms=-math.inf) for one in flows]
    kept = heard_layers(flows, [not any(one.trained for one in layer.weights) for layer in arrived])
    layers, flows = (*(arrived[one] for one in kept), *layers[len(arrived) :]), [flows[one] for one in kept]
    fan_in, fan_out = zip(*map(uses.fans, layers), strict=True)
    trunk = tuple(any(use.on_trunk for use in layer.uses) for layer in layers)
    cut = "" if heard or reach.obstacle else "no layer but the last receives a gradient: all others are frozen"
    return (
        layers,
        ModelFlow(
            fan_in=fan_in,
            fan_out=fan_out,
            layers=(*flows, *(LayerFlow() for _ in range(beyond))),
            output=_output(captured, reach),
            reached=len(kept),
            obstacle=reach.obstacle,
            labels=tuple(layer.name for layer in layers),
            kinds=tuple(uses.kind_of(layer, examples) for layer in layers),
            trunk=trunk,
            normalized=tuple(uses.is_vector(layer) or any(use.normalized for use in layer.uses) for layer in layers),
            rows=min(uses.row_count(layer, examples) for layer in layers),
            features=1 if captured.features == 1 and captured.layers[0].uses[0].on_trunk else math.inf,
        ),
        cut,
    )


def _layer_flow(layer: CapturedLayer, captured: CapturedPass) -> LayerFlow:
    calls = [uses.measured(layer, use, captured.examples) for use in layer.uses]
    return layer_flow(
        calls, uses.log10_entries(layer, captured.examples), uses.log10_weight_norm(layer),
        uses.log10_weight_gradient_norm(layer), captured.shift, uses.log10_leverage(layer, captured.examples),
    )  # fmt: skip


def _output(captured: CapturedPass, reach: Reach) -> OutputFlow:
    if reach.obstacle or not math.isfinite(captured.loss.value):
        return OutputFlow()
    if reach.readout is None:
        return OutputFlow(captured.loss.value)
    end = uses.measured(reach.readout, reach.readout.uses[-1], captured.examples)
    output, unscaled = reach.readout.uses[-1].output, captured.shift * math.log10(2)
    norm = uses.log10_weight_gradient_norm(reach.readout) - unscaled
    flat = output.ndim == 2 and not np.iscomplexobj(output)
    apart = distinction(uses.as_floats(output), end.log10_gradient_norm - unscaled) if flat else math.nan
    return OutputFlow(captured.loss.value, end.log10_rms, norm, apart)


def first_loss(loss: CapturedLoss) -> FirstLoss:
    """Return a loss, and what a constant answer costs: ln(classes), or the targets' variance."""
    rms = math.nan if loss.output is None else _rms(loss.output)
    if loss.law == "mean-square" and loss.targets is not None:
        spread = float(loss.targets.astype(np.float64).var())
        return FirstLoss(loss.value, spread, spread, 0, 0, rms, _rms(loss.targets))
    if loss.law not in ("cross-entropy", "binary-cross-entropy"):
        return FirstLoss(loss.value, output_rms=rms)
    classes = 2 if loss.law == "binary-cross-entropy" else loss.classes
    answer, labels = math.log(classes), 0
    of_batch = answer
    if loss.law == "cross-entropy" and loss.labels is not None:
        _, counts = np.unique(loss.labels, return_counts=True)
        shares, labels = counts / counts.sum(), int(counts.sum())
        of_batch = abs(float((shares * np.log(shares)).sum()))
    return FirstLoss(loss.value, answer, of_batch, classes, labels, rms)


def _rms(array: np.ndarray) -> float:
    return float(np.sqrt(np.square(np.abs(array).astype(np.float64)).mean()))


def _largest_rms(captured: CapturedPass) -> float:
    """Return the largest root mean square of the floats that go in; nan without any that is finite."""
    floats = [one for one in captured.inputs if one.size and not np.issubdtype(one.dtype, np.integer)]
    sizes = [_rms(one) for one in floats if one.dtype != bool and np.isfinite(one).all()]
    return max(sizes, default=math.nan)


def _sound(layer: CapturedLayer) -> bool:
    return all(bool(np.isfinite(one.value).all()) for one in layer.weights)


def _closed(captured: CapturedPass) -> Cause | None:
    """Return what lets nothing through between loss and read-out, if anything does."""
    use, end = captured.layers[captured.last].uses[-1], captured.loss.end
    if use.gradient is None or use.gradient.any():
        return None
    if use.output.shape[-1:] == (1,) and (end == "softmax" or captured.loss.law == "cross-entropy"):
        return Cause("softmax-of-one", details={} if end == "softmax" else {"loss": captured.loss.name})
    if end == "relu":
        return Cause("output-shut", details={"function": end})
    return Cause("output-saturated", details={"function": end}) if end else Cause("constant-loss")


def _trained(captured: CapturedPass) -> Trained:
    """Return which parameters are trained, and whether any of them gets a gradient."""
    named = [(f"{layer.name}.{one.name}", one) for layer in captured.layers for one in layer.weights]
    trained = [(name, one) for name, one in named if one.trained]
    arrived = [one.gradient for _, one in trained if one.gradient is not None]
    silent = bool(arrived) and not any(one.any() for one in arrived)
    zeros = tuple(name for name, one in trained if silent and not one.value.any())
    return Trained(silent * len(trained), zeros, tuple(name for name, one in named if not one.trained))


def _names(captured: CapturedPass, *, arrived: bool) -> tuple[str, ...]:
    """Return the trained parameters whose gradient is exactly zero, or those that none arrives at."""
    trained = [(f"{layer.name}.{one.name}", one) for layer in captured.layers for one in layer.weights if one.trained]
    if all(one.gradient is None for _, one in trained):
        return ()
    missing = tuple(name for name, one in trained if one.gradient is None)
    return tuple(n for n, one in trained if one.gradient is not None and not one.gradient.any()) if arrived else missing


def _norm_of_one(captured: CapturedPass) -> Iterator[Cause]:
    """Yield the norms over the examples of a batch of one: each leaves nothing but its bias."""
    found = []
    for layer in captured.layers if captured.examples == 1 else ():
        bias = next((one.value for one in layer.weights if one.bias), np.zeros(1))
        of_one = layer.by_example and uses.is_vector(layer) and uses.is_flat(layer, 1)
        if of_one and all(bool((use.output.reshape(-1) == bias.reshape(-1)).all()) for use in layer.uses):
            found.append(layer.name)
    if found:
        yield Cause("norm-of-one", None, captured.examples, details={"names": tuple(found)})


def _inputs_alike(captured: CapturedPass) -> Iterator[Cause]:
    """Yield that the examples that go in are the same, or of two kinds."""
    count = captured.examples
    rows = [one.reshape(count, -1) for one in captured.inputs if one.ndim and len(one) == count]
    left, kinds = np.ones(count, dtype=bool), 0
    while rows and left.any() and kinds < DIFFERENT:
        first = int(left.argmax())
        left, kinds = left & ~np.all([(one == one[first]).all(1) for one in rows], axis=0), kinds + 1
    if rows and not left.any() and kinds < min(DIFFERENT, count):
        yield Cause("inputs-alike", None, kinds, count)
