"""The options that commands share: one annotated type each. Loads no NumPy."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from gradcheck.clip_rules import CHOICES
from gradcheck.demo_options import SEQUENCES
from gradcheck.errors import OptionError, one_of
from gradcheck.spec import ACTIVATIONS, ARCHITECTURES, DTYPES, INITIALIZERS, LAYERS, NORMS
from gradcheck.thresholds import Thresholds
from gradcheck.training_spec import POLICIES

#: The limits of what is healthy, by the names of their options.
LIMITS = tuple(field.name for field in fields(Thresholds))


def _one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a completion of the names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def _named(names: tuple[str, ...], meaning: str, **more: Any) -> Any:  # noqa: ANN401
    """Return an option whose value is one of the names."""
    return typer.Option(metavar="NAME", help=f"{meaning}: {' '.join(names)}.", autocompletion=_one_of(names), **more)


def parse_width(text: str | None) -> int | tuple[int, ...] | None:
    """Return one width, or of a comma list the width of each layer."""
    if text is None:
        return None
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        problem = f"{text!r} is not a whole number, nor a comma list of them (128, or 256,128,64)"
        raise OptionError("width", problem) from None
    return widths if "," in text else widths[0]


Arch = Annotated[str, _named(ARCHITECTURES, "Kind of network")]
Depth = Annotated[
    int | None, typer.Option(metavar="N", help="Hidden layers; the read-out comes on top.", show_default="50")
]
Steps = Annotated[
    int | None,
    typer.Option(
        metavar="N", show_default="one a number",
        help="Time steps of rnn, lstm, gru: an example is cut into so many equal pieces.",
    ),
]  # fmt: skip
Width = Annotated[
    str | None,
    typer.Option(
        metavar="N[,N...]", show_default="128",
        help="Units of a hidden layer; a comma list gives each layer its own.",
    ),
]  # fmt: skip
Activation = Annotated[str | None, _named(ACTIVATIONS, "Activation", show_default="sigmoid; tanh of an rnn")]
Init = Annotated[str | None, _named(INITIALIZERS, "Initialisation", show_default="xavier")]
Gain = Annotated[
    float | None,
    typer.Option(metavar="G", help="Multiplies the initial standard deviation.", show_default="1"),
]
RecurrentGain = Annotated[
    float | None,
    typer.Option(metavar="G", help="Multiplies the recurrent weights of rnn, lstm, gru once more.", show_default="1"),
]
ForgetBias = Annotated[
    float | None,
    typer.Option(
        metavar="B", show_default="1 of an lstm, 0 of a gru",
        help="Initial bias of the gate that keeps the memory.",
    ),
]  # fmt: skip
WeightStd = Annotated[float | None, typer.Option(metavar="S", help="Standard deviation of --init normal and uniform.")]
BiasStd = Annotated[
    float | None,
    typer.Option(metavar="S", help="Standard deviation of the initial biases.", show_default="0"),
]
Norm = Annotated[str, _named(NORMS, "Normalisation between linear map and activation")]
Residual = Annotated[bool, typer.Option(help="Skip connections from the second hidden layer on.")]
ResidualScale = Annotated[float, typer.Option(metavar="A", help="Scale of what stands beside the skip connection.")]
Data = Annotated[str, typer.Option(metavar="NAME|FILE", help="digits, gaussian, or a .npy, .npz (x, y) or .csv file.")]
Labels = Annotated[bool, typer.Option(help="The last column of a .csv file holds the labels.")]
BatchSize = Annotated[int, typer.Option(metavar="N", help="Examples in the one forward and backward pass.")]
Shuffle = Annotated[bool, typer.Option(help="Take the examples after a shuffle by the seed, or the first ones.")]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your own weights (.npz, .safetensors) in place of depth, width and init."),
]
SaveWeights = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the drawn weights there as .npz.")]
Layers = Annotated[str, _named(LAYERS, "How random layers are represented")]
Seed = Annotated[int, typer.Option(metavar="N", help="First seed.")]
Seeds = Annotated[int, typer.Option(metavar="R", help="Independent draws; numbers become means with their extremes.")]
Dtype = Annotated[str, _named(DTYPES, "Arithmetic")]
VanishBelow = Annotated[
    float, typer.Option(metavar="R", help="A layer vanishes where its gradient ratio is below this.")
]
ExplodeAbove = Annotated[
    float, typer.Option(metavar="R", help="A layer explodes where its gradient ratio is above this.")
]
MaxSpan = Annotated[float, typer.Option(metavar="DECADES", help="Largest healthy gradient span of the whole network.")]
MinRank = Annotated[float, typer.Option(metavar="R", help="Smallest healthy effective rank behind the last layer.")]
DeadAbove = Annotated[
    float, typer.Option(metavar="F", help="A layer is dead where more than this share of its units is.")
]
SaturatedAbove = Annotated[
    float,
    typer.Option(metavar="F", help="A layer is saturated where more than this share of its entries is."),
]

FORMATS = ("text", "json", "csv", "markdown")
CAUSES = ("vanishing", "exploding", "collapsed", "dead", "nonfinite", "any")

Format = Annotated[str, _named(FORMATS, "Output format")]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=_one_of(CAUSES),
        help=f"Exit with 1 if the verdict or a layer's flag is this (repeatable): {' '.join(CAUSES)}.",
    ),
]  # fmt: skip
Suggest = Annotated[
    bool | None,
    typer.Option(
        "--suggest/--no-suggest",
        help="Simulate single changes that may bring it back.",
        show_default="in text",
    ),
]
AllLayers = Annotated[bool, typer.Option("--all-layers", help="Show every layer of a deep network in the text.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Silence all but errors; the result goes to --output, if given.")
]

COMPARE_FORMATS = ("text", "json", "jsonl", "csv", "markdown")
COMPARE_CAUSES = (*CAUSES, "regression")
ORDERS = ("score", "span", "gain", "rank", "grid")

CompareFormat = Annotated[str, _named(COMPARE_FORMATS, "Output format; jsonl prints each row as it finishes")]
CompareFailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=_one_of(COMPARE_CAUSES),
        help=f"Exit with 1 if a row's verdict or flag is this (repeatable): {' '.join(COMPARE_CAUSES)}.",
    ),
]  # fmt: skip
AnyHealthy = Annotated[bool, typer.Option("--any-healthy", help="Exit with 1 if no combination is healthy.")]
CompareSeeds = Annotated[
    int | None, typer.Option(metavar="R", help="Draws of each combination.", show_default="3; the baseline's")
]
Sort = Annotated[str, _named(ORDERS, "What the rows are ranked by")]
Top = Annotated[
    int | None, typer.Option(metavar="N", help="Show the best N rows.", show_default="20 in text, else all")
]
GroupBy = Annotated[
    str | None, typer.Option(metavar="OPTION", help="One line for each of its values: median and worst.")
]
WorkersOption = Annotated[int | None, typer.Option(metavar="N", help="Processes.", show_default="the cores")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run on the Dask cluster of this scheduler: tcp://host:8786.")
]
JournalFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep each finished row there; started again, compute only what is missing."),
]
MaxRows = Annotated[int, typer.Option(metavar="N", help="Refuse a larger grid.")]
Baseline = Annotated[Path | None, typer.Option(metavar="OLD", help="A report of simulate --json to compare with.")]
Tolerance = Annotated[float, typer.Option(metavar="DECADES", help="With --baseline: how far a gradient may move.")]

DEMO_CAUSES = ("diverged", "nonfinite", "any")

Network = Annotated[
    str,
    typer.Option(
        "--network", "--arch", metavar="NAME", autocompletion=_one_of(ARCHITECTURES),
        help=f"What is trained: {' '.join(ARCHITECTURES)}.",
    ),
]  # fmt: skip
Clip = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE[:THRESHOLD]", autocompletion=_one_of(CHOICES), show_default="none, and one of each",
        help=f"A strategy (repeatable), as in global-norm:1.0: {' '.join(CHOICES)}.",
    ),
]  # fmt: skip
Lr = Annotated[float, typer.Option("--lr", metavar="RATE", help="Learning rate of SGD.")]
Momentum = Annotated[float, typer.Option(metavar="M", help="Momentum of SGD.")]
Epochs = Annotated[int, typer.Option(metavar="N", help="Passes over the data.")]
Nonfinite = Annotated[str, _named(POLICIES, "What becomes of a step whose gradient is not finite")]
Sequence = Annotated[
    str | None,
    _named(tuple(SEQUENCES), "How rnn, lstm, gru read the digits, a row or a pixel at a time", show_default="rows"),
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
DemoInit = Annotated[str | None, _named(INITIALIZERS, "Initialisation", show_default="orthogonal; xavier of an mlp")]
DemoRecurrentGain = Annotated[
    float | None,
    typer.Option(
        metavar="G", show_default="5, which explodes",
        help="Multiplies the recurrent weights of rnn, lstm, gru once more.",
    ),
]  # fmt: skip
DemoBatchSize = Annotated[int, typer.Option(metavar="N", help="Examples in a step.")]
DemoShuffle = Annotated[bool, typer.Option(help="Draw each epoch's order by the seed, or keep the data's.")]
DemoWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Start from your own weights (.npz, .safetensors).")
]
DemoSeed = Annotated[int, typer.Option(metavar="N", help="Of the weights and the batches.")]
DemoFailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=_one_of(DEMO_CAUSES),
        help="Exit with 1 if a strategy diverged, or had a non-finite gradient (repeatable): diverged nonfinite any.",
    ),
]  # fmt: skip


def chosen_format(name: str, json: bool, allowed: tuple[str, ...]) -> str:
    """Return the format that --format and --json ask for."""
    one_of("format", name, allowed)
    if json and name not in ("text", "json"):
        raise OptionError("json", f"is short for --format json, but --format is {name}: drop one")
    return "json" if json else name
