"""A search as a page for a browser: the answer, the runs by rate, their courses, the loss along the first update."""

from collections.abc import Iterator

from gradcheck.learning_rate.cells import heading, label_of, next_command, outcome
from gradcheck.learning_rate.report import RateReport
from gradcheck.pages.columns import Columns, columns_of, rounded, thinned
from gradcheck.pages.page import Axis, Chart, HtmlPage, Line, Span, Table, tone
from gradcheck.pages.writing import written
from gradcheck.render.numbers import log10, significant

#: What the table says of a run.
CELLS: Columns = {
    "seed": ("whole", lambda one: one.seed, "of the draw"),
    "rate": ("number", lambda one: one.rate, "constant over the run"),
    "loss": ("number", lambda one: one.loss, "in the end, the mean of the last two fifths"),
    "updates": ("whole", lambda one: one.updates, "that were looked at"),
}


def _cells(report: RateReport) -> Columns:
    return {**CELLS, "run": ("text", lambda one: outcome(report, one), "how it ended")}


def as_html(report: RateReport) -> str:
    """Return a search as one HTML file."""
    label, colour = label_of(report)
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=label,
        tone=tone(colour),
        reasons=report.verdict.reasons,
        charts=tuple(_charts(report)),
        tables=(Table(name="runs", title="Short runs", columns=columns_of(report.runs, _cells(report))),),
        commands=(next_command(report),),
    )
    return written(page)


def _charts(report: RateReport) -> Iterator[Chart]:
    rate, loss = Axis(label="learning rate", log=True), Axis(label="loss")
    if report.runs:
        yield Chart(
            title="Which rate gets furthest", about="The loss in the end of each short run, by rate", x=rate, y=loss,
            lines=tuple(_by_rate(report)), spans=tuple(_spans(report)), wide=True,
        )  # fmt: skip
        yield Chart(
            title="The runs", about="The loss of each batch, before its update, of the first draw",
            x=Axis(label="update"), y=Axis(label="loss", log=True), lines=tuple(_courses(report)),
        )  # fmt: skip
    along = tuple(_along(report))
    if along:
        yield Chart(
            title="Along the first update", about="The loss of its batch, by rate, up to twice where it began",
            x=rate, y=loss, lines=along,
        )  # fmt: skip


def _by_rate(report: RateReport) -> Iterator[Line]:
    for draw in report.draws:
        runs = [one for one in report.runs if one.seed == draw.seed]
        yield Line(
            name=_name(report, draw.seed),
            x=tuple(rounded(log10(one.rate)) for one in runs),
            y=tuple(rounded(one.loss) for one in runs),
        )


def _name(report: RateReport, seed: int | None) -> str:
    return f"seed {seed}" if len(report.draws) > 1 else "loss"


def _spans(report: RateReport) -> Iterator[Span]:
    if report.answer is not None:
        low, high = log10(report.answer.low) or 0.0, log10(report.answer.high) or 0.0
        yield Span(start=low, end=high, label="band of the best rate", tone="green")


def _courses(report: RateReport) -> Iterator[Line]:
    for one in report.runs:
        if one.seed == report.draws[0].seed:
            x, y = thinned(range(1, one.updates + 1), [log10(loss) for loss in one.losses])
            yield Line(name=f"rate {significant(one.rate)}", x=x, y=y)


def _along(report: RateReport) -> Iterator[Line]:
    for draw in report.draws:
        first = draw.first_loss
        points = [
            (rounded(log10(rate)), rounded(loss))
            for rate, loss in zip(draw.rates, draw.losses, strict=True)
            if loss is not None and first is not None and loss <= first + abs(first)
        ]
        if points and draw.critical_rate is not None:
            x, y = zip(*points, strict=True)
            yield Line(name=_name(report, draw.seed), x=x, y=y)
