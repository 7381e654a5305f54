"""The options that only ``probe`` has. Loads neither NumPy nor PyTorch."""

from typing import Annotated

import typer

from gradcheck.cli.options import named
from gradcheck.spec.probing import LOSS_SCALES, MODES, OPTIMIZERS

PROBE_FORMATS = ("text", "json", "csv", "markdown", "github", "junit")

Target = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="module:attribute, from the current folder: a model, or what returns one."),
]
Kwargs = Annotated[
    str | None, typer.Option(metavar="JSON", help="Keyword arguments of a callable TARGET: '{\"depth\": 50}'.")
]
Input = Annotated[
    list[str] | None,
    typer.Option(metavar="SHAPE", help="A random input (repeatable): 8x3x32x32, of whole numbers '4x128:int64<50257'."),
]
BatchOption = Annotated[
    str | None,
    typer.Option(
        metavar="module:function", help="A function that returns (inputs, targets); of --steps called for each."
    ),
]
LossOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", show_default="by the output",
        help="cross-entropy, mean-square, or module:function of (output, targets).",
    ),
]  # fmt: skip
Mode = Annotated[str, named(MODES, "The model's mode")]
AmpOption = Annotated[
    str | None,
    named(
        tuple(LOSS_SCALES),
        f"Run under autocast, fp16 with a loss scale of {2 ** LOSS_SCALES['fp16']:,}, and say where the gradient "
        "underflows",
    ),
]
TrainingSteps = Annotated[
    int, typer.Option("--steps", metavar="N", help="Take N steps of training, and diagnose behind each.")
]
OptimizerOption = Annotated[str, named(OPTIMIZERS, "What takes the steps")]
Rate = Annotated[float, typer.Option(metavar="R", help="Its learning rate.")]
ProbeSeed = Annotated[int, typer.Option(metavar="N", help="Seed of weights, inputs and targets that are drawn.")]
ProbeFormat = Annotated[str, named(PROBE_FORMATS, "Output format; github annotates a workflow, junit is a test report")]
