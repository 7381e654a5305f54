"""``gradcheck transfer``."""

from typing import TYPE_CHECKING

import typer

from gradcheck.cli.options import command
from gradcheck.cli.output import JSON
from gradcheck.cli.progress import CountedProgress
from gradcheck.cli.shown import AS_JSON, FAIL_ON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.spec.options.option import Names
from gradcheck.spec.options.transfer import TransferOptions

if TYPE_CHECKING:
    from gradcheck import TransferReport

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.parametrization.text:as_text",
    "json": JSON,
    "csv": "gradcheck.parametrization.formats:as_csv",
    "markdown": "gradcheck.parametrization.formats:as_markdown",
    "html": "gradcheck.parametrization.html:as_html",
}

TRANSFER_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if the verdict, or a layer's course, is this (repeatable)",
    range=Names(("grows", "shrinks", "unclear", "any")),
)


@command(TransferOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, TRANSFER_FAIL_ON, QUIET))
def transfer(options: TransferOptions, shown: Shown) -> None:
    """Do activations, updates and logits keep their size as the network becomes wider, or deeper?

    Trains networks of several widths (or depths) for a few steps in one parametrisation, and says as which power of the
    width each layer's output, its change and what its own weights gain grow. Where all keep their size, as in mup, a
    learning rate that was tuned on a narrow network holds on a wide one.
    """
    settle_threads()
    from gradcheck import transfer as compared
    from gradcheck.spec.transfer import transfer_specs

    spec, _ = transfer_specs(options)
    networks = len(spec.scales) * spec.seeds
    with CountedProgress(networks, shown.quiet, "networks") as progress:
        report = compared(**options, tick=progress)
    shown.show(report, FORMATS)
    raise typer.Exit(1 if _fails(report, shown.causes) else 0)


def _fails(report: "TransferReport", causes: list[str]) -> bool:
    """Whether the verdict, or a layer, is what one of the causes says."""
    found = {report.verdict.status, *(one.course for one in report.layers)} & {"grows", "shrinks", "unclear"}
    return bool(found if "any" in causes else found & set(causes))
