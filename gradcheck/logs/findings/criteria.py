"""All criteria together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from gradcheck.logs.findings.alternating import find_accumulating
from gradcheck.logs.findings.clamps import find_clamped
from gradcheck.logs.findings.clips import find_clipping
from gradcheck.logs.findings.decay import find_collapsed, find_vanishing
from gradcheck.logs.findings.drifting import find_drifting
from gradcheck.logs.findings.finding import ERROR, FINDING_KINDS, NOTE, SEVERITIES, Finding
from gradcheck.logs.findings.frozen import find_forgotten, find_frozen
from gradcheck.logs.findings.growth import find_exploding
from gradcheck.logs.findings.loss_spikes import find_loss_spikes
from gradcheck.logs.findings.losses import find_loss_jump, find_loss_rises, find_not_learning
from gradcheck.logs.findings.magnitudes import find_huge, find_tiny, find_zeros
from gradcheck.logs.findings.meaning import as_meant
from gradcheck.logs.findings.nonfinite import find_nonfinite
from gradcheck.logs.findings.players import players
from gradcheck.logs.findings.rate_jumps import with_rate_jump
from gradcheck.logs.findings.rate_zero import find_rate_zero
from gradcheck.logs.findings.scaling import find_clipped_scaled
from gradcheck.logs.findings.short import (
    find_short_growth,
    find_short_guess,
    find_short_jump,
    find_short_rise,
    find_short_spike,
    find_too_short,
)  # fmt: skip
from gradcheck.logs.findings.signed_losses import find_signed
from gradcheck.logs.findings.signs import with_norm, with_signs
from gradcheck.logs.findings.spikes import find_spikes
from gradcheck.logs.findings.starts import find_above_start, find_at_chance, find_still_after_fall, find_swinging
from gradcheck.logs.findings.states import find_dead, find_no_gradient, find_not_zeroed, find_update_ratios
from gradcheck.logs.findings.won import WON, find_won
from gradcheck.logs.series import Series

#: A series ↦ what is found in it.
Criterion: TypeAlias = Callable[[Series], list[Finding]]

#: Those that need nothing but the log.
CRITERIA = (
    find_exploding, find_short_growth, find_short_jump, find_nonfinite, find_vanishing, find_collapsed, find_zeros,
    find_no_gradient, find_loss_rises, find_above_start, find_short_rise, find_dead, find_spikes, find_short_spike,
    find_loss_spikes, find_huge, find_clamped, find_frozen, find_forgotten, find_not_learning, find_short_guess,
    find_loss_jump, find_signed, find_swinging, find_still_after_fall, find_at_chance, find_rate_zero,
    find_update_ratios, find_not_zeroed, find_accumulating, find_drifting, find_tiny, find_too_short,
)  # fmt: skip

#: Those that hold for the loss of one of two networks that play against each other: it may rise, fall, jump and stay.
OF_A_SIDE = (find_exploding, find_short_growth, find_zeros, find_spikes, find_short_spike, find_clamped)

#: The sign of a loss at the clamp of its logarithm: that is why it jumped, and why it stays.
CLAMPED = "at-clamp"

#: Findings of layers that get hardly any gradient.
STARVING = ("vanishing", "no-gradient", "collapsed")

#: Findings of the loss alone, which others explain: errors; and for a jump of the loss, one of the gradient.
OF_THE_LOSS = ("loss-rises", "not-learning", "loss-jump")

#: Rows from a jump of the loss to an error that began after it: the error doesn't explain the jump then.
BEFORE = 3

#: Kind ↦ the kinds that it is explained by.
EXPLAINED_BY = {
    "spikes": ("exploding",), "loss-jump": ("spikes", "huge"), "not-learning": ("huge", "zeros"),
    "loss-rises": ("huge",), "huge": ("exploding", "nonfinite"),
    "always-clipped": ("clipped-scaled",), "never-clipped": ("clipped-scaled",),
}  # fmt: skip

#: Findings that explain nothing where they are notes.
MAY_BE_NOTES = ("huge", "nonfinite")


def find_all(series: Series, max_norm: float | None = None) -> list[Finding]:
    """Return all that is found, the most severe first; `max_norm` is the clipping threshold if the log has none."""
    if not len(series.steps):
        return []
    series, found = as_meant(series)
    sides = players(series)
    found = found + list(_of_a_game(series, sides) if sides else _by(CRITERIA, series))
    found += find_clipping(series, max_norm) + find_clipped_scaled(series, max_norm)
    told = [with_norm(one, series) for one in found if not _is_explained(one, found, series)]
    found = [with_rate_jump(with_signs(one, series, max_norm), series) for one in told]
    found = found if series.has_steps else list(map(_of_rows, found))
    kinds = list(FINDING_KINDS)
    return sorted(found, key=lambda one: (SEVERITIES.index(one.weight), kinds.index(one.kind)))


def _of_rows(one: Finding) -> Finding:
    """Return a finding whose steps are rows, as counted; a step that the program itself has named stays one."""
    named = one.details.get("is_named") or "place" in one.numbers
    return one if named else one._replace(details={**one.details, "counted": True})


def _by(criteria: Iterable[Criterion], series: Series) -> Iterator[Finding]:
    """Yield what criteria find in a series."""
    return (finding for criterion in criteria for finding in criterion(series))


def _of_a_game(series: Series, sides: Sequence[Series]) -> Iterator[Finding]:
    """Yield what is found where two networks play against each other: in the gradients, and in each loss by itself."""
    yield from _by((find_nonfinite, find_too_short), series)
    yield from _by((one for one in CRITERIA if one not in (find_nonfinite, find_too_short)), series.without("loss"))
    yield from find_won(list(sides))
    for side in sides:
        for finding in _by(OF_A_SIDE, side.without("grad_norm")):
            yield finding._replace(signs=(*finding.signs, "game"))


def _is_explained(one: Finding, found: list[Finding], series: Series) -> bool:
    """Whether a finding is the effect of another one."""
    others = [other for other in found if other is not one]
    if WON in one.signs:
        return any(other.weight == ERROR for other in others)
    if CLAMPED in one.signs:
        return False
    if one.kind in OF_THE_LOSS and any(CLAMPED in other.signs for other in others):
        return True
    if one.details.get("rate") and any(other.kind in ("not-learning", "no-gradient") for other in others):
        return True
    if one.kind == "update-ratio" and one.layers:  # too small, mostly where hardly any gradient arrives
        poor = {layer for other in others if other.kind in STARVING for layer in other.layers}
        return len(poor.intersection(one.layers)) > len(one.layers) / 2
    if one.kind in OF_THE_LOSS and any(other.weight == ERROR and not _before(one, other, series) for other in others):
        return True
    causes: tuple[str, ...] = EXPLAINED_BY.get(one.kind, ())
    if "settled" in one.signs:  # a jump that never came back is no effect of the spike that it began with
        causes = tuple(cause for cause in causes if cause != "spikes")
    if one.kind == "collapsed":
        causes = ("nonfinite",) if one.details.get("zero_loss") or one.details.get("beside") else ("zeros",)
    return any(other.kind in causes and not (other.kind in MAY_BE_NOTES and other.weight == NOTE) for other in others)


def _before(one: Finding, error: Finding, series: Series) -> bool:
    """Whether a finding is a jump of the loss that came some rows before an error began."""
    jumped, began = np.searchsorted(series.steps, (one.first_step, error.first_step))
    return one.kind == "loss-jump" and bool(began - jumped >= BEFORE)
