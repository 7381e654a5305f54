"""What a diagnosis can find in a log: one table of the kinds, by weight, and one finding."""

import math
from typing import NamedTuple

#: How much a finding weighs: an error or a warning takes the verdict from healthy, a note doesn't.
ERROR, WARNING, NOTE = "error", "warning", "note"


class Kind(NamedTuple):
    """A kind of finding.

    Attributes
    ----------
    severity : str
        Usual one.
    meaning : str
    advice : tuple of str
        What to try, the most likely first.
    """

    severity: str
    meaning: str
    advice: tuple[str, ...]


#: By weight: what is a cause stands before what it brings about.
KINDS: dict[str, Kind] = {
    "exploding": Kind(
        ERROR,
        "the gradient grows exponentially and does not come back",
        (
            "go back to a checkpoint from before, and clip the global norm: the table below has a threshold",
            "lower the learning rate, or lengthen its warm-up",
        ),
    ),
    "nonfinite": Kind(
        ERROR,
        "a loss or a gradient is infinite or not a number",
        (
            "look for a division by zero, a logarithm of zero or an overflow in half precision where it is first",
            "in half precision: scale the loss dynamically, or take bfloat16",
        ),
    ),
    "vanishing": Kind(
        ERROR,
        "from the start the first layers get next to nothing of the last layers' gradient",
        (
            "change initialisation or activation, add normalisation or skip connections: "
            "gradcheck simulate shows which brings it back",
        ),
    ),
    "collapsed": Kind(
        ERROR,
        "the gradient dies in the course of training, without the loss having got anywhere",
        (
            "look for dead or saturated units from this step on: lower the learning rate, or take leaky_relu or gelu",
            "start again from a checkpoint from before, with clipping",
        ),
    ),
    "no-gradient": Kind(
        WARNING,
        "a parameter never receives a gradient",
        (
            "check that it is used in the forward pass, and not detached from the loss; freeze it if that is meant",
        ),
    ),
    "dead": Kind(
        WARNING,
        "most units of a layer put out zero for the whole batch at the end",
        ("lower the learning rate, or take an activation without a flat side (leaky_relu, elu, gelu)",),
    ),
    "spikes": Kind(
        WARNING,
        "single gradients are far larger than the others' own spread explains",
        (
            "clip the global norm: the table below has a threshold that only spikes reach",
            "look at the batches of these steps",
        ),
    ),
    "always-clipped": Kind(
        WARNING,
        "clipping is at work in nearly every step: it is a lower learning rate under another name",
        ("raise the threshold to what only unusual gradients reach (the table below), and lower the learning rate",),
    ),
    "update-ratio": Kind(
        WARNING,
        "updates are too small or too large for the weights they change",
        ("change the learning rate of these layers: updates of about 1/1000 of the weights are usual",),
    ),
    "never-clipped": Kind(
        NOTE,
        "the clipping threshold is never reached",
        ("leave it as a safety net, or lower it to what only unusual gradients reach (the table below)",),
    ),
}  # fmt: skip


class Finding(NamedTuple):
    """One thing that was found.

    Attributes
    ----------
    kind : str
        A key of ``KINDS``.
    message : str
        What, where and how much, in one line.
    first_step, last_step : float
    layers : tuple of str
        Those concerned, the first to move first; empty where the log has none.
    numbers : dict
        What the message says, by name.
    severity : str
        Empty: the kind's usual one.
    """

    kind: str
    message: str
    first_step: float
    last_step: float
    layers: tuple[str, ...] = ()
    numbers: dict[str, float] = {}  # noqa: RUF012  # never changed
    severity: str = ""

    @property
    def weight(self) -> str:
        """How much it weighs: ``error``, ``warning`` or ``note``."""
        return self.severity or KINDS[self.kind].severity


def step_text(step: float) -> str:
    """Return a step as one reads it; an epoch may have decimals."""
    return f"{step:,.0f}" if float(step).is_integer() else f"{step:.6g}"


def counted(number: int, what: str) -> str:
    """Return ``1 layer``, ``2 layers``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def factor_text(decades: float) -> str:
    """Return a factor of so many decades: ``30``, ``14,000``, ``4.0e+09``."""
    exponent = math.floor(decades)
    mantissa = round(10 ** (decades - exponent), 1)
    if exponent < 6:
        return f"{mantissa * 10**exponent:,.0f}" if exponent > 0 else f"{10**decades:.3g}"
    return f"{mantissa:.1f}e+{exponent:02d}"
