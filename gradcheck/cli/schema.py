"""``gradcheck schema``."""

from typing import Annotated, TypedDict

from gradcheck.cli.options import command
from gradcheck.cli.output import write
from gradcheck.cli.shown import FILE, Shown
from gradcheck.diagnosis.schema import REPORTS
from gradcheck.render.documents import as_json
from gradcheck.spec.options.option import ARGUMENT, Names, Option


class SchemaOptions(TypedDict):
    """Of which command."""

    # fmt: off
    command: Annotated[str, Option(
        "Whose output, baseline being that of --baseline", ARGUMENT, "COMMAND", default="simulate",
        range=Names(tuple(REPORTS)),
    )]
    # fmt: on


@command(SchemaOptions, shown=(FILE,))
def schema(options: SchemaOptions, shown: Shown) -> None:
    """What does each field of a command's --json output mean?

    Prints the JSON Schema that the output validates against.
    """
    from gradcheck import json_schema

    write(as_json(json_schema(options["command"])), shown.output)
