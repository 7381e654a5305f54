"""A comparison as a figure: the heat map of two options, the ranked rows, or the groups."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gradcheck.render import figure
from gradcheck.render.numbers import significant
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.ranking import counts, differences, grouped, ranked, verdict_of
from gradcheck.sweep.rows import SweepRow
from gradcheck.sweep.text import TOP, heading, said
from gradcheck.sweep.text.heat_map import LETTERS, arranged, named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Bars at most, whatever --top says; cells that have room for a letter and a number; more become one picture.
MOST, LABELLED, CELLS = 100, 300, 2_500

SCORE = "probability that plain SGD trains it"


def plot(
    comparison: Comparison, ax: "Axes | None" = None, *, top: int | None = None, group_by: str | None = None
) -> "Axes":
    """Draw the finished rows: a heat map where two options vary, else a bar for each of the best.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes, optional
        Where it is drawn, without the colour bar's room being planned for; else a figure is made.
    top : int, optional
        Draw bars, this many at most (and no more than 100); of a heat map all cells are drawn without it.
    group_by : str, optional
        An option: one bar for each of its values.
    """
    rows = ranked(comparison.finished or list(comparison), comparison.order)
    if group_by:
        groups = grouped(rows, group_by)
        part = figure.Part(partial(_draw_groups, groups=groups), _bars(len(groups)))
    elif len(comparison.grid.varied) == 2 and top is None:
        lines = max(len(comparison.grid.values[name]) for name in comparison.grid.varied)
        part = figure.Part(partial(_draw_cells, rows=rows), 2.0 + min(6.0, 0.34 * lines))
    else:
        best = rows[: min(MOST, top or TOP)]
        part = figure.Part(partial(_draw_rows, rows=best, of=len(rows)), _bars(len(best)))
    return figure.draw(comparison, [part], ax)


def _entitle(ax: "Axes", comparison: Comparison) -> None:
    found = ", ".join(f"{count:,} {name}" for name, count in counts(comparison.finished).items())
    figure.entitle(ax, found, heading(comparison))


def _bars(count: int) -> float:
    return 1.3 + 0.22 * count


def _draw_cells(ax: "Axes", comparison: Comparison, rows: Sequence[SweepRow]) -> None:
    """Draw a cell for each pair of values: its colour is the score, its letter the verdict, its number the span."""
    down, lines, across, columns, cells = arranged(rows, *comparison.grid.varied)
    table = [[cells.get((line, column)) for column in columns] for line in lines]
    scores = [[_score(row) for row in line] for line in table]
    mesh = ax.pcolormesh(
        range(len(columns) + 1), range(len(lines) + 1), scores, cmap=figure.colours("cividis", bad="#dddddd"),
        vmin=0, vmax=1, edgecolors="white", linewidth=0.5 if len(rows) <= CELLS else 0, rasterized=len(rows) > CELLS,
    )  # fmt: skip
    figure.colour_bar(ax, mesh, SCORE)
    _entitle(ax, comparison)
    if len(rows) <= LABELLED:
        places = [(row, x, y) for y, line in enumerate(table) for x, row in enumerate(line) if row is not None]
        for row, x, y in places:
            colour = "white" if _score(row) < 0.5 else "black"
            ax.text(x + 0.5, y + 0.5, _cell(row), ha="center", va="center", fontsize=7, color=colour)
    ax.set(xlim=(0, len(columns)), ylim=(len(lines), 0), ylabel=down.replace("_", "-"))
    meanings = [f"{letter} {name}" for name, letter in LETTERS.items() if name in counts(rows)]
    said = f"\n{', '.join(meanings)}; each with its gradient span in decades" if len(rows) <= LABELLED else ""
    ax.set_xlabel(across.replace("_", "-") + said)
    figure.name_ticks(ax, [named(value) for value in columns], "x", first=0.5)
    figure.name_ticks(ax, [named(value) for value in lines], "y", first=0.5)


def _score(row: SweepRow | None) -> float:
    return math.nan if row is None or row["score"] is None else row["score"]


def _cell(row: SweepRow) -> str:
    span = "" if row["gradient_span"] is None else f" {significant(row['gradient_span'])}"
    return LETTERS[verdict_of(row)] + span


def _draw_rows(ax: "Axes", comparison: Comparison, rows: Sequence[SweepRow], of: int) -> None:
    """Draw a bar for each row in the look of its verdict, the best on top; beside it its span and its seeds' range."""
    for place, row in enumerate(rows):
        score, verdict = row["score"] or 0.0, verdict_of(row)
        _bar(ax, place, score, verdict)
        ax.text(score + 0.01, place, f"{verdict}{_span(row)}", va="center", fontsize=7.5)
    labels = [said(row["options"] if place == 0 else differences(row, rows[0])) for place, row in enumerate(rows)]
    some = f", the best {len(rows)} of {of:,}" if len(rows) < of else ""
    _name_bars(ax, labels, f"{SCORE}{some}")
    ax.set_ylabel("differs from the best by")
    _entitle(ax, comparison)


def _span(row: SweepRow) -> str:
    """Return a row's span in words, with its extremes over the seeds; an error in its place."""
    if row["error"] is not None:
        return f": {figure.literal(row['error'][:60])}"
    low, high = (row.get(f"gradient_span_{end}") for end in ("low", "high"))
    over = f" ({significant(low)} to {significant(high)})" if low is not None and high is not None else ""
    return ", span " + ("inf" if row["gradient_span"] is None else significant(row["gradient_span"])) + over


def _draw_groups(ax: "Axes", comparison: Comparison, groups: Sequence[Mapping[str, Any]]) -> None:
    """Draw the median score of each group, and a line down to its worst."""
    for place, group in enumerate(groups):
        median, worst = group["median_score"] or 0.0, group["worst_score"] or 0.0
        _bar(ax, place, median, "healthy" if group["healthy"] else "error")
        ax.plot([worst, median], [place, place], color=figure.BLACK, marker="|", linewidth=1)
        ax.text(median + 0.01, place, f"{group['healthy']} of {group['rows']} healthy", va="center", fontsize=7.5)
    _name_bars(ax, [named(group["value"]) for group in groups], f"{SCORE}: median, and a line to the worst")
    ax.set_ylabel(groups[0]["option"].replace("_", "-"))
    _entitle(ax, comparison)


def _bar(ax: "Axes", place: int, length: float, name: str) -> None:
    colour, hatch = figure.LOOKS[name]
    ax.barh(place, length, color=colour, hatch=hatch, edgecolor="white", height=0.75)


def _name_bars(ax: "Axes", names: Sequence[str], label: str) -> None:
    ax.set_yticks(range(len(names)), [figure.literal(name or "nothing") for name in names], fontsize=7.5)
    ax.set(xlim=(0, 1.45), ylim=(len(names) - 0.5, -0.5), xlabel=label)
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
