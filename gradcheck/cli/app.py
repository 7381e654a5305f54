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
    "rate": "gradcheck.cli.rate:rate",
    "clip-demo": "gradcheck.cli.clip_demo:clip_demo",
    "transfer": "gradcheck.cli.transfer:transfer",
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
    "probe": "The same diagnosis for your own PyTorch, Keras or JAX model.",
    "rate": "Which learning rate does this network take?",
    "clip-demo": "What does each kind of clipping do to a run that explodes?",
    "transfer": "Do updates keep their size in width, and so learning rates?",
    "diagnose": "What went wrong in the log of a training run, and where first?",
    "explain": "What a verdict, a flag or a remedy is, and what to type next.",
    "verify": "Are gradcheck's own gradients right on this machine?",
    "list": "Presets, activations, initialisations, norms, with sources.",
    "schema": "The JSON Schema of a command's --json output.",
}

#: Command lines that the help of each starts with; a test runs those that need no file.
EXAMPLES = {
    "simulate": (
        "gradcheck simulate --depth 20 --activation relu --init he",
        "gradcheck simulate --preset gpt2 --max-span 3",
        "gradcheck simulate --depth 50 --json --fail-on any > report.json",
    ),
    "theory": (
        "gradcheck theory --activation relu",
        "gradcheck theory --activation tanh --gain 1.5 --bias-std 0.1",
        "gradcheck theory --activation gelu --json",
        "gradcheck theory --preset gpt2",
    ),
    "compare": (
        "gradcheck compare --activation sigmoid,tanh,relu --init xavier,he",
        "gradcheck compare --depth 10:100:10 --norm none,layer --top 5",
        "gradcheck compare --baseline report.json --fail-on regression",
    ),
    "probe": (
        "gradcheck probe mypackage.models:build --input 8x3x32x32",
        "gradcheck probe train:model --batch train:batch --loss train:loss --steps 50",
        "gradcheck probe train:model --input '4x128:int64<50257' --fail-on any",
    ),
    "rate": (
        "gradcheck rate --depth 10 --activation tanh --init lecun",
        "gradcheck rate --depth 10 --optimizer adam --activation gelu --seeds 5",
        "gradcheck rate --depth 10 --activation tanh --lr 5 --fail-on too-high",
    ),
    "clip-demo": (
        "gradcheck clip-demo",
        "gradcheck clip-demo --clip none --clip global-norm:1.0 --clip suggest",
        "gradcheck clip-demo --network lstm --sequence pixels --epochs 5",
    ),
    "transfer": (
        "gradcheck transfer --width 32,64,128",
        "gradcheck transfer --param standard --width 32,64,128 --fail-on grows",
        "gradcheck transfer --arch transformer --depth 2,4,8 --width 32",
        "gradcheck transfer models:build --width 64,256,1024 --batch models:batch",
    ),
    "diagnose": (
        "gradcheck diagnose run.jsonl",
        "gradcheck diagnose checkpoint-2000/trainer_state.json --fail-on any",
        "gradcheck diagnose --follow run.jsonl",
    ),
    "explain": ("gradcheck explain", "gradcheck explain vanishing", "gradcheck explain chain-rule"),
    "verify": ("gradcheck verify", "gradcheck verify --json"),
    "list": ("gradcheck list presets", "gradcheck list activations --json"),
    "schema": ("gradcheck schema simulate", "gradcheck schema diagnose -o diagnose.schema.json"),
}

#: What is shown where nothing was asked for: the three commands that matter, ready to be typed.
WELCOME = """\
gradcheck: does the gradient survive from the loss to the first layer?

  a network, before it is built   gradcheck simulate --depth 50
  your own PyTorch model          gradcheck probe models:build --input 8x3x32x32
  the log of a training run       gradcheck diagnose run.jsonl

Each says where the gradient is lost, why, and what to type next.
gradcheck --help lists all commands, gradcheck COMMAND --help its options.
"""

# Plain help: the decorated one would load rich, and with it more than half of the start-up time.
app = typer.Typer(
    cls=group_of(COMMANDS, LINES, EXAMPLES),
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
        write(WELCOME, None)
