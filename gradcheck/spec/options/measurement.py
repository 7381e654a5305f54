"""The options of a measurement: which data, how often, how precisely, and what is healthy."""

from pathlib import Path
from typing import Annotated, TypedDict

from gradcheck.spec.names import DATA_NAMES, DTYPES, LAYERS
from gradcheck.spec.options.option import Names, Number, Option, Whole, beginning, rows

DATA, DRAWS, VERDICT = "Data", "Draws", "Verdict"


class DataOptions(TypedDict, total=False):
    """Which batch goes through the network."""

    # fmt: off
    data: Annotated[str | Path | None, Option(
        "digits, gaussian, text (a transformer's default), or a .npy (for a transformer: token ids), .npz (x, y) "
        "or .csv file.", DATA, "NAME|FILE", usual="digits", varied=("Data", "digits,gaussian,mine.npz"),
        completion=beginning(*DATA_NAMES),
    )]
    labels: Annotated[bool, Option("The last column of a .csv file holds the labels.", DATA, default=False)]
    batch_size: Annotated[int | None, Option(
        "Examples in the one forward and backward pass; of a transformer 1 sequence by default.", DATA, "N",
        usual="64", range=Whole(1, "the gradient is a mean over at least one example"),
        varied=("Examples in the batch", "32,64"),
    )]
    shuffle: Annotated[bool, Option(
        "Take the examples after a shuffle by the seed, or the first ones.", DATA, default=True,
    )]
    # fmt: on


class DrawOptions(TypedDict, total=False):
    """Which weights, how often, how precisely."""

    # fmt: off
    weights: Annotated[Path | str | None, Option(
        "Your own weights (.npz, .safetensors) in place of depth, width and init.", DRAWS, "FILE",
    )]
    save_weights: Annotated[Path | str | None, Option("Write the drawn weights there as .npz.", DRAWS, "FILE")]
    layers: Annotated[str, Option(
        "How random layers are represented", DRAWS, "NAME", default="auto",
        range=Names(LAYERS, number="the number of hidden layers is --depth"),
        varied=("How random layers are represented", "dense,weightless"),
    )]
    seed: Annotated[int, Option(
        "First seed.", DRAWS, "N", default=0, range=Whole(0, "it seeds the random numbers"),
    )]
    seeds: Annotated[int, Option(
        "Independent draws; numbers become means with their extremes.", DRAWS, "R", default=1,
        range=Whole(1, "one draw is the least; 5 show how much draws differ"),
    )]
    dtype: Annotated[str, Option(
        "Arithmetic", DRAWS, "NAME", default="float64", range=Names(DTYPES),
        varied=("Arithmetic", "float64,float32"),
    )]
    # fmt: on


class VerdictOptions(TypedDict, total=False):
    """The limits of what is healthy."""

    # fmt: off
    vanish_below: Annotated[float, Option(
        "A layer vanishes where its gradient ratio is below this.", VERDICT, "R", default=1e-3,
        range=Number("it bounds a ratio of gradients from below, and the last layer's is 1", low=0, high=1),
    )]
    explode_above: Annotated[float, Option(
        "A layer explodes where its gradient ratio is above this.", VERDICT, "R", default=1e3,
        range=Number("it bounds a ratio of gradients from above, and the last layer's is 1", low=1),
    )]
    max_span: Annotated[float, Option(
        "Largest healthy gradient span of the whole network.", VERDICT, "DECADES", default=2.3,
        range=Number("it counts decades; 2.3 is the default", low=0),
    )]
    min_rank: Annotated[float, Option(
        "Smallest healthy effective rank before the read-out.", VERDICT, "R", default=1.8,
        range=Number("it bounds an effective rank, which is at least 1", low=0),
    )]
    dead_above: Annotated[float, Option(
        "A layer is dead where more than this share of its units is.", VERDICT, "F", default=0.9,
        range=Number("it is a share of the units, 0.9 is 90 %", low=0, high=1),
    )]
    saturated_above: Annotated[float, Option(
        "A layer is saturated where more than this share of its entries is.", VERDICT, "F", default=0.9,
        range=Number("it is a share of the entries, 0.9 is 90 %", low=0, high=1),
    )]
    # fmt: on


OF_DATA, OF_DRAWS, OF_VERDICTS = rows(DataOptions), rows(DrawOptions), rows(VerdictOptions)
