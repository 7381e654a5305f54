"""Derivatives by differences: how far a pullback is from what its function does."""

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array

#: The output, and its pullback: ∂𝓛/∂output ↦ ∂𝓛/∂ each of the arguments.
Followed = tuple[Array, Callable[[Array], Sequence[Array]]]

#: Arrays ↦ the output and its pullback.
Function = Callable[..., Followed]

#: Random directions in which each function is followed.
DIRECTIONS = 4

#: Relative to the argument's size, the step at which the error of the extrapolated difference, (h/l)⁴, meets its
#: rounding, ε/h (Press et al. 2007, section 5.7); a network bends on a length l of an eighth of its argument's size.
STEP = float(np.finfo(np.float64).eps) ** 0.2 / 8  # 9.3e-5


class Draw(NamedTuple):
    """Random numbers that float32 can hold: a function of them is the same function in both precisions."""

    generator: np.random.Generator
    dtype: str = "float64"  # ``float64`` or ``float32``

    def __call__(self, *shape: int, std: float = 1.0) -> Array:
        """Return independent normal numbers of mean 0."""
        numbers = std * self.generator.standard_normal(shape)
        return numbers.astype(np.float32).astype(self.dtype)


class Source(NamedTuple):
    """Where the numbers of one check come from; other checks have their own numbers, whichever are run."""

    seed: int
    check: str
    dtype: str = "float64"  # the arithmetic that is checked

    def draw(self, purpose: int, dtype: str | None = None) -> Draw:
        """Return the numbers for a purpose, from their beginning each time."""
        key = np.random.SeedSequence(self.seed, spawn_key=(zlib.crc32(self.check.encode()), purpose))
        return Draw(np.random.default_rng(key), dtype or self.dtype)


class Case(NamedTuple):
    """A function with a pullback, and the arguments at which it is checked."""

    function: Function
    arguments: tuple[Array, ...]


#: Random numbers ↦ the cases that are made of them.
Cases = Callable[[Draw], Iterable[Case]]


def against_differences(cases: Cases, source: Source) -> float:
    """Return the largest relative error of a pullback against central differences.

    Parameters
    ----------
    cases : callable
    source : Source

    Returns
    -------
    float
        |⟨G, V⟩ − ⟨D, f'(x)·V⟩| over the standard deviation of ⟨G, V⟩, or ⟨D, f'(x)·V⟩ where that is larger, for
        random D and V, V of the size of the arguments, and G = pullback(D); nan where a number isn't one.

    Raises
    ------
    ValueError
        The pullback returns another shape or another type than that of the argument.

    Notes
    -----
    The differences are taken in float64, whatever the arithmetic of the pullback: a difference of two nearly equal
    float32 numbers would have four digits at most.
    """
    pairs = zip(cases(source.draw(0)), cases(source.draw(0, "float64")), strict=True)
    directions = source.draw(1)
    return float(np.max([_error(case, exact, directions) for case, exact in pairs for _ in range(DIRECTIONS)]))


def _error(case: Case, exact: Case, draw: Draw) -> float:
    """Return the relative error in one random direction."""
    output, pullback = case.function(*case.arguments)
    delta = draw(*output.shape)
    gradient = pullback(delta)
    _check_form(gradient, case.arguments)
    sizes = [_size(argument) for argument in exact.arguments]
    directions = [
        draw(*one.shape, std=size).astype(np.float64) for one, size in zip(exact.arguments, sizes, strict=True)
    ]
    wide = [one.astype(np.float64) for one in gradient]
    along = sum(float(np.vdot(one, direction)) for one, direction in zip(wide, directions, strict=True))
    difference = float(np.vdot(delta.astype(np.float64), derivative(exact, directions)))
    length = math.hypot(*(float(np.linalg.norm(one)) * size for one, size in zip(wide, sizes, strict=True)))
    scale = max(length, abs(difference))
    return abs(along - difference) / scale if scale else 0.0


def derivative(case: Case, directions: Sequence[Array]) -> Array:
    """Return f'(x)·V by central differences with steps h and 2h, extrapolated to h = 0 (Richardson 1911).

    The case is in float64; the directions V have the shapes of the arguments and are about as large.
    """

    def central(step: float) -> Array:
        pairs = list(zip(case.arguments, directions, strict=True))
        there, back = (case.function(*(one + h * along for one, along in pairs))[0] for h in (step, -step))
        return np.asarray((there - back) / (2 * step))

    return np.asarray((4 * central(STEP) - central(2 * STEP)) / 3)


def _size(array: Array) -> float:
    """Return the root mean square of the entries; 1 if all are zero."""
    return float(np.sqrt(np.square(array).mean())) or 1.0


def _check_form(gradient: Sequence[Array], arguments: Sequence[Array]) -> None:
    """Raise an error unless each gradient has the shape and the type of its argument."""
    for one, argument in zip(gradient, arguments, strict=True):
        if (one.shape, one.dtype) != (argument.shape, argument.dtype):
            theirs, ours = (f"{array.dtype} {array.shape}" for array in (one, argument))
            raise ValueError(f"the pullback returns {theirs} for {ours}")
