"""A demonstration as a figure: the loss, the gradient norm and the final accuracy of each strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck.render import figure
from gradcheck.render.bars import common_scale
from gradcheck.render.numbers import log10
from gradcheck.training.cells import COLUMNS, heading
from gradcheck.training.report import DemoReport, DemoStrategy
from gradcheck.training.text import DECADES, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(report: DemoReport, ax: "Axes | None" = None) -> "Axes":
    """Draw the loss, and below it the gradient norm and the final accuracy."""
    parts = [figure.Part(_draw_losses, 2.6), figure.Part(_draw_norms, 2.4)]
    if any(one.final_accuracy is not None for one in report.strategies):
        parts.append(figure.Part(_draw_accuracies, 0.7 + 0.22 * len(report.strategies)))
    return figure.draw(report, parts, ax)


def _draw_losses(ax: "Axes", report: DemoReport) -> None:
    """Draw the loss of each run before each step, and where it diverged."""
    _draw_courses(ax, report.strategies, "loss")
    ax.set(xlabel="step", ylabel="loss of the batch")
    verdict = report.verdict
    title = [f"{label_of(report, verdict)[0].upper()}: {verdict.reasons[0]}"] if verdict else []
    figure.entitle(ax, *title, heading(report))
    figure.explain_lines(ax)


def _draw_norms(ax: "Axes", report: DemoReport) -> None:
    """Draw the norm before clipping, and thinner what the rule left of it."""
    height = _draw_courses(ax, report.strategies, "gradient_norm", "clipped_norm")
    for index, one in enumerate(report.strategies):
        if one.clipped_fraction:
            after = [height(log10(norm)) for norm in one.series.clipped_norm]
            look = {"color": figure.LINES[index % len(figure.LINES)]["color"], "linewidth": 0.7, "linestyle": ":"}
            ax.plot(range(1, len(after) + 1), after, label="_after clipping", **look)
    ax.set(xlabel="step", ylabel="global gradient norm\n(dotted: after clipping)")


def _draw_courses(ax: "Axes", strategies: Sequence[DemoStrategy], name: str, beside: str = "") -> figure.Place:
    """Draw one quantity of all runs on one log scale, with room for another one; a run ends where it is stopped."""
    courses = [[log10(value) for value in one.series[name]] for one in strategies]
    others = [one.series[beside] for one in strategies] if beside else []
    every = [value for course in courses for value in course] + [log10(one) for other in others for one in other]
    whole = common_scale(every)
    height = figure.log_axis(ax, [value for value in every if value is not None and value <= whole.low + DECADES])
    for index, (one, course) in enumerate(zip(strategies, courses, strict=True)):
        label = figure.literal(one.rule) + ("" if one.final_accuracy is None else f": {COLUMNS['accuracy'](one)}")
        look = figure.marked(index, len(course), label=label, linewidth=0.9, markevery=max(1, len(course) // 12))
        ax.plot(range(1, len(course) + 1), list(map(height, course)), **look)
        if one.diverged_at_step is not None:
            ax.axvline(one.diverged_at_step, color=look["color"], linestyle=look["linestyle"], alpha=0.6, linewidth=0.8)
        lost = [step for step, value in enumerate(one.series[name], start=1) if value is None]
        figure.mark_edge(ax, lost, "x", "_not finite", top=True)
    figure.whole_numbers(ax, max(map(len, courses), default=1))
    return height


def _draw_accuracies(ax: "Axes", report: DemoReport) -> None:
    """Draw a bar for each run, in the look of how it ended."""
    for place, one in enumerate(report.strategies):
        colour, hatch = figure.LOOKS[one.status]
        accuracy = one.final_accuracy or 0.0
        ax.barh(place, accuracy, color=colour, hatch=hatch, edgecolor="white", height=0.7)
        ax.text(accuracy + 0.01, place, f"{COLUMNS['accuracy'](one)}, {one.status}", va="center", fontsize=8)
    ax.set_yticks(range(len(report.strategies)), [figure.literal(one.rule) for one in report.strategies])
    ax.set(xlim=(0, 1.2), ylim=(len(report.strategies) - 0.5, -0.5), xlabel="final accuracy, share of all examples")
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
