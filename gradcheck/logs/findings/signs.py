"""What a log shows beside a finding: signs that speak for one of its causes, and what the norm does."""

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.magnitudes import all_zero, find_huge
from gradcheck.logs.findings.states import find_not_zeroed
from gradcheck.logs.robust import FEWEST, median
from gradcheck.logs.series import Series

#: What a log may show beside a finding, and its likely causes depend on.
SIGNS = {
    "rate-rising": "the learning rate is rising where it begins",
    "rate-jumps": "the learning rate jumps up where it begins",
    "began-anew": "the loss is back where it began, and takes the same course",
    "rate-zero": "the learning rate is zero throughout",
    "ordinary-first": "the first rows are ordinary: it begins within the first updates",
    "from-the-start": "the loss leaves its first row upwards, and isn't lower later",
    "falls-since": "the loss falls again, from a level that it rose to at first",
    "at-first": "the loss is huge in its first rows alone",
    "huge": "the loss is huge from the first row on",
    "queue": "the loss is the logarithm of a large power of two",
    "clipped": "a clipping threshold is known",
    "half-precision": "a loss scale is logged",
    "scale-falls": "the loss scale falls where it begins",
    "scale-moves": "the loss scale changes: it is dynamic",
    "norm-grows": "the gradient's norm grows beside the loss",
    "still": "the loss falls in its first rows, and hardly since",
    "swings": "the loss swings to and fro from the first rows on",
    "scale-at-minimum": "the loss scale has fallen as far as it goes",
    "scale-settles": "the loss scale comes down where it is, and fits then",
    "grew-before": "the norm grew before",
    "steady-before": "the norm was as usual in the row before",
    "loss-zero": "the loss is exactly zero where the gradient is not a number, or falls to it at once",
    "loss-missing": "the loss is left out where the gradient is not a number",
    "update-alone": "an update is infinite, gradient and weights are finite",
    "activation-first": "an activation or a weight is not finite in the first row",
    "between-rows": "the last finite row is more than a step before",
    "one-row": "it is in one row only",
    "batch-alone": "it is in single rows, and all after them are finite",
    "no-gradient": "no gradient arrives at all",
    "exactly-zero": "a gradient arrives, and is exactly zero in every row",
    "accumulates": "the norms come again every few rows, as those of micro batches do",
    "norm-quiet": "the gradient's norm is as usual where the loss is not",
    "few-digits": "the log is text, which a program may print with few digits",
    "game": "it is the loss of one of two networks that play against each other",
    "won": "the discriminator's loss is next to nothing for good, and the generator's is no lower than at first",
    "settled": "the loss stands still soon after, far above where it was",
    "constant": "the loss has the same value in every row",
    "at-clamp": "the loss sits where the logarithm in it is clamped",
    "all-zero": "the loss is exactly zero in every row",
    "frozen": "the loss moved before, and has had the same value in every row since",
    "forgotten": "the loss was lower in its first rows, and is that of a guess since",
    "at-chance": "the loss is the logarithm of a whole number",
    "not-zeroed": "gradients of the step before were still there",
    "updates-small": "updates are small beside the weights",
    "updates-large": "updates are large beside the weights",
}

#: By so much the learning rate has risen in the tenth of the run before.
ROSE = 1.05

#: To such a part of what it was the loss scale falls where a step overflows.
FALLEN = 0.5

#: Decades by which a norm has grown, and isn't as usual any more.
GROWN = 1.0

#: Findings of the loss that rises, or jumps.
RISING = ("loss-rises", "loss-jump")

#: The fewest rows before it that show what was usual.
BEFORE = 3


def with_signs(one: Finding, series: Series, max_norm: float | None) -> Finding:
    """Return a finding with the signs that the whole log shows, added to its own."""
    shown = {
        "rate-rising": _rises(series, one.first_step),
        "rate-zero": all_zero(series.values("lr")),
        "huge": one.kind == "nonfinite" and any(other.weight != NOTE for other in find_huge(series)),
        "clipped": _is_clipped(series, max_norm),
        "not-zeroed": bool(find_not_zeroed(series)),
        "scale-falls": _scale_falls(series, one.first_step),
        "scale-moves": _moves(series),
        "half-precision": not np.isnan(series.values("loss_scale")).all(),
    }
    return one._replace(signs=(*one.signs, *(sign for sign, seen in shown.items() if seen and sign not in one.signs)))


def _rises(series: Series, step: float) -> bool:
    """Whether the learning rate rises in the rows before a step."""
    rates = series.values("lr")[series.steps <= step]
    rates = rates[~np.isnan(rates)]
    before = rates[-max(3, len(rates) // 10) :]
    return len(before) >= 3 and bool(before[-1] > ROSE * before[0])


def _scale_falls(series: Series, step: float) -> bool:
    """Whether the loss scale falls within a few rows of a step."""
    scales = series.values("loss_scale")
    known = ~np.isnan(scales)
    steps, scales = series.steps[known], scales[known]
    row = int(np.searchsorted(steps, step))
    before, after = scales[max(0, row - 2) : row], scales[row : row + 2]
    return len(before) > 0 and len(after) > 0 and bool(after.min() <= FALLEN * before.max())


def _moves(series: Series) -> bool:
    scales = series.values("loss_scale")
    scales = scales[~np.isnan(scales)]
    return len(scales) > 0 and bool(scales.min() < scales.max())


def _is_clipped(series: Series, max_norm: float | None) -> bool:
    logged = (series.values(name) for name in ("max_norm", "grad_norm_after"))
    return max_norm is not None or series.clip is not None or any(not np.isnan(one).all() for one in logged)


def with_norm(one: Finding, series: Series) -> Finding:
    """Return a finding of a rising loss with the decades by which the norm has grown beside it, if it has."""
    norm = series.norm
    row = int(np.searchsorted(norm.steps, one.first_step)) if one.kind in RISING else 0
    row = max(row, 1) if "from-the-start" in one.signs else row
    if one.kind not in RISING or len(norm) < FEWEST or not (row >= BEFORE or "from-the-start" in one.signs):
        return one
    grown = median(norm.level[row:][-FEWEST:]) - median(norm.level[:row][-FEWEST:])
    if not GROWN <= grown < np.inf:
        return one
    signs = tuple(sign for sign in one.signs if sign != "norm-quiet")
    return one._replace(numbers={**one.numbers, "log10_norm_growth": grown}, signs=(*signs, "norm-grows"))
