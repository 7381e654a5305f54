"""A transfer report as a figure: the slope of every layer, and the coordinate check, size against width."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from gradcheck.parametrization.cells import LABELS, SHOWN, TITLES, Row, heading, rows_of
from gradcheck.parametrization.judging import LIMIT
from gradcheck.parametrization.next_step import diverges
from gradcheck.parametrization.report import TransferLayer, TransferReport
from gradcheck.render import figure
from gradcheck.render.numbers import log10

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Layers with a panel of their own: those with a fault first, then from the last to the first.
PANELS = 6


def plot(report: TransferReport, ax: "Axes | None" = None) -> "Axes":
    """Draw the slopes of all layers, and for some of them how far their outputs have moved, against the width."""
    rows = rows_of(report)
    parts = [figure.Part(_draw_losses, 2.4)] if diverges(report) and report.losses else []
    parts += [figure.Part(_draw_slopes, 1.2 + 0.24 * len(rows))]
    parts += [figure.Part(partial(_draw_layer, row=row), 1.9) for row in _chosen(rows)]
    return figure.draw(report, parts, ax)


def _chosen(rows: Sequence[Row]) -> list[Row]:
    """Return the layers that are drawn, in their order."""
    moving = [row for row in rows if "change" in row.quantities]
    faulty = [row for row in moving if row.verdict != "keeps"]
    worst = (faulty + [row for row in moving[::-1] if row not in faulty])[:PANELS]
    return [row for row in moving if row in worst]


def _draw_losses(ax: "Axes", report: TransferReport) -> None:
    """Draw the loss at each scale, where training diverges; a cross marks where it is no longer finite."""
    finite = [loss for one in report.losses for loss in one.losses if loss is not None]
    logarithms = [[log10(loss) for loss in one.losses] for one in report.losses]
    if all(loss > 0 for loss in finite):
        place = figure.log_axis(ax, [value for line in logarithms for value in line])
        heights = [list(map(place, line)) for line in logarithms]
    else:
        heights = [[math.nan if loss is None else loss for loss in one.losses] for one in report.losses]
    for index, (one, line) in enumerate(zip(report.losses, heights, strict=True)):
        ax.plot(range(len(line)), line, **figure.marked(index, len(line), label=f"{report.axis} {one.scale:,}"))
    lost = {step for one in report.losses for step, loss in enumerate(one.losses) if loss is None}
    figure.mark_edge(ax, sorted(lost), "x", "not finite", top=True)
    figure.whole_numbers(ax, max(len(one.losses) for one in report.losses) - 1, 0)
    ax.set(xlabel="step", ylabel="loss")
    figure.entitle(ax, _verdict(report), heading(report))
    figure.explain_lines(ax)


def _verdict(report: TransferReport) -> str:
    return f"{LABELS[report.verdict.status][0].upper()}: {report.verdict.reasons[0]}"


def _draw_slopes(ax: "Axes", report: TransferReport) -> None:
    """Draw each layer's slopes with their errors, and between which limits they are 0."""
    rows = rows_of(report)
    ax.axvspan(-LIMIT, LIMIT, color=figure.GREY, alpha=0.15, linewidth=0, label=f"keeps its size: ±{LIMIT:g}")
    for index, name in enumerate(SHOWN):
        known = [(place, row.quantities[name]) for place, row in enumerate(rows) if name in row.quantities]
        drawn = [(place, one) for place, one in known if one.slope is not None and one.course != "still"]
        if drawn:
            look = {key: figure.LINES[index][key] for key in ("color", "marker")}
            places = [place + 0.18 * (index - 1) for place, _ in drawn]
            slopes, errors = [one.slope for _, one in drawn], [one.slope_error or 0.0 for _, one in drawn]
            ax.errorbar(slopes, places, xerr=errors, linestyle="", markersize=4, label=TITLES[name], **look)
    figure.name_ticks(ax, [row.layer for row in rows], "y", 0.0)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"slope of log size against log {report.axis}")
    figure.entitle(ax, *([] if diverges(report) and report.losses else [_verdict(report), heading(report)]))
    figure.explain_lines(ax)


def _draw_layer(ax: "Axes", report: TransferReport, row: Row) -> None:
    """Draw how far one layer's output has moved after each step, against the width."""
    one = row.quantities["change"]
    logarithms = [[log10(size) for size in sizes] for sizes in one.sizes]
    height = figure.log_axis(ax, [value for line in logarithms for value in line])
    place = figure.log_axis(ax, [math.log10(scale) for scale in report.scales], "x")
    x = [place(math.log10(scale)) for scale in report.scales]
    for index, (step, line) in enumerate(zip(one.steps, logarithms, strict=True)):
        ax.plot(x, list(map(height, line)), **figure.marked(index, len(x), label=f"step {step}"))
    ax.set_xticks(x, [f"{scale:,}" for scale in report.scales], minor=False)
    ax.minorticks_off()
    ax.set(xlabel=report.axis, ylabel="change of the\noutput (rms)")
    figure.entitle(ax, f"{row.layer}: {_said(one)}")
    figure.explain_lines(ax)


def _said(one: TransferLayer) -> str:
    course = "keeps its size" if one.course == "keeps" else one.course
    return f"its change {course}" + ("" if one.slope is None else f", slope {one.slope:+.2f}")
