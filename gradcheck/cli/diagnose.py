"""``gradcheck diagnose``."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypedDict

import typer

from gradcheck.cli import INTERRUPTED, note
from gradcheck.cli.options import command
from gradcheck.cli.output import JSON
from gradcheck.cli.progress import ShareProgress
from gradcheck.cli.shown import AS_JSON, FAIL_ON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.errors import OptionError
from gradcheck.logs.findings.finding import FINDING_KINDS, HARMLESS, NOTE
from gradcheck.spec.options.option import ARGUMENT, Names, Option

if TYPE_CHECKING:
    from gradcheck import LogReport

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.logs.text:as_text",
    "json": JSON,
    "jsonl": "gradcheck.logs.formats:as_jsonl",
    "csv": "gradcheck.logs.formats:as_csv",
    "markdown": "gradcheck.logs.formats:as_markdown",
    "html": "gradcheck.logs.html:as_html",
    "github": "gradcheck.logs.formats:as_github",
    "junit": "gradcheck.logs.formats:as_junit",
}
CAUSES = (*FINDING_KINDS, "any")

LOG_FORMAT = format_of(
    FORMATS, "Output format; jsonl, csv have a line a finding, github an annotation, ten at most, junit a test"
)
LOG_FAIL_ON = FAIL_ON.but(
    help=f"Exit with 1 if this is found in any run (repeatable): {' '.join(CAUSES)} (but mere notes).",
    metavar="KIND",
    range=Names(CAUSES),
)

READING = "Reading"


class LogOptions(TypedDict):
    """Which log, and how it is read."""

    # fmt: off
    file: Annotated[str, Option(
        "A recorder's file, JSON Lines, CSV, what a training prints, trainer_state.json, a TensorBoard event file, or "
        "a folder of runs; - reads the standard input.", ARGUMENT, "FILE", default=...,
    )]
    against: Annotated[str | None, Option(
        "Another log: from which step on do the two part, and in what first?", ARGUMENT, "OTHER",
    )]
    max_norm: Annotated[float | None, Option(
        "Clipping threshold of the global norm.", READING, "C", usual="what the log says",
    )]
    columns: Annotated[list[str] | None, Option(
        "Which column is what (repeatable), as in loss=train/nll, grad_norm=gnorm, step=updates.", READING,
        "QUANTITY=NAME", usual="known by their names", flags=("--column",),
    )]
    follow: Annotated[bool, Option(
        "Keep watching a growing log, or wait for it; with --fail-on, until its last run has one of those.", READING,
        default=False,
        flags=("--follow", "-f"),
    )]
    # fmt: on


class Asked(NamedTuple):
    """Which log is diagnosed, and what is said of it beside."""

    file: str
    max_norm: float | None
    columns: Mapping[str, str]
    against: str | None = None


@command(LogOptions, shown=(LOG_FORMAT, AS_JSON, FILE, PLOT, LOG_FAIL_ON, QUIET))
def diagnose(log: LogOptions, shown: Shown) -> None:
    """What does the log of a training run show: did its gradients vanish, explode, spike, and where first?

    Reads step, loss and gradient norms, of the whole and layer by layer, known by the words of their names, and prints
    the verdict, the findings with what to try, and what thresholds of clipping would have done. A healthy run has none.
    """
    from gradcheck.logs.columns import asked_columns
    from gradcheck.logs.report import checked_max_norm

    _check_logs_kept(shown.output, log["file"], log["against"])
    enough = partial(_fails, kinds=shown.causes)
    asked = Asked(log["file"], checked_max_norm(log["max_norm"]), asked_columns(log["columns"] or ()), log["against"])
    report, code = _diagnosed(asked, log["follow"], shown.quiet, enough)
    if report is None:
        raise typer.Exit(code)
    for warning in report.warnings:
        note(f"warning: {report.config.file}: {warning}", shown.quiet)
    shown.show(report, FORMATS)
    failed = _fails(report, shown.causes) or (not log["follow"] and _another_fails(report, shown.causes))
    raise typer.Exit(code or (1 if failed else 0))


def _check_logs_kept(output: Path | None, *logs: str | None) -> None:
    """Raise an OptionError where the result would be written over a log that is read."""
    for log in logs:
        if output is not None and log is not None and output.is_file() and output.resolve() == Path(log).resolve():
            raise OptionError("output", f"{output} is the log that is read, which would be lost: name another file")


def _diagnosed(
    asked: Asked, follow: bool, quiet: bool, enough: Callable[["LogReport"], bool]
) -> tuple["LogReport | None", int]:
    """Return the report, and the exit code if it was interrupted."""
    if follow and asked.against is not None:
        raise OptionError("follow", "watches one log; leave the other one out")
    if follow:
        from gradcheck.cli.follow import followed

        report, interrupted = followed(asked[:3], quiet, enough)
        return report, INTERRUPTED if interrupted else 0
    from gradcheck.logs.reading import read_log
    from gradcheck.logs.report import held_against, report_on

    with ShareProgress(quiet) as progress:
        progress.what = "read"
        log = read_log(asked.file, tick=progress, columns=asked.columns)
    other = None if asked.against is None else held_against(log, asked.against, asked.columns)
    return report_on(log, asked.file, asked.max_norm, asked.columns, other), 0


def _another_fails(report: "LogReport", kinds: Collection[str]) -> bool:
    """Whether another run of the same log or folder has a finding of one of the kinds."""
    serious = any(run.status not in HARMLESS for run in report.runs)
    return ("any" in kinds and serious) or any(set(run.kinds) & set(kinds) for run in report.runs)


def _fails(report: "LogReport", kinds: Collection[str]) -> bool:
    """Whether a finding of the run that is judged is of one of the kinds; any of them is any but a note."""
    serious = {one.kind for one in report.findings if one.severity != NOTE}
    found = {one.kind for one in report.findings}
    return bool(found & set(kinds)) or ("any" in kinds and bool(serious))
