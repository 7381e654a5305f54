"""A learning rate of exactly zero in every row, beside a loss that does not fall: no step changes anything."""

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.learning import losses_of
from gradcheck.logs.findings.losses import line_fall
from gradcheck.logs.findings.magnitudes import all_zero, loss_moves
from gradcheck.logs.robust import FEWEST, median
from gradcheck.logs.series import Series

#: A loss falls if it does so by more standard errors: then the rate is that of other parameters, or printed as zero.
ERRORS = 2.0


def find_rate_zero(series: Series) -> list[Finding]:
    """Note a learning rate that is zero throughout, where the loss doesn't fall."""
    _, losses = losses_of(series)
    if len(losses) < FEWEST or not all_zero(series.values("lr")) or loss_moves(series):
        return []
    fall, error = line_fall(losses)
    if fall > ERRORS * error:
        return []
    signs = ("rate-zero", *(["few-digits"] if series.log.reader.rounds else []))
    numbers = {"level": median(losses), "moved": abs(fall)}
    return [Finding("not-learning", *series.ends, (), numbers, None, {"rate": True}, NOTE, signs)]
