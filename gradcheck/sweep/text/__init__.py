"""A comparison as text: the ranked table, groups, and the heat map of two options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.base.wording import counted
from gradcheck.render.bars import Glyphs, common_scale, sparkline
from gradcheck.render.layout import aside, borderless, indented, printed, to_copy
from gradcheck.render.numbers import percent, significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import STYLES, without_controls
from gradcheck.spec.command_line import options, row_command_line
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.ranking import counts, differences, grouped, ranked, verdict_of
from gradcheck.sweep.rows import SweepRow
from gradcheck.sweep.text.heat_map import heat_map, legend

#: Columns of a row's sparkline.
SPARK = 12

#: A narrower terminal gets fewer columns.
WIDE = 70

#: Rows of the table, unless asked for more.
TOP = 20


def as_text(
    comparison: Comparison, page: Page = PLAIN_PAGE, *, top: int | None = None, group_by: str | None = None
) -> str:
    """Return the finished rows as text: 20 at most, or as many as are asked for.

    By an option they are grouped: one line for each of its values takes the place of the rows.
    """
    rows = ranked(comparison.finished or list(comparison), comparison.order)
    return printed(_parts(comparison, rows, top or TOP, group_by, page), page)


def _parts(
    comparison: Comparison, rows: Sequence[SweepRow], top: int, group_by: str | None, page: Page
) -> Iterator[RenderableType]:
    yield aside(heading(comparison))
    yield ""
    yield _counts(rows)
    yield ""
    if len(comparison.grid.varied) == 2 and not group_by:
        yield indented(heat_map(rows, *comparison.grid.varied))
        yield legend(rows)
        yield ""
    table = _groups(rows, group_by) if group_by else _table(rows[:top], page.glyphs, page.width)
    yield indented(table)
    if not group_by and len(rows) > top:
        yield aside(f"  {top} of {len(rows):,} shown; --top {len(rows)} shows all")
    yield ""
    best = rows[0]
    if len(comparison) == 1:
        yield indented(aside("nothing varies here; give an option several values: --activation sigmoid,tanh,relu"))
    if best["error"] is None:
        yield to_copy(row_command_line(best["options"], comparison.common))


def heading(comparison: Comparison) -> str:
    """Say what was varied, and what all have in common."""
    grid, seeds = comparison.grid, comparison.common["seeds"]
    varied = " × ".join(f"{len(grid.values[name])} {name.replace('_', '-')}" for name in grid.varied)
    fixed = {name: values[0] for name, values in grid.values.items() if len(values) == 1}
    parts = [varied, " ".join(options(fixed)), f"{counted(seeds, 'seed')} each"]
    return f"{len(grid):,} network{'s' if len(grid) > 1 else ''}: " + " · ".join(part for part in parts if part)


def _counts(rows: Sequence[SweepRow]) -> Text:
    """How many rows have each verdict."""
    line = Text("  ")
    for name, count in counts(rows).items():
        line.append(f"{count:,} {name}", style=STYLES[name]).append("   ")
    return line


def _table(rows: Sequence[SweepRow], glyphs: Glyphs, width: int) -> Table:
    """The rows, each with its sparkline on one common scale and what sets it apart from the best."""
    scale = common_scale([value for row in rows for value in row["log10_gradient"] or ()])
    numbers = ("trains", "span", "gain", "rank") if width >= WIDE else ("span",)
    table = borderless(("", "verdict", *numbers), left=("verdict",))
    if width >= WIDE:
        table.add_column(f"log10 {scale.low:z.0f} … {scale.high:z.0f}".replace("-", "−"), no_wrap=True)
    table.add_column("differs from the best by", overflow="fold")
    for place, row in enumerate(rows, start=1):
        name = verdict_of(row)
        cells = [Text(str(place)), Text(name, style=STYLES[name]), *(Text(_number(row, number)) for number in numbers)]
        if width >= WIDE:
            cells.append(Text(sparkline(row["log10_gradient"] or (), SPARK, glyphs, scale), style=STYLES[name]))
        table.add_row(*cells, _apart(row, rows[0], place))
    return table


def _apart(row: SweepRow, best: SweepRow, place: int) -> Text:
    """What sets a row apart from the best, and its error without the advice, which is in all other formats."""
    words = said(row["options"] if place == 1 else differences(row, best)) or "nothing"
    problem = f": {row['error'].partition('; ')[0]}" if row["error"] is not None else ""
    return Text(without_controls(words + problem), style="bold" if place == 1 else "")


def _chance(score: float) -> str:
    """A probability that claims no more than it is known by."""
    return "<1%" if score < 0.01 else ">99%" if score > 0.99 else f"{score:.0%}"


def _number(row: SweepRow, name: str) -> str:
    """One of the row's numbers as text; the gain with half its range over the seeds."""
    if row["error"] is not None:
        return ""
    if name == "trains":
        return _chance(row["score"])
    if name == "span":
        return _span(row)
    if name == "rank":
        return significant(row["effective_rank_last"])
    low, high = row.get("mean_local_gain_low"), row.get("mean_local_gain_high")
    band = f" ±{significant((high - low) / 2, 1)}" if low is not None and high is not None else ""
    return significant(row["mean_local_gain"], 3) + band


def _span(row: SweepRow) -> str:
    return "inf" if row["gradient_span"] is None else significant(row["gradient_span"])


def said(own: Mapping[str, Any]) -> str:
    """Return options as one would say them: ``depth 10, relu, he, layer norm``."""
    return ", ".join(_said(name, value) for name, value in own.items())


def _said(name: str, value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if name in ("arch", "activation", "init", "data", "dtype"):
        return str(value)
    if name == "norm":
        return "no norm" if value == "none" else f"{value} norm"
    return f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"


def _groups(rows: Sequence[SweepRow], option: str) -> Table:
    """One line for each value of an option: median and worst."""
    table = borderless(gap=3)
    table.add_column(option.replace("_", "-"))
    for name in ("rows", "healthy", "errors", "trains", "at worst", "span", "at worst"):
        table.add_column(name, justify="right")
    for group in grouped(rows, option):
        cells = [str(group[name]) for name in ("rows", "healthy", "errors")]
        scores = ["-" if group[name] is None else percent(group[name]) for name in ("median_score", "worst_score")]
        spans = [significant(group[name]) for name in ("median_span", "worst_span")]
        table.add_row(Text(without_controls(str(group["value"]))), *cells, *scores, *spans)
    return table
