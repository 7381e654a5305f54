"""A comparison as a page for a browser: the heat map of two options, the best rows along their layers, the table."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from gradcheck.base.wording import counted
from gradcheck.pages.columns import Columns, columns_of, rounded
from gradcheck.pages.page import Axis, Cell, Chart, HtmlPage, Kind, Line, Pivot, Table, tone_of
from gradcheck.pages.writing import written
from gradcheck.render.numbers import percent
from gradcheck.spec.command_line import row_command_line
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.ranking import counts, differences, grouped, ranked, verdict_of
from gradcheck.sweep.rows import SweepRow
from gradcheck.sweep.text import heading, said
from gradcheck.sweep.text.heat_map import LETTERS

ROWS = "rows"

#: Rows whose gradient is drawn along the layers.
DRAWN = 6

#: What the table says of a row, beside its options.
CELLS: Columns = {
    "verdict": ("flag", lambda row: verdict_of(row), ""),
    "trains": ("chance", lambda row: row["score"], "probability that plain SGD trains it"),
    "span": ("number", lambda row: _span(row), "decades between the strongest and the weakest layer's gradient"),
    "mean gain": ("number", lambda row: row["mean_local_gain"], "geometric mean of the factors from layer to layer"),
    "rank": ("number", lambda row: row["effective_rank_last"], "effective rank of the last layer's outputs"),
    "flags": ("text", lambda row: " ".join(flag for flag in row["flags"] or () if flag != "ok"), ""),
    "error": ("text", lambda row: row["error"], ""),
    "index": ("whole", lambda row: row["index"], "its place in the grid"),
}

#: What the table says of a group.
GROUPS: Columns = {
    "rows": ("whole", lambda one: one["rows"], ""),
    "healthy": ("whole", lambda one: one["healthy"], ""),
    "errors": ("whole", lambda one: one["errors"], ""),
    "trains": ("chance", lambda one: one["median_score"], "median"),
    "trains, at worst": ("chance", lambda one: one["worst_score"], ""),
    "span": ("number", lambda one: one["median_span"], "median"),
    "span, at worst": ("number", lambda one: one["worst_span"], ""),
}


def as_html(comparison: Comparison, top: int | None = None, group_by: str | None = None) -> str:
    """Return a comparison as one HTML file; of --top the best rows alone."""
    every = ranked(comparison.finished, comparison.order)
    rows = every[:top]
    found, best = counts(every), every[0]
    healthy = best["status"] == "healthy"
    page = HtmlPage(
        command="compare",
        heading=heading(comparison),
        label=f"{found.get('healthy', 0):,} of {len(every):,} healthy",
        tone=tone_of(verdict_of(best)),
        reasons=tuple(_reasons(every, healthy)),
        charts=tuple(_charts(comparison, rows)),
        tables=tuple(_tables(comparison, rows, group_by)),
        commands=() if best["error"] is not None else (row_command_line(best["options"], comparison.common),),
    )
    return written(page)


def _reasons(rows: Sequence[SweepRow], healthy: bool) -> Iterator[str]:
    """Yield which row is best, and how many have each verdict."""
    best = rows[0]
    words = said(best["options"]) or "the defaults"
    if best["error"] is not None:
        yield f"none has a result: {best['error']}"
    else:
        yield f"the best{'' if healthy else ', though not healthy'}: {words}, trains: {percent(best['score'])}"
    yield ", ".join(f"{count:,} {name}" for name, count in counts(rows).items())


def _charts(comparison: Comparison, rows: Sequence[SweepRow]) -> Iterator[Chart | Pivot]:
    varied = tuple(map(_title, comparison.grid.varied))
    if len(varied) > 1:
        found = counts(rows)
        yield Pivot(
            title="Verdicts", table=ROWS, choices=varied, colour="trains", flag="verdict",
            about="Each combination of two options: its chance to train as colour, its verdict as a letter; choose one "
            "to see its rows in the table",
            letters={name: letter for name, letter in LETTERS.items() if name in found},
        )  # fmt: skip
    drawn = [row for row in rows[:DRAWN] if row["log10_gradient"]]
    if drawn:
        yield Chart(
            title="Gradient of the best rows", about="Root mean square of each layer's gradient, on a log scale",
            x=Axis(label="layer"), y=Axis(label="gradient", log=True),
            lines=tuple(_line(row, drawn[0], place) for place, row in enumerate(drawn)), wide=True,
        )  # fmt: skip


def _line(row: SweepRow, best: SweepRow, place: int) -> Line:
    """Return a row's gradient along its layers, called by what sets it apart from the best."""
    values = row["log10_gradient"]
    own = said(differences(row, best) if place else row["options"]) or "the best"
    return Line(name=own, x=tuple(range(1, len(values) + 1)), y=tuple(map(rounded, values)))


def _tables(comparison: Comparison, rows: Sequence[SweepRow], group_by: str | None) -> Iterator[Table]:
    if group_by:
        columns: Columns = {_title(group_by): ("text", lambda one: str(one["value"]), ""), **GROUPS}
        records = grouped(comparison.finished, group_by)
        yield Table(name="groups", title=f"By {_title(group_by)}", columns=columns_of(records, columns))
    places = {row["index"]: place for place, row in enumerate(rows, start=1)}
    own: Columns = {
        "place": ("whole", lambda row: places[row["index"]], ""),
        **{
            _title(name): (_kind(values), partial(_option, name), "") for name, values in comparison.grid.values.items()
        },
        **CELLS,
    }
    yield Table(name=ROWS, title=f"{counted(len(rows), 'row')}, best first", columns=columns_of(rows, own))


def _title(name: str) -> str:
    return name.replace("_", "-")


def _kind(values: Iterable[Any]) -> Kind:
    """Return how an option's values are shown: by size, where they have one."""
    return "number" if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values) else "text"


def _option(name: str, row: SweepRow) -> Cell:
    value: Any = row["options"].get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, int | float) else str(value)


def _span(row: SweepRow) -> Cell:
    return "inf" if row["gradient_span"] is None and row["error"] is None else row["gradient_span"]
