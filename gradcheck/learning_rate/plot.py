"""A search as a figure: the loss in the end by rate, the courses of the runs, the loss along the first update."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck.learning_rate.cells import heading, label_of
from gradcheck.learning_rate.report import RateReport, RateRun
from gradcheck.render import figure
from gradcheck.render.numbers import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: The share of a panel that is left free below its curves, as matplotlib leaves it.
MARGIN = 0.05


def plot(report: RateReport, ax: "Axes | None" = None) -> "Axes":
    """Draw the runs by rate, and below them their courses and the loss along the first update."""
    parts = [figure.Part(_draw_runs, 2.8)]
    if report.runs:
        parts.append(figure.Part(_draw_courses, 2.4))
    if report.draws[0].critical_rate is not None:
        parts.append(figure.Part(_draw_along, 2.2))
    return figure.draw(report, parts, ax)


def _draw_runs(ax: "Axes", report: RateReport) -> None:
    """Draw the loss in the end of each draw's runs, with the best rate, its band and the ceiling."""
    answer = report.answer
    ends = [] if answer is None else list(map(math.log10, (answer.low, answer.high, answer.ceiling)))
    place = figure.log_axis(ax, [*(math.log10(one.rate) for one in report.runs), *ends], "x")
    for index, draw in enumerate(report.draws):
        runs = [one for one in report.runs if one.seed == draw.seed]
        label = "loss in the end" if len(report.draws) == 1 else f"seed {draw.seed}"
        losses = [math.nan if one.loss is None else one.loss for one in runs]
        ax.plot([place(math.log10(one.rate)) for one in runs], losses, **figure.marked(index, len(runs), label=label))
    diverged = [place(math.log10(one.rate)) for one in report.runs if one.status == "diverged"]
    figure.mark_edge(ax, diverged, "x", "diverged", top=True)
    if answer is not None:
        low, high, ceiling = map(place, ends)
        ax.axvspan(low, high, color=figure.GREEN, alpha=0.15, linewidth=0, label="band of the best rate")
        ax.axvline(place(math.log10(answer.best_rate)), color=figure.GREEN, linewidth=1, label="best rate")
        ax.axvline(ceiling, color=figure.GREY, linestyle="--", linewidth=1, label="ceiling")
    ax.set(xlabel="learning rate", ylabel="loss in the end")
    found = report.verdict.status == "found"
    figure.entitle(ax, "" if found else label_of(report)[0], report.verdict.reasons[0], heading(report))
    figure.explain_lines(ax)


def _draw_courses(ax: "Axes", report: RateReport) -> None:
    """Draw the loss of each update of the first draw's runs."""
    runs = [one for one in report.runs if one.seed == report.draws[0].seed]
    for index, one in enumerate(runs):
        losses = [math.nan if loss is None else loss for loss in one.losses]
        look = figure.marked(index, len(losses), label=f"rate {significant(one.rate)}")
        ax.plot(range(1, len(losses) + 1), losses, **look)
    ax.set(xlabel="update", ylabel="loss of the batch")
    _cut_above(ax, runs)
    figure.whole_numbers(ax, max(one.updates for one in runs))
    figure.explain_lines(ax)


def _cut_above(ax: "Axes", runs: Sequence[RateRun]) -> None:
    """Let runs that diverge leave the panel: it reaches up to twice where the loss began, and holds the best run."""
    losses = [loss for one in runs for loss in one.losses if loss is not None]
    if not losses:
        return
    start = next(loss for one in runs for loss in one.losses if loss is not None)
    best = min((one for one in runs if one.loss is not None), key=lambda one: one.loss or 0.0, default=None)
    kept = [] if best is None else [loss for loss in best.losses if loss is not None]
    top, bottom = max(start + abs(start), *kept, start), min(losses)
    if max(losses) > top > bottom:
        ax.set_ylim(bottom - MARGIN * (top - bottom), top)


def _draw_along(ax: "Axes", report: RateReport) -> None:
    """Draw the loss along the first draw's first update, up to twice where it began."""
    first = report.draws[0]
    place = figure.log_axis(ax, list(map(math.log10, first.rates)), "x")
    start = first.first_loss or 0.0
    losses = [math.nan if loss is None or loss > start + abs(start) else loss for loss in first.losses]
    ax.plot([place(math.log10(rate)) for rate in first.rates], losses, **figure.marked(0, len(losses)))
    figure.threshold(ax, start, "where it began")
    ax.set(xlabel="rate along the first update", ylabel="loss of its batch")
    figure.explain_lines(ax)
