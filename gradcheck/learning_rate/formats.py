"""A search for other programs: CSV with one line a run, Markdown."""

from collections.abc import Iterator

from gradcheck.learning_rate.cells import COLUMNS, heading, label_of, next_command, outcome, told_along
from gradcheck.learning_rate.report import RateReport
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped


def as_csv(report: RateReport) -> str:
    """Return one line a run, without the course of its loss."""
    names = ("seed", "rate", "status", "loss", "updates")
    return records_as_csv([{name: one[name] for name in names} for one in report.runs], names)


def as_markdown(report: RateReport) -> str:
    """Return the search as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RateReport) -> Iterator[str]:
    yield f"**{label_of(report)[0].lower()}** - {escaped(heading(report))}"
    yield ""
    yield from (f"- {escaped(reason)}" for reason in report.verdict.reasons)
    if told_along(report):
        yield f"- {escaped(told_along(report))}"
    if report.runs:
        yield ""
        rows = (
            [str(one.seed), *(escaped(cell(one)) for cell in COLUMNS.values()), escaped(outcome(report, one))]
            for one in report.runs
        )
        yield from markdown_table(["seed", *COLUMNS, "run"], rows, right=["seed", "rate", "loss"])
    yield ""
    yield f"`{next_command(report)}`"
