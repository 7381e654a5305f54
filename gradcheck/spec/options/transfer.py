"""The options of ``transfer``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

from gradcheck.errors import OptionError
from gradcheck.spec.names import ACTIVATIONS, NORMS, PARAMETRIZATIONS, RATED_OPTIMIZERS
from gradcheck.spec.options.measurement import OF_DATA, OF_DRAWS
from gradcheck.spec.options.network import NETWORK, OF_NETWORKS
from gradcheck.spec.options.option import ARGUMENT, Names, Number, Option, Whole, rows
from gradcheck.spec.options.probing import ProbeOptions
from gradcheck.spec.options.simulation import PLAIN

TRAINING = "Training"


def parse_scales(option: str, text: str) -> tuple[int, ...]:
    """Return a comma list of whole numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        problem = f"{text!r} is no comma list of whole numbers; allowed: as in --{option} 64,256,1024"
        raise OptionError(option, problem) from None


OF_PROBES = rows(ProbeOptions)

YOURS = "Your own model"


class BuildOptions(TypedDict, total=False):
    """Your own PyTorch model instead of a described network."""

    # fmt: off
    target: Annotated[str | None, Option(
        "module:build, from the current folder: what returns a PyTorch model of a width (or depth), or (model, "
        "optimizer).", ARGUMENT, "[TARGET]",
    )]
    input: Annotated[Sequence[str] | None, OF_PROBES["input"].but(group=YOURS)]
    batch: Annotated[str | None, OF_PROBES["batch"].but(
        help="A function that returns (inputs, targets), called for each step, or a DataLoader.", group=YOURS,
    )]
    loss: Annotated[str | None, OF_PROBES["loss"].but(group=YOURS)]
    mode: Annotated[str, OF_PROBES["mode"].but(group=YOURS)]
    # fmt: on


#: Options that go with your own model, too.
OF_BOTH = ("width", "depth", "optimizer", "lr", "steps", "seed", "seeds")


class TransferOptions(TypedDict, total=False):
    """The options of ``transfer``."""

    # fmt: off
    arch: Annotated[str, Option(
        "Kind of network", NETWORK, "NAME", default="mlp", range=Names(("mlp", "transformer")),
    )]
    param: Annotated[str, Option(
        "Parametrisation: how weights and rates follow the width", NETWORK, "NAME", default="mup",
        range=Names(PARAMETRIZATIONS),
    )]
    width: Annotated[Sequence[int] | int | None, Option(
        "Widths to compare, a comma list; with several depths one.", NETWORK, "N[,N...]",
        usual="64,256,1024; 64,128,256 of a transformer",
        range=Whole(1, "a layer has at least one unit"), parse=parse_scales,
    )]
    depth: Annotated[Sequence[int] | int | None, Option(
        "Hidden layers, or blocks of a transformer; several to compare depths, of a perceptron after its first layer.",
        NETWORK, "N[,N...]",
        usual="3; 2 of a transformer", range=Whole(1, "a network has at least one layer"), parse=parse_scales,
    )]
    base_width: Annotated[int | None, Option(
        "Width at which all parametrisations are the same network.", NETWORK, "N", usual="the smallest",
        range=Whole(1, "it is a width"),
    )]
    base_depth: Annotated[int | None, Option(
        "Depth at which they are.", NETWORK, "N", usual="the smallest", range=Whole(1, "it is a depth"),
    )]
    activation: Annotated[str | None, Option(
        "Activation", NETWORK, "NAME", usual="relu; gelu of a transformer", range=Names(ACTIVATIONS),
    )]
    gain: Annotated[float | None, OF_NETWORKS["gain"].but(
        help="Multiplies the initial standard deviation 1/sqrt(fan_in) of hidden matrices.",
        usual="1.41 of relu, else 1",
    )]
    norm: Annotated[str | None, PLAIN["norm"].but(usual="none; layer of a transformer", range=Names(NORMS))]
    residual: Annotated[bool | None, OF_NETWORKS["residual"].but(usual="with several depths, and of a transformer")]
    heads: Annotated[int | None, OF_NETWORKS["heads"].but(
        help="Attention heads at every width: a head's width grows.", usual="4",
    )]
    tokens: Annotated[int | None, OF_NETWORKS["tokens"]]
    norm_placement: Annotated[str | None, OF_NETWORKS["norm_placement"]]
    optimizer: Annotated[str, Option(
        "Optimizer, as PyTorch has it; of TARGET also module:function of the model", TRAINING, "NAME", default="adam",
        range=Names(RATED_OPTIMIZERS),
    )]
    lr: Annotated[float | None, Option(
        "Learning rate at the base width.", TRAINING, "RATE", usual="0.003 of adam, 0.1 of sgd",
        range=Number("it is the learning rate at the base width", above=0),
    )]
    steps: Annotated[int, Option(
        "Steps of training.", TRAINING, "N", default=5,
        range=Whole(1, "the first step shows what each matrix gains; 3 to 10 are usual"),
    )]
    data: Annotated[str | Path | None, OF_DATA["data"].but(usual="digits; text of a transformer", varied=None)]
    labels: Annotated[bool, OF_DATA["labels"]]
    batch_size: Annotated[int | None, OF_DATA["batch_size"].but(
        help="Examples, or sequences, of the one batch that it is trained on.", usual="64; 4 of a transformer",
        varied=None,
    )]
    shuffle: Annotated[bool, OF_DATA["shuffle"]]
    seed: Annotated[int, OF_DRAWS["seed"].but(help="First seed, of the weights and the batch.")]
    seeds: Annotated[int, OF_DRAWS["seeds"].but(
        help="Networks of each width; a slope's error is how they differ.", default=3,
    )]
    dtype: Annotated[str, OF_DRAWS["dtype"].but(default="float32", varied=None)]
    # fmt: on


OF_TRANSFERS = rows(TransferOptions)
