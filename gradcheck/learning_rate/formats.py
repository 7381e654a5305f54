"""A search for other programs: CSV with one line an update, Markdown."""

from collections.abc import Iterator

from gradcheck.learning_rate.cells import ALONG, COLUMNS, headline, label_of, next_command, sample
from gradcheck.learning_rate.report import RateReport
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped


def as_csv(report: RateReport) -> str:
    """Return one line an update, without the points of its search."""
    left_out = ("rates", "losses")
    return records_as_csv(
        [{name: value for name, value in one.items() if name not in left_out} for one in report.updates]
    )


def as_markdown(report: RateReport) -> str:
    """Return the search as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RateReport) -> Iterator[str]:
    yield f"**{label_of(report)[0].lower()}** - {escaped(headline(report))}"
    yield ""
    yield from (f"- {escaped(reason)}" for reason in report.verdict.reasons)
    if report.along:
        yield ""
        yield from markdown_table(ALONG, ([cell(one) for cell in ALONG.values()] for one in report.along), list(ALONG))
    yield ""
    first = report.updates[0].seed
    updates = sample([one for one in report.updates if one.seed == first])
    yield from markdown_table(COLUMNS, ([cell(one) for cell in COLUMNS.values()] for one in updates), list(COLUMNS))
    yield ""
    yield f"`{next_command(report)}`"
