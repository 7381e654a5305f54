"""The comparison with a baseline as a figure: each layer's gradient then and now, and how far it may move."""

from typing import TYPE_CHECKING

from gradcheck.diagnosis.regression import Regression, missing_layers
from gradcheck.render import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(regression: Regression, ax: "Axes | None" = None) -> "Axes":
    """Draw both gradients of the layers that both reports have."""
    return figure.draw(regression, [figure.Part(_draw_both, 3.6)], ax)


def _draw_both(ax: "Axes", regression: Regression) -> None:
    moves, far = regression.layers, regression.tolerance
    known = [one for move in moves for one in (move.before, move.after) if one is not None]
    height = figure.log_axis(ax, [*known, *(one + far for one in known), *(one - far for one in known)])
    places = range(1, len(moves) + 1)
    before, after = [height(move.before) for move in moves], [height(move.after) for move in moves]
    (line,) = ax.plot(places, before, **figure.marked(0, len(moves), label="baseline"))
    ends = ([height(move.before and move.before + sign * far) for move in moves] for sign in (-1, 1))
    ax.fill_between(
        places, *ends, color=line.get_color(), alpha=0.2, linewidth=0, label=f"may move {far:g} decades"
    )  # fmt: skip
    ax.plot(places, after, **figure.marked(1, len(moves), label="now"))
    for place, move in zip(places, moves, strict=True):
        if move.moved:
            figure.shade(ax, place - 0.5, place + 0.5, "exploding", "moved")
    figure.name_ticks(ax, [move.name for move in moves])
    ax.set(ylabel="RMS of ∂loss/∂z", xlabel=f"{regression.unit}, first to last", xlim=(0.5, len(moves) + 0.5))
    count = sum(move.moved for move in moves)
    far_ones = f"{count} of {len(moves)} {regression.unit}s moved by more than {far:g} decades"
    what = f"{regression.outcome.upper()}: {regression.status_before} → {regression.status_after}, {far_ones}"
    figure.entitle(ax, what, *filter(None, [missing_layers(regression)]))
    figure.explain_lines(ax)
