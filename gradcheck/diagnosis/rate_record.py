"""What a report of ``probe`` says of the learning rate. Loads no NumPy."""

from gradcheck.base.record import Record, item


class LearningRateRecord(Record):
    """The learning rate that the model takes; the numbers are null where no rate helps."""

    optimizer: str = item("as it is called; of its groups' rates the first is meant, and the others keep in proportion")
    status: str = item("as gradcheck rate gives it: found, fits, too-high, too-low, no-rate")
    best_rate: float | None = item("at which the loss after a training is least")
    low: float | None = item("of the band in which the best rate is")
    high: float | None
    critical_rate: float | None = item("above it the loss rises along half of the updates")
    ceiling: float | None = item("above it training fails")
    warm_up_updates: int | None = item("0: none is needed", minimum=0)
    warm_up_from: float | None = item("the rate that the first update takes")
    updates: int = item("along which was searched", minimum=0)
    forward_passes: int = item("of the search", minimum=0)
    reasons: tuple[str, ...] = item("as gradcheck rate gives them")
