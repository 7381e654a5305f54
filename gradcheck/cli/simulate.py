"""``gradcheck simulate``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.progress import ShareProgress
from gradcheck.cli.shown import (
    ALL_LAYERS,
    AS_JSON,
    CAUSES,
    FAIL_ON,
    FILE,
    FOR_PEOPLE,
    MODEL_CAUSES,
    PLOT,
    QUIET,
    SATURATED,
    Shown,
    format_of,
)
from gradcheck.diagnosis.label import is_doubtful
from gradcheck.diagnosis.remarks import ANY_DOUBT, ASKED_FOR, BY_NAME, REMARKS
from gradcheck.engine.threads import settle_threads
from gradcheck.errors import OptionError
from gradcheck.spec.options.option import Names
from gradcheck.spec.options.simulation import SimulateOptions

if TYPE_CHECKING:
    from gradcheck import Report

#: Format ↦ where it is made.
FORMATS = {
    **formats_of("diagnosis"),
    "github": "gradcheck.diagnosis.ci:as_github",
    "junit": "gradcheck.diagnosis.ci:as_junit",
}

#: What a trial finds, and nothing else that simulate does.
STUCK = "not-learning"

SIMULATE_FAIL_ON = FAIL_ON.but(
    help=f"Exit with 1 if the verdict or a layer's flag is this, or of --trial: {STUCK} (repeatable)",
    range=Names((*CAUSES[:-1], STUCK, "any", SATURATED)),
)

REPORT_FORMAT = format_of(FORMATS, "Output format; github annotates a workflow, junit is a test report")


@command(SimulateOptions, shown=(REPORT_FORMAT, AS_JSON, FILE, PLOT, SIMULATE_FAIL_ON, ALL_LAYERS, QUIET))
def simulate(options: SimulateOptions, shown: Shown) -> None:
    """Does this network's gradient survive from the last layer to the first, before any training?

    Passes one batch forward and its gradient back through a network at initialisation (or with your own
    --weights), and prints the verdict, where the gradient is lost, and what would fix it.
    """
    if STUCK in shown.causes and not options["trial"]:
        raise OptionError("fail_on", f"{STUCK} is what training shows: add --trial, or take another cause")
    settle_threads()
    from gradcheck import simulate as simulation

    if shown.format not in FOR_PEOPLE or shown.silent:
        options["suggest"] = bool(options["suggest"])
    with ShareProgress(shown.quiet) as tick:
        report = simulation(**options, tick=tick)
    shown.show(report, FORMATS, **shown.layers)
    raise typer.Exit(1 if fails(report, shown.causes) else 0)


def fails(report: "Report", causes: Iterable[str]) -> bool:
    """Whether the verdict, a layer's flag, what decided, or what a trial found is one of the causes."""
    found: set[str] = {report.verdict.status, *(layer.flag for layer in report.layers)}
    codes = {cause.code for cause in report.verdict.causes}
    found |= codes & {*ASKED_FOR, *BY_NAME}
    found |= {REMARKS} if codes & {*ASKED_FOR} else set()
    found |= {ANY_DOUBT} if is_doubtful(report.verdict.status, codes) else set()
    if report.trial is not None and report.trial.learns is False:
        found.add(STUCK)
    wanted = {*causes, *(MODEL_CAUSES if "any" in causes else ())}
    return bool(found & wanted)
