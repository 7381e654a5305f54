"""Theory as a page for a browser: the answer, the predicted gradient with its band, fixed points, the phase diagram."""

from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.mean_field.report import QUANTITIES, PhaseDiagram, TheoryReport
from gradcheck.mean_field.text import heading, label, sentences
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.pages.columns import Columns, columns_of, log10, rounded, with_band
from gradcheck.pages.page import Axis, Cell, Chart, HeatMap, HtmlPage, Line, Table, tone
from gradcheck.pages.writing import written
from gradcheck.render.style import STYLES

LAYERS = "layers"

#: What the table says of a layer.
CELLS: Columns = {
    "layer": ("whole", lambda layer: layer.index, ""),
    "ratio": ("power", lambda layer: layer.log10_gradient_ratio, "gradient over the last layer's"),
    "± decades": ("number", lambda layer: layer.log10_gradient_ratio_std, "standard deviation at this width"),
    "gain": ("power", lambda layer: layer.log10_local_gain, "gradient over the next layer's"),
    "gain ± decades": ("number", lambda layer: layer.log10_local_gain_std, "standard deviation at this width"),
    "pre-activation": ("number", lambda layer: layer.preactivation_std, "standard deviation"),
}


def as_html(report: TheoryReport) -> str:
    """Return what theory says as one HTML file."""
    word = label(report)
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=word,
        tone=tone(STYLES.get(word, "yellow")),
        reasons=(*sentences(report), *report.notes),
        charts=tuple(_charts(report)),
        tables=tuple(_tables(report)),
        commands=(report.next_command,),
    )
    return written(page)


def _charts(report: TheoryReport) -> Iterator[Chart | HeatMap]:
    if report.layers:
        yield _gradient(report)
        yield _chart(
            report, "Pre-activations", "Standard deviation of what enters each activation", "preactivation_std"
        )
    if report.diagram is not None:
        yield _phases(report, report.diagram)


def _phases(report: TheoryReport, plane: PhaseDiagram) -> HeatMap:
    """Return χ₁ over both scales, with the line where it is 1, and the network's own place."""
    return HeatMap(
        title="Phase diagram",
        about="χ₁, a layer's factor of the squared gradient: below 1 gradients vanish, above 1 they explode",
        x=Axis(label="σ_w", names=tuple(f"{one:.3g}" for one in plane.sigma_w)),
        y=Axis(label="σ_b", names=tuple(f"{one:.3g}" for one in plane.sigma_b)),
        value=Axis(label="χ₁", log=True),
        last=len(plane.sigma_w),
        cells=tuple(tuple(rounded(log10(one)) for one in line) for line in plane.chi),
        lines=tuple(_lines(report, plane)),
    )


def _lines(report: TheoryReport, plane: PhaseDiagram) -> Iterator[Line]:
    """Yield the critical line, a point in each row of cells that it crosses, and the network's point."""
    crossed = [
        (_place(row, 1.0), index + 0.5) for index, row in enumerate(plane.chi) if min(row) < 1 < max(row)
    ]  # χ₁ grows with σ_w
    if crossed:
        x, y = zip(*crossed, strict=True)
        yield Line(name="critical: χ₁ = 1", x=x, y=y)
    if report.config.sigma_w is not None:
        own = _place(plane.sigma_w, report.config.sigma_w), _place(plane.sigma_b, report.config.sigma_b)
        yield Line(name="this network", x=own[:1], y=own[1:], dots=True)


def _place(values: Sequence[float], value: float) -> float:
    """Return where a value is along a row of cells whose middles have these values, in cells from its beginning."""
    places = np.arange(len(values)) + 0.5
    rising = values[0] < values[-1]
    return float(np.interp(value, values if rising else values[::-1], places if rising else places[::-1]))


def _gradient(report: TheoryReport) -> Chart:
    ratios = [layer.log10_gradient_ratio for layer in report.layers]
    y, low, high, said = with_band(ratios, [layer.log10_gradient_ratio_std for layer in report.layers])
    line = Line(name=said, x=_indices(report), y=y, low=low, high=high)
    return Chart(
        title="Predicted gradient", about="Each layer's gradient over that of the last one, on a log scale",
        x=Axis(label="layer"), y=Axis(label="gradient ratio", log=True), lines=(line,), table=LAYERS, group=LAYERS,
        wide=True,
    )  # fmt: skip


def _chart(report: TheoryReport, title: str, about: str, field: str) -> Chart:
    values = tuple(rounded(layer[field]) for layer in report.layers)
    return Chart(
        title=title, about=about, x=Axis(label="layer"), y=Axis(label=title.lower()), table=LAYERS, group=LAYERS,
        lines=(Line(name="theory", x=_indices(report), y=values),), wide=True,
    )  # fmt: skip


def _indices(report: TheoryReport) -> tuple[int, ...]:
    return tuple(layer.index for layer in report.layers)


def _tables(report: TheoryReport) -> Iterator[Table]:
    point: Columns = {
        "quantity": ("text", lambda name: name.replace("_", " "), ""),
        "value": ("number", lambda name: _value(report, name), ""),
        "meaning": ("text", lambda name: _meaning(report, name), ""),
    }
    yield Table(name="fixed point", title="What the layers settle at", columns=columns_of(QUANTITIES, point))
    if report.layers:
        yield Table(name=LAYERS, title="The layers", columns=columns_of(report.layers, CELLS))


def _value(report: TheoryReport, name: str) -> Cell:
    value: float | None = report.fixed_point[name]
    return value if value is not None or _reason(report, name).code != ENDLESS else "infinite"


def _meaning(report: TheoryReport, name: str) -> str:
    """Return what a quantity is, or why theory doesn't know it."""
    known = report.fixed_point[name] is not None
    return QUANTITIES[name] if known else f"{QUANTITIES[name]} ({_reason(report, name)})"


def _reason(report: TheoryReport, name: str) -> Unknown:
    return report.reasons.get(name) or report.reasons["fixed_point"]
