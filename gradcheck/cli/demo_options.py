"""The options of clip-demo alone. Loads no NumPy."""

from pathlib import Path
from typing import Annotated

import typer

from gradcheck.cli.options import completed, named
from gradcheck.spec import ACTIVATIONS, INITIALIZERS, NORMS
from gradcheck.spec.clip_rules import CHOICES
from gradcheck.spec.demonstration import SEQUENCES, TRAINED
from gradcheck.spec.training import POLICIES

DEMO_CAUSES = ("diverged", "nonfinite", "any")

Network = Annotated[
    str,
    typer.Option(
        "--network", "--arch", metavar="NAME", autocompletion=completed(TRAINED),
        help=f"What is trained: {' '.join(TRAINED)}.",
    ),
]  # fmt: skip
Clip = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE[:THRESHOLD]", autocompletion=completed(CHOICES), show_default="none, and one of each",
        help=f"A strategy (repeatable), as in global-norm:1.0: {' '.join(CHOICES)}.",
    ),
]  # fmt: skip
Lr = Annotated[float, typer.Option("--lr", metavar="RATE", help="Learning rate of SGD.")]
Momentum = Annotated[float, typer.Option(metavar="M", help="Momentum of SGD.")]
Epochs = Annotated[int, typer.Option(metavar="N", help="Passes over the data.")]
Nonfinite = Annotated[str, named(POLICIES, "What becomes of a step whose gradient is not finite")]
Sequence = Annotated[
    str | None,
    named(tuple(SEQUENCES), "How rnn, lstm, gru read the digits, a row or a pixel at a time", show_default="rows"),
]
DemoSteps = Annotated[
    int | None,
    typer.Option(
        metavar="N", show_default="8 of the digits, else one a number",
        help="Time steps of rnn, lstm, gru: an example is cut into so many equal pieces.",
    ),
]  # fmt: skip
DemoWidth = Annotated[
    str | None,
    typer.Option(
        metavar="N[,N...]", show_default="64; 128 of an mlp",
        help="Units of a hidden layer; a comma list gives each layer its own.",
    ),
]  # fmt: skip
DemoInit = Annotated[str | None, named(INITIALIZERS, "Initialisation", show_default="orthogonal; xavier of an mlp")]
DemoRecurrentGain = Annotated[
    float | None,
    typer.Option(
        metavar="G", show_default="5, which explodes",
        help="Multiplies the recurrent weights of rnn, lstm, gru once more.",
    ),
]  # fmt: skip
DemoBatchSize = Annotated[int, typer.Option(metavar="N", help="Examples in a step.")]
DemoNorm = Annotated[str, named(NORMS, "Normalisation between linear map and activation")]
DemoActivation = Annotated[str | None, named(ACTIVATIONS, "Activation", show_default="sigmoid; tanh of an rnn")]
DemoResidual = Annotated[bool, typer.Option(help="Skip connections from the second hidden layer on.")]
DemoResidualScale = Annotated[float, typer.Option(metavar="A", help="Scale of what stands beside the skip connection.")]
DemoData = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="digits, gaussian, or a .npy, .npz (x, y) or .csv file.")
]
DemoShuffle = Annotated[bool, typer.Option(help="Draw each epoch's order by the seed, or keep the data's.")]
DemoWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Start from your own weights (.npz, .safetensors).")
]
DemoSeed = Annotated[int, typer.Option(metavar="N", help="Of the weights and the batches.")]
DemoFailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=completed(DEMO_CAUSES),
        help="Exit with 1 if a strategy diverged, or had a non-finite gradient (repeatable): diverged nonfinite any.",
    ),
]  # fmt: skip
