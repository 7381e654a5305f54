"""The commands, assembled."""

from typing import Annotated

import typer

from gradcheck import __version__
from gradcheck.cli.on_demand import group_of
from gradcheck.cli.output import write

#: The commands in the order of the help: name ↦ where it is.
COMMANDS = {
    "simulate": "gradcheck.cli.simulate:simulate",
    "theory": "gradcheck.cli.theory:theory",
    "compare": "gradcheck.cli.compare:compare",
    "probe": "gradcheck.cli.probe:probe",
    "clip-demo": "gradcheck.cli.clip_demo:clip_demo",
    "diagnose": "gradcheck.cli.diagnose:diagnose",
    "explain": "gradcheck.cli.explain:explain",
    "verify": "gradcheck.cli.verify:verify",
    "list": "gradcheck.cli.list:list_choices",
    "schema": "gradcheck.cli.schema:schema",
}

#: What each is for, in one line of a terminal of 80 columns.
LINES = {
    "simulate": "Does this network's gradient reach its first layer? If not, why?",
    "theory": "What does mean-field theory say, without drawing a weight?",
    "compare": "Which of these networks keep their gradient alive? Ranked.",
    "probe": "The same diagnosis for your own PyTorch model.",
    "clip-demo": "What does each kind of clipping do to a run that explodes?",
    "diagnose": "What went wrong in the log of a training run, and where first?",
    "explain": "What a verdict, a flag or a remedy is, and what to type next.",
    "verify": "Are gradcheck's own gradients right on this machine?",
    "list": "Presets, activations, initialisations, norms, with sources.",
    "schema": "The JSON Schema of a command's --json output.",
}

# Plain help: the decorated one would load rich, and with it more than half of the start-up time.
app = typer.Typer(
    cls=group_of(COMMANDS, LINES),
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
    """Show where a deep network loses its gradient, why, and what fixes it.

    Not torch.autograd.gradcheck, which compares the derivatives of your own functions numerically.
    """
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n", None)
