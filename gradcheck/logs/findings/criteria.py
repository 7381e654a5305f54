"""All criteria together."""

from gradcheck.logs.findings.clips import find_clipping
from gradcheck.logs.findings.decay import find_collapsed, find_vanishing
from gradcheck.logs.findings.finding import FINDING_KINDS, SEVERITIES, Finding
from gradcheck.logs.findings.growth import find_exploding, find_spikes
from gradcheck.logs.findings.states import find_dead, find_no_gradient, find_nonfinite, find_update_ratios
from gradcheck.logs.series import Series

#: Those that need nothing but the log.
CRITERIA = (
    find_exploding, find_nonfinite, find_vanishing, find_collapsed, find_no_gradient, find_dead, find_spikes,
    find_update_ratios,
)  # fmt: skip

#: Findings of layers that get hardly any gradient.
STARVING = ("vanishing", "no-gradient", "collapsed")


def find_all(series: Series, max_norm: float | None = None) -> list[Finding]:
    """Return all that is found, the most severe first; `max_norm` is the clipping threshold if the log has none."""
    if not len(series.steps):
        return []
    found = [finding for criterion in CRITERIA for finding in criterion(series)]
    found += find_clipping(series, max_norm)
    found = [one for one in found if not _is_explained(one, found)]
    kinds = list(FINDING_KINDS)
    return sorted(found, key=lambda one: (SEVERITIES.index(one.weight), kinds.index(one.kind)))


def _is_explained(one: Finding, found: list[Finding]) -> bool:
    """Whether updates are too small only in layers that get hardly any gradient, which is reported already."""
    poor = {layer for other in found if other.kind in STARVING for layer in other.layers}
    return one.kind == "update-ratio" and bool(one.layers) and set(one.layers) <= poor
