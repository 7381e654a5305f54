"""What was read of a log, as its report says it: rows, steps, and what was taken for what."""

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from gradcheck.base.record import Record, item, number
from gradcheck.logs.columns import BAR, PART, Column
from gradcheck.logs.findings.finding import FINDING_KINDS
from gradcheck.logs.findings.players import players
from gradcheck.logs.log import Log
from gradcheck.logs.series import Series
from gradcheck.logs.words import LOSS, OF_SPEED, VALIDATION, words

#: What stands for the name of steps where the log has none.
COUNTED = "the rows, counted"


class LogColumn(Record):
    """What was taken for what."""

    quantity: str
    name: str = item("what the log calls it; of several that are added up, with a + between them")


class LogRead(Record):
    """What was read."""

    format: str
    rows: int = item(minimum=0)
    first_step: float | None = item("of the rows that count")
    last_step: float | None = item("of the rows that count")
    layers: int = item("layers whose gradient norm is logged", minimum=0)
    rows_per_sample: int = item("above 1: of each group of so many rows the first and the highest are kept", minimum=0)
    rows_found: int = item("rows with a number of any kind, of all runs", minimum=0, default=0)
    columns: tuple[LogColumn, ...] = item("what was taken for what", default=())
    run: str | None = item("the run that is judged, where there are several", default="")
    validation: tuple[str, ...] = item("numbers of a validation: they are there, and aren't judged", default=())
    last_word: str | None = item("the error that the program ended of, where the log says so", default="")


class LogRun(Record):
    """One of several runs, in the same file or folder."""

    name: str
    rows: int = item(minimum=0)
    first_step: float | None
    last_step: float | None
    status: str = item("its most severe finding", enum=["healthy", *FINDING_KINDS])
    message: str | None = item("what that says")
    kinds: tuple[str, ...] = item("of all its findings, notes too", default=())
    judged: Literal["gradients", "loss"] = item("what was judged: the loss alone where it has no gradient norm")


def numbered(log: LogRead, step: float | None = None) -> str:
    """Return what a step's number is: ``row`` where the log has no steps and its rows were counted.

    One beyond the last row is none: the program itself has named that step.
    """
    counted = any(one.quantity == "step" and one.name == COUNTED for one in log.columns)
    return "row" if counted and (step or 0.0) <= (log.last_step or 0.0) else "step"


def read_part(log: Log, series: Series) -> LogRead:
    """Return what was read of a log, of the run that is judged."""
    first, last = series.ends if len(series.steps) else (math.nan, math.nan)
    return LogRead(
        format=log.reader.format,
        rows=series.run.rows,
        first_step=number_of(first),
        last_step=number_of(max(last, series.run.last_step)),
        layers=len(series.layers),
        rows_per_sample=series.run.stride,
        rows_found=log.rows_found,
        columns=tuple(_columns(series)),
        run=[name for name, _, _ in log.runs()][-1] or None,
        validation=tuple(_of_validation(log.reader.seen | log.reader.held_out)),
        last_word=log.reader.last_word or None,
    )


def _of_validation(names: Iterable[str]) -> list[str]:
    """Return the names of a validation's numbers, its losses first; those of its time aren't among them."""
    own = {name: set(words(name)) for name in sorted(names)}
    of_it = [name for name, said in own.items() if said & VALIDATION and not said & (OF_SPEED | {"runtime"})]
    return sorted(of_it, key=lambda name: not own[name] & LOSS)


def _columns(series: Series) -> Iterator[LogColumn]:
    """Yield what was taken for what."""
    names = series.names
    for quantity in ("loss", "grad_norm"):
        parts = [name for column, name in names.items() if column.quantity == PART]
        layers = [column for column in names if column.quantity == quantity and column.layer]
        sides = players(series) if quantity == "loss" else []
        if sides:
            yield from (LogColumn(quantity="loss", name=side.loss_name.partition(" ")[2]) for side in sides)
            continue
        own = names.get(Column(quantity)) or (" + ".join(parts) if quantity == "loss" else "")
        if own or layers or (quantity == "grad_norm" and series.layers):
            yield LogColumn(quantity=quantity, name=own or "that of all layers together")
    by = series.table.numbered_by
    name = names.get(Column(by), by) if by else COUNTED
    yield LogColumn(quantity="step", name=series.log.reader.counted_by if name == BAR else name)


def number_of(step: float) -> float | None:
    """Return a step as JSON has it: whole ones without decimals."""
    return int(step) if math.isfinite(step) and float(step).is_integer() else number(step)
