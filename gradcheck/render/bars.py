"""Bars, sparklines and the marks under them: characters only, no colour."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Glyphs(NamedTuple):
    """The characters that a terminal can show."""

    levels: str  # heights of a sparkline's column, lowest first
    eighths: str  # widths of a bar's last cell, thinnest first; the last is a full cell
    # a bracket under a sparkline, and one that is a single column wide
    left: str
    line: str
    right: str
    single: str
    # a layer whose gradient is exactly zero; one that has none
    zero: str
    missing: str


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉█", "└", "─", "┘", "╵", "_", "×")
ASCII = Glyphs("_.-=+*%#", "#", "+", "-", "+", "^", "0", "x")


class Scale(NamedTuple):
    """A range of logarithms."""

    low: float
    high: float

    def share(self, logarithm: float) -> float:
        """Return where a logarithm lies in the range, 0 to 1."""
        return min(1.0, max(0.0, (logarithm - self.low) / (self.high - self.low)))


def common_scale(logarithms: Sequence[float | None]) -> Scale:
    """Return the range of the finite ones, at least one decade wide so that noise doesn't look like a slope."""
    finite = [value for value in logarithms if value is not None and math.isfinite(value)]
    if not finite:
        return Scale(-1.0, 0.0)
    return Scale(min(*finite, max(finite) - 1), max(finite))


def bar(share: float, width: int, glyphs: Glyphs = BLOCKS) -> str:
    """Return a horizontal bar that fills `share` (0 to 1) of `width` cells, and at least the thinnest mark."""
    steps = len(glyphs.eighths)
    parts = max(1, round(min(1.0, max(0.0, share)) * width * steps))
    full, rest = divmod(parts, steps)
    return glyphs.eighths[-1] * full + (glyphs.eighths[rest - 1] if rest else "")


def columns(count: int, width: int) -> list[range]:
    """Spread `count` layers over at most `width` columns: the layers (from 0) that each column shows."""
    width = min(count, max(1, width))
    edges = [count * column // width for column in range(width + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def sparkline(
    logarithms: Sequence[float | None], width: int, glyphs: Glyphs = BLOCKS, scale: Scale | None = None
) -> str:
    """Return one character a column for a whole network; a column of several layers shows the weakest.

    Of the logarithms, one a layer, −inf is an exact zero, None or nan a layer without a number. Several networks may
    share a scale of heights.
    """
    if not logarithms:
        return ""
    scale = scale or common_scale(logarithms)
    return "".join(
        _column([logarithms[layer] for layer in layers], scale, glyphs) for layers in columns(len(logarithms), width)
    )


def _column(values: Sequence[float | None], scale: Scale, glyphs: Glyphs) -> str:
    if any(value is None or math.isnan(value) for value in values):
        return glyphs.missing
    weakest = min(value for value in values if value is not None)
    if weakest == -math.inf:
        return glyphs.zero
    return glyphs.levels[min(len(glyphs.levels) - 1, int(scale.share(weakest) * len(glyphs.levels)))]


def bracket(label: str, width: int, glyphs: Glyphs = BLOCKS) -> str:
    """Return a bracket `width` columns wide, with its label in the middle where it fits."""
    if width < 2:
        return glyphs.single * width
    text = f" {label} " if len(label) + 4 <= width else ""
    return glyphs.left + text.center(width - 2, glyphs.line) + glyphs.right
