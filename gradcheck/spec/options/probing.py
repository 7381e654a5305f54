"""The options of ``probe``."""

from collections.abc import Sequence
from typing import Annotated

from gradcheck.spec.number_formats import NUMBER_FORMAT, USUAL_RATE
from gradcheck.spec.options.measurement import OF_DRAWS, VERDICT, VerdictOptions
from gradcheck.spec.options.option import OUTPUT, Names, Option, Whole, beginning
from gradcheck.spec.probing import FRAMEWORKS, LOSS_SCALES, MODES, OPTIMIZERS

MODEL, STEPS = "Model", "Steps"


class ProbeOptions(VerdictOptions, total=False):
    """The options of ``probe``."""

    # fmt: off
    framework: Annotated[str, Option(
        "What the model is made with", MODEL, "NAME", default="torch", range=Names(FRAMEWORKS),
    )]
    kwargs: Annotated[str | None, Option(
        "Keyword arguments of a callable TARGET: '{\"depth\": 50}'.", MODEL, "JSON",
    )]
    input: Annotated[Sequence[str] | None, Option(
        "A random input (repeatable): 8x3x32x32, of whole numbers '4x128:int64<50257'.", MODEL, "SHAPE",
    )]
    batch: Annotated[str | None, Option(
        "A function that returns (inputs, targets), or a DataLoader; of --steps the next batch for each.", MODEL,
        "module:function",
    )]
    loss: Annotated[str | None, Option(
        "cross-entropy, mean-square, or module:function of (output, targets).", MODEL, "NAME",
        usual="by the output", completion=beginning("cross-entropy", "mean-square"),
    )]
    mode: Annotated[str, Option("The model's mode", MODEL, "NAME", default="train", range=Names(MODES))]
    amp: Annotated[str | None, Option(
        f"Run under autocast, fp16 with a loss scale of {2 ** LOSS_SCALES['fp16']:,}, and say where the gradient "
        "underflows", MODEL, "NAME",
        range=Names(tuple(LOSS_SCALES)),
    )]
    number_format: Annotated[str | Sequence[str] | None, NUMBER_FORMAT]
    steps: Annotated[int, Option("Take N steps of training, and diagnose after each.", STEPS, "N", default=0)]
    optimizer: Annotated[str, Option(
        f"What takes them: {' '.join(OPTIMIZERS)}, or module:function of the parameters.", STEPS, "NAME",
        default="sgd", range=Names(OPTIMIZERS),
    )]
    lr: Annotated[float, Option(
        "Learning rate of an optimizer by name, and of --number-format.", STEPS, "R", default=USUAL_RATE,
    )]
    optimizer_options: Annotated[Sequence[str] | None, Option(
        "What else it takes (repeatable): eps=1e-4, betas=0.9,0.95.", STEPS, "NAME=VALUE",
        flags=("--optimizer-option",),
    )]
    warmup: Annotated[int, Option("Let the rate rise linearly over the first N steps.", STEPS, "N", default=0)]
    clip: Annotated[str | None, Option(
        "Clip the gradient before each step: value:C, norm:C (of each tensor) or global-norm:C.", STEPS,
        "RULE:THRESHOLD", completion=beginning("value", "norm", "global-norm"),
    )]
    rate: Annotated[bool, Option(
        "Search the learning rate that the model takes with --optimizer, by short runs from where it is.", STEPS,
        default=False,
    )]
    rate_updates: Annotated[int | None, Option(
        "Updates of each of the runs of --rate.", STEPS, "N", usual="100 to 8, the fewer the more a pass costs",
        range=Whole(5, "fewer updates don't tell rates apart; 100 say most"),
    )]
    seed: Annotated[int, Option(
        "Seed of weights, inputs and targets that are drawn.", OF_DRAWS["seed"].group, "N", default=0,
        range=Whole(0, "it seeds the random numbers"),
    )]
    trial: Annotated[bool, Option(
        "Train a model that looks ill for up to 360 steps on its batch before it is accused.", VERDICT,
        default=True,
    )]
    suggest: Annotated[bool | None, Option(
        "Try changes that may fix an ill model, of --steps other rates, a warm-up, clipping; show their PyTorch code.",
        OUTPUT, default=False, usual="in text; changes of the model where a pass takes a moment",
    )]
    # fmt: on
