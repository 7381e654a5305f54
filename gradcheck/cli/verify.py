"""``gradcheck verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradcheck.cli import options as given
from gradcheck.cli.output import OutputFile, check_writable, silenced, write
from gradcheck.engine.threads import settle_threads

if TYPE_CHECKING:
    from gradcheck import Verification

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
    if not silenced(quiet, name, output):
        write(_rendered(found, name, output), output)
    raise typer.Exit(0 if found.passed else 1)


def _rendered(found: "Verification", name: str, output: Path | None) -> str:
    """Return the document; only what the format needs is imported."""
    if name == "text":
        from gradcheck.checking.text import verification_as_text
        from gradcheck.cli.terminal import terminal

        return verification_as_text(found, terminal(output))
    from gradcheck.checking import formats

    by_name = {
        "json": formats.verification_as_json,
        "csv": formats.verification_as_csv,
        "markdown": formats.verification_as_markdown,
    }
    return by_name[name](found)
