"""``gradcheck clip-demo``."""

from typing import TYPE_CHECKING

import typer

from gradcheck.cli import INTERRUPTED, note
from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.progress import CountedProgress
from gradcheck.cli.shown import AS_JSON, FAIL_ON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.spec.options.option import Names
from gradcheck.spec.options.training import ClipDemoOptions

if TYPE_CHECKING:
    from gradcheck import DemoReport
    from gradcheck.spec.clip_rules import Rule
    from gradcheck.training.strategy import Strategy

#: Format ↦ where it is made.
FORMATS = {**formats_of("training"), "json": "gradcheck.training.formats:as_json"}

CLIP_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if a strategy diverged, or had a non-finite gradient (repeatable)",
    range=Names(("diverged", "nonfinite", "any")),
)


@command(ClipDemoOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, CLIP_FAIL_ON, QUIET))
def clip_demo(options: ClipDemoOptions, shown: Shown) -> None:
    """What does each kind of gradient clipping do to a run whose gradients explode?

    Trains one network once per strategy, from the same start on the same batches, and shows side by side what
    clipping did. By default a tanh RNN reads handwritten digits row by row, with recurrent weights that explode.
    """
    settle_threads()
    report, code = _demonstrated(options, shown.quiet)
    if report is not None:
        shown.show(report, FORMATS)
    raise typer.Exit(code or (1 if report and _fails(report, shown.causes) else 0))


def _demonstrated(options: ClipDemoOptions, quiet: bool) -> tuple["DemoReport | None", int]:
    """Train under each strategy; an interrupt keeps what is finished."""
    from gradcheck.training.demonstration import Demonstration

    demonstration = Demonstration.from_options(options)
    for warning in demonstration.warnings:
        note(f"warning: {warning}", quiet)
    finished: list[Strategy] = []
    code = 0
    with CountedProgress(demonstration.steps * len(demonstration.rules), quiet, "steps") as progress:

        def tick(rule: "Rule") -> None:
            progress.what = str(rule)
            progress()

        try:
            for strategy in demonstration.runs(tick):
                finished.append(strategy)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if code:
        from gradcheck.training.cells import interrupted

        note(interrupted(len(finished), len(demonstration.rules)), quiet)
    return demonstration.report(finished) if finished else None, code


def _fails(report: "DemoReport", causes: list[str]) -> bool:
    """Whether a strategy ended as one of the causes says."""
    found = {"diverged" for one in report.strategies if one.diverged}
    found |= {"nonfinite" for one in report.strategies if one.nonfinite_steps}
    return bool(found if "any" in causes else found & set(causes))
