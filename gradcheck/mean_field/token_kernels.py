"""Means of an activation over tokens' pre-activations, two tokens at a time: matrices of all pairs."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array
from gradcheck.mean_field.kernels import Angular, Remembered, kernel_of
from gradcheck.mean_field.quadrature import SERIES

#: Variances whose logarithms agree to so many digits have one table of coefficients.
DIGITS = 4

#: Terms of the series whose factors add up to less than this part of the whole are left out.
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Pairs:
    """E[f(z)f(z')] of every two rows, (rows, rows), for f = φ, φ', φφ' and φ², each computed when it is asked for.

    Closed forms where φ is straight on both sides of zero (Cho & Saul 2009), else the series in powers of the
    correlation, whose factors are products of Hermite coefficients (Mehler 1866; Daniely et al. 2016).
    """

    activation: str
    kernel: Array  # covariances of the normal pre-activations, (rows, rows)

    @property
    def product(self) -> Array:
        """Of φ."""
        kernel = kernel_of(self.activation)
        return self._straight(kernel.right, kernel.left) if isinstance(kernel, Angular) else self._means(0)

    @property
    def slopes(self) -> Array:
        """Of φ'."""
        kernel = kernel_of(self.activation)
        if not isinstance(kernel, Angular):
            return self._means(1)
        odd, even = (kernel.right + kernel.left) / 2, (kernel.right - kernel.left) / 2
        slopes: Array = odd**2 + even**2 * (2 / math.pi * np.arcsin(self.correlation))
        return slopes

    @property
    def both(self) -> Array:
        """Of φφ'."""
        kernel = kernel_of(self.activation)
        return self._straight(kernel.right**2, kernel.left**2) if isinstance(kernel, Angular) else self._means(2)

    @property
    def fourth(self) -> Array:
        """Of φ², of activations that gate."""
        return self._means(3)

    @cached_property
    def scales(self) -> Array:
        """Standard deviations, (rows,)."""
        scales: Array = np.sqrt(self.kernel.diagonal())
        return scales

    @cached_property
    def correlation(self) -> Array:
        """Of every two rows."""
        correlation: Array = np.clip(self.kernel / np.outer(self.scales, self.scales), -1.0, 1.0)
        return correlation

    def _straight(self, right: float, left: float) -> Array:
        """Return the means of right·z above zero and left·z below: an odd part α·z and an even one β·|z|."""
        odd, even = (right + left) / 2, (right - left) / 2
        angle, sine = 2 / math.pi * np.arcsin(self.correlation), 2 / math.pi * np.sqrt(1 - self.correlation**2)
        means: Array = odd**2 * self.correlation + even**2 * (sine + self.correlation * angle)
        means *= np.outer(self.scales, self.scales)
        return means

    def _means(self, function: int) -> Array:
        """Return the means by the series, from the coefficients of each distinct variance."""
        distinct, place = np.unique(np.round(2 * np.log(self.scales), DIGITS), return_inverse=True)
        tables = [_coefficients(self.activation, float(np.exp(one)))[function] for one in distinct]
        means = _sum_powers(np.stack([table.factors for table in tables])[place], self.correlation)
        np.fill_diagonal(means, np.array([table.square for table in tables])[place])
        return means


class _Coefficients(NamedTuple):
    """Hermite coefficients of f(√q·u), (SERIES,), and E[f²], no term left out."""

    factors: Array
    square: float


@lru_cache(maxsize=4096)
def _coefficients(activation: str, q: float) -> tuple[_Coefficients, ...]:
    """Return those of φ, φ', φφ' and φ²."""
    kernel = kernel_of(activation)
    assert isinstance(kernel, Remembered)
    factors, squares = kernel.coefficients(q)
    beyond = np.sqrt(np.maximum(0.0, squares - np.square(factors[:, :-1]).sum(axis=1)))
    factors[:, -1] = beyond  # the last term stands for all after it
    return tuple(_Coefficients(*both) for both in zip(factors, squares.tolist(), strict=True))


def _sum_powers(factors: Array, correlation: Array) -> Array:
    """Return Σ a_n(i)·a_n(j)·c_ijⁿ of factors a (rows, SERIES), by Horner's rule."""
    square = np.square(factors)
    beyond = square[:, ::-1].cumsum(axis=1)[:, ::-1]  # what term n and all after it add up to at c = 1
    terms = max(1, int((beyond > NEGLIGIBLE * beyond[:, :1]).any(axis=0).sum()))
    total = np.zeros_like(correlation)
    for one in factors[:, terms - 1 :: -1].T if terms < SERIES else factors[:, ::-1].T:
        total *= correlation
        total += one[:, None] * one
    return total
