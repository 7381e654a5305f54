"""``gradcheck diagnose``."""

import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated

import typer

from gradcheck.cli import INTERRUPTED
from gradcheck.cli import options as given
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.cli.progress import ShareProgress
from gradcheck.errors import one_of
from gradcheck.logs.findings.finding import FINDING_KINDS, NOTE

if TYPE_CHECKING:
    from gradcheck import LogReport

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.logs.text:as_text",
    "json": JSON,
    "jsonl": "gradcheck.logs.formats:as_jsonl",
    "csv": "gradcheck.logs.formats:as_csv",
    "markdown": "gradcheck.logs.formats:as_markdown",
    "github": "gradcheck.logs.formats:as_github",
}
CAUSES = (*FINDING_KINDS, "any")

LogFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A recorder's file, JSON Lines, CSV, trainer_state.json, a TensorBoard event file or a folder of them; "
        "- reads the standard input.",
    ),
]
MaxNorm = Annotated[
    float | None,
    typer.Option(metavar="C", help="Clipping threshold of the global norm.", show_default="what the log says"),
]
Follow = Annotated[
    bool,
    typer.Option("--follow", "-f", help="Keep watching a growing log; with --fail-on, until one of those is found."),
]
LogFormat = Annotated[
    str, given.named(FORMATS, "Output format; jsonl, csv have a line a finding, github an annotation, ten at most")
]  # fmt: skip
LogFailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND", autocompletion=given.completed(CAUSES),
        help=f"Exit with 1 if this is found (repeatable): {' '.join(CAUSES)} (but mere notes).",
    ),
]  # fmt: skip


def diagnose(
    file: LogFile,
    max_norm: MaxNorm = None,
    follow: Follow = False,
    format: LogFormat = "text",
    json: given.Json = False,
    output: OutputFile = None,
    fail_on: LogFailOn = None,
    quiet: given.Quiet = False,
) -> None:
    """What does the log of a training run show: did its gradients vanish, explode, spike, and where first?

    Reads step, loss and gradient norms, of the whole and layer by layer, under their usual names, and prints the
    verdict, the findings with what to try, and what thresholds of clipping would have done. A healthy run has none.
    """
    name = given.chosen_format(format, json, tuple(FORMATS))
    kinds = [one_of("fail_on", kind, CAUSES) for kind in fail_on or ()]
    check_writable(output)
    from gradcheck.logs.report import checked_max_norm

    report, code = _diagnosed(file, checked_max_norm(max_norm), follow, quiet, lambda one: _fails(one, kinds))
    if report is None:
        raise typer.Exit(code)
    for warning in report.warnings:
        _say(f"warning: {report.config.file}: {warning}", quiet)
    show(report, name, FORMATS, output, quiet=quiet)
    raise typer.Exit(code or (1 if _fails(report, kinds) else 0))


def _diagnosed(
    file: str, max_norm: float | None, follow: bool, quiet: bool, enough: Callable[["LogReport"], bool]
) -> tuple["LogReport | None", int]:
    """Return the report, and the exit code if it was interrupted."""
    if follow:
        from gradcheck.cli.follow import followed

        report, interrupted = followed(file, max_norm, quiet, enough)
        return report, INTERRUPTED if interrupted else 0
    from gradcheck.logs.reading import read_log
    from gradcheck.logs.report import report_on

    with ShareProgress(quiet) as progress:
        progress.what = "read"
        log = read_log(file, tick=progress)
    return report_on(log, file, max_norm), 0


def _say(text: str, quiet: bool) -> None:
    """Say something beside the document."""
    from gradcheck.render.style import without_controls

    if not quiet and sys.stderr is not None:
        print(without_controls(text), file=sys.stderr)  # noqa: T201


def _fails(report: "LogReport", kinds: Collection[str]) -> bool:
    """Whether a finding is of one of the kinds; any of them is any but a note."""
    serious = {one.kind for one in report.findings if one.severity != NOTE}
    found = {one.kind for one in report.findings}
    return bool(found & set(kinds)) or ("any" in kinds and bool(serious))
