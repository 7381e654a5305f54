"""All criteria together."""

from gradcheck.logs.findings.clips import find_clipping
from gradcheck.logs.findings.decay import find_collapsed, find_vanishing
from gradcheck.logs.findings.finding import ERROR, FINDING_KINDS, SEVERITIES, Finding
from gradcheck.logs.findings.growth import find_exploding, find_spikes
from gradcheck.logs.findings.losses import find_loss_jump, find_loss_rises, find_not_learning
from gradcheck.logs.findings.magnitudes import find_huge, find_zeros
from gradcheck.logs.findings.meaning import as_meant
from gradcheck.logs.findings.nonfinite import find_nonfinite
from gradcheck.logs.findings.scaling import find_clipped_scaled
from gradcheck.logs.findings.short import find_short_growth, find_short_spike, find_too_short
from gradcheck.logs.findings.signs import with_signs
from gradcheck.logs.findings.states import find_dead, find_no_gradient, find_not_zeroed, find_update_ratios
from gradcheck.logs.series import Series

#: Those that need nothing but the log.
CRITERIA = (
    find_exploding, find_short_growth, find_nonfinite, find_vanishing, find_collapsed, find_zeros, find_no_gradient,
    find_loss_rises, find_dead, find_spikes, find_short_spike, find_huge, find_not_learning, find_loss_jump,
    find_update_ratios, find_not_zeroed, find_too_short,
)  # fmt: skip

#: Findings of layers that get hardly any gradient.
STARVING = ("vanishing", "no-gradient", "collapsed")

#: Findings of the loss alone, which others explain: errors; and for a jump of the loss, one of the gradient.
OF_THE_LOSS = ("loss-rises", "not-learning", "loss-jump")

#: Kind ↦ the kinds that it is explained by.
EXPLAINED_BY = {
    "spikes": ("exploding",), "loss-jump": ("spikes", "huge"), "not-learning": ("huge", "zeros"),
    "loss-rises": ("huge",), "huge": ("exploding",),
    "always-clipped": ("clipped-scaled",),
}  # fmt: skip


def find_all(series: Series, max_norm: float | None = None) -> list[Finding]:
    """Return all that is found, the most severe first; `max_norm` is the clipping threshold if the log has none."""
    if not len(series.steps):
        return []
    series, found = as_meant(series)
    found = found + [finding for criterion in CRITERIA for finding in criterion(series)]
    found += find_clipping(series, max_norm) + find_clipped_scaled(series, max_norm)
    found = [with_signs(one, series, max_norm) for one in found if not _is_explained(one, found)]
    kinds = list(FINDING_KINDS)
    return sorted(found, key=lambda one: (SEVERITIES.index(one.weight), kinds.index(one.kind)))


def _is_explained(one: Finding, found: list[Finding]) -> bool:
    """Whether a finding is the effect of another one."""
    others = [other for other in found if other is not one]
    if one.kind == "update-ratio" and one.layers:  # too small only where hardly any gradient arrives
        poor = {layer for other in others if other.kind in STARVING for layer in other.layers}
        return set(one.layers) <= poor
    if one.kind in OF_THE_LOSS and any(other.weight == ERROR for other in others):
        return True
    causes: tuple[str, ...] = EXPLAINED_BY.get(one.kind, ())
    if one.kind == "collapsed":
        causes = ("nonfinite",) if one.details.get("zero_loss") else ("zeros",)
    return any(other.kind in causes for other in others)
