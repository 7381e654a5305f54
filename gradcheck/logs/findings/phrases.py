"""Steps, counts and factors in words."""

import re

from gradcheck.render.numbers import power

#: A step where a sentence names it by its number, or says how much changes from one to the next.
_NAMED = re.compile(r"\bstep(?=s? (?:before )?-?\d)|(?<=\d a )step\b")


def of_rows(sentence: str) -> str:
    """Return a sentence of a log whose rows have no step: the numbers in it are those of its rows, as counted."""
    return _NAMED.sub("row", sentence)


def step_text(step: float | None) -> str:
    """Return a step as people read it; an epoch may have decimals."""
    if step is None:
        return "-"
    return f"{step:,.0f}" if float(step).is_integer() else f"{step:.6g}"


def counted(number: int, what: str) -> str:
    """Return ``1 layer``, ``2 layers``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def factor_text(decades: float) -> str:
    """Return a factor of so many decades: ``30``, ``14,000``, ``4.0e+09``."""
    if decades < 1:
        return f"{10**decades:.3g}"
    return power(decades) if decades >= 6 else f"{float(power(decades)):,.0f}"
