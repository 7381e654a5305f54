"""``gradcheck verify``."""

import typer

from gradcheck.cli.options import command
from gradcheck.cli.output import formats_of
from gradcheck.cli.shown import AS_JSON, FILE, PLOT, QUIET, Shown, format_of
from gradcheck.engine.threads import settle_threads
from gradcheck.spec.options.checking import VerifyOptions

#: Format ↦ where it is made.
FORMATS = formats_of("checking")


@command(VerifyOptions, shown=(format_of(FORMATS), AS_JSON, FILE, PLOT, QUIET))
def verify(options: VerifyOptions, shown: Shown) -> None:
    """Are gradcheck's own gradients right on this machine?

    Holds the pullbacks of every activation, norm, linear map, loss, recurrent cell, attention, and of whole small
    networks, against central differences, and prints the table of errors. The limit is 1e-6; with --dtype float32 it
    is 1e-4, for those pullbacks round more. Exits with 1 if a check fails.

    Not torch.autograd.gradcheck: it checks gradcheck's engine, not functions of your own.
    """
    settle_threads()
    from gradcheck import verify as verification

    found = verification(**options)
    shown.show(found, FORMATS)
    raise typer.Exit(0 if found.passed else 1)
