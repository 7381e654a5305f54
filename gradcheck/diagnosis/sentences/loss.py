"""The causes that lie between a model's output and its loss, and in what is trained, in words. Loads no NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck.base.wording import the_loss
from gradcheck.diagnosis.sentences.code import TRAINED, Code

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


def _broadcast(cause: Cause, flow: GradientFlow) -> str:
    shapes = cause.details
    if shapes.get("classes"):
        return (
            f"outputs of {shapes['output']} and targets of {shapes['targets']} make {shapes['wide']} in the loss: a "
            "label's number is the target of every class alike; give one-hot targets, or a loss of class numbers"
        )
    if shapes.get("product"):
        return (
            f"numbers of {shapes['output']} times numbers of {shapes['targets']} make {shapes['wide']} in the loss: "
            "each is multiplied by those of all examples, so that only the means of both count; give both one shape"
        )
    reshaped = "targets.reshape(output.shape)" if "framework" in shapes else "targets.view_as(output)"
    return (
        f"outputs of {shapes['output']} and targets of {shapes['targets']} make {shapes['wide']} in the loss: each "
        f"output is compared with the targets of all examples, whose mean it learns; give both one shape: {reshaped}"
    )


def _readout_large(cause: Cause, flow: GradientFlow) -> str:
    start = f"the loss starts at {cause.details['times']:.3g} times what a constant answer costs"
    width = cause.details.get("pair_width")
    if width:
        return (
            f"{start}: the logits are distances or products of outputs of {width:,} numbers each, as large as these "
            "are many; divide them by that number, or its root"
        )
    if "mean" in cause.details:
        return (
            f"{start}: the outputs lie around {cause.details['mean']:.3g}, whatever the read-out gives, and the "
            "targets don't: leave out what is added to the outputs, or do the same to the targets"
        )
    if "given" in cause.details:
        return (
            f"{start}: the outputs are too large, their root mean square is {cause.value or math.nan:.3g}, since what "
            f"{cause.details['name']} gives is large, {cause.details['given']:.3g}: draw the weights up to there "
            "smaller (those between the steps of a recurrence orthogonal), divide sums by the number of their terms, "
            "or put a norm in front of the read-out"
        )
    if "readout" in cause.details:
        return (
            f"{start}: the outputs are too large, their root mean square is {cause.value or math.nan:.3g}; they are "
            f"made of the read-out's, of {cause.details['readout']:.3g}: draw its weights smaller, or divide sums by "
            "the number of their terms"
        )
    return (
        f"{start}: the read-out's outputs are too large, their root mean square is {cause.value or math.nan:.3g}; "
        "draw its weights smaller"
    )


def _first_loss(cause: Cause, flow: GradientFlow) -> str:
    said, classes = f"the loss starts at {cause.value or 0.0:.4g}", cause.details["classes"]
    if cause.limit is not None:
        what = f"guessing among {classes:,} classes" if classes else "the targets' mean as the answer"
        said += f"; {what} costs {cause.limit:.4g}"
    if shapes := cause.details.get("reshaped"):
        said += "; targets of {1} were given the outputs' shape {0}: a loss of your own would make {2}".format(*shapes)
    return said


def _silent(cause: Cause, flow: GradientFlow) -> str:
    said = f"all {cause.value} parameters that are trained get a gradient of exactly zero: no step changes any"
    zeros = cause.details["zeros"]
    both = f" ({zeros} are zero themselves: of a product whose factors are both zero, neither gets any)"
    return said + (both if zeros else "")


def _large_inputs(cause: Cause, flow: GradientFlow) -> str:
    scale = "scale them to about 1 (of a table each column by itself)"
    size = f"root mean square is {cause.value or math.nan:.3g}: {scale}"
    if cause.details.get("trained") and cause.layers and not flow.obstacle:
        return f"{flow.name(cause.layers[0])} is saturated, since {TRAINED}"
    saturated = f"{flow.name((cause.layers or (1, 1))[0])} is saturated by its inputs, whose {size}"
    return f"the inputs' {size}" if flow.obstacle or not cause.layers else saturated


#: Function ↦ optax' loss that applies it itself.
LOSSES_OF_LOGITS = {
    "softmax": "optax.softmax_cross_entropy_with_integer_labels", "sigmoid": "optax.sigmoid_binary_cross_entropy",
}  # fmt: skip

_SHUT = "no gradient leaves the loss: %s"


def _one_unit(cause: Cause, flow: GradientFlow) -> str:
    loss, after = cause.details.get("loss"), cause.details.get("after")
    if after is not None:
        return (
            f"the softmax after {after} is taken over a single number, and is 1 whatever that is: no gradient comes "
            "back through it; take it over all there are, before one is chosen"
        )
    if loss is None:
        return _SHUT % "the softmax over one unit is 1 for any input"
    what = f"{loss} of one unit is the same for any input: take a binary cross-entropy, or a unit for each class"
    return _SHUT % what


def _twice(cause: Cause, flow: GradientFlow) -> str:
    function = cause.code.partition("-")[0]
    if cause.details.get("within"):
        loss = the_loss(cause.details["loss"])
        return f"{loss} applies a {function}, and another one to what that gives: drop the first"
    is_one = "sums to 1: it is a softmax" if function == "softmax" else "is a sigmoid"
    found = f"the output {is_one} already, and {the_loss(cause.details['loss'])} applies another"
    if cause.details.get("framework") == "Keras":
        return f"{found}: give it from_logits=False, or take the {function} off the model's end"
    return f"{found}: return logits"


def _of_probabilities(cause: Cause, flow: GradientFlow) -> str:
    function, returned = cause.details["function"], cause.details.get("returned")
    if not returned:
        return (
            f"the output is a {function}, so that the loss is mean-square: for classes return logits, or name a --loss"
        )
    return (
        f"the model returns a {returned}, whose first tensor is a {function}, so that the loss is mean-square of that: "
        "a loss that the model computes itself is taken if it is a single number, alone, first in a tuple, or under "
        "'loss'; for classes return logits, or name a --loss of (output, targets)"
    )


def _not_probabilities(cause: Cause, flow: GradientFlow) -> str:
    given, end = cause.details, cause.details["end"]
    found = f"{the_loss(given['loss'])} takes probabilities, and is given {given['low']:.3g} to {given['high']:.3g}"
    if given["framework"] == "Keras":
        return f"{found}: for logits give it from_logits=True, or let the model end in a {end}"
    return f"{found}: for logits take a loss of logits, such as {LOSSES_OF_LOGITS[end]}, or end in a {end}"


OF_LOSS = {
    "softmax-of-one": Code("no gradient comes through a softmax: it has one unit", _one_unit),
    "output-shut": Code(
        "no gradient leaves the loss: all outputs are negative, or beyond a limit",
        _SHUT % "the {function} after the read-out is shut for the whole batch",
    ),
    "output-saturated": Code(
        "no gradient leaves the loss: all outputs are saturated",
        _SHUT % "the {function} after the read-out is saturated to the last digit",
    ),
    "output-flat": Code(
        "hardly any gradient leaves the loss: outputs are saturated; value: the share of what it asks for that is lost",
        "hardly any gradient leaves the loss: a {function} after the read-out is saturated, and of {value:.0%} of what "
        "the loss asks for next to nothing comes through",
    ),
    "softmax-twice": Code(
        "the output is a softmax already, and the loss takes it for logits; value: the share of its slope that is left",
        _twice,
    ),
    "sigmoid-twice": Code(
        "the output is a sigmoid already, and the loss takes it for logits",
        _twice,
    ),
    "not-probabilities": Code(
        "the loss takes probabilities and is given other numbers; value: their share below 0 or above 1",
        _not_probabilities,
    ),
    "loss-of-probabilities": Code(
        "the output are probabilities, and no loss was named",
        _of_probabilities,
    ),
    "constant-loss": Code("no gradient leaves the loss", _SHUT % "the loss doesn't change with the read-out's output"),
    "first-loss": Code("value: the loss where training starts; limit: what a constant answer costs", _first_loss),
    "columns-apart": Code(
        "a column of the data drowns most others; value: its standard deviation over the typical one's",
        "column {column} of the data varies {value:,.0f} times as much as a typical one, and the file is scaled as a "
        "whole: beside it most columns are as good as constant; standardise each column by itself, "
        "(x - x.mean(0)) / x.std(0)",
    ),
    "features-apart": Code(
        "a column of the inputs drowns the others; value: its standard deviation over the typical one's",
        "column {column} of the inputs varies {value:,.3g} times as much as a typical one, and is nearly all that "
        "tells the examples apart (effective rank {rank:.1f} as they are): standardise each column by itself, "
        "(x - x.mean(0)) / x.std(0)",
    ),
    "readout-large": Code(
        "the loss starts far above a constant answer's; value: root mean square of the outputs",
        _readout_large,
    ),
    "branches-grow": Code(
        "what residual blocks give grows from block to block; value: how many times from the first to the last",
        "the sum of the residual blocks grows from block to block: {first} gives {low:.2g}, {last} {high:.2g}, "
        "{value:.2g} times as much; start the last matrix of each block's branch at zero, or scale the branches by "
        "1/sqrt(blocks), here {scale:.2g}, or put a norm after the last block",
    ),
    "layers-grow": Code(
        "what layers give grows from one to the next; value: how many times from the first to the last",
        "what the layers give grows from one to the next: {first} gives {low:.2g}, {last} {high:.2g}, {value:.2g} "
        "times as much; where each sums over neighbours, normalise the adjacency, which divides by their number; else "
        "draw the weights smaller, or put a norm after each",
    ),
    "targets-large": Code(
        "the loss starts far above a constant answer's; value: root mean square of the targets",
        "the loss starts at {times:.3g} times what a constant answer costs: the targets, whose root mean square is "
        "{value:.3g}, lie far from 0; subtract their mean",
    ),
    "broadcast": Code(
        "outputs and targets of different shapes are broadcast in the loss; value: how many pairs that makes",
        _broadcast,
    ),
    "targets-huge": Code(
        "the targets are huge beside the outputs; value: their root mean square",
        "the targets' root mean square is {value:.3g}, that of the outputs {outputs:.2g}: steps that suit the weights "
        "hardly change the loss; subtract the targets' mean and divide by their deviation",
    ),
    "loss-outsized": Code(
        "the loss starts far above what its numbers explain; value: the loss; limit: the most that they might",
        "the loss starts at {value:.2g}, though the outputs' root mean square is {outputs:.2g} and the targets' "
        "{targets:.2g}: a large factor is in it, which only Adam bears, or it divides by a small number, as a variance",
    ),
    "targets-wide": Code(
        "the targets' standard deviation is large, and with it the gradient; value: that",
        "the targets' standard deviation is {value:.3g}, and the gradient grows with it: plain SGD explodes at usual "
        "rates, 0.01 among them; divide the targets by it, or take Adam",
    ),
    "labels-ignored": Code(
        "the loss ignores all targets; value: how many",
        "the loss ignores all {value} targets: it is the mean of no example, 0/0",
    ),
    "term-zero": Code(
        "the gradient of one of the loss's terms is exactly zero",
        "{term} of the {count} that the loss is a sum of has a gradient of exactly zero: it trains nothing{why}",
    ),
    "term-drowned": Code(
        "one term of the loss drowns another; value: times its gradient, at the last layer that they share",
        "{other} of the loss has {value:.2g} times the gradient of {term} at the last layer that they share: scale it, "
        "or its targets",
    ),
    "detached": Code(
        "no gradient reaches layers, though the loss depends on them; value: how many",
        "{names} never get{s} a gradient, though the loss depends on {them}: there is a detach(), a no_grad(), a "
        ".data or a stop_gradient() between; take it out, or freeze {them}",
    ),
    "all-zero": Code("the gradient of all that is trained is exactly zero; value: how many parameters", _silent),
    "rounding": Code(
        "the gradient of layers is rounding and nothing else: it turns when weights move a little; value: how many",
        "the gradient of {names} is rounding and nothing else, and points anywhere: the loss doesn't depend on {them}, "
        "as where a softmax is taken over one expert alone",
    ),
    "frozen": Code(
        "parameters are frozen; value: how many; limit: of how many",
        "{value} of {limit:.0f} parameters are frozen: not trained, and not judged",
    ),
    "frozen-body": Code(
        "parameters are frozen, most of a model in front of what is trained; value: how many; limit: of how many",
        "{value} of {limit:.0f} parameters are frozen: not trained, and not judged; most of the model stays as it is, "
        "trained before or drawn at random",
    ),
    "large-inputs": Code("its inputs are too large; value: their root mean square", _large_inputs),
}
