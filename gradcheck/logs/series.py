"""What a log holds, as arrays: the one form in which all formats are judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from gradcheck.logs.columns import Column
from gradcheck.logs.reading import Log
from gradcheck.logs.table import Nonfinite, Rows

Numbers = npt.NDArray[np.float64]

#: Decades below the smallest number at which an exact zero is put.
BELOW = 6.0


class Track(NamedTuple):
    """The course of a magnitude: rows that have one, in the order of their steps.

    Attributes
    ----------
    steps : array (rows,)
    level : array (rows,)
        log10; an exact zero stands ``BELOW`` decades under the smallest number.
    peak : array (rows,)
        log10 of the largest of the rows that this one stands for.
    """

    steps: Numbers
    level: Numbers
    peak: Numbers

    def __len__(self) -> int:
        return len(self.steps)

    def until(self, step: float) -> "Track":
        """Return what is before a step."""
        before = self.steps < step
        return Track(self.steps[before], self.level[before], self.peak[before])


@dataclass(frozen=True)
class Series:
    """The numbers of a log.

    Attributes
    ----------
    steps : array (rows,)
        Ascending.
    columns : mapping
        Column ↦ its place.
    samples, peaks : array (rows, columns)
        nan is no number, inf too large a one, −inf one that is not a number; see ``logs.table``.
    stride : int
        Rows of the log that one row here stands for.
    rows, steps_back : int
        Rows that were read; how often the step went back.
    out_of_order : bool
        It went back too often for a run that is resumed.
    nonfinite : Nonfinite or None
    clip : tuple of str and float, or None
        Rule and threshold, if the log says so.
    """

    steps: Numbers
    columns: Mapping[Column, int]
    samples: Rows
    peaks: Rows
    stride: int
    rows: int
    steps_back: int
    out_of_order: bool
    nonfinite: Nonfinite | None
    clip: tuple[str, float] | None

    @classmethod
    def of(cls, log: Log) -> Self:
        """Return what was read so far."""
        samples, peaks = log.table.kept()
        table = log.table
        return cls(
            steps=samples[:, 0],
            columns=dict(table.columns),
            samples=samples,
            peaks=peaks,
            stride=table.stride,
            rows=table.rows,
            steps_back=table.steps_back,
            out_of_order=table.out_of_order,
            nonfinite=table.nonfinite,
            clip=log.reader.clip,
        )

    def values(self, quantity: str) -> Numbers:
        """Return a quantity of the whole step, (rows,); nan where there is none, or none that is finite."""
        place = self.columns.get(Column(quantity))
        return np.full(len(self.steps), np.nan) if place is None else _finite(self.samples[:, place])

    def layers_with(self, quantity: str) -> tuple[list[str], Numbers]:
        """Return the names of the layers that have a quantity, and the quantity, (rows, layers)."""
        found = [(column.layer, at) for column, at in self.columns.items() if column.quantity == quantity]
        named = [(layer, at) for layer, at in found if layer]
        return [layer for layer, _ in named], _finite(self.samples[:, [at for _, at in named]])

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
        return self._track(np.where(known, values, np.nan), np.where(known & (peaks > 0), peaks, np.nan))

    def course(self, quantity: str) -> tuple[Numbers, Numbers]:
        """Return the steps that have a quantity, and its highest values; inf where it isn't finite."""
        place = self.columns.get(Column(quantity))
        if place is None:
            values = self._norms(self.peaks) if quantity == "grad_norm" else np.full(len(self.steps), np.nan)
        else:
            values = np.abs(self.peaks[:, place]) if quantity == "grad_norm" else self.peaks[:, place]
        known = ~np.isnan(values)
        return self.steps[known], np.where(np.isinf(values[known]), np.inf, values[known])

    def _norms(self, rows: Rows) -> Numbers:
        """Return the global norm; where a log hasn't got it, of all layers' norms together."""
        place = self.columns.get(Column("grad_norm"))
        if place is not None:
            return _finite(np.where(rows[:, place] < 0, np.nan, rows[:, place]))
        of_layers = _finite(rows[:, [at for column, at in self.columns.items() if column.quantity == "grad_norm"]])
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


def logarithms(values: Numbers) -> Numbers:
    """Return log10, −inf of zero, nan of what is no number or below zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def _finite(values: Numbers) -> Numbers:
    return np.where(np.isfinite(values), values, np.nan)
