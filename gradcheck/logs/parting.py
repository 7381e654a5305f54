"""Two logs side by side: from which step on they part, in which quantity first, and by what factor their norms differ.

| constant | value | reason |
|---|---|---|
| ``BEFORE`` | a quarter of the steps, 3 at least | what two runs differ by from the start |
| ``BEYOND`` | 6 deviations, 1e-3 decades | rounding of equal runs, and the noise of different ones, stay within |
| ``STAYS`` | 80 % of the steps after | a difference that goes away again is no parting, but of equal runs |
| ``SAME`` | 2 % | digits that a log drops |
"""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.base.record import Record, item, number
from gradcheck.logs.columns import Column
from gradcheck.logs.findings.phrases import of_rows, step_text
from gradcheck.logs.robust import Numbers, deviation, median, medians_of
from gradcheck.logs.series import Series
from gradcheck.logs.what_was_read import number_of
from gradcheck.render.numbers import significant

BEFORE, FEWEST, BEYOND, LEAST, STAYS, SAME = 0.25, 3, 6.0, 1e-3, 0.8, 0.02

#: What is compared, causes before effects, and what it is called.
COMPARED = {"lr": "learning rate", "loss_scale": "loss scale", "grad_norm": "gradient norm", "loss": "loss"}

#: Decades of a factor that may mean anything.
FURTHEST = 30.0

#: Numbers of workers or of accumulated batches whose factor is named, and whose root is.
MOST_WORKERS = 1024
ROOTS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024)


class Parting(Record):
    """Where another log parts from the one that is judged."""

    file: str
    steps: int = item("steps that both have", minimum=0)
    first_step: float | None = item("from which on they differ; null: nowhere")
    quantity: str | None = item("which differs first", enum=[*COMPARED, None])
    here: float | None = item("its value there, in the log that is judged")
    there: float | None = item("the same, in the other one")
    norm_factor: float | None = item("gradient norms here over those there, before they part; null: about 1")
    message: str


class Difference(NamedTuple):
    """A quantity of two logs at the steps that both have."""

    quantity: str
    factor: float  # decades between them from the start
    row: int | None  # from which on they differ by more
    here: Numbers
    there: Numbers


def parting(series: Series, other: Series, file: str) -> Parting:
    """Return where two logs part: the one that is judged, and another one, of that name, that it is held against."""
    steps, here, there = np.intersect1d(series.steps, other.steps, return_indices=True)
    found = [
        one
        for quantity in COMPARED
        if (one := _difference(quantity, _numbers(series, quantity)[here], _numbers(other, quantity)[there]))
    ]
    first = min((one for one in found if one.row is not None), key=lambda one: one.row or 0, default=None)
    decades = next((one.factor for one in found if one.quantity == "grad_norm"), 0.0)
    factor = 10**decades if abs(decades) < FURTHEST else 1.0
    differs = abs(factor - 1) > SAME
    row = first.row if first else None
    step = None if row is None else float(steps[row])
    ends = (None, None) if first is None or row is None else (first.here[row], first.there[row])
    said = "; ".join(_sentences(len(steps), first, step, factor if differs else 1.0))
    return Parting(
        file=file,
        steps=len(steps),
        first_step=None if step is None else number_of(step),
        quantity=first.quantity if first else None,
        here=None if ends[0] is None else number(float(ends[0])),
        there=None if ends[1] is None else number(float(ends[1])),
        norm_factor=number(factor) if differs else None,
        message=said if series.has_steps else of_rows(said),
    )


def _numbers(series: Series, quantity: str) -> Numbers:
    """Return a quantity, (rows,); inf where it isn't finite, nan where there is none."""
    place = series.columns.get(Column(quantity))
    if place is None:
        return series.norms if quantity == "grad_norm" else np.full(len(series.steps), np.nan)
    values = series.samples[:, place]
    return np.where(np.isinf(values), np.inf, values)


def _difference(quantity: str, here: Numbers, there: Numbers) -> Difference | None:
    """Return how a quantity of two logs differs; None if there are too few steps that have it in both."""
    known = ~np.isnan(here) & ~np.isnan(there)
    if known.sum() < FEWEST:
        return None
    apart = _apart(here, there)
    rows = np.flatnonzero(known)
    start = apart[rows][: max(FEWEST, int(BEFORE * len(rows)))]
    start = start[np.isfinite(start)]
    usual, noise = (median(start), deviation(start)) if len(start) else (0.0, 0.0)
    smooth = apart[rows] - usual
    if noise > LEAST:  # different from the start: three rows together tell
        smooth = medians_of(np.lib.stride_tricks.sliding_window_view(np.pad(smooth, (0, 2), "edge"), 3))
    beyond = np.abs(smooth) > max(BEYOND * noise, LEAST)
    later = np.cumsum(beyond[::-1])[::-1] / np.arange(len(beyond), 0, -1)
    part = np.flatnonzero(beyond & ((later > STAYS) | (noise <= LEAST)))
    return Difference(quantity, usual, int(rows[part[0]]) if len(part) else None, here, there)


def _apart(here: Numbers, there: Numbers) -> Numbers:
    """Return decades between two magnitudes; of numbers that change their sign the difference over their size."""
    with np.errstate(all="ignore"):
        if (np.nanmin(here) > 0 and np.nanmin(there) > 0) or not (np.nanmin(here) < 0 or np.nanmin(there) < 0):
            found = np.log10(here) - np.log10(there)
        else:
            finite = np.concatenate([here[np.isfinite(here)], there[np.isfinite(there)]])
            found = (here - there) / max(median(np.abs(finite)), 1e-300)
    both_infinite = np.isinf(here) & np.isinf(there)
    return np.where((here == there) | both_infinite, 0.0, np.where(np.isnan(found), np.inf, found))


def _sentences(steps: int, first: Difference | None, step: float | None, factor: float) -> list[str]:
    """Return what there is to say, a part each."""
    if steps < FEWEST:
        return [f"the logs have {steps} steps in common, which is too few to compare them"]
    said = [f"their {steps:,} common steps show no parting"]
    if first is not None and first.row is not None:
        here, there = (significant(float(one[first.row]), 4) if math.isfinite(one[first.row]) else "not finite"
                       for one in (first.here, first.there))  # fmt: skip
        what = COMPARED[first.quantity]
        said = [f"they part at step {step_text(step)}, in the {what} first: {here} here, {there} there"]
    if factor != 1.0:
        larger, smaller = ("here", "there") if factor > 1 else ("there", "here")
        times = max(factor, 1 / factor)
        said.append(f"before that gradient norms {larger} are {times:.3g} times those {smaller}{_meaning(times)}")
    return said


def _meaning(times: float) -> str:
    """Return what a constant factor is likely to be: a number of workers or of accumulated batches, or its root."""
    whole = round(times)
    if 2 <= whole <= MOST_WORKERS and abs(times / whole - 1) < SAME:
        return f": {whole} workers or accumulated batches, summed in place of averaged"
    root = next((one for one in ROOTS if abs(times / one**0.5 - 1) < SAME), None)
    return f": √{root}, the noise of batches {root} times smaller" if root else ""
