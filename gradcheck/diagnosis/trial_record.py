"""What a report of ``simulate`` says of a trial: the network trained for real, beside the score."""

from typing import Literal

from gradcheck.base.record import Record, item

#: How a run at one rate ends.
Outcome = Literal["learned", "stuck", "diverged", "unfinished"]


class RateRecord(Record):
    """A run of SGD at one learning rate."""

    rate: float = item("the learning rate")
    steps: int = item("taken", minimum=0)
    last: float | None = item(
        "the loss in the end, the median of the last five batches, of small ones of groups with 16 examples each; "
        "null: not finite, or no such batch"
    )
    status: Outcome = item(
        "it reached the goal; took all its steps, or half of them without any progress, and didn't; its loss left the "
        "range of floats, or tenfold its start; the time limit came first"
    )
    losses: tuple[float | None, ...] = item("of each batch, before its step; null: not finite")


class NetworkTrialRecord(Record):
    """The network trained for real: SGD with momentum from its first seed's weights, one rate after the other.

    Nothing else of the report depends on it.
    """

    first: float | None = item("the loss of the first batch, or group of small ones; null: not finite")
    constant: float = item("what the best constant answer costs: the entropy of the labels' frequencies")
    goal: float = item("the loss that is enough: 0.7 of the smaller one of the two")
    last: float | None = item("the loss in the end at the rate that did best; null: not finite")
    rate: float = item("the learning rate that did best")
    steps: int = item("taken at that rate", minimum=0)
    learns: bool | None = item("null: the time limit came first")
    momentum: float = item("of SGD")
    seconds: float = item("the time limit of the whole trial")
    rates: tuple[RateRecord, ...] = item("in the order in which they were tried")
