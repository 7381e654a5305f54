"""What a diagnosis can find in a log: a table of the kinds, and one finding."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

#: How severe a finding is: an error or a warning makes a run unhealthy, a note doesn't.
SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"


class FindingKind(NamedTuple):
    """A kind of finding."""

    severity: str  # the usual one
    meaning: str
    number: str  # the number that decides


#: The most severe first; a cause comes before its effects.
FINDING_KINDS: dict[str, FindingKind] = {
    "exploding": FindingKind(ERROR, "the gradient grows exponentially and does not come back", "log10_rise"),
    "nonfinite": FindingKind(ERROR, "a loss or a gradient is infinite or not a number", "rows"),
    "vanishing": FindingKind(
        ERROR, "from the start the first layers get almost nothing of the last layers' gradient", "log10_weakest_ratio"
    ),
    "collapsed": FindingKind(
        ERROR,
        "the gradient dies during training, and the loss has got nowhere; or both fall to exactly zero",
        "log10_fall",
    ),
    "no-gradient": FindingKind(WARNING, "a parameter never receives a gradient; an error if none does", "parameters"),
    "loss-rises": FindingKind(WARNING, "the loss rises for good, while gradients look ordinary", "rise"),
    "dead": FindingKind(WARNING, "at the end most units of a layer output zero for the whole batch", "dead_fraction"),
    "spikes": FindingKind(
        WARNING, "single gradients are far larger than the spread of the others explains", "log10_highest"
    ),
    "huge": FindingKind(WARNING, "loss and gradient are huge from the first row on, and get no better", "loss"),
    "not-zeroed": FindingKind(
        WARNING, "gradients of the step before are still there when the next ones are added", "share"
    ),
    "not-learning": FindingKind(WARNING, "the loss does not move", "level"),
    "loss-jump": FindingKind(WARNING, "the loss jumps and stays up, while gradients look ordinary", "jump"),
    "zeros": FindingKind(WARNING, "in many rows the gradient is exactly zero", "share"),
    "clipped-scaled": FindingKind(
        WARNING, "gradients are clipped while they are still multiplied by the loss scale", "kept"
    ),
    "always-clipped": FindingKind(
        WARNING,
        "clipping acts in nearly every step: it is a lower learning rate under another name",
        "clipped_fraction",
    ),
    "update-ratio": FindingKind(
        WARNING, "updates are too small or too large for the weights they change", "update_ratio"
    ),
    "drifting": FindingKind(NOTE, "the gradient norm grows steadily along the run, which learns", "log10_rise"),
    "never-clipped": FindingKind(NOTE, "the clipping threshold is never reached", "largest_norm"),
    "not-computed": FindingKind(
        NOTE, "the gradient norm is zero in every row though the loss moves: it was not computed", "rows"
    ),
    "scaled-norms": FindingKind(
        NOTE, "the norms are those of gradients multiplied by the loss scale; they are divided by it", "scales"
    ),
    "tiny": FindingKind(NOTE, "the gradient norm is tiny in every row", "largest_norm"),
    "too-short": FindingKind(NOTE, "there are too few rows to call anything healthy", "rows"),
}

#: What a verdict says of a run with notes alone.
HARMLESS = ("healthy", "too-short")


class Finding(NamedTuple):
    """One thing that was found."""

    kind: str  # a key of ``FINDING_KINDS``
    first_step: float
    last_step: float
    layers: tuple[str, ...] = ()  # those affected, in the order in which they moved; empty if the log has none
    numbers: Mapping[str, float] = MappingProxyType({})  # what was measured, by name
    limit: float | None = None  # the limit that the kind's number is beyond; None if there is none
    details: Mapping[str, Any] = MappingProxyType({})  # what else its sentence depends on
    severity: str = ""  # empty: the usual one of its kind
    signs: tuple[str, ...] = ()  # keys of ``signs.SIGNS`` that the log shows

    @property
    def weight(self) -> str:
        """How severe it is: ``error``, ``warning`` or ``note``."""
        return self.severity or FINDING_KINDS[self.kind].severity

    @property
    def value(self) -> float | None:
        """The number that decides; None if there is none."""
        return self.numbers.get(FINDING_KINDS[self.kind].number)
