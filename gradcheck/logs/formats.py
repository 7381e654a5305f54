"""The diagnosis of a log for other programs: one line a finding, Markdown, annotations of a workflow, a test report."""

from collections.abc import Iterator
from itertools import chain, islice
from xml.etree import ElementTree

from gradcheck.base.wording import as_percent
from gradcheck.logs.findings.finding import ERROR, FINDING_KINDS, HARMLESS, NOTE, WARNING
from gradcheck.logs.findings.phrases import step_text
from gradcheck.logs.report import LogFinding, LogReport
from gradcheck.logs.text import heading, label, where
from gradcheck.logs.what_was_read import LogRun, numbered
from gradcheck.render.documents import json_line, markdown_table, records_as_csv
from gradcheck.render.junit import case, suite
from gradcheck.render.numbers import significant
from gradcheck.render.style import escaped, without_controls
from gradcheck.render.workflow import MOST, annotation

#: Severity ↦ its name in GitHub Actions.
ANNOTATIONS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}

#: Columns of CSV.
CELLS = ("kind", "severity", "first_step", "last_step", "layer", "message")


def as_jsonl(report: LogReport) -> str:
    """Return one finding a line; a healthy run has none."""
    return "".join(map(json_line, report.findings))


def as_csv(report: LogReport) -> str:
    """Return one finding a line below a header; a healthy run has the header only."""
    return records_as_csv([{name: finding[name] for name in CELLS} for finding in report.findings], CELLS)


def as_markdown(report: LogReport) -> str:
    """Return the diagnosis as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: LogReport) -> Iterator[str]:
    yield f"**{label(report)}** - {escaped(heading(report))}"
    yield ""
    yield f"- {escaped(where(report))}"
    if report.against:
        yield f"- against {escaped(report.against.file)}: {escaped(report.against.message)}"
    yield from (f"- warning: {escaped(warning)}" for warning in report.warnings)
    if report.findings:
        yield ""
        yield from markdown_table(
            ("finding", f"{numbered(report.log)}s", "first layer", "what", "try"), map(_cells, report.findings)
        )
    if report.thresholds:
        yield ""
        clips = "clips" if report.thresholds[0].until_step is None else "clips of all"
        header = ("percentile of the norm", "as threshold", clips, "rate left")
        rows = (
            (f"{one.percentile:g}", significant(one.norm, 3), as_percent(one.clipped_fraction), as_percent(one.kept))
            for one in report.thresholds
        )
        yield from markdown_table(header, rows, right=header)


def _cells(finding: LogFinding) -> Iterator[str]:
    steps = f"{step_text(finding.first_step)} to {step_text(finding.last_step)}"
    return map(escaped, (finding.kind, steps, finding.layer or "", finding.message, finding.advice[0]))


def as_github(report: LogReport) -> str:
    """Return workflow commands of GitHub Actions: the ten most severe findings, then other runs that are no better."""
    others = (run for run in report.runs[:-1] if run.status not in HARMLESS)
    lines = chain(
        (_annotation(report.config.file, one, numbered(report.log, one.first_step)) for one in report.findings),
        (_of_run(report.config.file, run) for run in others),
    )
    return "".join(islice(lines, MOST))


def _of_run(file: str, run: LogRun) -> str:
    level = ANNOTATIONS[FINDING_KINDS[run.status].severity]
    return annotation(level, run.status, f"{run.name}: {run.message}", file) + "\n"


def _annotation(file: str, finding: LogFinding, by: str) -> str:
    first = f", layer {finding.layer}" if finding.layer else ""
    text = f"from {by} {step_text(finding.first_step)}{first}: {finding.message}; try: {finding.advice[0]}"
    return annotation(ANNOTATIONS[finding.severity], finding.kind, text, file) + "\n"


def as_junit(report: LogReport) -> str:
    """Return a test report: the verdict, each finding and each other run is a test; a note fails none."""
    return suite(report.command, list(_cases(report)))


def _cases(report: LogReport) -> Iterator[ElementTree.Element]:
    subject, status = without_controls(report.config.file), report.verdict.status
    yield case(subject, "verdict", "" if status in HARMLESS else status, "\n".join(report.verdict.reasons))
    for one in report.findings:
        yield case(subject, one.kind, "" if one.severity == NOTE else one.kind, one.message)
    for run in report.runs[:-1]:
        yield case(subject, run.name, "" if run.status in HARMLESS else run.status, run.message or "")
