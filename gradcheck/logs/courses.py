"""The course of a run in more detail than its report's JSON has: what a page draws."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gradcheck.logs.series import Numbers, Series, logarithms

#: Columns of the heat map at most, and its cells.
COLUMNS, CELLS = 400, 80_000


@dataclass(frozen=True)
class Courses:
    """Every row that was kept, and the layers' norms in parts of the run.

    Attributes
    ----------
    norm, loss : pair of arrays
        Steps, and the values there; inf where one isn't finite.
    layers : tuple of str
    levels : array (layers, columns)
        log10 of the highest norm in each part; −inf for an exact zero, nan where there is none.
    threshold : float or None
        Of the global norm, where the log says that it is clipped.
    """

    norm: tuple[Numbers, Numbers]
    loss: tuple[Numbers, Numbers]
    layers: tuple[str, ...]
    levels: Numbers
    threshold: float | None


def courses(series: Series, losses: Series) -> Courses:
    """Return the course of a run; `losses` is the series whose loss is shown."""
    clip = series.clip
    return Courses(
        norm=series.course("grad_norm"),
        loss=losses.course("loss"),
        layers=tuple(series.layers),
        levels=_levels(series),
        threshold=clip[1] if clip and clip[0] == "global-norm" else None,
    )


def _levels(series: Series) -> Numbers:
    """Return log10 of the layers' highest norms in equal parts of the steps; a part without rows has those before."""
    places = list(series.places("grad_norm").values())
    if not places or not len(series.steps):
        return np.empty((len(places), 0))
    count = max(1, min(COLUMNS, len(series.steps), CELLS // len(places)))
    first, last = series.ends
    part = _parts(series.steps, first, last, count)
    filled, starts = np.unique(part, return_index=True)
    rows = np.abs(series.peaks[:, places])
    highest = np.fmax.reduceat(np.where(np.isfinite(rows), rows, np.nan), starts, axis=0)
    latest = np.searchsorted(filled, np.arange(count), side="right") - 1
    return logarithms(highest[latest]).T


def _parts(steps: Numbers, first: float, last: float, count: int) -> npt.NDArray[np.int64]:
    """Return in which of so many equal parts each step is."""
    if last <= first:
        return np.zeros(len(steps), dtype=np.int64)
    return np.minimum((steps - first) / (last - first) * count, count - 1).astype(np.int64)
