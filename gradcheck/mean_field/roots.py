"""Roots of functions of one variable."""

from collections.abc import Callable

#: Enough steps for any bracket of floats.
MOST_STEPS = 200


def bracketed_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return a root of f between low and high, where f has opposite signs: false position after Illinois.

    Ends where f is 0 or the bracket no longer shrinks.
    """
    at_low, at_high = f(low), f(high)
    if at_low == 0 or at_high == 0:
        return low if at_low == 0 else high
    middle = low
    for _ in range(MOST_STEPS):
        before, middle = middle, (low * at_high - high * at_low) / (at_high - at_low)
        value = f(middle)
        if value == 0 or abs(middle - before) <= 2e-16 * abs(middle):
            return middle
        if (value > 0) == (at_high > 0):
            high, at_high, at_low = middle, value, at_low / 2
        else:
            low, at_low, at_high = middle, value, at_high / 2
    return middle
