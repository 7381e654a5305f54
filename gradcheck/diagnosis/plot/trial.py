"""A trial in a figure: the loss of each batch, a line for each learning rate that was tried."""

import math
from typing import TYPE_CHECKING

from gradcheck.diagnosis.report import Report
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_trial(ax: "Axes", report: Report) -> None:
    """Draw the losses of each rate on a log scale, and the goal below which the network has learnt."""
    trial = report.trial
    assert trial is not None
    losses = [[math.log10(one) if one else None for one in run.losses] for run in trial.rates]
    goal = [math.log10(trial.goal)] if trial.goal > 0 else []
    height = figure.log_axis(ax, [*goal, *(one for run in losses for one in run)])
    for index, (run, course) in enumerate(zip(trial.rates, losses, strict=True)):
        look = figure.marked(index, len(course), label=f"rate {run.rate:g}: {run.status}")
        ax.plot(range(1, len(course) + 1), list(map(height, course)), **look)
    for one in goal:
        figure.threshold(ax, height(one), f"learns below {trial.goal:.3g}")
    ax.set(xlabel="step of the trial", ylabel="loss")
    figure.whole_numbers(ax, max((one.steps for one in trial.rates), default=1))
    figure.explain_lines(ax)
