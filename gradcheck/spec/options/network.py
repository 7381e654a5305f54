"""The options of a network, in the order of reports."""

from typing import Annotated, TypedDict

from gradcheck.errors import OptionError
from gradcheck.spec.names import (
    ACTIVATIONS,
    ARCHITECTURES,
    FRAMEWORKS,
    GATED,
    INITIALIZERS,
    NORMS,
    PLACEMENTS,
    POSITIONS,
    RESIDUAL_SCALES,
)  # fmt: skip
from gradcheck.spec.options.option import Names, Number, Option, Switch, Whole, rows
from gradcheck.spec.presets import PRESETS

NETWORK, RECURRENCE, TRANSFORMER = "Network", "Recurrent networks", "Transformers"

SWITCHED = "yes, no or both"


def parse_width(option: str, text: str) -> int | tuple[int, ...]:
    """Return one width, or of a comma list the width of each layer."""
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        problem = f"{text!r} is not a whole number, nor a comma list of them (128, or 256,128,64)"
        raise OptionError(option, problem) from None
    return widths if "," in text else widths[0]


def parse_scale(option: str, text: str) -> float | str:
    """Return the scale as a number; a name as it is."""
    try:
        return float(text)
    except ValueError:
        return text


class NetworkOptions(TypedDict, total=False):
    """The options of a network."""

    # fmt: off
    preset: Annotated[str | None, Option(
        "A published transformer; any option overrides its value (gradcheck list presets)", TRANSFORMER, "NAME",
        range=Names(tuple(PRESETS)), varied=("Published transformers", "gpt2,bert-base"),
    )]
    arch: Annotated[str | None, Option(
        "Kind of network", NETWORK, "NAME", usual="mlp", range=Names(ARCHITECTURES),
        varied=("Kinds of network", "rnn,lstm,gru"),
    )]
    depth: Annotated[int | None, Option(
        "Hidden layers; the read-out comes on top.", NETWORK, "N", usual="50",
        range=Whole(1, "a network has at least one hidden layer"), varied=("Hidden layers", "10,50 or 10:100:10"),
        drawn=True,
    )]
    steps: Annotated[int | None, Option(
        "Time steps of rnn, lstm, gru: an example is cut into so many equal pieces.", RECURRENCE, "N",
        usual="one a number", range=Whole(1, "a sequence has at least one time step"),
        varied=("Time steps of rnn, lstm, gru", "8,16,64"),
    )]
    width: Annotated[int | tuple[int, ...] | None, Option(
        "Units of a hidden layer; a comma list gives each layer its own.", NETWORK, "N[,N...]", usual="128",
        range=Whole(1, "a layer has at least one unit; 128 is the default"),
        varied=("Units of the hidden layers", "64,128"), drawn=True, parse=parse_width,
    )]
    blocks: Annotated[int | None, Option(
        "Blocks of a transformer.", TRANSFORMER, "N", usual="12",
        range=Whole(1, "a transformer has at least one block"), varied=("Blocks of a transformer", "6:48:6"),
    )]
    model_width: Annotated[int | None, Option(
        "Width of a transformer's residual stream.", TRANSFORMER, "N", usual="768",
        range=Whole(1, "the residual stream has at least one number"),
        varied=("Widths of a residual stream", "256,768"),
    )]
    heads: Annotated[int | None, Option(
        "Attention heads.", TRANSFORMER, "N", usual="12", range=Whole(1, "attention has at least one head"),
        varied=("Attention heads", "1,12"),
    )]
    kv_heads: Annotated[int | None, Option(
        "Heads with their own keys and values.", TRANSFORMER, "N", usual="all", range=Whole(1, "as --heads"),
        varied=("Heads with their own keys and values", "1,12"),
    )]
    mlp_ratio: Annotated[float | None, Option(
        "Hidden units of an MLP over --model-width.", TRANSFORMER, "R", usual="4",
        range=Number("an MLP's hidden units over --model-width", above=0),
        varied=("Hidden units of an MLP over the width", "2,4"),
    )]
    tokens: Annotated[int | None, Option(
        "Tokens of a sequence.", TRANSFORMER, "N", usual="32", range=Whole(1, "a sequence has at least one token"),
        varied=("Tokens of a sequence", "16,64"),
    )]
    activation: Annotated[str | None, Option(
        f"Activation: {' '.join(ACTIVATIONS)}. A transformer has gelu by default, and can have {' '.join(GATED)}.",
        NETWORK, "NAME", usual="sigmoid; tanh of an rnn", range=Names((*ACTIVATIONS, *GATED)),
        varied=("Activations", "sigmoid,tanh,relu"),
    )]
    init: Annotated[str | None, Option(
        "Initialisation, a law or what a framework draws by default", NETWORK, "NAME", usual="xavier",
        range=Names((*INITIALIZERS, *FRAMEWORKS)),
        varied=("Initialisations", "xavier,he,orthogonal"), drawn=True,
    )]
    gain: Annotated[float | None, Option(
        "Multiplies the initial standard deviation.", NETWORK, "G", usual="1",
        range=Number("it multiplies the initial standard deviation; 1 leaves it as it is", above=0),
        varied=("Factors of the initial standard deviation", "0.5:3.0:6log"), drawn=True,
    )]
    recurrent_gain: Annotated[float | None, Option(
        "Multiplies the recurrent weights of rnn, lstm, gru once more.", RECURRENCE, "G", usual="1",
        range=Number("it multiplies the recurrent weights", above=0),
        varied=("Factors of the recurrent weights", "0.5,1,2"), drawn=True,
    )]
    forget_bias: Annotated[float | None, Option(
        "Initial bias of the gate that keeps the memory.", RECURRENCE, "B", usual="1 of an lstm, 0 of a gru",
        range=Number("it opens the gate that keeps the memory; 1 is usual"),
        varied=("Biases of the gate that keeps the memory", "0,1,4"), drawn=True,
    )]
    weight_std: Annotated[float | None, Option(
        "Standard deviation of --init normal and uniform; before the cut of truncated_normal and trunc_normal.",
        NETWORK, "S",
        range=Number("it is the standard deviation of the weights", above=0),
        varied=("Standard deviations of --init normal, uniform", "0.05,0.1"), drawn=True,
    )]
    bias_std: Annotated[float | None, Option(
        "Standard deviation of the initial biases.", NETWORK, "S", usual="0",
        range=Number("it is a standard deviation; 0 starts all biases at zero", low=0),
        varied=("Standard deviations of the initial biases", "0,0.1"), drawn=True,
    )]
    norm: Annotated[str | None, Option(
        "Normalisation between linear map and activation; a transformer has layer norms by default", NETWORK, "NAME",
        usual="none", range=Names(NORMS), varied=("Normalisations", "none,layer,batch"),
    )]
    norm_placement: Annotated[str | None, Option(
        "Where a transformer's norms sit, before or after a branch", TRANSFORMER, "NAME", usual="pre",
        range=Names(PLACEMENTS), varied=("Places of a transformer's norms", "pre,post,both"),
    )]
    residual: Annotated[bool | None, Option(
        "Skip connections from the second hidden layer on.", NETWORK, usual="no-residual", range=Switch(),
        varied=("Skip connections", SWITCHED),
    )]
    residual_scale: Annotated[float | str | None, Option(
        "Scale of the branch beside the skip connection; of a transformer also the published ones: "
        f"{' '.join(RESIDUAL_SCALES)}.", NETWORK, "A", usual="1",
        range=Number("it multiplies the residual branch", names=RESIDUAL_SCALES),
        varied=("Scales beside the skip connection", "0.1,1,gpt2,deepnorm"), parse=parse_scale,
    )]
    causal: Annotated[bool | None, Option(
        "Whether a token sees only those before it and is asked for the next one.", TRANSFORMER, usual="causal",
        range=Switch(), varied=("Tokens see only those before them", SWITCHED),
    )]
    positions: Annotated[str | None, Option(
        "How a transformer knows positions", TRANSFORMER, "NAME", usual="learned", range=Names(POSITIONS),
        varied=("Kinds of positions", "learned,rotary"),
    )]
    tied: Annotated[bool | None, Option(
        "Read out by the transposed embedding.", TRANSFORMER, usual="tied", range=Switch(),
        varied=("Transposed embedding as read-out", SWITCHED),
    )]
    biases: Annotated[bool | None, Option(
        "Biases in a transformer's linear maps.", TRANSFORMER, usual="biases", range=Switch(),
        varied=("Biases in a transformer's maps", SWITCHED),
    )]
    vocabulary: Annotated[int | None, Option(
        "Kinds of tokens, or classes of --patch.", TRANSFORMER, "N", usual="256",
        range=Whole(2, "there is more than one kind of token"), varied=("Kinds of tokens", "256,50257"),
    )]
    context: Annotated[int | None, Option(
        "Positions that a learned embedding knows.", TRANSFORMER, "N", usual="as --tokens",
        range=Whole(1, "as --tokens"), varied=("Positions that a learned embedding knows", "1024"),
    )]
    patch: Annotated[int | None, Option(
        "Numbers of a patch, where vectors (of images) take the place of token ids.", TRANSFORMER, "N",
        range=Whole(1, "a patch has at least one number"), varied=("Numbers of a patch", "8,16"),
    )]
    # fmt: on


OF_NETWORKS = rows(NetworkOptions)

#: Every option of a network, in the order of help and reports.
NETWORK_OPTIONS = tuple(OF_NETWORKS)

#: Options of drawn networks: given weights take their place.
DRAWN_ONLY = tuple(name for name, row in OF_NETWORKS.items() if row.drawn)
