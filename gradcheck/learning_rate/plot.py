"""A search as a figure: the loss along the updates by rate, and the critical rates."""

import math
from typing import TYPE_CHECKING

from gradcheck.learning_rate.cells import headline, label_of
from gradcheck.learning_rate.report import RateReport
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(report: RateReport, ax: "Axes | None" = None) -> "Axes":
    """Draw the critical rates, and below them what rates do to the loss."""
    parts = [figure.Part(_draw_course, 2.8)]
    if report.along:
        parts.append(figure.Part(_draw_along, 2.6))
    return figure.draw(report, parts, ax)


def _draw_course(ax: "Axes", report: RateReport) -> None:
    """Draw the critical rate of each update, of each draw, with the best rate, its band and the ceiling."""
    answer = report.answer
    known = [math.log10(one.critical_rate) for one in report.updates if one.critical_rate]
    ends = [] if answer is None else list(map(math.log10, (answer.low, answer.high, answer.ceiling)))
    height = figure.log_axis(ax, [*known, *ends])
    for index, draw in enumerate(report.draws):
        rates = [one.critical_rate for one in report.updates if one.seed == draw.seed]
        label = "critical rate" if len(report.draws) == 1 else f"seed {draw.seed}"
        places = [height(math.log10(rate)) if rate else math.nan for rate in rates]
        ax.plot(range(1, len(rates) + 1), places, **figure.marked(index, len(rates), label=label))
    if answer is not None:
        low, high, ceiling = map(height, ends)
        ax.axhspan(low, high, color=figure.GREEN, alpha=0.15, linewidth=0, label="band of the best rate")
        figure.threshold(ax, height(math.log10(answer.best_rate)), "best rate", 1)
        figure.threshold(ax, ceiling, "ceiling")
    ax.set(xlabel="update", ylabel="learning rate")
    figure.whole_numbers(ax, max(one.update for one in report.updates))
    found = report.verdict.status == "found"
    figure.entitle(ax, "" if found else label_of(report)[0], report.verdict.reasons[0], headline(report))
    figure.explain_lines(ax)


def _draw_along(ax: "Axes", report: RateReport) -> None:
    """Draw by how much the loss changes at each rate, and along how many of the updates it rises."""
    place = figure.log_axis(ax, [math.log10(one.rate) for one in report.along], "x")
    rates = [place(math.log10(one.rate)) for one in report.along]
    known = [math.nan if one.change is None else 100 * one.change for one in report.along]
    risen = [100 * one.risen for one in report.along]
    ax.plot(rates, known, **figure.marked(0, len(rates), label="change of the loss, median"))
    ax.plot(rates, risen, **figure.marked(1, len(rates), label="updates along which it rises"))
    ax.axhline(0, color=figure.GREY, linewidth=0.8)
    ax.set(xlabel="learning rate", ylabel="per cent")
    figure.explain_lines(ax)
