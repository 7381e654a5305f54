"""Numbers on their way into a page: rounded, thinned out where there are too many, gathered into columns."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck.pages.page import Cell, Column, Kind

Numbers = npt.NDArray[np.float64]

#: Points of a course at most: two for each pixel of a wide screen.
MOST = 2000

#: Significant digits of a number in a page.
DIGITS = 5

#: Title ↦ how its cells are shown, how a record fills one, and what it means.
Columns = Mapping[str, tuple[Kind, Callable[[Any], Cell], str]]


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """Return a number with the digits that a page keeps; None where it isn't finite."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def columns_of(records: Iterable[Any], columns: Columns) -> tuple[Column, ...]:
    """Return a table's columns; those are left out in which no record has anything."""
    records = list(records)
    made = []
    for title, (kind, value, meaning) in columns.items():
        cells = tuple(map(_cell, map(value, records)))
        if not records or any(cell is not None and cell != "" for cell in cells):
            made.append(Column(title=title, kind=kind, meaning=meaning, cells=cells))
    return tuple(made)


def _cell(value: Cell) -> Cell:
    return value if isinstance(value, str) else rounded(value)


def with_band(
    values: Sequence[float | None], deviations: Sequence[float | None]
) -> tuple[tuple[float | None, ...], tuple[float | None, ...] | None, tuple[float | None, ...] | None, str]:
    """Return predicted ratios, the edges of their band, and what both are called; None where there is no band."""
    middle = tuple(map(rounded, values))
    if not any(one is not None for one in deviations):
        return middle, None, None, "predicted ratio"
    pairs = list(zip(values, deviations, strict=True))
    low, high = (
        tuple(None if one is None else rounded(one + sign * (deviation or 0.0)) for one, deviation in pairs)
        for sign in (-1, 1)
    )
    return middle, low, high, "predicted ratio ± its standard deviation"


def thinned(
    x: Sequence[float] | Numbers, y: Sequence[float | None], most: int = MOST
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Return the points of a course, a long one's thinned out: of each part the lowest and the highest, in order.

    Where a part has a number that isn't finite, that point is kept, too: as None, a gap.
    """
    steps = np.asarray(x, dtype=float)
    values = np.array([math.nan if one is None else one for one in y], dtype=float)
    if len(values) > most:
        kept = _extremes(values, most)
        steps, values = steps[kept], values[kept]
    return tuple(rounded(one, 10) for one in steps.tolist()), tuple(map(rounded, values.tolist()))


def _extremes(values: Numbers, most: int) -> list[int]:
    """Return the places of each part's extremes, of the first number of it that isn't finite, and of both ends."""
    finite = np.isfinite(values)
    kept = {0, len(values) - 1}
    starts = np.linspace(0, len(values), max(1, most // 3) + 1).astype(int).tolist()
    for start, stop in pairwise(starts):
        known = start + np.flatnonzero(finite[start:stop])
        if len(known):
            kept |= {int(known[values[known].argmin()]), int(known[values[known].argmax()])}
        if len(known) < stop - start:
            kept.add(start + int(finite[start:stop].argmin()))
    return sorted(kept)
