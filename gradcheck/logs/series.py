"""What a log holds, as arrays: the one form in which all formats are judged."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.logs.columns import Column
from gradcheck.logs.log import Log
from gradcheck.logs.runs import Rows, Run

Numbers = npt.NDArray[np.float64]

#: Decades below the smallest number at which an exact zero is put.
BELOW = 6.0

#: A loss below this is what single precision leaves of numbers of order 1 that cancel: of a policy that is still its
#: own reference, of a penalty that is still zero. It has a size as soon as it is within two decades of the later ones.
ROUNDING, NEAR = 1e-6, 0.01

#: By so much the level of a zero may be nearer to the others, for want of digits.
ROUNDED = 1e-6


class Track(NamedTuple):
    """The course of a magnitude: rows that have one, in the order of their steps."""

    steps: Numbers  # (rows,)
    level: Numbers  # (rows,): log10; that of an exact zero is ``BELOW`` decades under the smallest number
    peak: Numbers  # (rows,): log10 of the largest of the rows that this one represents

    def __len__(self) -> int:
        return len(self.steps)

    def until(self, step: float) -> "Track":
        """Return what is before a step."""
        return self._only(self.steps < step)

    def above_zero(self) -> "Track":
        """Return the rows that aren't exactly zero: a ratio to what is zero, or rounded to it, says nothing."""
        lowest = self.level.min(initial=np.inf)
        above = self.level > lowest
        zeros = above.any() and self.level[above].min() - lowest > BELOW - ROUNDED
        return self._only(above) if zeros else self

    def _only(self, rows: npt.NDArray[np.bool_]) -> "Track":
        return Track(self.steps[rows], self.level[rows], self.peak[rows])


class Series:
    """The numbers of one of a log's runs, the last one unless another is named, as far as it is read."""

    loss_name = "loss"  # what it is called in sentences

    def __init__(self, log: Log, run: Run | None = None) -> None:
        self.log, self.table = log, log.table
        self.clip = log.reader.clip  # rule and threshold, if the log says so
        self.table.flush()
        self.run = run or self.table.run
        self.columns, self.names = self.table.columns, self.table.names  # column ↦ its place, and its name in the log
        # (rows, columns): nan is no number, inf too large a one, −inf one that is not a number; see ``logs.table``
        self.samples, self.peaks = self.run.kept()
        self.steps = self.samples[:, 0]  # ascending

    def without(self, quantity: str) -> "Series":
        """Return these numbers without a quantity, of the whole and of layers."""
        other = copy(self)
        other.columns = {column: at for column, at in self.columns.items() if column.quantity != quantity}
        for name in ("layers", "layer_levels", "norm", "norms", "loss"):
            other.__dict__.pop(name, None)
        return other

    def with_loss(self, parts: Sequence[Column]) -> "Series":
        """Return these numbers with some parts of the loss in place of the whole one."""
        other = self.without("loss")
        other.columns, other.loss_name = self.columns, f"loss {' + '.join(self.names[part] for part in parts)}"
        places = [self.columns[part] for part in parts]
        for name, rows in (("samples", self.samples), ("peaks", self.peaks)):
            copied = rows.copy()
            copied[:, self.columns[Column("loss")]] = rows[:, places].sum(axis=1)
            setattr(other, name, copied)
        return other

    def divided(self, quantity: str, divisor: str) -> "Series":
        """Return these numbers with a quantity, of the whole and of layers, divided by one of the whole."""
        other = self.without(divisor)
        other.columns = self.columns
        places = [at for column, at in self.columns.items() if column.quantity == quantity]
        by = self.columns[Column(divisor)]
        for name, rows in (("samples", self.samples), ("peaks", self.peaks)):
            copied = rows.copy()
            copied[:, places] /= _filled_up(rows[:, by])[:, None]
            setattr(other, name, copied)
        return other

    def with_norms_at(self, kept: npt.NDArray[np.bool_]) -> "Series":
        """Return these numbers with the gradient norms of some rows alone, and nothing of what was left from others."""
        other = copy(self)
        places = [at for column, at in self.columns.items() if column.quantity.startswith("grad_norm")]
        left = [at for column, at in self.columns.items() if column.quantity == "grad_left"]
        for name in ("layers", "layer_levels", "norm", "norms"):
            other.__dict__.pop(name, None)
        for name, rows in (("samples", self.samples), ("peaks", self.peaks)):
            copied = rows.copy()
            copied[:, places] = np.where(kept[:, None], rows[:, places], np.nan)
            copied[:, left] = np.nan
            setattr(other, name, copied)
        return other

    @property
    def has_steps(self) -> bool:
        """Whether the log numbers its rows; otherwise its steps are the rows, counted."""
        return bool(self.table.numbered_by)

    @property
    def ends(self) -> tuple[float, float]:
        """The first step and the last."""
        return float(self.steps[0]), float(self.steps[-1])

    def values(self, quantity: str) -> Numbers:
        """Return a quantity of the whole step, (rows,); nan where there is none, or none that is finite."""
        place = self.columns.get(Column(quantity))
        return np.full(len(self.steps), np.nan) if place is None else _finite(self.samples[:, place])

    def places(self, quantity: str) -> dict[str, int]:
        """Return the layers that have a quantity, each with its place among the columns."""
        return {column.layer: at for column, at in self.columns.items() if column.quantity == quantity and column.layer}

    def layers_with(self, quantity: str) -> tuple[list[str], Numbers]:
        """Return the names of the layers that have a quantity, and the quantity, (rows, layers)."""
        places = self.places(quantity)
        return list(places), _finite(self.samples[:, list(places.values())])

    @cached_property
    def layers(self) -> list[str]:
        """Names of the layers whose gradients are known, in the log's order."""
        return self.layers_with("grad_norm")[0]

    @cached_property
    def layer_levels(self) -> Numbers:
        """log10 of the layers' gradient norms, (rows, layers); −inf for an exact zero."""
        return logarithms(self.layers_with("grad_norm")[1])

    @cached_property
    def norm(self) -> Track:
        """The norm of all gradients together."""
        return self._track(self.norms, self._norms(self.peaks))

    @cached_property
    def norms(self) -> Numbers:
        """The norm of all gradients together, (rows,); nan where there is none that is finite."""
        return self._norms(self.samples)

    @cached_property
    def loss(self) -> Track:
        """The loss, where it is above zero."""
        place = self.columns.get(Column("loss"), 0)
        values, peaks = (_finite(rows[:, place]) for rows in (self.samples, self.peaks))
        known = (values > 0) & (place > 0)
        known[: begins(np.where(known, values, np.nan))] = False
        return self._track(np.where(known, values, np.nan), np.where(known & (peaks > 0), peaks, np.nan))

    def course(self, quantity: str) -> tuple[Numbers, Numbers]:
        """Return the steps that have a quantity, and its highest values; inf where it isn't finite."""
        place = self.columns.get(Column(quantity))
        if place is not None:
            values = np.abs(self.peaks[:, place]) if quantity == "grad_norm" else self.peaks[:, place]
        else:
            values = self._norms(self.peaks) if quantity == "grad_norm" else np.full(len(self.steps), np.nan)
        known = ~np.isnan(values)
        return self.steps[known], np.where(np.isinf(values[known]), np.inf, values[known])

    def _norms(self, rows: Rows) -> Numbers:
        """Return the global norm; where a log doesn't have it, the norm of all layers' norms."""
        place = self.columns.get(Column("grad_norm"))
        if place is not None:
            return _finite(np.where(rows[:, place] < 0, np.nan, rows[:, place]))
        of_layers = _finite(rows[:, list(self.places("grad_norm").values())])
        if not of_layers.shape[1]:
            return np.full(len(rows), np.nan)
        of_layers = np.where(of_layers < 0, np.nan, of_layers)
        largest = np.fmax.reduce(of_layers, axis=1)
        scale = np.where(largest > 0, largest, 1.0)
        squares = np.square(np.nan_to_num(of_layers) / scale[:, None]).sum(1)
        return np.where(np.isnan(largest), np.nan, scale * np.sqrt(squares))

    def _track(self, values: Numbers, peaks: Numbers) -> Track:
        known = ~np.isnan(values)
        level, peak = logarithms(values[known]), logarithms(peaks[known])
        finite = level[np.isfinite(level)]
        zero = finite.min() - BELOW if len(finite) else 0.0
        level = np.where(np.isfinite(level), level, zero)
        return Track(self.steps[known], level, np.fmax(level, np.where(np.isfinite(peak), peak, -np.inf)))


def begins(losses: Numbers) -> int:
    """Return the row from which on a loss has a size, where it begins with rounding alone; otherwise 0, the first one.

    A ratio to what is rounding says nothing.
    """
    known = losses[~np.isnan(losses)]
    above = known[known > ROUNDING]
    if not len(above) or known[0] > ROUNDING:
        return 0
    return int(np.argmax(losses >= NEAR * np.median(above)))


def _filled_up(values: Numbers) -> Numbers:
    """Return a column whose gaps have the number before, or the first one."""
    known = np.flatnonzero(np.isfinite(values))
    return values[known[np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)]]


def logarithms(values: Numbers) -> Numbers:
    """Return log10, −inf of zero, nan of what is no number or below zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def _finite(values: Numbers) -> Numbers:
    return np.where(np.isfinite(values), values, np.nan)
