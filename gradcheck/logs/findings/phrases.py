"""Steps, counts and factors in words."""

from gradcheck.render.numbers import power


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
