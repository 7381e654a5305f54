"""The training of one network for a few steps, and what is recorded of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.data.datasets import Batch
from gradcheck.engine.attention import Heads
from gradcheck.engine.layered import LayerPass
from gradcheck.engine.loss import loss_of
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.engine.types import Array
from gradcheck.learning_rate.optimizers import OPTIMIZERS
from gradcheck.parametrization.coordinates import Coordinate, Kind, Size
from gradcheck.parametrization.networks import NETWORKS, Maker, Subject
from gradcheck.spec.learning_rate import WEIGHT_DECAY

#: Parts of the depth after which the residual stream of networks of several depths is looked at.
PLACES = {"stream 1/4": 0.25, "stream 1/2": 0.5, "stream 3/4": 0.75, "stream": 1.0}


class Seen(NamedTuple):
    """A layer's output, and what its matrix has added to it since the start."""

    layer: str
    kind: Kind
    output: Array
    update: Size | None = None


class Trained(NamedTuple):
    """What came of one network: its records, and the loss before each step and after the last one."""

    coordinates: list[Coordinate]
    losses: list[float]


def train(maker: Maker, batch: Batch, outputs: int) -> Trained:
    """Train one network on one batch, and record the size of its layers' outputs at every step."""
    keep_freed_memory()
    spec = maker.spec
    with np.errstate(all="ignore"):  # what overflows is one of the answers
        subject = NETWORKS[spec.arch](maker, batch, outputs)
    update = OPTIMIZERS[spec.optimizer](WEIGHT_DECAY.get(spec.optimizer, 0.0))
    parameters = [one for linear in subject.maps.values() for one in linear.parameters]
    rates = [spec.lr * factor for linear in subject.maps.values() for factor in linear.factors]
    first, places = dict[str, Array](), _places(spec.depth) if spec.axis == "depth" else {}
    records, losses, loss_at = list[Coordinate](), list[float](), loss_of(batch.labels)
    scale = maker.depth if spec.axis == "depth" else maker.width
    for step in range(spec.steps + 1):
        with np.errstate(all="ignore"):
            passes, logits, back = subject.pass_batch()
            for seen in _seen(subject, passes, places, moved=step > 0):
                start = first.setdefault(seen.layer, seen.output)
                sizes = Size.of(seen.output), Size.of(seen.output - start) if step else None, seen.update
                records.append(Coordinate(scale, maker.seed, step, seen.layer, seen.kind, *sizes))
            loss, at_logits = loss_at(logits)
            losses.append(loss)
            if step < spec.steps:
                back(at_logits)
                gradients = [one for linear in subject.maps.values() for one in linear.gradients]
                for parameter, rate, move in zip(parameters, rates, update(gradients, parameters), strict=True):
                    parameter += parameter.dtype.type(rate) * move
    return Trained(records, losses)


def _places(depths: Sequence[int]) -> dict[str, float]:
    """Return the places in the depth that networks of all depths have: after a whole number of branches."""
    return {name: part for name, part in PLACES.items() if all((depth * part).is_integer() for depth in depths)}


def _seen(subject: Subject, passes: Sequence[LayerPass], places: Mapping[str, float], *, moved: bool) -> Iterator[Seen]:
    """Yield what is looked at, first layer to last: of networks of several depths at places in the residual stream."""
    *maps, readout = subject.maps.values()
    stream = subject.layers.units.points or getattr(subject.layers, "skip_scale", None) is not None
    if places:
        yield Seen(maps[0].name, "hidden", maps[0].output, maps[0].update if moved else None)
        for name, part in places.items():
            yield Seen(name, "hidden", _stream(subject, passes, part))
    else:
        for one in maps:
            yield Seen(one.name, one.kind, one.output, one.update if moved else None)
            if one.name in subject.heads:
                heads = subject.heads[one.name]
                yield Seen(one.name.replace("qkv", "scores"), "scores", _scores(heads, one.output))
        if stream:
            yield Seen("stream", "hidden", _stream(subject, passes, 1.0))
    yield Seen(readout.name, readout.kind, readout.output, readout.update if moved else None)


def _stream(subject: Subject, passes: Sequence[LayerPass], part: float) -> Array:
    """Return the residual stream after a part of the branches; a perceptron's first layer is none."""
    points = len(subject.layers.units.points)
    if points:
        return passes[points * round(part * len(passes) / points) - 1].activity
    return passes[round(part * (len(passes) - 1))].activity


def _scores(heads: Heads, rows: Array) -> Array:
    """Return attention's scores among what a token may see, less their mean, which the softmax doesn't see."""
    scores, seen = heads.scores(rows), np.tri(heads.tokens)
    visible = scores * seen
    centred: Array = (visible - visible.sum(-1, keepdims=True) / seen.sum(-1, keepdims=True)) * seen
    return centred
