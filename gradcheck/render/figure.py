"""Figures: panels of axes, what all of them share, and the file that they become. Only here is matplotlib known.

No state of pyplot is used: no window opens, and no backend has to be chosen. A figure that is made here looks the same
whatever a matplotlibrc says, and its SVG is the same, byte for byte, whenever it is made.
"""

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from gradcheck.errors import MissingExtraError, OptionError, shown
from gradcheck.render.style import without_controls

try:
    import matplotlib as mpl
except ImportError as error:
    raise MissingExtraError("--plot", "matplotlib", "matplotlib") from error
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

R = TypeVar("R")

#: Where the number of a logarithm is on an axis.
Place = Callable[[float | None], float]

#: What differs from matplotlib's own style. Text stays text, in SVG and PDF; ids in an SVG are made from its contents.
STYLE = {
    "font.size": 9, "axes.titlesize": 9, "legend.fontsize": 8, "legend.frameon": False, "lines.linewidth": 1.4,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "hatch.linewidth": 0.6,
    "svg.fonttype": "none", "svg.hashsalt": "gradcheck", "pdf.fonttype": 42,
}  # fmt: skip

#: Ending of a file ↦ what is written into it beside the picture: no date, so that it is the same tomorrow.
METADATA = {
    "svg": {"Date": None, "Creator": "gradcheck"},
    "png": {"Software": "gradcheck"},
    "pdf": {"CreationDate": None, "Creator": "gradcheck", "Producer": None},
}  # fmt: skip

#: Colours that the colour-blind tell apart (Okabe & Ito 2008).
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE, GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#777777",
)  # fmt: skip

#: Of each flag, verdict and finding: a colour, and a hatch by which it is known in grayscale.
LOOKS = {
    "ok": (BLUE, ""), "healthy": (GREEN, ""), "vanishing": (SKY, "///"), "exploding": (RED, "\\\\\\"),
    "collapsed": (ORANGE, "|||"), "dead": (PURPLE, "xxx"), "saturated": (YELLOW, "---"), "nonfinite": (BLACK, "+++"),
    "no-gradient": (PURPLE, "/\\\\"), "not-learning": (ORANGE, "|||"), "error": (GREY, "xx"),
    "learned": (GREEN, ""), "learning": (SKY, "---"), "stuck": (ORANGE, "|||"), "diverged": (RED, "\\\\\\"),
    "stopped": (BLACK, "+++"),
    "loss-rises": (PURPLE, "///"), "loss-jump": (PURPLE, "\\\\\\"), "spikes": (ORANGE, "---"),
    "huge": (RED, "xxx"), "zeros": (PURPLE, "+++"), "not-zeroed": (YELLOW, "///"), "always-clipped": (YELLOW, "|||"),
    "clipped-scaled": (YELLOW, "\\\\\\"), "update-ratio": (ORANGE, "xxx"),
}  # fmt: skip

#: Colour, line and marker of each of several lines, no two alike in grayscale.
LINES = [
    {"color": colour, "linestyle": line, "marker": marker}
    for line, rest in (("-", 0), ("--", 3), (":", 5), ("-.", 1))
    for colour, marker in zip(
        (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK), "osD^vPX"[rest:] + "osD^vPX"[:rest], strict=True
    )
]

#: Logarithms beyond which an axis counts exponents, for a float could not hold the number.
FLOATS = 280.0

#: Decades of a log axis below which 2 and 5 of each have a number too: a power of ten alone gives no scale.
FEW = 2.0

#: Names along an axis at most, and characters of each.
MOST_NAMES, LONGEST_NAME = 30, 30

#: Inches: the width of a figure; and of a character of its titles.
WIDTH, CHARACTER = 7.2, 0.068

#: Lines of each text of a title at most.
MOST_LINES = 2


def as_svg(figure: "ReportFigure") -> str:
    """Return a figure as an SVG element that can stand in a page."""
    text = encoded(figure, "svg").decode()
    return text[text.index("<svg") :]


class ReportFigure(Figure):  # type: ignore[misc]
    """A figure that a notebook shows."""

    def _repr_svg_(self) -> str:
        return as_svg(self)


class Panel(Axes):  # type: ignore[misc]
    """Axes of a figure; a notebook shows the whole figure."""

    def _repr_svg_(self) -> str:
        return as_svg(self.figure)


class Part(NamedTuple):
    """One panel of a figure: what draws a report into its axes, and its height in inches."""

    draw: Callable[[Axes, Any], None]
    height: float


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in our style, whatever the user's own is; theirs is back afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def draw(report: R, parts: Sequence[Part], ax: Axes | None = None, *, sharex: bool = False) -> Axes:
    """Draw a report; the first part into the axes that are given, or all parts into a new figure.

    Parameters
    ----------
    report : report
        What each part is called with.
    parts : sequence of Part
        The first one is what matters most.
    ax : matplotlib Axes, optional
        Where the first part is drawn, in their own style; the other parts are left out.
    sharex : bool
        All parts have one horizontal axis.

    Returns
    -------
    Axes
        Those of the first part; ``ax.figure.axes`` has the others.

    Raises
    ------
    OptionError
        `ax` is something else.
    """
    if ax is not None:
        if not isinstance(ax, Axes):
            raise OptionError("ax", f"{shown(ax)} is no axes of matplotlib; leave it out, or take plt.subplots()[1]")
        parts[0].draw(ax, report)
        return ax
    with house_style():
        heights = [part.height for part in parts]
        figure = ReportFigure(figsize=(WIDTH, sum(heights)), layout="constrained")
        axes = figure.subplots(
            len(parts), squeeze=False, sharex=sharex, height_ratios=heights, subplot_kw={"axes_class": Panel}
        )[:, 0]
        for part, panel in zip(parts, axes, strict=True):
            part.draw(panel, report)
            if sharex:
                panel.label_outer()
    return axes[0]


def encoded(figure: Figure, form: str) -> bytes:
    """Return a figure as the bytes of a file: ``svg``, ``png`` or ``pdf``."""
    file = io.BytesIO()
    with house_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in letters that the font lacks: boxes
        figure.savefig(file, format=form, dpi=200, metadata=METADATA[form])
    return file.getvalue()


def literal(text: str) -> str:
    """Return a name as matplotlib shows it literally: not as a formula, and its control characters not obeyed."""
    plain = without_controls(text)
    return plain.replace("$", r"\$") if mpl.rcParams["text.parse_math"] else plain


def literal_lines(text: str) -> str:
    """Return several lines of text as matplotlib shows them literally."""
    return "\n".join(map(literal, text.split("\n")))


def entitle(ax: Axes, *texts: str) -> None:
    """Write texts above axes, each in lines of its own that are as wide as the axes."""
    room = max(30, int(ax.get_position().width * ax.figure.get_figwidth() / CHARACTER))
    kept = [text.replace(" %", "\u00a0%") for text in texts]  # a number stays with its sign
    lines = [line for text in kept for line in textwrap.wrap(text, room, max_lines=MOST_LINES, placeholder=" …")]
    ax.set_title("\n".join(literal(line.replace("\u00a0%", " %")) for line in lines), loc="left")


def colours(name: str, **extremes: str) -> Any:  # noqa: ANN401
    """Return a map of colours, and those of what is ``under`` it, ``over`` it or no number (``bad``)."""
    return mpl.colormaps[name].with_extremes(**extremes)


def log_axis(ax: Axes, logarithms: Sequence[float | None], which: str = "y") -> Place:
    """Give an axis a log scale around some numbers, and return where the number of a logarithm is on it (nan for none).

    Where floats don't reach, the axis counts exponents, and is labelled as any other.
    """
    finite = [one for one in logarithms if one is not None and math.isfinite(one)] or [0.0]
    margin = max(0.04 * (max(finite) - min(finite)), (1 - max(finite) + min(finite)) / 2)  # a decade at least
    low, high = min(finite) - margin, max(finite) + margin
    axis, limit = getattr(ax, f"{which}axis"), getattr(ax, f"set_{which}lim")
    beyond = max(abs(low), abs(high)) > FLOATS
    if beyond:
        limit(low, high)
        axis.set_major_locator(MaxNLocator(8, integer=True))
        axis.set_major_formatter(lambda exponent, _: rf"$\mathdefault{{10^{{{exponent:.0f}}}}}$")
    else:
        getattr(ax, f"set_{which}scale")("log")
        limit(10.0**low, 10.0**high)
        if high - low < FEW:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(lambda value, _: "")

    def place(logarithm: float | None) -> float:
        if logarithm is None or not math.isfinite(logarithm):
            return math.nan
        return logarithm if beyond else 10.0 ** min(max(logarithm, -300.0), 300.0)

    return place


def whole_numbers(ax: Axes, last: int, first: int = 1) -> None:
    """Let the axis of layers or steps have whole numbers only, from the first to the last."""
    ax.set_xlim(first - 0.5, last + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))


def name_ticks(ax: Axes, names: Sequence[str], which: str = "x", first: float = 1.0) -> None:
    """Write names along an axis, the first at `first`, one unit apart; of many an even sample with both ends."""
    last, every = len(names) - 1, max(1, -(-len(names) // MOST_NAMES))
    shown_ones = [one for one in range(0, last, every) if last - one >= every] + [last][: len(names)]
    cut = [name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}" for name in names]
    texts = [literal(cut[one]) for one in shown_ones]
    getattr(ax, f"set_{which}ticks")([first + one for one in shown_ones], texts)
    if which == "x" and sum(map(len, texts)) > 80:
        ax.tick_params("x", rotation=90)


def mark_edge(ax: Axes, places: Sequence[float], marker: str, label: str, *, top: bool) -> None:
    """Mark what has no place on a log axis, zero or not finite, at the lower or the upper edge."""
    if places:
        ax.plot(
            places, [0.98 if top else 0.02] * len(places), linestyle="", marker=marker, color=BLACK, label=label,
            transform=ax.get_xaxis_transform(), clip_on=False, markersize=5,
        )  # fmt: skip


def shade(ax: Axes, first: float, last: float, name: str, label: str = "") -> None:
    """Shade a region from `first` to `last` in the look of a flag; what is said of it is said once in the legend."""
    colour, hatch = LOOKS[name]
    known = ax.get_legend_handles_labels()[1]
    label = literal(label or name)
    how = {"label": "_" + label if label in known else label, "zorder": 0}
    if first == last:
        ax.axvline(first, color=colour, linewidth=2.5, alpha=0.5, **how)
    else:
        # opaque: of a hatch that shines through, an SVG shows nothing
        ax.axvspan(
            first, last, facecolor=_pale(colour, 0.16), edgecolor=_pale(colour, 0.6), hatch=hatch, linewidth=0, **how
        )


def _pale(colour: str, share: float) -> tuple[float, ...]:
    """Return a colour mixed with so much white that `share` of it is left."""
    return tuple(1 - share * (1 - one) for one in to_rgb(colour))


def threshold(ax: Axes, value: float, label: str, place: int = 0) -> None:
    """Draw a limit as a line across; the second one has other dashes."""
    ax.axhline(value, color=GREY, linestyle=(0, (6, 2) if place == 0 else (2, 2)), linewidth=1, label=label, zorder=1)


def colour_bar(ax: Axes, mesh: Any, label: str, **how: Any) -> None:  # noqa: ANN401
    """Say below axes what the colours of a heat map mean."""
    ax.figure.colorbar(mesh, ax=ax, label=label, location="bottom", aspect=40, shrink=0.7, **how)


def explain_lines(ax: Axes) -> None:
    """Add the legend: beside axes of ours, in the axes that a user gave; none where nothing has a name."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(**({"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if isinstance(ax, Panel) else {}))


def marked(index: int, count: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the look of one of several lines of so many points each: its markers stay apart."""
    return {**LINES[index % len(LINES)], "markersize": 3.5, "markevery": max(1, count // 40), **changes}
