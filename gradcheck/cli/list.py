"""``gradcheck list``."""

from typing import Annotated

import typer

from gradcheck.cli.options import Json, completed
from gradcheck.cli.output import OutputFile, write
from gradcheck.errors import GradcheckError

KINDS = ("presets", "activations", "inits", "norms")


def list_choices(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=f"What to list: {' '.join(KINDS)}.", autocompletion=completed(KINDS)),
    ] = "presets",
    json: Json = False,
    output: OutputFile = None,
) -> None:
    """List published networks with their sizes, activations, initialisations or norms, each with its source."""
    if kind not in KINDS:
        raise GradcheckError(f"list {kind!r} is unknown; allowed: {', '.join(KINDS)}")
    from gradcheck.explanations.catalogue import catalogue

    entries = catalogue(kind)
    if json:
        from json import dumps

        write(dumps(entries, indent=2, allow_nan=False) + "\n", output)
        return
    from gradcheck.cli.terminal import terminal
    from gradcheck.explanations.text.catalogue import catalogue_as_text

    write(catalogue_as_text(entries, terminal(output)), output)
