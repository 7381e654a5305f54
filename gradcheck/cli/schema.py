"""``gradcheck schema``."""

from typing import Annotated

import typer

from gradcheck.cli.output import OutputFile, write
from gradcheck.render.documents import as_json


def schema(
    command: Annotated[
        str,
        typer.Argument(metavar="COMMAND", help="One of simulate, probe, clip-demo, theory, verify, diagnose."),
    ] = "simulate",
    output: OutputFile = None,
) -> None:
    """Print the JSON Schema that a command's --json output validates against."""
    from gradcheck import json_schema

    write(as_json(json_schema(command)), output)
