"""Linear maps. ``Dense`` stores its matrix."""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.engine.magnitude import Scaled, log10_magnitude, log10_norm
from gradcheck.engine.types import Array, Pullback

#: What a linear map's weights and biases are called.
Names = tuple[str, str]


class Dense(NamedTuple):
    """x ↦ x W + b.

    Attributes
    ----------
    weight : Array
        W, (fan_in, fan_out).
    bias : Array or None
        b, (fan_out,); None for zero.
    """

    weight: Array
    bias: Array | None = None

    def __call__(self, x: Array) -> tuple[Array, Pullback]:
        """Return x W + b (batch, fan_out) and the pullback δ ↦ δ Wᵀ."""
        z: Array = x @ self.weight
        if self.bias is not None:
            z += self.bias
        return z, lambda delta: delta @ self.weight.T

    def gradient(self, x: Array, delta: Array) -> tuple[Array, ...]:
        """Return ∂𝓛/∂W = xᵀ δ and, where there is a bias, ∂𝓛/∂b, for x (batch, fan_in) and δ (batch, fan_out)."""
        at_weight: Array = x.T @ delta
        return (at_weight,) if self.bias is None else (at_weight, delta.sum(0))

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the Frobenius norm of W."""
        return log10_norm(self.weight)


class Gradient(NamedTuple):
    """What one batch says of a network's parameters.

    Attributes
    ----------
    loss : float
    logits : Array
        (batch, outputs)
    parts : list of Array
        ∂𝓛/∂W and, where there is a bias, ∂𝓛/∂b of each linear map, first to last.
    """

    loss: float
    logits: Array
    parts: list[Array]


def log10_weight_gradient_norm(x: Scaled, delta: Scaled) -> float:
    """Return log10 ‖Xᵀ D‖_F, the norm of a linear map's weight gradient.

    Parameters
    ----------
    x : Scaled
        The map's input X, (batch, fan_in).
    delta : Scaled
        ∂𝓛/∂output D, (batch, fan_out).

    Notes
    -----
    Where the batch is small beside the layer, ‖Xᵀ D‖² = Σ (X Xᵀ) ∘ (D Dᵀ) is cheaper than the matrix. The sum
    can cancel (a trained network's examples pull in opposite directions); where it does, the matrix is formed.
    """
    (X, x_exponent), (D, delta_exponent) = x, delta
    square = _square_by_gram_matrices(X, D) or _square_of_matrix(X, D)
    return log10_magnitude(math.sqrt(square), x_exponent + delta_exponent)


def _square_of_matrix(X: Array, D: Array) -> float:
    """Return ‖Xᵀ D‖²."""
    gradient = (X.T @ D).ravel()
    return float(gradient @ gradient)


def _square_by_gram_matrices(X: Array, D: Array) -> float | None:
    """Return ‖Xᵀ D‖² by way of the Gram matrices; None where that is dearer, or inexact by cancellation."""
    (batch, fan_in), fan_out = X.shape, D.shape[1]
    if batch * (fan_in + fan_out) >= fan_in * fan_out:
        return None
    gram_x, gram_delta = (X @ X.T).ravel(), (D @ D.T).ravel()
    square = float(gram_x @ gram_delta)
    largest = math.sqrt(float(gram_x @ gram_x) * float(gram_delta @ gram_delta))
    kept = 1e-3 if X.dtype == np.float64 else 1e-2  # rounding stays below 1e-10, 1e-4
    return square if square > kept * largest else None
