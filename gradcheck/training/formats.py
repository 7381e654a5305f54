"""A demonstration for other programs: JSON with every step, CSV and Markdown with one line a strategy."""

import json
from collections.abc import Iterator

from gradcheck.render.style import escaped, without_controls
from gradcheck.render.tables import records_as_csv
from gradcheck.training.cells import COLUMNS, headline, interrupted
from gradcheck.training.report import DemoReport


def demo_as_json(report: DemoReport) -> str:
    """Return the demonstration as a JSON document; the series stand on a line each."""
    document = report.to_dict()
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def demo_as_csv(report: DemoReport) -> str:
    """Return one line a strategy, without the series."""
    return records_as_csv(
        [{name: value for name, value in one.items() if name != "series"} for one in report.strategies]
    )


def demo_as_markdown(report: DemoReport) -> str:
    """Return the demonstration as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: DemoReport) -> Iterator[str]:
    status = report.verdict.status if report.verdict else "interrupted"
    yield f"**{status}** - {escaped(without_controls(headline(report)))}"
    yield ""
    if report.verdict:
        yield from (f"- {escaped(reason)}" for reason in report.verdict.reasons)
    yield from (f"- {escaped(text)}" for text in (report.suggestion, *report.warnings) if text)
    if not report.complete:
        yield f"- {interrupted(len(report.strategies), len(report.config.clip))}"
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- |" + " ---: |" * (len(COLUMNS) - 1)
    for one in report.strategies:
        yield f"| {' | '.join(escaped(cell(one)) for cell in COLUMNS.values())} |"
    yield ""
    yield from (f"- {escaped(one.rule)}: {escaped(one.conclusion)}" for one in report.strategies)
