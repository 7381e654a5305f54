"""What a diagnosis can find in a log: a table of the kinds, and one finding."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gradcheck.logs.findings.sentences import SENTENCES

#: How severe a finding is: an error or a warning makes a run unhealthy, a note doesn't.
SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"


class FindingKind(NamedTuple):
    """A kind of finding."""

    severity: str  # the usual one
    meaning: str
    number: str  # the number that decides
    advice: tuple[str, ...]  # what to try, the most likely first


#: The most severe first; a cause comes before its effects.
FINDING_KINDS: dict[str, FindingKind] = {
    "exploding": FindingKind(
        ERROR,
        "the gradient grows exponentially and does not come back",
        "log10_rise",
        (
            "go back to a checkpoint from before, and clip the global norm: the table below has a threshold",
            "lower the learning rate, or lengthen its warm-up",
        ),
    ),
    "nonfinite": FindingKind(
        ERROR,
        "a loss or a gradient is infinite or not a number",
        "rows",
        (
            "look for a division by zero, a logarithm of zero or an overflow in half precision where it begins",
            "in half precision: scale the loss dynamically, or use bfloat16",
        ),
    ),
    "vanishing": FindingKind(
        ERROR,
        "from the start the first layers get almost nothing of the last layers' gradient",
        "log10_weakest_ratio",
        (
            "change initialisation or activation, add normalisation or skip connections: "
            "gradcheck simulate shows which of them helps",
        ),
    ),
    "collapsed": FindingKind(
        ERROR,
        "the gradient dies during training, and the loss has got nowhere",
        "log10_fall",
        (
            "look for dead or saturated units from this step on: lower the learning rate, or use leaky_relu or gelu",
            "start again from a checkpoint from before, with clipping",
        ),
    ),
    "no-gradient": FindingKind(
        WARNING,
        "a parameter never receives a gradient",
        "parameters",
        (
            "check that it is used in the forward pass, and not detached from the loss; freeze it if that is intended",
        ),
    ),
    "dead": FindingKind(
        WARNING,
        "at the end most units of a layer output zero for the whole batch",
        "dead_fraction",
        ("lower the learning rate, or use an activation without a flat side (leaky_relu, elu, gelu)",),
    ),
    "spikes": FindingKind(
        WARNING,
        "single gradients are far larger than the spread of the others explains",
        "log10_highest",
        (
            "clip the global norm: the table below has a threshold that only spikes reach",
            "look at the batches of these steps",
        ),
    ),
    "always-clipped": FindingKind(
        WARNING,
        "clipping acts in nearly every step: it is a lower learning rate under another name",
        "clipped_fraction",
        ("raise the threshold to what only unusual gradients reach (the table below), and lower the learning rate",),
    ),
    "update-ratio": FindingKind(
        WARNING,
        "updates are too small or too large for the weights they change",
        "update_ratio",
        ("change the learning rate of these layers: updates of about 1/1000 of the weights are usual",),
    ),
    "never-clipped": FindingKind(
        NOTE,
        "the clipping threshold is never reached",
        "largest_norm",
        ("leave it as a safety net, or lower it to what only unusual gradients reach (the table below)",),
    ),
}  # fmt: skip


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

    @property
    def weight(self) -> str:
        """How severe it is: ``error``, ``warning`` or ``note``."""
        return self.severity or FINDING_KINDS[self.kind].severity

    @property
    def value(self) -> float | None:
        """The number that decides; None if there is none."""
        return self.numbers.get(FINDING_KINDS[self.kind].number)

    @property
    def message(self) -> str:
        """What, where and how much, in one line."""
        return SENTENCES[self.kind](self)
