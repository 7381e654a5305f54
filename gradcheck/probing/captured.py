"""A pass through a model as arrays: what a framework hands over for its layers to be measured and judged."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.types import Array

#: Kinds of layers that are compared among themselves; what is none of them is ``norm`` or ``linear``.
KINDS = ("convolution", "recurrence", "embedding", "attention")

#: Losses whose size is known without the model.
LAWS = ("cross-entropy", "binary-cross-entropy", "mean-square")


class Activity(NamedTuple):
    """An activation function at work: φ(z), φ'(z), and the largest |φ'| there is."""

    output: Array
    slope: Array
    steepest: float


def activity(name: str, z: Array) -> Activity:
    """Return one of the engine's activations at work on z."""
    output, slope = ACTIVATIONS[name](z)
    return Activity(output, slope, ACTIVATIONS[name].steepest)


class Weight(NamedTuple):
    """A parameter of a layer."""

    name: str  # its own, without the layer's
    value: Array
    gradient: Array | None = None  # ∂loss/∂value; None where the loss has no way to it
    trained: bool = True
    bias: bool = False  # it is added: of a layer's norm it is no part where there are others


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a layer in the forward pass."""

    output: Array  # what it gives, (examples, …): of a layer with an activation of its own what goes into that
    gradient: Array | None = None  # ∂loss/∂output; None where none arrives
    # the activation functions that follow, its own or later ones, with nothing but norms, dropout, pooling and other
    # shapes between
    activities: tuple[Activity, ...] = ()
    on_trunk: bool = False  # all of the signal goes through it: no path leads around it
    normalized: bool = False  # a norm follows
    scores: bool = False  # it reaches the loss only through a softmax, as queries and keys do; not so of a read-out


@dataclass(frozen=True, eq=False)
class CapturedLayer:
    """A layer that holds weights itself."""

    name: str  # as the model calls it
    uses: tuple[Use, ...]  # in their order; at least one
    weights: tuple[Weight, ...]  # at least one
    kind: str = ""  # one of ``KINDS``, or empty: then it is a norm where all its weights are vectors, else linear
    axis: int = -1  # of the output's channels, or units
    # a row of its output is a whole example, as of images; else each position is one, as of tokens
    by_example: bool = False
    role: str = ""  # its place in a block: its name without the numbers of blocks and stages


@dataclass(frozen=True, eq=False)
class CapturedLoss:
    """The loss, and what it was made of."""

    name: str  # what the report calls it
    value: float  # nan where the signal isn't finite
    law: str = ""  # one of ``LAWS``, as the mean over all entries; empty: of the user's own
    classes: int = 0  # of a cross-entropy
    labels: np.ndarray | None = None  # of a cross-entropy, those that count; None where the targets are probabilities
    # targets, output: what is compared: the output's floats, and targets of any kind of numbers; of several outputs
    # none
    targets: np.ndarray | None = None
    output: Array | None = None
    # the function between the read-out and the loss: ``softmax``, ``sigmoid``, ``tanh``, ``relu``, or empty
    end: str = ""
    drawn: bool = False  # the targets are random numbers, as none were given
    # of several outputs the name of each, and the loss with that one alone, and its targets where they are known
    parts: tuple[tuple[str, "CapturedLoss"], ...] = ()


@dataclass(frozen=True, eq=False)
class CapturedPass:
    """One pass, forward and back.

    Where an output isn't finite there is no loss: the gradients are those of the mean square of the output of the last
    layer before (``probing.findings.reach_of``), or None.
    """

    layers: tuple[CapturedLayer, ...]  # in the order of their first use; of nested ones the innermost
    last: int  # index of the layer that was used last: the read-out, where there are several
    loss: CapturedLoss
    examples: int  # in the batch
    inputs: tuple[np.ndarray, ...] = ()  # what went in, floats and whole numbers
    shift: int = 0  # the gradients are those of 2**shift times the loss
    features: float = math.inf  # numbers in a row of what the first layer is given
    # layers whose values the loss depends on, and which no gradient reaches; no copies of others
    lost: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()  # what could not be found out about this pass, as the report says it
    unused: tuple[str, ...] = ()  # trained parameters of layers that the pass didn't use
