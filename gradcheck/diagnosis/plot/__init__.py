"""A report as a figure: the gradient along the layers with theory, thresholds and flagged regions; panels below it."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from gradcheck.diagnosis.number_formats import scaled
from gradcheck.diagnosis.report import LayerRecord, Report
from gradcheck.diagnosis.shown_layers import of_several_kinds, title
from gradcheck.render import figure
from gradcheck.render.heading import what_was_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Losses are drawn on a log scale where the largest is so many times the smallest.
WIDE = 100.0

RATIO, SIZE = "log10_gradient_ratio", "log10_gradient_rms"


def plot(report: Report, ax: "Axes | None" = None) -> "Axes":
    """Draw the gradient along the layers, below it the loss of steps or of a trial, and what number formats lose."""
    names = [layer.name for layer in report.layers if layer.kind is not None]
    below = min(figure.LONGEST_NAME, max(map(len, names), default=0))  # characters of names that are written upright
    parts = [figure.Part(_draw_gradient, 3.4 + figure.CHARACTER * below)]
    if report.model is not None and report.model.training is not None:
        parts.append(figure.Part(_draw_losses, 1.8))
    if report.trial is not None:
        parts.append(figure.Part(_draw_trial, 1.8))
    if report.number_formats is not None:
        parts.append(figure.Part(_draw_numbers, 2.4))
    return figure.draw(report, parts, ax)


def _draw_gradient(ax: "Axes", report: Report) -> None:
    """Draw a line for each flow point of the blocks; a network without such points is one line along its layers."""
    field = RATIO if any(layer[RATIO] is not None for layer in report.layers) else SIZE
    limits = dict(_limits(report)) if field == RATIO else {}
    theory = report.prediction if field == RATIO else None
    predicted = (theory and theory.log10_gradient_ratios) or ()
    bands = [layer.get(field + end) for layer in report.layers for end in ("_low", "_high")]
    height = figure.log_axis(ax, [*(layer[field] for layer in report.layers), *bands, *limits.values(), *predicted])
    names = report.points or ("measured",)
    for flag, first, last in _flagged(report.layers, len(names)):
        figure.shade(ax, first - 0.5, last + 0.5, flag)
    for index, name in enumerate(names):
        layers = report.layers[index :: len(names)]
        places = range(1, len(layers) + 1)
        look = figure.marked(index, len(layers), label=figure.literal(name))
        (line,) = ax.plot(places, [height(layer[field]) for layer in layers], **look)
        if field + "_low" in layers[0]:
            ends = [[height(layer[field + end]) for layer in layers] for end in ("_low", "_high")]
            ax.fill_between(places, *ends, color=line.get_color(), alpha=0.25, linewidth=0, label=_seeds(report, index))
    of_stream = slice(len(names) - 1, None, len(names))  # of a block its last flow point
    _draw_theory(ax, predicted[of_stream], ((theory and theory.log10_gradient_ratio_stds) or ())[of_stream], height)
    for place, (label, limit) in enumerate(limits.items()):
        figure.threshold(ax, height(limit), label, place)
    _mark_what_has_no_place(ax, report, field, len(names))
    _name_axes(ax, report, field)
    figure.explain_lines(ax)


def _seeds(report: Report, index: int) -> str:
    """Return what the legend says of the first band; the others are like it."""
    return "_" if index else f"{report.config.seeds} seeds: low to high"


def _limits(report: Report) -> Iterator[tuple[str, float]]:
    """Yield the thresholds of the ratio that have a logarithm, each with its label."""
    for name, words in (("vanish_below", "vanishes below"), ("explode_above", "explodes above")):
        limit = report.config.get(name)
        if limit and math.isfinite(limit):
            yield f"{words} {limit:g}", math.log10(limit)


def _flagged(layers: Sequence[LayerRecord], points: int) -> Iterator[tuple[str, int, int]]:
    """Yield each flag, and the first and last place of neighbours that have it (a block: at any of its points)."""
    blocks = [{layer.flag for layer in layers[first : first + points]} for first in range(0, len(layers), points)]
    for flag in dict.fromkeys(layer.flag for layer in layers if layer.flag != "ok"):
        end = 0
        for has_it, group in groupby(flag in block for block in blocks):
            first, end = end + 1, end + len(list(group))
            if has_it:
                yield flag, first, end


def _draw_theory(ax: "Axes", ratios: Sequence[float], stds: Sequence[float | None], height: figure.Place) -> None:
    """Draw the prediction, with its standard deviation among networks of this width where that is known."""
    if len(ratios) < 2:
        return
    places = range(1, len(ratios) + 1)
    look = {"color": figure.BLACK, "linestyle": (0, (4, 1.5, 1, 1.5)), "linewidth": 1.2}
    ax.plot(places, list(map(height, ratios)), label="theory", **look)
    if any(stds):
        pairs = [(ratio, std or 0.0) for ratio, std in zip(ratios, stds, strict=True)]
        ends = ([height(ratio - std) for ratio, std in pairs], [height(ratio + std) for ratio, std in pairs])
        ax.fill_between(places, *ends, color=figure.GREY, alpha=0.25, linewidth=0, label="theory ± std at this width")


def _mark_what_has_no_place(ax: "Axes", report: Report, field: str, points: int) -> None:
    """Mark layers whose gradient is exactly zero, and those that have no number."""
    zero = [(layer.index - 1) // points + 1 for layer in report.layers if layer.gradient_rms == 0]
    lost = [
        (layer.index - 1) // points + 1
        for layer in report.layers
        if layer[field] is None and layer.gradient_rms != 0 and layer.status != "ok"
    ]
    figure.mark_edge(ax, zero, "v", "exactly zero", top=False)
    figure.mark_edge(ax, lost, "x", "not finite", top=True)


def _name_axes(ax: "Axes", report: Report, field: str) -> None:
    unit = "layer" if report.layers[0].kind is not None else report.unit
    of_what = "that of the last of its kind and role" if of_several_kinds(report) else f"that of the last {unit}"
    size = "RMS of ∂loss/∂z" if unit != "block" else "RMS of the gradient at a flow point"
    ax.set_ylabel(f"{size}\nover {of_what}" if field == RATIO else size)
    ax.set_xlabel(f"{unit}, first to last")
    if report.layers[0].kind is not None:
        figure.name_ticks(ax, [title(report, layer) for layer in report.layers])
        ax.set_xlim(0.5, len(report.layers) + 0.5)
    else:
        figure.whole_numbers(ax, len(report.layers) // max(1, len(report.points)))
    reasons = report.verdict.reasons
    figure.entitle(
        ax, report.verdict.status.upper() + (f": {reasons[0]}" if reasons else ""), what_was_run(report.config)
    )


def _draw_losses(ax: "Axes", report: Report) -> None:
    """Draw the loss before each step and after the last one, and where the model became ill."""
    assert report.model is not None
    assert report.model.training is not None
    training = report.model.training
    known = [loss for loss in training.losses if loss is not None]
    if known and min(known) > 0 and max(known) > WIDE * min(known):
        ax.set_yscale("log")
    losses = [math.nan if loss is None else loss for loss in training.losses]
    ax.plot(range(len(losses)), losses, **figure.marked(0, len(losses), label="loss"))
    lost = [step for step, loss in enumerate(training.losses) if loss is None]
    figure.mark_edge(ax, lost, "x", "not finite", top=True)
    if training.sick_from_step is not None:
        ax.axvline(training.sick_from_step, color=figure.RED, linestyle=":", label="ill from here on")
    ax.set(xlabel="step of training", ylabel="loss")
    figure.whole_numbers(ax, len(losses) - 1, first=0)
    figure.explain_lines(ax)


def _draw_trial(ax: "Axes", report: Report) -> None:
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


def _draw_numbers(ax: "Axes", report: Report) -> None:
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
