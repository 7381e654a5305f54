"""``gradcheck schema``."""

from typing import Annotated, TypedDict

from gradcheck.cli.options import command
from gradcheck.cli.output import write
from gradcheck.cli.shown import FILE, Shown
from gradcheck.render.documents import as_json
from gradcheck.spec.options.option import ARGUMENT, Option


class SchemaOptions(TypedDict):
    """Of which command."""

    # fmt: off
    command: Annotated[str, Option(
        "One of simulate, probe, compare, clip-demo, theory, verify, diagnose.", ARGUMENT, "COMMAND",
        default="simulate",
    )]
    # fmt: on


@command(SchemaOptions, shown=(FILE,))
def schema(options: SchemaOptions, shown: Shown) -> None:
    """Print the JSON Schema that a command's --json output validates against."""
    from gradcheck import json_schema

    write(as_json(json_schema(options["command"])), shown.output)
