"""What a diagnosis can find in a log: one table of the kinds, by weight, and one finding."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gradcheck.logs.findings.sentences import SENTENCES

#: How much a finding weighs: an error or a warning takes the verdict from healthy, a note doesn't.
SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"


class FindingKind(NamedTuple):
    """A kind of finding.

    Attributes
    ----------
    severity : str
        Usual one.
    meaning : str
    number : str
        The one of its numbers that decides.
    advice : tuple of str
        What to try, the most likely first.
    """

    severity: str
    meaning: str
    number: str
    advice: tuple[str, ...]


#: By weight: what is a cause stands before what it brings about.
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
            "look for a division by zero, a logarithm of zero or an overflow in half precision where it is first",
            "in half precision: scale the loss dynamically, or take bfloat16",
        ),
    ),
    "vanishing": FindingKind(
        ERROR,
        "from the start the first layers get next to nothing of the last layers' gradient",
        "log10_weakest_ratio",
        (
            "change initialisation or activation, add normalisation or skip connections: "
            "gradcheck simulate shows which brings it back",
        ),
    ),
    "collapsed": FindingKind(
        ERROR,
        "the gradient dies in the course of training, without the loss having got anywhere",
        "log10_fall",
        (
            "look for dead or saturated units from this step on: lower the learning rate, or take leaky_relu or gelu",
            "start again from a checkpoint from before, with clipping",
        ),
    ),
    "no-gradient": FindingKind(
        WARNING,
        "a parameter never receives a gradient",
        "parameters",
        (
            "check that it is used in the forward pass, and not detached from the loss; freeze it if that is meant",
        ),
    ),
    "dead": FindingKind(
        WARNING,
        "most units of a layer put out zero for the whole batch at the end",
        "dead_fraction",
        ("lower the learning rate, or take an activation without a flat side (leaky_relu, elu, gelu)",),
    ),
    "spikes": FindingKind(
        WARNING,
        "single gradients are far larger than the others' own spread explains",
        "log10_highest",
        (
            "clip the global norm: the table below has a threshold that only spikes reach",
            "look at the batches of these steps",
        ),
    ),
    "always-clipped": FindingKind(
        WARNING,
        "clipping is at work in nearly every step: it is a lower learning rate under another name",
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
    """One thing that was found.

    Attributes
    ----------
    kind : str
        A key of ``FINDING_KINDS``.
    first_step, last_step : float
    layers : tuple of str
        Those concerned, the first to move first; empty where the log has none.
    numbers : dict
        What was measured, by name.
    limit : float or None
        What the kind's own number is beyond; None where it is no matter of more or less.
    details : dict
        What else its sentence depends on.
    severity : str
        Empty: the kind's usual one.
    """

    kind: str
    first_step: float
    last_step: float
    layers: tuple[str, ...] = ()
    numbers: Mapping[str, float] = MappingProxyType({})
    limit: float | None = None
    details: Mapping[str, Any] = MappingProxyType({})
    severity: str = ""

    @property
    def weight(self) -> str:
        """How much it weighs: ``error``, ``warning`` or ``note``."""
        return self.severity or FINDING_KINDS[self.kind].severity

    @property
    def value(self) -> float | None:
        """The number that its limit bounds; None where there is none."""
        return self.numbers.get(FINDING_KINDS[self.kind].number)

    @property
    def message(self) -> str:
        """What, where and how much, in one line."""
        return SENTENCES[self.kind](self)
