"""A transfer report as a page for a browser: the verdict, the slopes as a map, size against width for every layer."""

from collections.abc import Iterator

from gradcheck.pages.columns import Columns, columns_of, rounded
from gradcheck.pages.page import Axis, Chart, HeatMap, HtmlPage, Line, Note, Table, tone
from gradcheck.pages.writing import written
from gradcheck.parametrization.cells import LABELS, TITLES, heading, notes, rows_of
from gradcheck.parametrization.next_step import diverges, next_command
from gradcheck.parametrization.report import TransferLayer, TransferReport
from gradcheck.render.numbers import log10

#: What the table says of a layer's quantity.
CELLS: Columns = {
    "layer": ("text", lambda one: one.layer, ""),
    "quantity": ("text", lambda one: TITLES[one.quantity], ""),
    "course": ("text", lambda one: one.course, "how it follows the width, or the depth"),
    "since": ("whole", lambda one: one.since, "the first step at which it grows or shrinks"),
    "slope": ("number", lambda one: one.slope, "of log size, at the first step with a fault, else at the last"),
    "error": ("number", lambda one: one.slope_error, "standard error over seeds"),
}


def as_html(report: TransferReport) -> str:
    """Return a report as one HTML file."""
    verdict = report.verdict
    label, colour = LABELS[verdict.status]
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=label,
        tone=tone(colour),
        reasons=(*verdict.reasons, verdict.learning_rate, *notes(report)),
        charts=tuple(_charts(report)),
        notes_title="What to change",
        notes=tuple(
            Note(label=cause.code, tone=tone(colour), heading=cause.advice, text=cause.text)
            for cause in verdict.causes
            if cause.advice
        ),
        tables=(Table(name="layers", title="The layers", columns=columns_of(report.layers, CELLS)),),
        commands=(next_command(report),),
    )
    return written(page)


def _charts(report: TransferReport) -> Iterator[Chart | HeatMap]:
    if diverges(report) and report.losses:
        yield _loss(report)
    yield _slopes(report)
    for row in rows_of(report):
        if "change" in row.quantities:
            yield _layer(report, row.quantities["change"])
    if report.losses and not diverges(report):
        yield _loss(report)


def _loss(report: TransferReport) -> Chart:
    """Return the loss at each scale, on a log scale where training diverges."""
    log = diverges(report) and all(loss is None or loss > 0 for one in report.losses for loss in one.losses)
    return Chart(
        title="Loss", about="Of the batch, before each step and after the last one, the mean over seeds",
        x=Axis(label="step"), y=Axis(label="loss", log=log),
        lines=tuple(
            Line(
                name=f"{report.axis} {one.scale:,}", x=tuple(range(len(one.losses))),
                y=tuple(rounded(log10(loss) if log else loss) for loss in one.losses),
            )
            for one in report.losses
        ),
    )  # fmt: skip


def _slopes(report: TransferReport) -> HeatMap:
    """Return the slopes of all layers at every step."""
    rows = rows_of(report)
    steps = list(dict.fromkeys((one.quantity, step) for one in report.layers for step in one.steps))
    names = [TITLES[name] if name == "start" else f"{TITLES[name]}, step {step}" for name, step in steps]
    return HeatMap(
        title="Slopes",
        about=f"Slope of log size against log {report.axis}: 0 keeps its size",
        x=Axis(label="quantity and step", names=tuple(names)),
        y=Axis(label="layer", names=tuple(row.layer for row in rows)),
        value=Axis(label="slope"),
        last=len(steps),
        cells=tuple(tuple(_at(row.quantities.get(name), step) for name, step in steps) for row in rows),
    )


def _at(one: TransferLayer | None, step: int) -> float | None:
    return None if one is None or step not in one.steps else rounded(one.slopes[one.steps.index(step)])


def _layer(report: TransferReport, one: TransferLayer) -> Chart:
    """Return how far a layer's output has moved after each step, against the width."""
    x = tuple(rounded(log10(scale)) for scale in report.scales)
    return Chart(
        title=f"Change of {one.layer}", about=f"How far its output has moved since initialisation: {one.course}",
        x=Axis(label=report.axis, log=True), y=Axis(label="root mean square", log=True), group="layers",
        lines=tuple(
            Line(name=f"step {step}", x=x, y=tuple(rounded(log10(size)) for size in sizes))
            for step, sizes in zip(one.steps, one.sizes, strict=True)
        ),
    )  # fmt: skip
