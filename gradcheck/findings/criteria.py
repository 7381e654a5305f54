"""All criteria together."""

from gradcheck.findings.clips import clipping
from gradcheck.findings.decay import collapsed, vanishing
from gradcheck.findings.finding import ERROR, KINDS, NOTE, WARNING, Finding
from gradcheck.findings.growth import exploding, spikes
from gradcheck.findings.states import dead, no_gradient, nonfinite, update_ratio
from gradcheck.logs.series import Series

#: Those that need nothing but the log.
CRITERIA = (exploding, nonfinite, vanishing, collapsed, no_gradient, dead, spikes, update_ratio)

_WEIGHTS = (ERROR, WARNING, NOTE)


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
    kinds = list(KINDS)
    return sorted(found, key=lambda one: (_WEIGHTS.index(one.weight), kinds.index(one.kind)))
