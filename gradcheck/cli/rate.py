"""``gradcheck rate``."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer

from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.progress import Progress
from gradcheck.cli.shown import AS_JSON, FAIL_ON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.spec.options.learning_rate import RateOptions
from gradcheck.spec.options.option import Names

if TYPE_CHECKING:
    from gradcheck.learning_rate.report import RateReport

#: Format ↦ where it is made.
FORMATS = formats_of("learning_rate")

#: What a gate may ask for.
CAUSES = ("too-high", "too-low", "no-rate", "any")

RATE_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if --lr is too high or too low, or no rate helps, --lr included (repeatable)", range=Names(CAUSES)
)


@command(RateOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, RATE_FAIL_ON, QUIET))
def rate(options: RateOptions, shown: Shown) -> None:
    """Which learning rate does this network take?

    Searches along the first update how far it can go before the loss rises, and from there, by a few short runs, which
    rate gets furthest; says which rate trains best, from where on training fails, and how long to warm up.
    """
    settle_threads()
    from gradcheck import rate as searched

    with Progress(shown.quiet) as progress:
        report = searched(**options, tick=lambda: progress.show(None, "short runs"))
    shown.show(report, FORMATS)
    raise typer.Exit(1 if shown.causes and _fails(report, shown.causes) else 0)


def _fails(report: "RateReport", causes: Collection[str]) -> bool:
    """Whether a gate of these causes is shut: a rate to judge fits nowhere where no rate helps."""
    status = report.verdict.status
    judged = report.config.lr is not None and not any(one.code == "falls" for one in report.verdict.causes)
    return status in causes or ("any" in causes and status in CAUSES) or (status == "no-rate" and judged)
