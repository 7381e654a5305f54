"""``compare``: which combination of options keeps the gradient alive? Ranked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from gradcheck.base.document import Paged
from gradcheck.base.record import Frozen, plain
from gradcheck.base.wording import counted
from gradcheck.errors import OptionError, at_least, shown
from gradcheck.spec import pick
from gradcheck.spec.grid import Grid
from gradcheck.spec.options.option import checked, takes
from gradcheck.spec.options.option import rows as rows_of
from gradcheck.spec.options.sweep import VARIED, CompareOptions
from gradcheck.spec.thresholds import Thresholds
from gradcheck.sweep.journal import Journal
from gradcheck.sweep.ranking import grouped, ranked
from gradcheck.sweep.rows import LostRow, SweepRow, Task, is_row, rows
from gradcheck.version import SCHEMA_VERSION, __version__


class Comparison(Paged):
    """The rows of a sweep: measured while one iterates, kept for a second time.

    Attributes
    ----------
    grid : Grid
    common : Frozen
        What all rows share: seeds, limits and the like.
    lost : int
        Rows without a result because their worker was lost; no journal keeps them.
    order : str
        What the rows are ranked by.
    """

    table = "finished"
    text = "gradcheck.sweep.text:as_text"
    figure = "gradcheck.sweep.plot:plot"
    page = "gradcheck.sweep.html:as_html"

    def __init__(
        self,
        grid: Grid,
        common: Mapping[str, Any],
        measure: Callable[[Sequence[SweepRow]], Iterator[SweepRow]],
        order: str = "score",
    ) -> None:
        self.grid, self.common, self.order = grid, Frozen(common), order
        self.lost = 0
        self._finished: list[Frozen[Any]] = []
        self._measure = measure
        self._source: Iterator[SweepRow] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.grid, self.common, self.order, self._finished, self.lost)

    def _in_short(self) -> str:
        healthy = sum(row["status"] == "healthy" for row in self._finished)
        return f"{counted(len(self), 'network')}, {len(self._finished)} measured, {healthy} healthy"

    def __len__(self) -> int:
        return len(self.grid)

    def __iter__(self) -> Iterator[SweepRow]:
        """Yield the rows as they finish."""
        seen = 0
        while True:
            while seen < len(self._finished):
                yield self._finished[seen]
                seen += 1
            row = self._next()
            if row is None:
                return
            self.lost += isinstance(row, LostRow)
            self._finished.append(Frozen(row))

    def _next(self) -> SweepRow | None:
        """Return one more row; after an interrupt, the next call goes on where it stood."""
        if self._source is None:
            self._source = self._measure(self._finished)
        try:
            return next(self._source, None)
        except BaseException:
            self._source = None
            raise

    @property
    def finished(self) -> list[SweepRow]:
        """The rows measured so far."""
        return list(self._finished)

    @property
    def rows(self) -> list[SweepRow]:
        """All rows, best first; measures what is missing."""
        return ranked(list(self), self.order)

    @property
    def best(self) -> SweepRow:
        """The best row."""
        return self.rows[0]

    def to_dict(self, group_by: str | None = None) -> dict[str, Any]:
        """Return the comparison as JSON values: the finished rows, ranked."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "gradcheck_version": __version__,
            "command": "compare",
            "config": {"grid": plain(self.grid.values), **self.common},
            "rows": plain(ranked(self._finished, self.order)),
        }
        return document | ({"groups": grouped(self._finished, group_by)} if group_by else {})


@takes(CompareOptions, {name: f"it belongs into the grid: compare({{{name!r}: [...]}})" for name in VARIED})
def compare(
    grid: Mapping[str, Any] | Grid,
    *,
    executor: Executor | None = None,
    window: int = 8,
    **options: Unpack[CompareOptions],
) -> Comparison:
    """Simulate every combination of a grid's options and rank them.

    >>> sweep = gradcheck.compare({"activation": ["sigmoid", "tanh"], "depth": [10, 30]}, seeds=1)
    >>> sweep.best["status"], dict(sweep.best["options"])
    ('healthy', {'depth': 10, 'activation': 'tanh'})

    Parameters
    ----------
    grid : mapping or Grid
        Option ↦ a value or a list of values: ``{"depth": [10, 50], "activation": "relu"}``.
    seeds, seed : int
        Draws of each combination, and the first seed.
    shuffle, labels : bool
        As in ``simulate``.
    executor : concurrent.futures.Executor, optional
        Where the rows are measured; without one, here.
    window : int
        Rows that are with the executor at a time.
    journal : str or Path, optional
        A file that keeps each finished row; what it holds already isn't measured again.
    sort : str
        ``score``, ``span``, ``gain``, ``rank`` or ``grid``.
    max_rows : int
        A larger grid is refused.
    **limits : float
        As in ``gradcheck.Thresholds``.

    Returns
    -------
    Comparison
        Rows are measured while one iterates over it, or when ``rows`` is asked for.

    Raises
    ------
    GradcheckError
        An option isn't what it has to be, the journal belongs to another sweep, …
    """
    grid = grid if isinstance(grid, Grid) else Grid(grid, options["max_rows"])
    at_least("window", window, 1, "the executor has at least one row at a time")
    if executor is not None and not hasattr(executor, "submit"):
        raise OptionError("executor", f"{shown(executor)} is no executor; give one of concurrent.futures, or None")
    journal, sort = options["journal"], options["sort"]
    ranked([], sort)
    common = _common(options)
    kept = (
        Journal(Path(journal), {"grid": grid.values, **common}, partial(is_row, combinations=len(grid)))
        if journal is not None
        else None
    )

    return Comparison(grid, common, partial(_measured, grid, common, kept, executor, window), sort)


def _measured(
    grid: Grid,
    common: Mapping[str, Any],
    kept: Journal | None,
    executor: Executor | None,
    window: int,
    finished: Sequence[SweepRow],
) -> Iterator[SweepRow]:
    """Yield the journal's rows, then measure what is missing and note it down at once."""
    done = {row["index"] for row in finished}
    with kept or nullcontext():
        for row in kept.finished if kept else ():
            if row["index"] not in done:
                done.add(row["index"])
                yield row
        tasks = (Task(index, varied, dict(common)) for index, varied in enumerate(grid) if index not in done)
        for row in rows(tasks, executor, window):
            if kept and not isinstance(row, LostRow):  # which the same command shall measure again
                kept.append(row)
            yield row


def _restored(
    grid: Grid, common: Mapping[str, Any], order: str, finished: Sequence[Frozen[Any]], lost: int
) -> Comparison:
    """Return a comparison that was copied: its further rows are measured here, and no journal keeps them."""
    copied = Comparison(grid, common, partial(_measured, grid, common, None, None, 1), order)
    copied._finished, copied.lost = list(finished), lost
    return copied


def _common(options: CompareOptions) -> dict[str, Any]:
    """Return what all rows share."""
    draws = checked(rows_of(CompareOptions), {"seed": options["seed"], "seeds": options["seeds"]})
    reading = {"shuffle": options["shuffle"], "labels": options["labels"]}
    return draws | reading | Thresholds(**pick(Thresholds, options)).to_dict()
