"""Means of an activation over normal pre-activations, one and two at a time."""

import math
from functools import cache, lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS, LEAK, Activation
from gradcheck.engine.types import Array
from gradcheck.mean_field.quadrature import SERIES, hermite_rule, pair_rule, scaled_rule

#: Replaces a variance of 0: activations are straight where a normal of this variance is.
NEXT_TO_ZERO = 1e-30

#: Where every activation is straight.
FAR_AWAY = 1e3


class Moments(NamedTuple):
    """Means over z ~ N(0, q) of an activation φ."""

    # mean, square: E[φ], E[φ²]
    mean: float
    square: float
    # slope_square, slope_fourth: E[φ'²], E[φ'⁴]
    slope_square: float
    slope_fourth: float
    square_rate: float  # dE[φ²]/dq = E[φ φ' z]/q


class Pair(NamedTuple):
    """E[φ(z)φ(z')] for z, z' ~ N(0, q) of correlation c, and its derivative by c, q·E[φ'(z)φ'(z')]."""

    product: float
    rate: float


class Kernel(Protocol):
    """An activation's means."""

    @property
    def far_slope_square(self) -> float:
        """E[φ'²] as q → ∞."""

    def moments(self, q: float) -> Moments:
        """Return the means at variance q ≥ 0."""

    def pair(self, q: float, c: float) -> Pair:
        """Return the means at variance q > 0 and correlation 0 ≤ c ≤ 1."""

    def quick_pair(self, q: float, c: float) -> Pair:
        """Return lower bounds of them, convex in c like themselves, at a hundredth of the cost."""


class Angular(NamedTuple):
    """φ(z) = right·z above zero, left·z below: all means have closed forms (Cho & Saul 2009)."""

    right: float
    left: float

    @property
    def far_slope_square(self) -> float:
        """E[φ'²], the same at any q."""
        return (self.right**2 + self.left**2) / 2

    def moments(self, q: float) -> Moments:
        """Return the means at variance q ≥ 0."""
        half = self.far_slope_square
        mean = (self.right - self.left) * math.sqrt(q / (2 * math.pi))
        return Moments(mean, half * q, half, (self.right**4 + self.left**4) / 2, half)

    def pair(self, q: float, c: float) -> Pair:
        """Return the means at variance q and correlation c: φ is an odd part α·z and an even one β·|z|."""
        odd, even = (self.right + self.left) / 2, (self.right - self.left) / 2
        angle, sine = 2 / math.pi * math.asin(c), 2 / math.pi * math.sqrt((1 - c) * (1 + c))
        product = odd**2 * c + even**2 * (sine + c * angle)
        return Pair(q * product, q * (odd**2 + even**2 * angle))

    def quick_pair(self, q: float, c: float) -> Pair:
        """Return the means themselves: they cost little."""
        return self.pair(q, c)


class StepKernel:
    """φ(z) = [z > 0]: its derivative is 0, yet it distinguishes two inputs (Sheppard 1899)."""

    far_slope_square = 0.0

    def moments(self, q: float) -> Moments:
        """Return the means, the same at any variance."""
        return Moments(0.5, 0.5, 0.0, 0.0, 0.0)

    def pair(self, q: float, c: float) -> Pair:
        """Return the means at correlation c; the rate at c = 1 is infinite."""
        sine = math.sqrt((1 - c) * (1 + c))
        return Pair(0.25 + math.asin(c) / (2 * math.pi), 1 / (2 * math.pi * sine) if sine else math.inf)

    quick_pair = pair


class Integrated(NamedTuple):
    """Any other activation, by quadrature."""

    activation: Activation

    @property
    def far_slope_square(self) -> float:
        """E[φ'²] as q → ∞: half of the slopes are the right one, half the left one."""
        _, slope = self.activation.evaluate(np.array([-FAR_AWAY, FAR_AWAY]))
        return float((slope**2).mean())

    def moments(self, q: float) -> Moments:
        """Return the means at variance q ≥ 0."""
        if q == 0:
            at_zero = float(self.activation.evaluate(np.zeros(1))[0][0])
            return self.moments(NEXT_TO_ZERO)._replace(mean=at_zero, square=at_zero**2)
        scale = math.sqrt(q)
        rule = scaled_rule(self._rung(scale))
        value, slope = self.activation.evaluate(scale * rule.nodes)
        slope_square, weighted = slope * slope, rule.weights * value
        return Moments(
            float(weighted.sum()),
            float(weighted @ value),
            float(rule.weights @ slope_square),
            float(rule.weights @ (slope_square * slope_square)),
            float(weighted @ (slope * rule.nodes)) / scale,
        )

    def _rung(self, scale: float) -> float:
        """Return the scale of the rule to use: kinks away from zero need their own, others share powers of 2."""
        return scale if any(self.activation.kinks) else 2.0 ** round(math.log2(scale))

    def pair(self, q: float, c: float) -> Pair:
        """Return the means at variance q and correlation c: by the series where it is short, else by quadrature."""
        alone = self.moments(q)
        if c == 1:
            return Pair(alone.square, q * alone.slope_square)
        factors = self._powers(q)
        left = np.array([alone.square, alone.slope_square]) - factors.sum(axis=0)
        near = sum_powers(factors, c)
        return self._paired(q, near) if (c**SERIES * left <= 1e-14 * near).all() else self.conditioned_pair(q, c)

    def quick_pair(self, q: float, c: float) -> Pair:
        """Return the first terms of the series, none of which is negative."""
        return self._paired(q, sum_powers(self._powers(q), c))

    def _paired(self, q: float, means: Array) -> Pair:
        product, slopes = means.tolist()
        return Pair(product, q * slopes)

    def conditioned_pair(self, q: float, c: float) -> Pair:
        """Return the means at variance q and correlation 0 < c < 1 by quadrature over both normals."""
        scale = math.sqrt(q)
        rule = pair_rule(scale, c, self.activation.kinks)
        (value, slope), (other, other_slope) = (self.activation.evaluate(scale * one) for one in (rule.u, rule.v))
        return Pair(float(rule.weights @ (value * other)), q * float(rule.weights @ (slope * other_slope)))

    def _powers(self, q: float) -> Array:
        """Return the factors of cⁿ in E[φ(z)φ(z')] and E[φ'(z)φ'(z')], (n, 2): Hermite coefficients² (Mehler)."""
        scale = math.sqrt(q)
        rule, polynomials = hermite_rule(self._rung(scale))
        both = np.stack(self.activation.evaluate(scale * rule.nodes), axis=1)  # (nodes, 2)
        return np.square(polynomials @ both)

    def coefficients(self, q: float) -> tuple[Array, Array]:
        """Return the Hermite coefficients of φ(√q·u), φ'(√q·u), φφ' and φ², (4, n), and E[f²], (4,)."""
        scale = math.sqrt(q)
        rule, polynomials = hermite_rule(self._rung(scale))
        value, slope = self.activation.evaluate(scale * rule.nodes)
        functions = np.stack([value, slope, value * slope, value * value])  # (4, nodes)
        return functions @ polynomials.T, np.square(functions) @ rule.weights


def sum_powers(factors: Array, c: float) -> Array:
    """Return Σ factor_n · cⁿ of each column, (columns,)."""
    total: Array = c ** np.arange(len(factors)) @ factors
    return total


class Remembered:
    """A kernel that computes each of its latest means once: layers of one variance share them."""

    def __init__(self, kernel: Integrated) -> None:
        self.far_slope_square = kernel.far_slope_square
        self.coefficients = kernel.coefficients
        self.moments = lru_cache(maxsize=4096)(kernel.moments)
        self.pair = kernel.pair
        self.quick_pair = kernel.quick_pair


@cache
def kernel_of(activation: str) -> Kernel:
    """Return an activation's kernel by its name."""
    closed: dict[str, Kernel] = {
        "linear": Angular(1.0, 1.0), "relu": Angular(1.0, 0.0), "leaky_relu": Angular(1.0, LEAK), "step": StepKernel(),
    }  # fmt: skip
    return closed.get(activation) or Remembered(Integrated(ACTIVATIONS[activation]))
