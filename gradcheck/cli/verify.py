"""``gradcheck verify``."""

from typing import Annotated

import typer

from gradcheck.cli import options as given
from gradcheck.cli.output import JSON, OutputFile, check_writable, show
from gradcheck.engine.threads import settle_threads

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.checking.text:as_text",
    "json": JSON,
    "csv": "gradcheck.checking.formats:as_csv",
    "markdown": "gradcheck.checking.formats:as_markdown",
}

Only = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Run the checks of this name or kind alone (repeatable).", show_default="all"),
]
VerifySeed = Annotated[int, typer.Option(metavar="N", help="Seed of the random inputs and directions.")]


def verify(
    only: Only = None,
    seed: VerifySeed = 0,
    dtype: given.Dtype = "float64",
    format: given.Format = "text",
    json: given.Json = False,
    output: OutputFile = None,
    quiet: given.Quiet = False,
) -> None:
    """Are gradcheck's own gradients right on this machine?

    Holds the pullbacks of every activation, norm, linear map, loss, recurrent cell, attention, and of whole small
    networks, against central differences, and prints the table of errors. The limit is 1e-6; with --dtype float32 it
    is 1e-4, for those pullbacks round more. Exits with 1 if a check fails.

    Not torch.autograd.gradcheck: it checks gradcheck's engine, not functions of your own.
    """
    name = given.chosen_format(format, json, given.FORMATS)
    check_writable(output)
    settle_threads()
    from gradcheck import verify as verification

    found = verification(seed=seed, dtype=dtype, only=only or ())
    show(found, name, FORMATS, output, quiet=quiet)
    raise typer.Exit(0 if found.passed else 1)
