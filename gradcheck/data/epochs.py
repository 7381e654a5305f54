"""The batches of a training run, epoch by epoch."""

from collections.abc import Iterator
from itertools import chain, count
from typing import NamedTuple

import numpy as np

from gradcheck.data.datasets import Batch, Dataset
from gradcheck.engine.initializers import random_stream
from gradcheck.spec.data import DataSpec

#: Random streams, in addition to those of weights, biases and the one batch.
EPOCH_STREAM, DRAWN_STREAM = 3, 4

#: Batches of an epoch where each is drawn anew.
DRAWN_BATCHES = 28


class Batches(NamedTuple):
    """The batches of a run, the same for each strategy, and at each rate."""

    data: DataSpec
    dataset: Dataset
    seed: int
    dtype: str

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch; examples that don't fill one wait for another epoch."""
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

    def without_end(self) -> Iterator[Batch]:
        """Yield the batches of one epoch after the other."""
        return chain.from_iterable(map(self.epoch, count()))
