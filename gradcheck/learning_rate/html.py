"""A search as a page for a browser: the answer, the critical rates, the loss along the updates, the table."""

from collections.abc import Iterator

from gradcheck.learning_rate.cells import headline, label_of, next_command
from gradcheck.learning_rate.report import RateReport, RateUpdate
from gradcheck.pages.columns import Columns, columns_of, log10, rounded
from gradcheck.pages.page import Axis, Chart, HtmlPage, Limit, Line, Table, tone
from gradcheck.pages.writing import written

#: Updates whose losses are drawn at most: those of the first draw, the last ones.
MOST = 20

#: What the table says of an update.
CELLS: Columns = {
    "seed": ("whole", lambda one: one.seed, "of the draw"),
    "update": ("whole", lambda one: one.update, ""),
    "loss": ("number", lambda one: one.loss, "of the batch, before the update"),
    "search": ("text", lambda one: one.status, "how it ended"),
    "critical rate": ("number", lambda one: one.critical_rate, "below it the loss hasn't risen"),
    "least at": ("number", lambda one: one.least_rate, "the rate of the least loss among those looked at"),
    "loss there": ("number", lambda one: one.least_loss, ""),
    "made at": ("number", lambda one: one.rate, "the rate of the update, half of the critical one"),
    "passes": ("whole", lambda one: one.passes, "forward passes of the search"),
}

#: And of a rate.
ALONG: Columns = {
    "rate": ("number", lambda one: one.rate, ""),
    "loss changes": ("share", lambda one: one.change, "share by which it changes, the median of the updates"),
    "rises along": ("share", lambda one: one.risen, "share of the updates along which the loss rises"),
}


def as_html(report: RateReport) -> str:
    """Return a search as one HTML file."""
    label, colour = label_of(report)
    tables = [Table(name="updates", title="Updates", columns=columns_of(report.updates, CELLS))]
    if report.along:
        tables.insert(0, Table(name="along", title="The loss by rate", columns=columns_of(report.along, ALONG)))
    page = HtmlPage(
        command=report.command,
        heading=headline(report),
        label=label,
        tone=tone(colour),
        reasons=report.verdict.reasons,
        charts=tuple(_charts(report)),
        tables=tuple(tables),
        commands=(next_command(report),),
    )
    return written(page)


def _charts(report: RateReport) -> Iterator[Chart]:
    rate = Axis(label="rate", log=True)
    if any(one.critical_rate for one in report.updates):
        yield Chart(
            title="Critical rate", about="Of each update: the rate from which on the loss of its batch rises",
            x=Axis(label="update"), y=rate, lines=tuple(_courses(report)), limits=tuple(_limits(report)), wide=True,
        )  # fmt: skip
    lines = tuple(_loss_lines(report))
    if lines:
        yield Chart(
            title="The loss along the updates", about="Its change over the loss before, by rate, of the last updates",
            x=rate, y=Axis(label="change of the loss"), lines=lines, wide=True,
        )  # fmt: skip


def _courses(report: RateReport) -> Iterator[Line]:
    for draw in report.draws:
        updates = [one for one in report.updates if one.seed == draw.seed]
        name = "critical rate" if len(report.draws) == 1 else f"seed {draw.seed}"
        yield Line(
            name=name,
            x=tuple(one.update for one in updates),
            y=tuple(rounded(log10(one.critical_rate)) for one in updates),
        )


def _limits(report: RateReport) -> Iterator[Limit]:
    if report.answer is not None:
        for name, rate in (("best", report.answer.best_rate), ("ceiling", report.answer.ceiling)):
            yield Limit(value=rounded(log10(rate)) or 0.0, label=name)


def _loss_lines(report: RateReport) -> Iterator[Line]:
    """Yield the losses of the last updates by rate, up to where they have risen as far as they had fallen."""
    first = [one for one in report.updates if one.seed == report.updates[0].seed and one.critical_rate]
    for one in first[-MOST:]:
        points = list(_points(one))
        if len(points) > 1:
            x, y = zip(*points, strict=True)
            yield Line(name=f"update {one.update}", x=tuple(map(rounded, x)), y=tuple(map(rounded, y)))


def _points(update: RateUpdate) -> Iterator[tuple[float | None, float]]:
    start, least = update.loss, update.least_loss
    if start and least is not None:
        for rate, loss in zip(update.rates, update.losses, strict=True):
            if loss is not None and loss <= 2 * start - least:
                yield log10(rate), (loss - start) / abs(start)
