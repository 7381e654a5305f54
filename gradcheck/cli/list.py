"""``gradcheck list``."""

from typing import Annotated

import typer

from gradcheck.cli.options import Json, completed
from gradcheck.cli.output import JSON, OutputFile, show
from gradcheck.errors import GradcheckError

#: Format ↦ where it is made.
FORMATS = {"text": "gradcheck.explanations.text.catalogue:as_text", "json": JSON}

LISTS = ("presets", "activations", "inits", "norms")


def list_choices(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=f"What to list: {' '.join(LISTS)}.", autocompletion=completed(LISTS)),
    ] = "presets",
    json: Json = False,
    output: OutputFile = None,
) -> None:
    """List published networks with their sizes, activations, initialisations or norms, each with its source."""
    if kind not in LISTS:
        raise GradcheckError(f"list {kind!r} is unknown; allowed: {', '.join(LISTS)}")
    from gradcheck.explanations.catalogue import catalogue

    show(catalogue(kind), "json" if json else "text", FORMATS, output)
