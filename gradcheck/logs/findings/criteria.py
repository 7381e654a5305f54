"""All criteria together."""

from gradcheck.logs.findings.clips import clipping
from gradcheck.logs.findings.decay import collapsed, vanishing
from gradcheck.logs.findings.finding import FINDING_KINDS, SEVERITIES, Finding
from gradcheck.logs.findings.growth import exploding, spikes
from gradcheck.logs.findings.states import dead, no_gradient, nonfinite, update_ratio
from gradcheck.logs.series import Series

#: Those that need nothing but the log.
CRITERIA = (exploding, nonfinite, vanishing, collapsed, no_gradient, dead, spikes, update_ratio)

#: Findings of layers that get hardly any gradient.
STARVING = ("vanishing", "no-gradient", "collapsed")


def findings(series: Series, max_norm: float | None = None) -> list[Finding]:
    """Return all that is found, by weight.

    Parameters
    ----------
    series : Series
    max_norm : float, optional
        The threshold of the global norm, where the log doesn't say it.
    """
    if not len(series.steps):
        return []
    found = [finding for criterion in CRITERIA for finding in criterion(series)]
    found += clipping(series, max_norm)
    found = [one for one in found if not _is_explained(one, found)]
    kinds = list(FINDING_KINDS)
    return sorted(found, key=lambda one: (SEVERITIES.index(one.weight), kinds.index(one.kind)))


def _is_explained(one: Finding, found: list[Finding]) -> bool:
    """Whether updates are too small in layers only that get hardly any gradient: that is said already."""
    poor = {layer for other in found if other.kind in STARVING for layer in other.layers}
    return one.kind == "update-ratio" and bool(one.layers) and set(one.layers) <= poor
