"""Linear maps. ``Dense`` stores its matrix; ``Weightless`` has a random one that is never built."""

import math
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gradcheck.engine.gram import gram
from gradcheck.engine.initializers import BACKWARD_STREAM, FORWARD_STREAM
from gradcheck.engine.magnitude import Scaled, inner, log10_joint_norm, log10_magnitude, log10_norm, sum_of_squares
from gradcheck.engine.noise import Noise
from gradcheck.engine.pieces import contraction, product
from gradcheck.engine.subspaces import gram_root, orthonormalised, rescaled_with_gram, row_space, triangular_roots
from gradcheck.engine.types import Array, Pullback

#: What a linear map's weights and biases are called.
Names = tuple[str, str]


class Linear(Protocol):
    """x ↦ x W + b, however W is kept."""

    def __call__(self, x: Array, /) -> tuple[Array, Pullback]:
        """Return x W + b (batch, fan_out) and the pullback δ ↦ δ Wᵀ."""

    def begin(self, rows: int, *, back: bool = False) -> None:
        """Have other threads begin what a pass of so many rows needs, forward or back."""

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the Frobenius norm of W."""

    @property
    def holds_nan(self) -> bool:
        """Whether a weight or bias is not a number."""


class Dense(NamedTuple):
    """x ↦ x W + b."""

    weight: Array  # W, (fan_in, fan_out)
    bias: Array | None = None  # b, (fan_out,); None for zero

    def __call__(self, x: Array) -> tuple[Array, Pullback]:
        """Return x W + b (batch, fan_out) and the pullback δ ↦ δ Wᵀ."""
        z = product(x, self.weight)
        if self.bias is not None:
            z += self.bias
        return z, lambda delta: product(delta, self.weight.T)

    def begin(self, rows: int, *, back: bool = False) -> None:
        """Do nothing: the matrix is there."""

    def gradient(self, x: Array, delta: Array) -> tuple[Array, ...]:
        """Return ∂𝓛/∂W = xᵀ δ and, where there is a bias, ∂𝓛/∂b, for x (batch, fan_in) and δ (batch, fan_out)."""
        at_weight = product(x.T, delta)
        return (at_weight,) if self.bias is None else (at_weight, delta.sum(0))

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the Frobenius norm of W."""
        return log10_norm(self.weight)

    @property
    def holds_nan(self) -> bool:
        """Whether a weight or bias is not a number."""
        return any(bool(np.isnan(array).any()) for array in self if array is not None)


class Weightless(NamedTuple):
    """x ↦ x W + b for a random W of which only x W and δ Wᵀ are drawn, from their exact joint law.

    W has independent N(0, scale²) entries, or is a Haar-distributed frame times scale. Of W, a forward and a backward
    pass see X W and D Wᵀ and nothing else (Bolthausen 2014, lemma 2; Bayati & Montanari 2011, lemma 10): with
    X = C Q, Q of orthonormal rows, X W = C M for an M = Q W that is drawn; given it, W = Qᵀ M + (1 − Qᵀ Q) W̃ with a
    fresh copy W̃, so that D Wᵀ = (D Mᵀ) Q + (D W̃ᵀ)(1 − Qᵀ Q).
    """

    fan_in: int
    fan_out: int
    noise: Noise  # where the random numbers come from
    # standard deviation of the weights, or of each output's (fan_out,); of a frame what multiplies it
    scale: float | Array = 1.0
    haar: bool = False  # W is a frame: its shorter side is orthonormal
    bias: Array | None = None  # b, (fan_out,); None for zero

    def __call__(self, x: Array) -> tuple[Array, Pullback]:
        """Return x W + b (batch, fan_out) and the pullback δ ↦ δ Wᵀ."""
        z, pullback = self._frame(x) if self.haar else self._gaussian(x) or self._dependent(x)
        if not isinstance(self.scale, float):  # each output has its own
            z *= self.scale
        if self.bias is not None:
            z += self.bias
        return z, pullback if isinstance(self.scale, float) else lambda delta: pullback(delta * self.scale)

    def begin(self, rows: int, *, back: bool = False) -> None:
        """Have other threads begin to draw what a pass of so many rows needs, forward or back."""
        if not self.haar:
            self.noise.begin(*((BACKWARD_STREAM, rows, self.fan_in) if back else (FORWARD_STREAM, rows, self.fan_out)))

    @property
    def _factor(self) -> float:
        """What multiplies all weights alike."""
        return self.scale if isinstance(self.scale, float) else 1.0

    def _gaussian(self, x: Array) -> tuple[Array, Pullback] | None:
        """Return x W and its pullback for W of independent N(0, factor²) entries, if the examples are independent.

        Q = C⁻¹ X is never computed: X = C Q and M = N give z = C N, and D Wᵀ = R Ñ + (D Nᵀ − R Ñ Qᵀ) C⁻¹ X, where
        R Rᵀ = D Dᵀ and N, Ñ are independent normal numbers.
        """
        X, exponent = rescaled_with_gram(x)
        roots = triangular_roots(X)
        if roots is None:
            return None
        C, inverse = roots
        factor, dtype = self._factor, x.dtype
        N = self.noise(FORWARD_STREAM, len(x), self.fan_out)

        def pullback(delta: Array) -> Array:
            R, fresh = gram_root(delta), self.noise(BACKWARD_STREAM, len(delta), self.fan_in)
            along = (contraction(delta, N) - R @ contraction(fresh, X) @ inverse.T) @ inverse
            return product((factor * R).astype(dtype, copy=False), fresh, (factor * along).astype(dtype, copy=False), X)

        return product(np.ldexp(factor * C, exponent).astype(dtype, copy=False), N), pullback

    def _dependent(self, x: Array) -> tuple[Array, Pullback]:
        """Return the same for any x, from a basis of the space that the examples span."""
        C, Q, V = row_space(x)
        V = V.astype(x.dtype, copy=False)
        N = self.noise(FORWARD_STREAM, len(V), self.fan_out)  # M = Vᵀ N, which rounding of V doesn't change

        def pullback(delta: Array) -> Array:
            fresh = product(gram_root(delta), self.noise(BACKWARD_STREAM, len(delta), self.fan_in))  # D W̃ᵀ
            fresh += product(contraction(delta, N) @ V - contraction(fresh, Q), Q)
            return fresh * x.dtype.type(self._factor)

        return product(C @ V.T * x.dtype.type(self._factor), N), pullback

    def _frame(self, x: Array) -> tuple[Array, Pullback]:
        """Return x W and its pullback for a Haar frame W times the factor.

        It is the corner of a square frame, as long as the longer side. Given Q W = M, what is orthogonal to the rows of
        M goes to a uniform frame orthogonal to Q.
        """
        size, factor = max(self.fan_in, self.fan_out), x.dtype.type(self._factor)
        C, Q, V = row_space(_padded(x, size))
        M = orthonormalised(self._turned(FORWARD_STREAM, V, size))

        def pullback(delta: Array) -> Array:
            D = _padded(delta, size)
            along = contraction(D, M)
            across, _, directions = row_space(D - product(along, M), beside=D, most=size - len(Q))
            fresh = orthonormalised(self._turned(BACKWARD_STREAM, directions, size), against=Q)
            return product(along * factor, Q, across * factor, fresh)[:, : self.fan_in]

        return product(C * factor, M)[:, : self.fan_out], pullback

    def _turned(self, purpose: int, directions: Array, columns: int) -> Array:
        """Return independent N(0, 1) entries, (rank, columns), which turn as the directions (rows, rank) do."""
        numbers = self.noise(purpose, len(directions), columns)
        return product(directions.T.astype(numbers.dtype, copy=False), numbers)

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the root mean square of W's Frobenius norm; a frame's norm is not random."""
        square = min(self.fan_in, self.fan_out) if self.haar else self.fan_in * self.fan_out
        return log10_norm(np.atleast_1d(self.scale)) + 0.5 * math.log10(square / np.size(self.scale))

    @property
    def holds_nan(self) -> bool:
        """Whether a weight or bias is not a number: none is, they are drawn."""
        return False


class Beside(NamedTuple):
    """Several maps of one input, their outputs side by side or each in its own columns."""

    maps: tuple[Linear, ...]
    columns: npt.NDArray[np.intp] | None = None  # where each of the outputs goes, in their order; None for side by side

    def __call__(self, x: Array) -> tuple[Array, Pullback]:
        """Return all outputs, (batch, all fan_out), and the pullback, the sum of theirs."""
        outputs, pullbacks = zip(*(one(x) for one in self.maps), strict=True)
        ends = np.cumsum([output.shape[1] for output in outputs])[:-1]
        z = np.concatenate(outputs, axis=1)
        if self.columns is not None:
            z[:, self.columns] = z.copy()

        def pullback(delta: Array) -> Array:
            ordered = delta if self.columns is None else delta[:, self.columns]
            parts = zip(pullbacks, np.split(ordered, ends, axis=1), strict=True)
            total: Array = sum(through(part) for through, part in parts)
            return total

        return z, pullback

    def begin(self, rows: int, *, back: bool = False) -> None:
        """Have other threads begin what a pass of so many rows needs, forward or back."""
        for one in self.maps:
            one.begin(rows, back=back)

    @property
    def log10_weight_norm(self) -> float:
        """log10 of the Frobenius norm of all weights."""
        return log10_joint_norm([one.log10_weight_norm for one in self.maps])

    @property
    def holds_nan(self) -> bool:
        """Whether a weight or bias is not a number."""
        return any(one.holds_nan for one in self.maps)


def _padded(x: Array, size: int) -> Array:
    """Return x (batch, n) with zeros up to n = size."""
    return x if x.shape[1] == size else np.pad(x, ((0, 0), (0, size - x.shape[1])))


class Gradient(NamedTuple):
    """One batch's loss, and its gradient with respect to a network's parameters."""

    loss: float
    logits: Array  # (batch, outputs)
    parts: list[Array]  # ∂𝓛/∂W and, where there is a bias, ∂𝓛/∂b of each linear map, first to last


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
    Where the batch is small compared with the layer, ‖Xᵀ D‖² = Σ (X Xᵀ) ∘ (D Dᵀ) is cheaper than the matrix. The sum
    can cancel (a trained network's examples pull in opposite directions); where it does, it is ‖Cᵀ D‖² with X = C Q.
    """
    (X, x_exponent), (D, delta_exponent) = x, delta
    (batch, fan_in), fan_out = X.shape, D.shape[1]
    if batch * (fan_in + fan_out) >= 2 * fan_in * fan_out:  # a Gram matrix is symmetric: half of it is computed
        square = sum_of_squares(product(X.T, D))
    else:
        square = _square_by_gram_matrices(X, D) or sum_of_squares(product(row_space(X).coordinates.T, D))
    return log10_magnitude(math.sqrt(square), x_exponent + delta_exponent)


def _square_by_gram_matrices(X: Array, D: Array) -> float | None:
    """Return ‖Xᵀ D‖² from the Gram matrices; None where cancellation makes that inexact."""
    gram_x, gram_delta = gram(X), gram(D)
    square = inner(gram_x, gram_delta)
    largest = math.sqrt(sum_of_squares(gram_x) * sum_of_squares(gram_delta))
    return square if square > 1e-3 * largest else None  # rounding stays below 1e-10
