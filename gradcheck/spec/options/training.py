"""The options of ``clip_demo``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

from gradcheck.spec.clip_libraries import LIBRARIES
from gradcheck.spec.clip_rules import CHOICES
from gradcheck.spec.families import TRAINED
from gradcheck.spec.names import POLICIES, SEQUENCES
from gradcheck.spec.options.measurement import OF_DATA, OF_DRAWS
from gradcheck.spec.options.network import OF_NETWORKS
from gradcheck.spec.options.option import Names, Number, Option, Whole, rows
from gradcheck.spec.options.simulation import OF_SIMULATIONS, PLAIN

TRAINING = "Training"


class ClipDemoOptions(TypedDict, total=False):
    """The options of ``clip_demo``."""

    # fmt: off
    network: Annotated[str, Option(
        "What is trained", OF_NETWORKS["arch"].group, "NAME", default="rnn", range=Names(TRAINED),
        flags=("--network", "--arch"),
    )]
    clip: Annotated[Sequence[str] | str, Option(
        f"A strategy (repeatable), as in global-norm:1.0: {' '.join(CHOICES)}.", TRAINING, "RULE[:THRESHOLD]",
        default=(), usual="none, and one of each", range=Names(tuple(CHOICES)),
    )]
    lr: Annotated[float, Option(
        "Learning rate of SGD.", TRAINING, "RATE", default=0.3,
        range=Number("it is the learning rate; 0.01 to 1 is usual for SGD", above=0),
    )]
    momentum: Annotated[float, Option(
        "Momentum of SGD.", TRAINING, "M", default=0.9,
        range=Number("it is the share of the last step that is kept; 0.9 is usual", low=0),
    )]
    epochs: Annotated[int, Option(
        "Passes over the data.", TRAINING, "N", default=30, range=Whole(1, "one pass over the data is the least"),
    )]
    library: Annotated[str | None, Option(
        "Clip as this library does, at the edges too", TRAINING, "LIBRARY", usual="gradcheck's own rules",
        range=Names(tuple(LIBRARIES)), flags=("--as", "--library"),
    )]
    nonfinite: Annotated[str | None, Option(
        "What becomes of a step whose gradient is not finite", TRAINING, "NAME", usual="skip; with --as, apply",
        range=Names(POLICIES),
    )]
    sequence: Annotated[str | None, Option(
        "How rnn, lstm, gru read the digits, a row or a pixel at a time", OF_NETWORKS["steps"].group, "NAME",
        usual="rows", range=Names(tuple(SEQUENCES)),
    )]
    depth: Annotated[int | None, OF_NETWORKS["depth"].but(default=None, usual="10 of an mlp, else 1")]
    steps: Annotated[int | None, OF_NETWORKS["steps"].but(usual="8 of the digits, else one a number")]
    width: Annotated[int | tuple[int, ...] | None, OF_NETWORKS["width"].but(usual="64; 128 of an mlp")]
    activation: Annotated[str | None, PLAIN["activation"]]
    init: Annotated[str | None, OF_NETWORKS["init"].but(usual="orthogonal; xavier of an mlp")]
    gain: Annotated[float | None, OF_NETWORKS["gain"]]
    recurrent_gain: Annotated[float | None, OF_NETWORKS["recurrent_gain"].but(usual="5, which explodes")]
    forget_bias: Annotated[float | None, OF_NETWORKS["forget_bias"]]
    weight_std: Annotated[float | None, OF_NETWORKS["weight_std"]]
    bias_std: Annotated[float | None, OF_NETWORKS["bias_std"]]
    norm: Annotated[str, PLAIN["norm"].but(default="none", usual=None)]
    residual: Annotated[bool, OF_NETWORKS["residual"].but(default=False, usual=None)]
    residual_scale: Annotated[float, PLAIN["residual_scale"].but(default=1.0, usual=None)]
    data: Annotated[str | Path, OF_DATA["data"].but(
        help="digits, gaussian, or a .npy, .npz (x, y) or .csv file.", default="digits", usual=None,
    )]
    labels: Annotated[bool, OF_DATA["labels"]]
    batch_size: Annotated[int, OF_DATA["batch_size"].but(help="Examples in a step.", default=64, usual=None)]
    shuffle: Annotated[bool, OF_DATA["shuffle"].but(help="Draw each epoch's order by the seed, or keep the data's.")]
    weights: Annotated[Path | str | None, OF_DRAWS["weights"].but(
        help="Start from your own weights (.npz, .safetensors).",
    )]
    seed: Annotated[int, OF_DRAWS["seed"].but(help="Of the weights and the batches.")]
    dtype: Annotated[str, OF_DRAWS["dtype"]]
    # fmt: on


OF_DEMONSTRATIONS = rows(ClipDemoOptions)

#: What an experiment has and a demonstration has not; the architecture goes by another name.
EXPERIMENT_ONLY = (OF_SIMULATIONS.keys() - OF_DEMONSTRATIONS.keys()) - {"arch"}

#: What a demonstration has and an experiment has not.
DEMO_ONLY = OF_DEMONSTRATIONS.keys() - OF_SIMULATIONS.keys()
