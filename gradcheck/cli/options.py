"""The options that commands share: one annotated type each. Loads no NumPy."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from gradcheck.errors import OptionError, one_of
from gradcheck.spec import (
    ACTIVATIONS,
    ARCHITECTURES,
    DTYPES,
    GATED,
    INITIALIZERS,
    LAYERS,
    NORMS,
    PLACEMENTS,
    POSITIONS,
    RESIDUAL_SCALES,
)  # fmt: skip
from gradcheck.spec.presets import PRESETS
from gradcheck.spec.thresholds import Thresholds

#: The limits of what is healthy, by the names of their options.
LIMITS = tuple(field.name for field in fields(Thresholds))


def completed(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a completion of the names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def named(names: tuple[str, ...], meaning: str, **more: Any) -> Any:  # noqa: ANN401
    """Return an option whose value is one of the names."""
    return typer.Option(metavar="NAME", help=f"{meaning}: {' '.join(names)}.", autocompletion=completed(names), **more)


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


def parse_residual_scale(text: str) -> float | str:
    """Return the scale as a number; a name as it is."""
    try:
        return float(text)
    except ValueError:
        return text


Preset = Annotated[
    str | None,
    named(tuple(PRESETS), "A published transformer; any option overrides its value (gradcheck list presets)"),
]
Arch = Annotated[str | None, named(ARCHITECTURES, "Kind of network", show_default="mlp")]
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
Activation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", autocompletion=completed((*ACTIVATIONS, *GATED)),
        show_default="sigmoid; tanh of an rnn",
        help=f"Activation: {' '.join(ACTIVATIONS)}. A transformer has gelu by default, and can have {' '.join(GATED)}.",
    ),
]  # fmt: skip
Init = Annotated[str | None, named(INITIALIZERS, "Initialisation", show_default="xavier")]
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
Norm = Annotated[
    str | None,
    named(
        NORMS, "Normalisation between linear map and activation; a transformer has layer norms by default",
        show_default="none",
    ),
]  # fmt: skip
Residual = Annotated[
    bool | None,
    typer.Option(
        "--residual/--no-residual", help="Skip connections from the second hidden layer on.", show_default="no-residual"
    ),
]
ResidualScale = Annotated[
    Any,
    typer.Option(
        parser=parse_residual_scale, metavar="A", show_default="1",
        help="Scale of what stands beside the skip connection; of a transformer also the published ones: "
        f"{' '.join(RESIDUAL_SCALES)}.",
    ),
]  # fmt: skip


def _of_transformers(meaning: str, default: str | None = None, metavar: str = "N") -> Any:  # noqa: ANN401
    """Return an option of transformers alone; None stands for its default, or the preset's value."""
    return typer.Option(metavar=metavar, help=meaning, show_default=default or False)


Blocks = Annotated[int | None, _of_transformers("Blocks of a transformer.", "12")]
ModelWidth = Annotated[int | None, _of_transformers("Width of a transformer's residual stream.", "768")]
HeadsOption = Annotated[int | None, _of_transformers("Attention heads.", "12")]
KvHeads = Annotated[int | None, _of_transformers("Heads with keys and values of their own.", "all")]
MlpRatio = Annotated[float | None, _of_transformers("Hidden units of an MLP over --model-width.", "4", "R")]
TokensOption = Annotated[int | None, _of_transformers("Tokens of a sequence.", "32")]
Placement = Annotated[
    str | None, named(PLACEMENTS, "Where a transformer's norms sit, before or behind a branch", show_default="pre")
]
Causal = Annotated[
    bool | None,
    typer.Option(
        "--causal/--no-causal", show_default="causal",
        help="Whether a token sees only those before it and is asked for the next one.",
    ),
]  # fmt: skip
Positions = Annotated[str | None, named(POSITIONS, "How a transformer knows positions", show_default="learned")]
Tied = Annotated[
    bool | None, typer.Option("--tied/--no-tied", help="Read out by the transposed embedding.", show_default="tied")
]
Biases = Annotated[
    bool | None,
    typer.Option("--biases/--no-biases", help="Biases in a transformer's linear maps.", show_default="biases"),
]
Vocabulary = Annotated[int | None, _of_transformers("Kinds of tokens, or classes of --patch.", "256")]
Context = Annotated[int | None, _of_transformers("Positions that a learned embedding knows.", "as --tokens")]
Patch = Annotated[
    int | None, _of_transformers("Numbers of a patch, where vectors (of images) take the place of token ids.")
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE", show_default="digits",
        help="digits, gaussian, text (a transformer's default), or a .npy (for a transformer: token ids), .npz (x, y) "
        "or .csv file.",
    ),
]  # fmt: skip
Labels = Annotated[bool, typer.Option(help="The last column of a .csv file holds the labels.")]
BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Examples in the one forward and backward pass; of a transformer 1 sequence by default.",
        show_default="64",
    ),
]
Shuffle = Annotated[bool, typer.Option(help="Take the examples after a shuffle by the seed, or the first ones.")]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your own weights (.npz, .safetensors) in place of depth, width and init."),
]
SaveWeights = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the drawn weights there as .npz.")]
Layers = Annotated[str, named(LAYERS, "How random layers are represented")]
Seed = Annotated[int, typer.Option(metavar="N", help="First seed.")]
Seeds = Annotated[int, typer.Option(metavar="R", help="Independent draws; numbers become means with their extremes.")]
Dtype = Annotated[str, named(DTYPES, "Arithmetic")]
VanishBelow = Annotated[
    float, typer.Option(metavar="R", help="A layer vanishes where its gradient ratio is below this.")
]
ExplodeAbove = Annotated[
    float, typer.Option(metavar="R", help="A layer explodes where its gradient ratio is above this.")
]
MaxSpan = Annotated[float, typer.Option(metavar="DECADES", help="Largest healthy gradient span of the whole network.")]
MinRank = Annotated[
    float, typer.Option(metavar="R", help="Smallest healthy effective rank on the way to the read-out.")
]
DeadAbove = Annotated[
    float, typer.Option(metavar="F", help="A layer is dead where more than this share of its units is.")
]
SaturatedAbove = Annotated[
    float,
    typer.Option(metavar="F", help="A layer is saturated where more than this share of its entries is."),
]

FORMATS = ("text", "json", "csv", "markdown")
CAUSES = ("vanishing", "exploding", "collapsed", "dead", "nonfinite", "any")

Format = Annotated[str, named(FORMATS, "Output format")]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=completed(CAUSES),
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

CompareFormat = Annotated[str, named(COMPARE_FORMATS, "Output format; jsonl prints each row as it finishes")]
CompareFailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CAUSE", autocompletion=completed(COMPARE_CAUSES),
        help=f"Exit with 1 if a row's verdict or flag is this (repeatable): {' '.join(COMPARE_CAUSES)}.",
    ),
]  # fmt: skip
AnyHealthy = Annotated[bool, typer.Option("--any-healthy", help="Exit with 1 if no combination is healthy.")]
CompareSeeds = Annotated[
    int | None, typer.Option(metavar="R", help="Draws of each combination.", show_default="3; the baseline's")
]
Sort = Annotated[str, named(ORDERS, "What the rows are ranked by")]
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


def chosen_format(name: str, json: bool, allowed: tuple[str, ...]) -> str:
    """Return the format that --format and --json ask for."""
    one_of("format", name, allowed)
    if json and name not in ("text", "json"):
        raise OptionError("json", f"is short for --format json, but --format is {name}: drop one")
    return "json" if json else name
