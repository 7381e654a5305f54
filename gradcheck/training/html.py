"""A demonstration as a page for a browser: the verdict, loss and norms of all runs, a conclusion for each."""

from collections.abc import Iterator, Sequence

from gradcheck.pages.columns import Columns, columns_of, thinned
from gradcheck.pages.page import Axis, Chart, HtmlPage, Line, Note, Table, tone, tone_of
from gradcheck.pages.writing import written
from gradcheck.render.numbers import log10
from gradcheck.training.cells import heading
from gradcheck.training.report import DemoReport
from gradcheck.training.text import label_of, next_command, reasons

#: Series that are drawn: field, title, what it shows.
SERIES = (
    ("loss", "Loss", "Of the batch, before each step, on a log scale"),
    ("gradient_norm", "Gradient norm", "Global norm before clipping, on a log scale"),
    ("clipped_norm", "Gradient norm after clipping", "What is left of it, on a log scale"),
    ("threshold", "Threshold", "The limit that the rule applied, on a log scale"),
)

#: Points of all courses together.
POINTS = 24_000

#: What the table says of a strategy.
CELLS: Columns = {
    "strategy": ("text", lambda one: one.rule, ""),
    "status": ("flag", lambda one: one.status, ""),
    "accuracy": ("share", lambda one: one.final_accuracy, "share of all examples, after the last step"),
    "loss": ("number", lambda one: one.final_loss, "mean over all examples, after the last step"),
    "diverged at": ("whole", lambda one: one.diverged_at_step, "the first step beyond the limit for good"),
    "largest norm": ("number", lambda one: one.largest_norm_before, "before clipping"),
    "clipped to": ("number", lambda one: one.largest_norm_after, "largest norm after clipping"),
    "clipped": ("share", lambda one: one.clipped_fraction, "share of the steps in which the rule acted"),
    "cosine": ("number", lambda one: one.mean_cosine, "between clipped and raw gradient, mean over tensors"),
    "global cosine": ("number", lambda one: one.mean_global_cosine, "the same with all tensors as one vector"),
    "rate lost": ("share", lambda one: one.learning_rate_lost, "the part of the learning rate that clipping takes"),
    "non-finite": ("whole", lambda one: one.nonfinite_steps, "steps whose gradient was not finite"),
    "steps": ("whole", lambda one: one.steps, ""),
}


def as_html(report: DemoReport) -> str:
    """Return a demonstration as one HTML file."""
    verdict = report.verdict
    label, colour = ("no strategy finished", "yellow") if verdict is None else label_of(report, verdict)
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=label,
        tone=tone(colour),
        reasons=() if verdict is None else tuple(reasons(report, verdict)),
        warnings=report.warnings,
        charts=tuple(_charts(report)),
        notes_title="Each strategy",
        notes=tuple(
            Note(label=one.status, tone=tone_of(one.status), heading=one.rule, text=one.conclusion)
            for one in report.strategies
        ),
        tables=(Table(name="strategies", title="Side by side", columns=columns_of(report.strategies, CELLS)),),
        commands=(next_command(report),),
    )
    return written(page)


def _charts(report: DemoReport) -> Iterator[Chart]:
    most = POINTS // (len(SERIES) * max(1, len(report.strategies)))
    for field, title, about in SERIES:
        lines = tuple(_line(one.rule, one.series[field], most) for one in report.strategies)
        if any(value is not None for line in lines for value in line.y):
            yield Chart(
                title=title, about=about, x=Axis(label="step"), y=Axis(label=title.lower(), log=True), lines=lines,
                group="steps", wide=field == "loss",
            )  # fmt: skip


def _line(name: str, values: Sequence[float | None], most: int) -> Line:
    """Return a run's course; each run has its line in every chart, so that it has one colour in all."""
    x, y = thinned(range(1, len(values) + 1), [log10(value) for value in values], most)
    return Line(name=name, x=x, y=y)
