"""What a report of ``probe`` says of the learning rate. Loads no NumPy."""

from gradcheck.base.record import Record, item


class LearningRateRecord(Record):
    """The learning rate that the model takes; the numbers are null where no rate helps."""

    optimizer: str = item("as it is called; of its groups' rates the first is meant, and the others keep in proportion")
    status: str = item("as gradcheck rate gives it: found, fits, too-high, too-low, no-rate")
    best_rate: float | None = item("the best constant rate")
    low: float | None = item("of the band in which the best rate is")
    high: float | None = item("of that band")
    critical_rate: float | None = item("from which on the first update raises the loss of its batch")
    ceiling: float | None = item("above it training fails")
    warm_up_updates: int | None = item("0: none is needed", minimum=0)
    updates: int = item("of each run", minimum=1)
    forward_passes: int = item("of the search along the first update", minimum=0)
    passes: int = item("forward and back, of the search and the runs", minimum=0)
    reasons: tuple[str, ...] = item("as gradcheck rate gives them")
    doubts: tuple[str, ...] = item("of these the ones for which the numbers may be far off")
