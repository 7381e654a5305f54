"""Theory as a figure: the predicted gradient along the layers, how the signal settles, and the phase diagram."""

import math
import textwrap
from typing import TYPE_CHECKING

from gradcheck.mean_field.report import AttentionDiagram, PhaseDiagram, TheoryReport
from gradcheck.mean_field.text import heading, label, sentences, unit
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Markers of published networks.
MARKERS = "osD^vP<>"

#: Decades of χ₁ on each side of 1 that the colours of the phase diagram tell apart.
DECADES = 0.3


def plot(report: TheoryReport, ax: "Axes | None" = None) -> "Axes":
    """Draw what theory predicts, or say why it predicts nothing."""
    parts = [figure.Part(_draw_gradient, 3.2), figure.Part(_draw_tokens if report.points else _draw_signal, 2.0)]
    if not report.layers:
        parts = [figure.Part(_say_why_not, 2.0)]
    if report.attention_diagram is not None:
        parts.append(figure.Part(_draw_attention, 3.2))
    if report.phase_diagram is not None:
        parts.append(figure.Part(_draw_phases, 3.2))
    return figure.draw(report, parts, ax)


def _draw_gradient(ax: "Axes", report: TheoryReport) -> None:
    """Draw the predicted gradient, with its standard deviation among networks of this width."""
    names = report.points or ("predicted",)
    ratios = [layer.log10_gradient_ratio for layer in report.layers]
    stds = [layer.log10_gradient_ratio_std or 0.0 for layer in report.layers]
    ends = [[ratio + sign * std for ratio, std in zip(ratios, stds, strict=True)] for sign in (-1, 1)]
    height = figure.log_axis(ax, [*ratios, *ends[0], *ends[1]])
    places = range(1, len(ratios) // len(names) + 1)
    for index, name in enumerate(names):
        of_point = slice(index, None, len(names))
        (line,) = ax.plot(places, list(map(height, ratios[of_point])), **figure.marked(index, len(places), label=name))
        if any(stds):
            low, high = (list(map(height, end[of_point])) for end in ends)
            said = "_" if index else "± std at this width"
            ax.fill_between(places, low, high, color=line.get_color(), alpha=0.2, linewidth=0, label=said)
    one, what = ("block", "the gradient") if report.points else (unit(report), "∂loss/∂z")
    ax.set(xlabel=f"{one}, first to last", ylabel=f"RMS of {what}\nover that of the last {one}")
    figure.whole_numbers(ax, len(places))
    figure.entitle(ax, f"{label(report).upper()}: {sentences(report)[0]}", heading(report))
    figure.explain_lines(ax)


def _draw_signal(ax: "Axes", report: TheoryReport) -> None:
    """Draw how the pre-activations settle, and the fixed point that they settle at."""
    places = [layer.index for layer in report.layers]
    stds = [math.nan if layer.preactivation_std is None else layer.preactivation_std for layer in report.layers]
    ax.plot(places, stds, **figure.marked(2, len(places), label="std of z, predicted"))
    settled = report.fixed_point.variance
    if settled is not None:
        figure.threshold(ax, math.sqrt(settled), f"fixed point √q* = {math.sqrt(settled):.3g}")
    ax.set(xlabel=f"{unit(report)}, first to last", ylabel="std of pre-activations z", ylim=(0, None))
    figure.whole_numbers(ax, len(report.layers))
    figure.explain_lines(ax)


def _draw_tokens(ax: "Axes", report: TheoryReport) -> None:
    """Draw how alike a transformer's tokens become in its residual stream."""
    cosines = [layer.token_cosine for layer in report.layers[len(report.points) - 1 :: len(report.points)]]
    known = [math.nan if one is None else one for one in cosines]
    ax.plot(range(1, len(known) + 1), known, **figure.marked(2, len(known), label="residual stream, predicted"))
    ax.set(xlabel="block, first to last", ylabel="mean cosine\nof two tokens", ylim=(min(0, *known, 0), 1.02))
    figure.whole_numbers(ax, len(known))
    figure.explain_lines(ax)


def _say_why_not(ax: "Axes", report: TheoryReport) -> None:
    ax.set_axis_off()
    said = "\n".join(textwrap.wrap(str(report.reasons["network"]), 80))
    ax.text(0.5, 0.5, figure.literal_lines(said), ha="center", va="center", transform=ax.transAxes)
    figure.entitle(ax, label(report).upper(), heading(report))


def _draw_phases(ax: "Axes", report: TheoryReport) -> None:
    """Draw χ₁ in the plane of both scales, the line of criticality, and where this network is."""
    diagram = report.phase_diagram
    assert isinstance(diagram, PhaseDiagram)
    levels = [[math.log10(one) if one > 0 else -math.inf for one in row] for row in diagram.chi]
    shown = [[max(-DECADES, min(DECADES, one)) for one in row] for row in levels]
    mesh = ax.pcolormesh(
        diagram.sigma_w, diagram.sigma_b, shown, cmap="PuOr_r", vmin=-DECADES, vmax=DECADES, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    figure.colour_bar(ax, mesh, "log10 χ₁: below 0 ordered, above chaotic", extend="both")
    flat = [one for row in shown for one in row]
    if min(flat) < 0 < max(flat):
        ax.contour(diagram.sigma_w, diagram.sigma_b, shown, levels=[0.0], colors=figure.BLACK, linewidths=1.2)
        ax.plot([], [], color=figure.BLACK, linewidth=1.2, label="critical: χ₁ = 1")
    if report.config.sigma_w is not None:
        here = {"marker": "*", "markersize": 11, "linestyle": "", "color": figure.GREEN, "markeredgecolor": "white"}
        ax.plot([report.config.sigma_w], [report.config.sigma_b], label="this network", **here)
    ax.set(xlabel="σ_w", ylabel="σ_b", xlim=_ends(diagram.sigma_w), ylim=_ends(diagram.sigma_b))
    ax.legend(loc="upper right", frameon=True)


def _draw_attention(ax: "Axes", report: TheoryReport) -> None:
    """Draw how alike tokens become over both scales, where a head looks at one token, and the networks."""
    plane = report.attention_diagram
    assert isinstance(plane, AttentionDiagram)
    cosines = [[math.nan if one is None else one for one in row] for row in plane.token_cosine]
    mesh = ax.pcolormesh(
        plane.score_std, plane.residual_scale, cosines, cmap="cividis", vmin=0, vmax=1, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    figure.colour_bar(ax, mesh, "mean cosine of two tokens at the end")
    flat = [one for row in plane.attended for one in row]
    if min(flat) < 2 < max(flat):
        ax.contour(plane.score_std, plane.residual_scale, plane.attended, levels=[2.0], colors="white", linewidths=1.2)
        ax.plot([], [], color=figure.GREY, linewidth=1.2, label="white line: a head looks at 2 tokens")
    for index, one in enumerate(plane.networks):
        own = (
            {"marker": "*", "markersize": 12}
            if index == 0
            else {"marker": MARKERS[index % len(MARKERS)], "markersize": 6}
        )
        ax.plot([one.score_std], [one.residual_scale], linestyle="", markeredgecolor="white", label=one.name, **own)
    ax.set(xscale="log", yscale="log", xlabel="standard deviation of attention's scores", ylabel="scale of a branch")
    ax.set(xlim=_ends(plane.score_std), ylim=_ends(plane.residual_scale))
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize="x-small", frameon=False)


def _ends(values: tuple[float, ...]) -> tuple[float, float]:
    return min(values), max(values)
