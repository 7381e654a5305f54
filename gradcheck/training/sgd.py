"""A small SGD loop: momentum, clipping, and what happens to a gradient that is not finite."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradcheck.clipping import Clipper
from gradcheck.clipping.effect import ClipReport
from gradcheck.data.datasets import Batch, Dataset
from gradcheck.engine.initializers import random_stream
from gradcheck.engine.loss import loss_of
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.engine.types import Array
from gradcheck.families.family import StoredNetwork
from gradcheck.spec.data import DataSpec
from gradcheck.spec.training import TrainingSpec

#: Beside the streams of weights, biases and the one batch.
EPOCH_STREAM, DRAWN_STREAM = 3, 4

#: Batches of an epoch where each is drawn anew.
DRAWN_BATCHES = 28

#: Examples that are evaluated at a time.
CHUNK = 1024


class TrainingStep(NamedTuple):
    """One step of a run.

    Attributes
    ----------
    loss : float
        Of the batch, before the step; nan or inf where the forward pass was not finite.
    report : ClipReport
        What clipping did; of a gradient with zeros in place of what was not finite, if the policy is that.
    nonfinite : str
        The first tensor with an entry that is not finite, on the way back from the loss; empty if all are finite.
    """

    loss: float
    report: ClipReport
    nonfinite: str


class Batches(NamedTuple):
    """The batches of a run, the same for each strategy.

    Attributes
    ----------
    data : DataSpec
    dataset : Dataset
    seed : int
    dtype : str
    """

    data: DataSpec
    dataset: Dataset
    seed: int
    dtype: str

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch; what doesn't fill one is left for another epoch."""
        inputs = self.dataset.inputs
        return DRAWN_BATCHES if inputs is None else len(inputs) // self.data.batch_size

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch 0, 1, …"""
        inputs, labels = self.dataset.inputs, self.dataset.labels
        size = self.data.batch_size
        if inputs is None:
            generator = random_stream(self.seed, DRAWN_STREAM, number)
            for _ in range(self.per_epoch):
                yield Batch(generator.standard_normal((size, self.dataset.features)).astype(self.dtype), None)
            return
        generator = random_stream(self.seed, EPOCH_STREAM, number)
        order = generator.permutation(len(inputs)) if self.data.shuffle else np.arange(len(inputs))
        for first in range(0, self.per_epoch * size, size):
            chosen = order[first : first + size]
            yield Batch(inputs[chosen].astype(self.dtype), None if labels is None else labels[chosen])


def train(
    network: StoredNetwork, batches: Iterator[Batch], clipper: Clipper, spec: TrainingSpec
) -> Iterator[TrainingStep]:
    """Train a network in place, step by step.

    Parameters
    ----------
    network : Network or RecurrentNetwork
        Its arrays are changed; every linear map has a bias.
    batches : iterator of Batch
    clipper : Clipper
    spec : TrainingSpec

    Yields
    ------
    TrainingStep
        After each update.
    """
    keep_freed_memory()
    names, parameters = zip(*_parameters(network), strict=True)
    way_back = _way_back(network)
    velocities = [np.zeros_like(parameter) for parameter in parameters]
    for inputs, labels in batches:
        with np.errstate(all="ignore"):  # a run that diverges is what is looked at
            loss, _, gradients = network.gradient(inputs, loss_of(labels))
            clipped, report = clipper(gradients, parameters)
            wrong = {names[index] for index in report.nonfinite}
            first = next((name for name in way_back if name in wrong), "")
            if first and spec.nonfinite == "zero":
                clipped, report = clipper([_zeroed(gradient) for gradient in gradients], parameters)
            if not report.nonfinite:
                _descend(parameters, velocities, clipped, spec)
        yield TrainingStep(loss, report, first)
        if first and spec.nonfinite == "stop":
            return


def _parameters(network: StoredNetwork) -> Iterator[tuple[str, Array]]:
    """Yield the arrays that training changes, with their names."""
    for names, one in network.maps:
        for name, array in zip(names, one, strict=True):
            if array is not None:
                yield name, array


def _way_back(network: StoredNetwork) -> list[str]:
    """Return the names of all weights and biases in the order in which the gradient reaches them."""
    return [name for names, _ in reversed(list(network.maps)) for name in names]


def _zeroed(gradient: Array) -> Array:
    return np.where(np.isfinite(gradient), gradient, 0).astype(gradient.dtype, copy=False)


def _descend(
    parameters: tuple[Array, ...], velocities: list[Array], gradients: list[Array], spec: TrainingSpec
) -> None:
    """Take one step of SGD with momentum, in place."""
    for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
        velocity *= spec.momentum
        velocity += gradient
        parameter -= spec.lr * velocity


class Evaluation(NamedTuple):
    """How well a network does on a whole data set; accuracy is nan without labels."""

    loss: float
    accuracy: float


def evaluate(network: StoredNetwork, batches: Batches) -> Evaluation:
    """Return the mean loss over all examples (of drawn data, over one batch) and the share that is classified right."""
    inputs, labels = batches.dataset.inputs, batches.dataset.labels
    if inputs is None:
        inputs = next(batches.epoch(0)).inputs
    losses, right = 0.0, 0
    for first in range(0, len(inputs), CHUNK):
        part = inputs[first : first + CHUNK].astype(batches.dtype)
        theirs = None if labels is None else labels[first : first + CHUNK]
        with np.errstate(all="ignore"):
            logits = network.logits(part)
            losses += loss_of(theirs)(logits)[0] * len(part)
        if theirs is not None:
            right += int(((logits.argmax(1) == theirs) & np.isfinite(logits).all(1)).sum())
    return Evaluation(losses / len(inputs), float("nan") if labels is None else right / len(inputs))
