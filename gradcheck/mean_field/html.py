"""Theory as a page for a browser: the answer, the predicted gradient with its band, fixed points, the phase diagram."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.mean_field.report import (
    OF_NETWORKS,
    QUANTITIES,
    AttentionDiagram,
    PhaseDiagram,
    TheoryLayer,
    TheoryReport,
)
from gradcheck.mean_field.text import colour, heading, label, next_commands, sentences, unit
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.pages.columns import Columns, columns_of, rounded, with_band
from gradcheck.pages.page import Axis, Cell, Chart, HeatMap, HtmlPage, Line, Table, tone
from gradcheck.pages.writing import written
from gradcheck.render.numbers import log10

LAYERS = "layers"

#: What the table says of a layer.
CELLS: Columns = {
    "layer": ("whole", lambda layer: layer.index, ""),
    "flow point": ("text", lambda layer: layer.name, "of which block"),
    "ratio": ("power", lambda layer: layer.log10_gradient_ratio, "gradient over the last layer's"),
    "± decades": ("number", lambda layer: layer.log10_gradient_ratio_std, "standard deviation at this width"),
    "gain": ("power", lambda layer: layer.log10_local_gain, "gradient over the next layer's"),
    "gain ± decades": ("number", lambda layer: layer.log10_local_gain_std, "standard deviation at this width"),
    "pre-activation": (
        "number",
        lambda layer: layer.preactivation_std,
        "standard deviation; at a flow point of what is added, or of the stream",
    ),
    "tokens' cosine": ("number", lambda layer: layer.token_cosine, "mean cosine of two tokens"),
    "scores": ("number", lambda layer: layer.score_std, "standard deviation of a token's attention scores"),
    "attended": ("number", lambda layer: layer.attended, "tokens among which a head shares its weight"),
}

#: Charts of layers: title, what it shows, the field, and whether its scale is that of logarithms.
OF_LAYERS = (("Pre-activations", "Standard deviation of what enters each activation", "preactivation_std", False),)

#: Those of a transformer.
OF_BLOCKS = (
    (
        "Stream and branches",
        "Standard deviation of what a branch adds, and of the residual stream",
        "preactivation_std",
        True,
    ),
    ("Likeness of tokens", "Mean cosine of two tokens: at 1 they can't be told apart", "token_cosine", False),
    ("Attention", "Tokens among which a head shares its weight", "attended", False),
)


def as_html(report: TheoryReport) -> str:
    """Return what theory says as one HTML file."""
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=label(report),
        tone=tone(colour(report)),
        reasons=(*sentences(report), *report.notes),
        charts=tuple(_charts(report)),
        tables=tuple(_tables(report)),
        commands=tuple(next_commands(report)),
    )
    return written(page)


def _charts(report: TheoryReport) -> Iterator[Chart | HeatMap]:
    if report.layers:
        yield _gradient(report)
        yield from (_chart(report, *one) for one in (OF_BLOCKS if report.points else OF_LAYERS))
    if report.attention_diagram is not None:
        yield _of_attention(report.attention_diagram)
    if report.phase_diagram is not None:
        yield _phases(report, report.phase_diagram)


def _of_attention(plane: AttentionDiagram) -> HeatMap:
    """Return how alike tokens become over both scales, with the networks in it."""
    places = (
        (one.name, _place([*map(math.log, plane.score_std)], math.log(one.score_std)),
         _place([*map(math.log, plane.residual_scale)], math.log(one.residual_scale)))
        for one in plane.networks
    )  # fmt: skip
    peaked = [(_place([-one for one in row], -2.0), index + 0.5) for index, row in enumerate(plane.attended)]
    border = Line(
        name="a head looks at fewer than 2 tokens, right of it",
        x=tuple(x for x, _ in peaked),
        y=tuple(y for _, y in peaked),
    )
    return HeatMap(
        title="Attention and branches",
        about="Mean cosine of two tokens after the last block: near 1 they can't be told apart",
        x=Axis(label="standard deviation of scores", names=tuple(f"{one:.2g}" for one in plane.score_std)),
        y=Axis(label="scale of a branch", names=tuple(f"{one:.2g}" for one in plane.residual_scale)),
        value=Axis(label="mean cosine"),
        last=len(plane.score_std),
        cells=tuple(tuple(rounded(one) for one in line) for line in plane.token_cosine),
        lines=(border, *(Line(name=name, x=(x,), y=(y,), dots=True) for name, x, y in places)),
    )


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
    return Chart(
        title="Predicted gradient", about=f"Each {unit(report)}'s gradient over that of the last one, on a log scale",
        x=_axis(report), y=Axis(label="gradient ratio", log=True), lines=tuple(_ratios(report)), table=LAYERS,
        group=LAYERS, wide=True,
    )  # fmt: skip


def _ratios(report: TheoryReport) -> Iterator[Line]:
    """Yield the predicted gradient with its band, of a transformer for each flow point of its blocks."""
    for point, layers in _parts(report):
        ratios = [layer.log10_gradient_ratio for layer in layers]
        y, low, high, said = with_band(ratios, [layer.log10_gradient_ratio_std for layer in layers])
        yield Line(name=point or said, x=tuple(layer.index for layer in layers), y=y, low=low, high=high)


def _parts(report: TheoryReport) -> Iterator[tuple[str, Sequence[TheoryLayer]]]:
    """Yield the layers that one line joins, and the flow point that they are."""
    if not report.points:
        yield "", report.layers
    for place, point in enumerate(report.points):
        yield point, report.layers[place :: len(report.points)]


def _axis(report: TheoryReport) -> Axis:
    if not report.points:
        return Axis(label=unit(report))
    return Axis(label="flow point", names=tuple(str(layer.name) for layer in report.layers))


def _chart(report: TheoryReport, title: str, about: str, field: str, log: bool) -> Chart:
    """Return a chart of what is known of layers, or of flow points, a line for each."""
    lines = (
        Line(
            name=point or "theory",
            x=tuple(layer.index for layer in layers),
            y=tuple(rounded(log10(layer.get(field)) if log else layer.get(field)) for layer in layers),
        )
        for point, layers in _parts(report)
        if layers[0].get(field) is not None
    )
    return Chart(
        title=title, about=about, x=_axis(report), y=Axis(label=title.lower(), log=log), lines=tuple(lines),
        table=LAYERS, group=LAYERS, wide=True,
    )  # fmt: skip


def _tables(report: TheoryReport) -> Iterator[Table]:
    if report.points:
        whole: Columns = {
            "quantity": ("text", lambda name: name.replace("_", " "), ""),
            "value": ("number", lambda name: report.network.get(name), ""),
            "meaning": ("text", lambda name: OF_NETWORKS[name], ""),
        }
        yield Table(name="network", title="The whole network", columns=columns_of(OF_NETWORKS, whole))
        yield Table(name=LAYERS, title="The flow points", columns=columns_of(report.layers, CELLS))
        return
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
