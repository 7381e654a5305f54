"""The losses: logits ↦ the mean over the batch, and ∂𝓛/∂logits."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gradcheck.engine.types import Array

#: logits (batch, outputs) ↦ (𝓛, ∂𝓛/∂logits (batch, outputs)).
Loss = Callable[[Array], tuple[float, Array]]


def cross_entropy(labels: npt.NDArray[np.integer]) -> Loss:
    """Return the mean softmax cross-entropy against `labels` (batch,), whole numbers from 0.

    ∂𝓛/∂logits = (softmax − one-hot)/batch. At the label it is minus the sum of the other probabilities, which
    stays right where the label's own has rounded to 1.
    """
    rows = np.arange(len(labels))

    def loss(logits: Array) -> tuple[float, Array]:
        shifted = logits - logits.max(1, keepdims=True)
        powers = np.exp(shifted)
        total = powers.sum(1, keepdims=True)
        delta = powers / total
        delta[rows, labels] = 0
        delta[rows, labels] = -delta.sum(1)
        return float((np.log(total[:, 0]) - shifted[rows, labels]).mean()), delta / len(labels)

    return loss


def mean_square(outputs: Array) -> tuple[float, Array]:
    """Return the mean squared output, the error against zero targets; ∂𝓛/∂output = 2·output/size."""
    return float(np.square(outputs).mean()), outputs * (2 / outputs.size)


def loss_of(labels: npt.NDArray[np.integer] | None) -> Loss:
    """Return the loss against `labels` (batch,); without labels, the mean squared output."""
    return mean_square if labels is None else cross_entropy(labels)


def constant_answer(labels: npt.NDArray[np.integer]) -> float:
    """Return the least cross-entropy of an answer that is the same for all examples: the entropy of `labels`."""
    share = np.bincount(labels) / len(labels)
    return float(-(share[share > 0] * np.log(share[share > 0])).sum())
