"""A small SGD loop: momentum, clipping, and what happens to a gradient that is not finite."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradcheck.clipping import Clipper
from gradcheck.clipping.effect import ClipReport
from gradcheck.data.datasets import Batch
from gradcheck.data.epochs import Batches
from gradcheck.engine.loss import loss_of
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.families.family import StoredNetwork
from gradcheck.spec.training import TrainingSpec

#: Examples that are evaluated at a time.
CHUNK = 1024


class TrainingStep(NamedTuple):
    """One step of a run."""

    loss: float  # of the batch, before the step; nan or inf where the forward pass was not finite
    # what clipping did; under the policy ``zero``, to the gradient with zeros in place of what was not finite
    report: ClipReport
    nonfinite: str  # the first tensor of the backward pass with an entry that is not finite; empty if all are finite


def train(
    network: StoredNetwork, batches: Iterator[Batch], clipper: Clipper, spec: TrainingSpec
) -> Iterator[TrainingStep]:
    """Train a network in place, every linear map of which has a bias; yield a step after each update."""
    keep_freed_memory()
    pairs = [pair for names, arrays in network.maps for pair in zip(names, arrays, strict=True)]
    names, parameters = zip(*((name, array) for name, array in pairs if array is not None), strict=True)
    backwards = [name for names_of_map, _ in reversed(list(network.maps)) for name in names_of_map]
    velocities = [np.zeros_like(parameter) for parameter in parameters]
    for inputs, labels in batches:
        with np.errstate(all="ignore"):  # diverging runs are the subject
            loss, _, gradients = network.gradient(inputs, loss_of(labels))
            clipped, report = clipper(gradients, parameters)
            wrong = {names[index] for index in report.nonfinite}
            first = next((name for name in backwards if name in wrong), "")
            if first and spec.nonfinite == "zero":
                clipped, report = clipper([np.nan_to_num(one, posinf=0.0, neginf=0.0) for one in gradients], parameters)
            if not report.nonfinite or spec.nonfinite == "apply":
                for parameter, velocity, gradient in zip(parameters, velocities, clipped, strict=True):
                    velocity *= spec.momentum
                    velocity += gradient
                    parameter -= spec.lr * velocity
        yield TrainingStep(loss, report, first)
        if first and spec.nonfinite == "stop":
            return


class Evaluation(NamedTuple):
    """A network's loss and accuracy on a whole data set; the accuracy is nan without labels."""

    loss: float
    accuracy: float


def evaluate(network: StoredNetwork, batches: Batches) -> Evaluation:
    """Return the mean loss over all examples (of drawn data, one batch) and the share that is classified correctly."""
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
