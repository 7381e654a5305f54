"""From layer to layer in an infinitely wide network: the variance map, the correlation map, the gradient's gain."""

from typing import NamedTuple

from gradcheck.engine.normalization import EPSILON
from gradcheck.mean_field.kernels import Kernel, Pair


class LayerMap(NamedTuple):
    """z = W φ(z') + b between two layers of equal laws, perhaps with a layer or RMS norm before φ.

    In an infinitely wide layer the units' mean is 0 and their mean square q, so that both norms divide by √(q + ε).
    """

    kernel: Kernel  # the activation's means
    weight: float  # σ_w² = fan_in · Var W
    bias: float  # σ_b² = Var b
    normalised: bool = False  # φ gets z'/√(q + ε)

    def divisor(self, q: float) -> float:
        """Return the number by which the norm divides the variance; 1 without a norm."""
        return q + EPSILON if self.normalised else 1.0

    def variance(self, q: float) -> float:
        """Return q' = σ_w² E[φ²] + σ_b² (Poole et al. 2016)."""
        return self.weight * self.kernel.moments(q / self.divisor(q)).square + self.bias

    def variance_rate(self, q: float) -> float:
        """Return dq'/dq, whose logarithm is the depth scale of the variance (Schoenholz et al. 2017)."""
        divisor = self.divisor(q)
        inner = EPSILON / divisor**2 if self.normalised else 1.0
        return self.weight * self.kernel.moments(q / divisor).square_rate * inner

    def gain(self, q: float) -> float:
        """Return χ = σ_w² E[φ'²]: a layer's factor of the squared gradient (Schoenholz et al. 2017)."""
        divisor = self.divisor(q)
        return self.weight * self.kernel.moments(q / divisor).slope_square / divisor

    def far_gain(self) -> float:
        """Return χ as q → ∞, without a norm."""
        return self.weight * self.kernel.far_slope_square

    def correlation(self, q: float, c: float) -> Pair:
        """Return c' = (σ_w² E[φφ] + σ_b²)/q at a fixed point q of the variance, and dc'/dc (Poole et al. 2016)."""
        return self._correlation(q, self.kernel.pair(q / self.divisor(q), c))

    def quick_correlation(self, q: float, c: float) -> Pair:
        """Return lower bounds of c' and dc'/dc, at a hundredth of the cost."""
        return self._correlation(q, self.kernel.quick_pair(q / self.divisor(q), c))

    def _correlation(self, q: float, pair: Pair) -> Pair:
        return Pair((self.weight * pair.product + self.bias) / q, self.weight * pair.rate / q)
