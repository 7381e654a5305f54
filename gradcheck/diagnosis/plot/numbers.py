"""What number formats lose, as a panel below the gradient."""

import math
from typing import TYPE_CHECKING

from gradcheck.diagnosis.number_formats import scaled
from gradcheck.diagnosis.report import Report
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_numbers(ax: "Axes", report: Report) -> None:
    """Draw which share of each layer's gradients a cast loses, and of its updates rounding of bf16 weights."""
    record = report.number_formats
    assert record is not None
    for index, one in enumerate(record.formats):
        known = [(at, layer.gradients) for at, layer in enumerate(one.layers, start=1) if layer.gradients is not None]
        lost = [shares.to_zero + shares.overflow for _, shares in known]
        look = figure.marked(index, len(known), label=figure.literal(f"{one.format}, {scaled(one)}"))
        ax.plot([at for at, _ in known], lost, **look)
    updates = [math.nan if one.lost is None else one.lost for one in record.updates]
    places = range(1, len(updates) + 1)
    ax.plot(places, updates, color=figure.BLACK, linestyle=":", marker=".", label=f"bf16 updates, rate {record.lr:g}")
    ax.set(xlabel=f"{'flow point' if report.points else report.unit}, first to last", ylabel="share of gradients lost")
    figure.whole_numbers(ax, len(updates))
    figure.explain_lines(ax)
