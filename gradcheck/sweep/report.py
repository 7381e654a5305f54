"""The JSON of a comparison: its fields and what they mean. The rows themselves are plain mappings."""

from typing import Any, Literal

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Frozen, Record, item
from gradcheck.diagnosis.status import Flag, NetworkStatus


class RowRecord(Record):
    """One combination of options; what is measured is null where there is an error."""

    index: int = item("its place in the grid", minimum=0)
    options: Frozen[Any] = item("the grid's options, with this row's values")
    status: NetworkStatus | None
    trainable: bool | None
    score: float | None = item("probability that plain SGD trains it", minimum=0, maximum=1)
    flags: tuple[Flag, ...] | None = item("those that its layers have")
    gradient_span: float | None = item("decades between the strongest and the weakest layer's gradient", banded=True)
    mean_local_gain: float | None = item("geometric mean of the factors from layer to layer", banded=True)
    effective_rank_last: float | None = item("effective rank of the last hidden layer's outputs", banded=True)
    weight_gradient_span: float | None = item("decades between the layers' weight gradients", banded=True)
    effective_rank_least: float | None = item("smallest effective rank of the layers", banded=True)
    sensitivity: float | None = item(
        "by which part of the examples' differences the outputs change as all weights move by 1 %; null: not known",
        banded=True,
    )
    log10_gradient: tuple[float | None, ...] | None = item("of each layer, first to last")
    error: str | None = item("why it has no result; null: it has one")


class GroupRecord(Record):
    """All rows with one value of an option."""

    option: str
    value: Any = item("the option's", oneOf=[{"type": ["string", "number", "boolean", "array", "null"]}])
    rows: int = item(minimum=1)
    healthy: int = item(minimum=0)
    errors: int = item(minimum=0)
    median_score: float | None
    worst_score: float | None
    median_span: float | None
    worst_span: float | None


class ComparisonConfig(Record):
    """What was compared, and what all rows share."""

    grid: Frozen[Any] = item("each option with all its values")
    seed: int = item("the first draw's", minimum=0)
    seeds: int = item("draws of each combination", minimum=1)
    shuffle: bool
    labels: bool
    vanish_below: float
    explode_above: float
    max_span: float
    min_rank: float
    dead_above: float
    saturated_above: float


class ComparisonRecord(CommandReport):
    """The ranked rows of a comparison."""

    command: Literal["compare"]
    config: ComparisonConfig
    rows: tuple[RowRecord, ...] = item("best first; with --top the best ones")
    groups: tuple[GroupRecord, ...] | None = item("with --group-by: one for each of its values", default=None)
