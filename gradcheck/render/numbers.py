"""Numbers as people read them."""

import math

LOG10_SMALLEST, LOG10_LARGEST = -4, 5  # between them a number is written out


def significant(value: float | None, digits: int = 2) -> str:
    """Return a number with so many significant digits, written out where it is short; a dash for None."""
    if value is None:
        return "-"
    scientific = f"{value:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    if value == 0 or not LOG10_SMALLEST <= exponent < LOG10_LARGEST:
        return scientific if value else "0"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def power(logarithm: float | None, value: float | None = None, digits: int = 2) -> str:
    """Return 10**logarithm in scientific notation, at any magnitude; 0 or a dash where there is none."""
    if logarithm is None:
        return "0" if value == 0 else "-"
    exponent = math.floor(logarithm)
    mantissa = f"{10 ** (logarithm - exponent):.{digits - 1}f}"
    if mantissa.startswith("10"):
        mantissa, exponent = f"{1:.{digits - 1}f}", exponent + 1
    return f"{mantissa}e{exponent:+03d}"


def percent(share: float) -> str:
    """Return a probability in words that don't claim too much."""
    if share < 0.01:
        return "below 1 %"
    return "above 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def told_apart(one: float, other: float, digits: int = 3, most: int = 6) -> tuple[str, str]:
    """Return two numbers with as many significant digits as it takes to tell them apart, up to `most`."""
    texts = f"{one:.{digits}g}", f"{other:.{digits}g}"
    return texts if texts[0] != texts[1] or digits >= most else told_apart(one, other, digits + 1, most)


def log10(value: float | None) -> float | None:
    """Return the logarithm; None of what has none."""
    return math.log10(value) if value is not None and value > 0 else None
