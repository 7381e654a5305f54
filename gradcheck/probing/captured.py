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
    """A parameter of a layer.

    Attributes
    ----------
    name : str
        Its own, without the layer's.
    value : Array
    gradient : Array, optional
        ∂loss/∂value; None where the loss has no way to it.
    trained : bool
    bias : bool
        It is added: of a layer's norm it is no part where there are others.
    """

    name: str
    value: Array
    gradient: Array | None = None
    trained: bool = True
    bias: bool = False


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a layer in the forward pass.

    Attributes
    ----------
    output : Array
        What it gives, (examples, …): of a layer with an activation of its own what goes into that.
    gradient : Array, optional
        ∂loss/∂output; None where none arrives.
    activities : tuple of Activity
        The activation functions that follow, its own or later ones, with nothing but norms, dropout, pooling and
        other shapes between.
    on_trunk : bool
        All of the signal goes through it: no path leads around it.
    normalized : bool
        A norm follows.
    scores : bool
        It reaches the loss only through a softmax, as queries and keys do; not so of a read-out.
    """

    output: Array
    gradient: Array | None = None
    activities: tuple[Activity, ...] = ()
    on_trunk: bool = False
    normalized: bool = False
    scores: bool = False


@dataclass(frozen=True, eq=False)
class CapturedLayer:
    """A layer that holds weights itself.

    Attributes
    ----------
    name : str
        As the model calls it.
    uses : tuple of Use
        In their order; at least one.
    weights : tuple of Weight
        At least one.
    kind : str
        One of ``KINDS``, or empty: then it is a norm where all its weights are vectors, else linear.
    axis : int
        Of the output's channels, or units.
    by_example : bool
        A row of its output is a whole example, as of images; else each position is one, as of tokens.
    role : str
        Its place in a block: its name without the numbers of blocks and stages.
    """

    name: str
    uses: tuple[Use, ...]
    weights: tuple[Weight, ...]
    kind: str = ""
    axis: int = -1
    by_example: bool = False
    role: str = ""


@dataclass(frozen=True, eq=False)
class CapturedLoss:
    """The loss, and what it was made of.

    Attributes
    ----------
    name : str
        What the report calls it.
    value : float
        nan where the signal isn't finite.
    law : str
        One of ``LAWS``, as the mean over all entries; empty: of the user's own.
    classes : int
        Of a cross-entropy.
    labels : Array of int, optional
        Of a cross-entropy, those that count; None where the targets are probabilities.
    targets, output : array, optional
        What is compared: the output's floats, and targets of any kind of numbers; of several outputs none.
    parts : tuple of (str, CapturedLoss)
        Of several outputs the name of each, and the loss with that one alone, and its targets where they are known.
    drawn : bool
        The targets are random numbers, as none were given.
    end : str
        The function between the read-out and the loss: ``softmax``, ``sigmoid``, ``tanh``, ``relu``, or empty.
    """

    name: str
    value: float
    law: str = ""
    classes: int = 0
    labels: np.ndarray | None = None
    targets: np.ndarray | None = None
    output: Array | None = None
    end: str = ""
    drawn: bool = False
    parts: tuple[tuple[str, "CapturedLoss"], ...] = ()


@dataclass(frozen=True, eq=False)
class CapturedPass:
    """One pass, forward and back.

    Attributes
    ----------
    layers : tuple of CapturedLayer
        In the order of their first use; of nested ones the innermost.
    last : int
        Index of the layer that was used last: the read-out, where there are several.
    loss : CapturedLoss
    examples : int
        In the batch.
    inputs : tuple of Array
        What went in, floats and whole numbers.
    shift : int
        The gradients are those of 2**shift times the loss.
    features : float
        Numbers in a row of what the first layer is given.
    lost : tuple of str
        Layers whose values the loss depends on, and which no gradient reaches; no copies of others.
    not_looked_at : tuple of str
        What could not be found out about this pass, as the report says it.
    unused : tuple of str
        Trained parameters of layers that the pass didn't use.

    Notes
    -----
    Where an output isn't finite there is no loss: the gradients are those of the mean square of the output of the last
    layer before (``probing.findings.reach_of``), or None.
    """

    layers: tuple[CapturedLayer, ...]
    last: int
    loss: CapturedLoss
    examples: int
    inputs: tuple[np.ndarray, ...] = ()
    shift: int = 0
    features: float = math.inf
    lost: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
