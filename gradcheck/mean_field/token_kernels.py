"""Means of an activation over tokens' pre-activations, two tokens at a time: matrices of all pairs."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.types import Array
from gradcheck.mean_field.kernels import Angular, Remembered, kernel_of
from gradcheck.mean_field.quadrature import SERIES

#: Terms of the series whose factors add up to less than this part of the whole are left out.
NEGLIGIBLE = 1e-9


class Pairs(NamedTuple):
    """E[f(z)f(z')] of every two rows, (rows, rows), for f = φ, φ', φφ' and φ²."""

    product: Array
    slopes: Array
    both: Array
    fourth: Array


def pairs_of(activation: str, kernel: Array) -> Pairs:
    """Return the means over normal pre-activations whose covariances are `kernel`, (rows, rows).

    A closed form where φ is straight on both sides of zero (Cho & Saul 2009), else the series in powers of the
    correlation, whose factors are products of Hermite coefficients (Mehler 1866; Daniely et al. 2016).
    """
    squares = kernel.diagonal()
    scales = np.sqrt(squares)
    correlation = np.clip(kernel / np.outer(scales, scales), -1.0, 1.0)
    of_activation = kernel_of(activation)
    if isinstance(of_activation, Angular):
        return _angular_pairs(of_activation, scales, correlation)
    distinct, place = np.unique(np.round(np.log(squares), 9), return_inverse=True)
    tables = [_coefficients(activation, float(np.exp(one))) for one in distinct]
    return Pairs(*(_means([table[kind] for table in tables], place, correlation) for kind in range(4)))


def _angular_pairs(kernel: Angular, scales: Array, correlation: Array) -> Pairs:
    """Return the means of an odd part α·z and an even one β·|z|."""
    odd, even = (kernel.right + kernel.left) / 2, (kernel.right - kernel.left) / 2
    angle, sine = 2 / math.pi * np.arcsin(correlation), 2 / math.pi * np.sqrt(1 - correlation**2)
    product = odd**2 * correlation + even**2 * (sine + correlation * angle)
    both = ((kernel.right**2 + kernel.left**2) / 2) ** 2 * correlation
    both += ((kernel.right**2 - kernel.left**2) / 2) ** 2 * (sine + correlation * angle)
    sizes = np.outer(scales, scales)
    return Pairs(sizes * product, odd**2 + even**2 * angle, sizes * both, np.full_like(sizes, np.nan))  # not needed


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


def _means(tables: Sequence[_Coefficients], place: npt.NDArray[np.intp], correlation: Array) -> Array:
    """Return E[f(z)f(z')] of every two rows, given the table of each distinct variance and each row's place there."""
    means = _sum_powers(np.stack([table.factors for table in tables])[place], correlation)
    np.fill_diagonal(means, np.array([table.square for table in tables])[place])
    return means


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
