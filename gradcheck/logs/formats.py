"""The diagnosis of a log for other programs: JSON, a line a finding, Markdown, annotations of a workflow."""

import json
from collections.abc import Iterator

from gradcheck.logs.findings.finding import ERROR, NOTE, WARNING
from gradcheck.logs.findings.sentences import step_text
from gradcheck.logs.report import LogFinding, LogReport
from gradcheck.logs.text import headline, share, where
from gradcheck.render.numbers import significant
from gradcheck.render.style import escaped, without_controls
from gradcheck.render.tables import records_as_csv

#: Annotations that a step of a workflow shows.
MOST_ANNOTATIONS = 10

#: What the weights are called there.
ANNOTATIONS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}

#: Columns of CSV.
CELLS = ("kind", "severity", "first_step", "last_step", "layer", "message")


def log_as_json(report: LogReport) -> str:
    """Return the diagnosis as a JSON document."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"


def log_as_jsonl(report: LogReport) -> str:
    """Return one finding a line; a healthy run has none."""
    return "".join(finding_line(finding) for finding in report.findings)


def finding_line(finding: LogFinding) -> str:
    """Return a finding as a line of JSON."""
    return json.dumps(finding.to_dict(), allow_nan=False) + "\n"


def log_as_csv(report: LogReport) -> str:
    """Return one finding a line below a header; a healthy run has the header only."""
    rows = [{name: finding[name] for name in CELLS} for finding in report.findings]
    return records_as_csv(rows) if rows else ",".join(CELLS) + "\n"


def log_as_markdown(report: LogReport) -> str:
    """Return the diagnosis as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: LogReport) -> Iterator[str]:
    yield f"**{report.verdict.status}** - {_safe(headline(report))}"
    yield ""
    yield f"- {_safe(where(report))}"
    yield from (f"- warning: {_safe(warning)}" for warning in report.warnings)
    if report.findings:
        yield ""
        yield "| finding | steps | first layer | what | try |"
        yield "| --- | --- | --- | --- | --- |"
    for one in report.findings:
        steps = f"{step_text(one.first_step)} to {step_text(one.last_step)}"
        cells = (one.kind, steps, one.layer or "", one.message, one.advice[0])
        yield f"| {' | '.join(_safe(cell) for cell in cells)} |"
    if report.thresholds:
        yield ""
        yield "| percentile of the norm | as threshold | clips | rate left |"
        yield "| ---: | ---: | ---: | ---: |"
    for limit in report.thresholds:
        shares = f"{share(limit.clipped_fraction)} | {share(limit.kept)}"
        yield f"| {limit.percentile:g} | {significant(limit.norm, 3)} | {shares} |"


def _safe(text: str) -> str:
    return escaped(without_controls(text))


def log_as_annotations(report: LogReport) -> str:
    """Return workflow commands of GitHub Actions, one a finding, the weightiest ten."""
    return "".join(_annotation(report.config.file, one) for one in report.findings[:MOST_ANNOTATIONS])


def _annotation(file: str, finding: LogFinding) -> str:
    """Return one command; what would end it or a property of it is written as the runner decodes it."""
    first = f", layer {finding.layer}" if finding.layer else ""
    text = f"from step {step_text(finding.first_step)}{first}: {finding.message}; try: {finding.advice[0]}"
    head = f"::{ANNOTATIONS[finding.severity]} file={_property(file)},title={_property('gradcheck ' + finding.kind)}::"
    return f"{head}{_data(text)}\n"


def _data(text: str) -> str:
    return without_controls(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
