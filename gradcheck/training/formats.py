"""A demonstration for other programs: JSON with every step, CSV and Markdown with one line a strategy."""

import re
from collections.abc import Iterator

from gradcheck.render.documents import as_json as indented
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped
from gradcheck.training.cells import COLUMNS, heading, interrupted
from gradcheck.training.report import DemoReport

SERIES = re.compile(r'"series": {[^}]*}')


def as_json(report: DemoReport) -> str:
    """Return the demonstration as a JSON document; each series is on one line."""
    return SERIES.sub(lambda found: re.sub(r"\[[^]]*\]", _on_a_line, found[0]), indented(report))


def _on_a_line(found: re.Match[str]) -> str:
    return " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]")


def as_csv(report: DemoReport) -> str:
    """Return one line a strategy, without the series."""
    return records_as_csv(
        [{name: value for name, value in one.items() if name != "series"} for one in report.strategies]
    )


def as_markdown(report: DemoReport) -> str:
    """Return the demonstration as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: DemoReport) -> Iterator[str]:
    status = report.verdict.status if report.verdict else "interrupted"
    yield f"**{status}** - {escaped(heading(report))}"
    yield ""
    if report.verdict:
        yield from (f"- {escaped(reason)}" for reason in report.verdict.reasons)
    yield from (f"- {escaped(text)}" for text in (report.suggestion, *report.warnings) if text)
    if not report.complete:
        yield f"- {interrupted(len(report.strategies), len(report.config.clip))}"
    yield ""
    rows = ([escaped(cell(one)) for cell in COLUMNS.values()] for one in report.strategies)
    yield from markdown_table(COLUMNS, rows, right=list(COLUMNS)[1:])
    yield ""
    yield from (f"- {escaped(one.rule)}: {escaped(one.conclusion)}" for one in report.strategies)
