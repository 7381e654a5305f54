"""The commands, assembled."""

from typing import Annotated

import typer

from gradcheck import __version__
from gradcheck.cli.clip_demo import clip_demo
from gradcheck.cli.compare import compare
from gradcheck.cli.explain import explain
from gradcheck.cli.list import list_choices
from gradcheck.cli.output import write
from gradcheck.cli.probe import probe
from gradcheck.cli.schema import schema
from gradcheck.cli.simulate import simulate

# Plain help: the decorated one would load rich, and with it more than half of the start-up time.
app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        write(f"gradcheck {__version__}\n", None)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def gradcheck(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Show where a deep network loses its gradient, why, and what brings it back.

    Not torch.autograd.gradcheck, which compares derivatives numerically.
    """
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n", None)


app.command()(simulate)
app.command()(compare)
app.command()(probe)
app.command()(clip_demo)
app.command()(explain)
app.command("list")(list_choices)
app.command()(schema)
