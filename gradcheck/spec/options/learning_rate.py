"""The options of ``rate``."""

from pathlib import Path
from typing import Annotated, TypedDict

from gradcheck.spec.families import TRAINED
from gradcheck.spec.names import RATED_OPTIMIZERS
from gradcheck.spec.options.measurement import OF_DATA, OF_DRAWS
from gradcheck.spec.options.network import OF_NETWORKS
from gradcheck.spec.options.option import Names, Number, Option, Whole, rows
from gradcheck.spec.options.simulation import OF_SIMULATIONS, PLAIN

SEARCH = "Search"


class RateOptions(TypedDict, total=False):
    """The options of ``rate``."""

    # fmt: off
    optimizer: Annotated[str, Option(
        "Whose rate is searched", SEARCH, "NAME", default="sgd", range=Names(RATED_OPTIMIZERS),
    )]
    lr: Annotated[float | None, Option(
        "A rate to judge: is it too high, too low, or does it fit?", SEARCH, "RATE",
        range=Number("it is a learning rate; without it the best one is searched", above=0),
    )]
    weight_decay: Annotated[float | None, Option(
        "Of the optimizer, as in PyTorch.", SEARCH, "W", usual="0; 0.01 of adamw",
        range=Number("it is a share of the weights; 0 is none", low=0),
    )]
    updates: Annotated[int | None, Option(
        "Updates of each of the short runs.", SEARCH, "N", usual="100 to 8, the fewer the more a pass costs",
        range=Whole(5, "fewer updates don't tell rates apart; the rule was checked with 8, 12, 25, 50, 100"),
    )]
    arch: Annotated[str | None, OF_NETWORKS["arch"].but(range=Names(TRAINED))]
    depth: Annotated[int | None, OF_NETWORKS["depth"]]
    steps: Annotated[int | None, OF_NETWORKS["steps"]]
    width: Annotated[int | tuple[int, ...] | None, OF_NETWORKS["width"]]
    activation: Annotated[str | None, PLAIN["activation"].but(usual="sigmoid; tanh of an rnn")]
    init: Annotated[str | None, OF_NETWORKS["init"]]
    gain: Annotated[float | None, OF_NETWORKS["gain"]]
    recurrent_gain: Annotated[float | None, OF_NETWORKS["recurrent_gain"]]
    forget_bias: Annotated[float | None, OF_NETWORKS["forget_bias"]]
    weight_std: Annotated[float | None, OF_NETWORKS["weight_std"]]
    bias_std: Annotated[float | None, OF_NETWORKS["bias_std"]]
    norm: Annotated[str | None, PLAIN["norm"]]
    residual: Annotated[bool | None, OF_NETWORKS["residual"]]
    residual_scale: Annotated[float | None, PLAIN["residual_scale"]]
    data: Annotated[str | Path | None, OF_DATA["data"].but(
        help="digits, gaussian, or a .npy, .npz (x, y) or .csv file.",
    )]
    labels: Annotated[bool, OF_DATA["labels"]]
    batch_size: Annotated[int | None, OF_DATA["batch_size"].but(help="Examples in an update.")]
    shuffle: Annotated[bool, OF_DATA["shuffle"].but(help="Draw each epoch's order by the seed, or keep the data's.")]
    weights: Annotated[Path | str | None, OF_DRAWS["weights"]]
    seed: Annotated[int, OF_DRAWS["seed"].but(help="First seed, of the weights and the batches.")]
    seeds: Annotated[int, OF_DRAWS["seeds"].but(help="Networks that are drawn; the band holds the rates of all.")]
    dtype: Annotated[str, OF_DRAWS["dtype"]]
    # fmt: on


OF_RATES = rows(RateOptions)

#: What an experiment has and a search has not, and the other way about.
EXPERIMENT_ONLY = OF_SIMULATIONS.keys() - OF_RATES.keys()
SEARCH_ONLY = ("optimizer", "lr", "weight_decay", "updates")
