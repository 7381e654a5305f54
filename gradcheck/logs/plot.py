"""The diagnosis of a log as a figure: norm, loss and layers over the steps, findings shaded."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.logs.curves import Curve, LayerCurves
from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.report import LogReport
from gradcheck.logs.text import DECADES, heading, label, loss_courses, where
from gradcheck.logs.what_was_read import numbered
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More cells of the heat map than these become one picture within the figure.
CELLS = 2_500


def plot(report: LogReport, ax: "Axes | None" = None) -> "Axes":
    """Draw the norm (of a log without one the loss), and below it the rest, on one axis of steps."""
    has = {name: bool(report.curves[name].value) for name in ("grad_norm", "loss")}
    parts = [figure.Part(_draw_norm, 2.4)] if has["grad_norm"] or not has["loss"] else []
    parts += [figure.Part(_draw_loss, 2.0)] if has["loss"] else []
    if report.curves.layers is not None:
        parts.append(figure.Part(_draw_layers, 1.2 + min(3.2, 0.16 * len(report.curves.layers.names))))
    return figure.draw(report, parts, ax, sharex=True)


def _entitle(ax: "Axes", report: LogReport) -> None:
    """Write the verdict above the first panel."""
    figure.entitle(ax, f"{label(report).upper()}: {where(report)}", heading(report))


def _draw_norm(ax: "Axes", report: LogReport) -> None:
    """Draw the gradient norm on a log scale, and the threshold of clipping."""
    limit = report.curves.clip_limit
    limits = [math.log10(limit)] if limit else []
    logs = [math.log10(one) if one else None for one in report.curves.grad_norm.value]
    height = figure.log_axis(ax, [*logs, *limits])
    _draw_course(ax, report.curves.grad_norm, list(map(height, logs)), "gradient norm", 0)
    zero = [step for step, value in _points(report.curves.grad_norm) if value == 0]
    figure.mark_edge(ax, zero, "v", "exactly zero", top=False)
    for logarithm in limits:
        figure.threshold(ax, height(logarithm), f"clipped above {limit:.3g}")
    ax.set(ylabel="global gradient norm", xlabel=numbered(report.log))
    _entitle(ax, report)
    _shade_findings(ax, report)
    figure.explain_lines(ax)


def _draw_loss(ax: "Axes", report: LogReport) -> None:
    """Draw the loss, on a log scale where it spans decades."""
    courses = loss_courses(report)
    known = [value for _, curve in courses for value in curve.value if value is not None]
    if known and min(known) > 0 and max(known) / DECADES > min(known):
        ax.set_yscale("log")
    for index, (name, curve) in enumerate(courses, start=1):
        _draw_course(ax, curve, [math.nan if value is None else value for value in curve.value], name, index)
    ax.set(ylabel="loss", xlabel=numbered(report.log))
    if not report.curves.grad_norm.value:
        _entitle(ax, report)
    _shade_findings(ax, report)
    figure.explain_lines(ax)


def _draw_course(ax: "Axes", curve: Curve, heights: Sequence[float], name: str, index: int) -> None:
    steps = [math.nan if step is None else step for step in curve.step]
    ax.plot(steps, heights, **figure.marked(index, len(steps), label=name, marker="o" if len(steps) < 30 else None))
    lost = [step for step, value in _points(curve) if value is None]
    figure.mark_edge(ax, lost, "x", "not finite", top=True)


def _points(curve: Curve) -> list[tuple[float, float | None]]:
    """Return the points that have a step."""
    return [(step, value) for step, value in zip(curve.step, curve.value, strict=True) if step is not None]


def _shade_findings(ax: "Axes", report: LogReport) -> None:
    """Shade the steps of each finding; notes are of the whole log and shade nothing."""
    spans = [
        (finding.first_step, finding.first_step if finding.last_step is None else finding.last_step, finding.kind)
        for finding in report.findings
        if finding.severity != NOTE and finding.first_step is not None
    ]
    for first, last, kind in sorted(spans, key=lambda span: span[0] - span[1]):  # the shorter ones lie on the longer
        figure.shade(ax, first, last, kind)


def _draw_layers(ax: "Axes", report: LogReport) -> None:
    """Draw the norm of each layer and step in colours."""
    layers = report.curves.layers
    assert isinstance(layers, LayerCurves)
    steps = [step for step in layers.step if step is not None]
    levels = layers.log10_norm[:, [step is not None for step in layers.step]]
    finite = levels[np.isfinite(levels)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)
    high = max(high, low + 1.0)
    shown = np.where(levels == -np.inf, low - 1, np.where(levels == np.inf, high + 1, levels))
    zeros, lost = bool((levels == -np.inf).any()), bool((levels == np.inf).any())
    colours = figure.colours("viridis", under=figure.GREY, over=figure.RED, bad="white")
    mesh = ax.pcolormesh(
        _edges(steps), np.arange(len(layers.names) + 1), np.ma.masked_invalid(shown), cmap=colours, vmin=low, vmax=high,
        rasterized=levels.size > CELLS,
    )  # fmt: skip
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((zeros, lost), "neither")
    said = "log10 norm" + (", grey: zero" if zeros else "") + (", red: not finite" if lost else "")
    figure.colour_bar(ax, mesh, said, extend=extend)
    ax.set_ylim(len(layers.names), 0)
    figure.name_ticks(ax, layers.names, "y", first=0.5)
    ax.set(ylabel="layer", xlabel=numbered(report.log))


def _edges(steps: Sequence[float]) -> list[float]:
    """Return the edges of the cells around some steps, which rise."""
    between = [(one + other) / 2 for one, other in pairwise(steps)]
    half = [between[0] - steps[0], steps[-1] - between[-1]] if between else [0.5, 0.5]
    return [steps[0] - half[0], *between, steps[-1] + half[1]]
