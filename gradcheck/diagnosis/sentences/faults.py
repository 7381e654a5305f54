"""What is wrong with a user's model though its gradients may be healthy, each with its cure. Loads no NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck.diagnosis.sentences.code import Code
from gradcheck.render.numbers import percent

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow

#: How values were cut off from the graph ↦ what to do about it; ``%s`` is the function.
CURES = {
    "copy": "%s takes it out: return the loss as it is, and use that for what is logged only",
    "no-grad": "it is made under %s: take it out of there",
    "choice": "%s has no derivative: make the loss of the outputs themselves, as cross-entropy is of logits",
    "": "make it of the model's output by PyTorch's own functions",
}


def _cut(cause: Cause, flow: GradientFlow) -> str:
    function, kind = cause.details["function"], cause.details["kind"]
    cure = CURES[kind].replace("%s", function)
    hidden = ", and requires_grad on its copy doesn't bring it back" if cause.details["again"] else ""
    return f"the loss has no graph to the model's output, so that no step changes anything{hidden}: {cure}"


def _output_cut(cause: Cause, flow: GradientFlow) -> str:
    function, kind = cause.details["function"], cause.details["kind"]
    what = "look for detach(), no_grad() or NumPy in forward"
    if kind == "choice":
        what = f"{function} in forward has no derivative: return the scores that it chooses by"
    elif function:
        what = f"{function} in forward cuts it off: take it out"
    return f"the model's output has no graph, so that no step changes anything: {what}"


def _out_of_reach(cause: Cause, flow: GradientFlow) -> str:
    function, (low, high) = cause.details["function"], cause.details["bounds"]
    bounds = f"above {low:g}" if high == float("inf") else f"below {high:g}"
    bounds = bounds if "inf" in f"{low}{high}" else f"between {low:g} and {high:g}"
    share, targets = percent(cause.value or 0.0), f"{cause.details['low']:.3g} to {cause.details['high']:.3g}"
    return (
        f"{share} of the targets, which are {targets}, are out of the output's reach: it ends in {function}, and is "
        f"{bounds}; return what the last layer gives, or scale the targets"
    )


def _silent_before(cause: Cause, flow: GradientFlow) -> str:
    name, before = cause.details["name"], cause.details["before"]
    why, weights = "such as units that never reach their threshold", "larger"
    if cause.details["saturated"]:
        why, weights = "which is saturated", "smaller"
    lost = f"nothing gets past what is after {before}, {why}"
    return f"{name} gets the same for every example: {lost}; put a norm after {before}, or start with {weights} weights"


def _unregistered(cause: Cause, flow: GradientFlow) -> str:
    names = cause.details["names"]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if "strange" in cause.details:
        return (
            f"parameters of {shown} are used and want a gradient, but the model doesn't hold them, so that no "
            "optimizer trains them: they are made in forward, or kept outside; make layers in __init__, as attributes "
            "or in nn.ModuleList or nn.ModuleDict"
        )
    them, are = ("them", "are") if len(names) > 1 else ("it", "is")
    return (
        f"{shown} {are} used and want{'' if len(names) > 1 else 's'} a gradient, but {are} none of model.parameters(), "
        f"so that no optimizer trains {them}: keep layers in nn.ModuleList or nn.ModuleDict, tensors as nn.Parameter; "
        "a teacher or target network that is kept outside on purpose wants requires_grad_(False)"
    )


def _inputs_alike(cause: Cause, flow: GradientFlow) -> str:
    kinds, count = int(cause.value or 1), int(cause.limit or 0)
    what = (
        f"all {count} examples of the batch are the same" if kinds == 1 else f"the {count} examples are two, repeated"
    )
    return f"{what}: no model could tell them apart; look at how the batch is made (expand, repeat, one index)"


def _labels_outside(cause: Cause, flow: GradientFlow) -> str:
    low, high, classes = cause.details["low"], cause.details["high"], cause.details.get("classes")
    if classes:
        return (
            f"the labels are {low:.0f} to {high:.0f}, and the output has classes 0 to {classes - 1}: what is outside "
            "counts for nothing, or makes NaN; number the classes from 0, or give the read-out a unit for each"
        )
    return (
        f"binary cross-entropy takes targets from 0 to 1, and is given {low:.3g} to {high:.3g}: its loss falls without "
        "bound and means nothing; subtract the least, or take a loss of numbers"
    )


#: What a norm's single number is all of ↦ why, and what helps.
SINGLE = {
    "example": ("the batch has one example", "give more examples, or take mode eval"),
    "group": ("each group has one channel at one position", "take fewer groups, or normalise before the pooling"),
    "feature": ("there is one feature to normalise over", "take it out, or normalise over the features that differ"),
}


def _norm_of_one(cause: Cause, flow: GradientFlow) -> str:
    names, (why, cure) = cause.details["names"], SINGLE[cause.details.get("over", "example")]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    verb = "normalise" if len(names) > 1 else "normalises"
    norms = "the norms at " if len(names) > 1 else "the norm at "
    where = "" if cause.details.get("over", "example") == "example" else norms
    return f"{where}{shown} {verb} single numbers, as {why}: nothing but a bias is left of all that goes in; {cure}"


def _over_batch(cause: Cause, flow: GradientFlow) -> str:
    if "axis" in cause.details:
        own, classes, axis = (
            cause.details["axis"],
            cause.details["classes"],
            "axis" if "framework" in cause.details else "dim",
        )
        return (
            f"the softmax is taken over axis {own}, of {cause.value}, and the loss has the classes in axis {classes}: "
            f"take {axis}={classes}"
        )
    if cause.details.get("within"):
        return (
            f"a softmax within the model is taken over the {cause.value} examples (dim=0): each one's answer depends "
            "on the others; take the axis of what it chooses among, dim=1 or dim=-1"
        )
    axis, take = ("axis=0", "axis=-1") if "framework" in cause.details else ("dim=0", "dim=1, or dim=-1")
    return f"the softmax is taken over the {cause.value} examples in place of the classes ({axis}): take {take}"


def _floor(cause: Cause, flow: GradientFlow) -> str:
    function, low, high = cause.details["function"], cause.details["low"], cause.details["high"]
    cure = "multiply it by a larger scale, as by 1/0.07" if function == "cosine" else "return what the last layer gives"
    between = f"above {low:.3g}" if math.isinf(high) else f"between {low:.3g} and {high:.3g}"
    return (
        f"whatever the model learns, the loss can't fall below {cause.value or 0.0:.3g}, while guessing costs "
        f"{cause.limit or 0.0:.3g}: its logits are a {function}, {between}; {cure}"
    )


def _nll(cause: Cause, flow: GradientFlow) -> str:
    if cause.details.get("loss") == "kl_div":
        return (
            "kl_div is given probabilities and takes them for logarithms: its gradient is lost where it is wrong; give "
            "it log_softmax"
        )
    loss, cure = cause.details.get("loss", "nll_loss"), "logits and cross_entropy"
    if cause.details["given"] == "probabilities":
        more = "" if loss == "ctc_loss" else f", or {cure}"
        return (
            f"{loss} is given probabilities and takes logarithms of them: a softmax's gradient is lost where it is "
            f"wrong; take log_softmax{more}"
        )
    take = "log_softmax" if loss == "ctc_loss" else "cross_entropy"
    return f"{loss} is given scores and takes log-probabilities: its loss falls without bound; take {take}"


OF_FAULTS = {
    "loss-cut": Code("the loss has no graph to the model's output", _cut),
    "output-cut": Code("the model's output has no graph", _output_cut),
    "nothing-trained": Code(
        "no parameter requires a gradient; value: how many there are",
        "all {value} parameters are frozen: nothing is trained; call requires_grad_() on what is to be",
    ),
    "outside-loss": Code(
        "the loss depends on none of the parameters that are trained; value: how many these are",
        "the loss depends on nothing that is trained ({names}), only on what is frozen: return what the trained layers "
        "give, or unfreeze those that the output comes from",
    ),
    "no-derivative": Code(
        "all that some layers give goes through a function without a derivative; value: how many layers",
        "{names} never get{s} a gradient: all that comes of {them} goes through {function}, which has no derivative; "
        "take a softmax in its place, or pass the gradient straight through: soft + (hard - soft).detach()",
    ),
    "term-detached": Code(
        "a term of the loss has no graph, and nothing else trains the layers that it was made of; value: how many",
        "a term of the loss has no graph, as {function} cuts it off, and nothing else trains {names}: take {function} "
        "out; if that term is there to be logged, leave it out of the loss, and freeze what isn't to be trained",
    ),
    "solved": Code(
        "the loss is 0 at the start, and is never less: nothing is to be learnt of this batch",
        "the loss is 0, and can't be less: there is nothing to learn on this batch, and no gradient; give another one; "
        "what follows is the gradient of the outputs' mean square",
    ),
    "flat-operation": Code(
        "all that comes back to some layers goes through a function whose slope is zero",
        "the function {function} after {after} has slope 0 everywhere: no gradient comes back through it; pass it "
        "straight through: x + ({function}(x) - x).detach()",
    ),
    "dropout-all": Code(
        "modules drop everything; value: how many",
        "{names} drop{s} everything, as {their} share is 1: the share is that of what is dropped, 0.1 to 0.5 as a rule",
    ),
    "dropout-most": Code(
        "modules drop nearly everything; value: how many",
        "{names} drop{s} {share:.0%} of what {they} {are} given, or more: the share is that of what is dropped, not of "
        "what is kept, 0.1 to 0.5 as a rule",
    ),
    "loss-floor": Code(
        "bounded logits keep a loss from falling; value: what it costs at best; limit: what guessing costs", _floor
    ),
    "makes-zeros": Code(
        "a layer makes zeros of inputs and weights that are not zero",
        "{names} makes zeros of inputs and weights that aren't zero: it rounds its weights to zero, or masks them all; "
        "take finer steps of quantisation, or larger weights",
    ),
    "norm-of-one": Code(
        "a norm is taken over a single number; value: how many examples, or norms in PyTorch, there are", _norm_of_one
    ),
    "silent-before": Code(
        "a layer gets the same for every example, as what is before it is silent or saturated",
        _silent_before,
    ),
    "inputs-alike": Code(
        "examples of the batch are the same; value: how many differ; limit: of how many", _inputs_alike
    ),
    "units-alike": Code(
        "all units of some layers have the same weights; value: how many layers",
        "all units of {names} have the same weights: they give the same, get the same gradient, and stay alike; draw "
        "the weights at random",
    ),
    "out-of-reach": Code("targets are outside of what the last function can give; value: their share", _out_of_reach),
    "labels-outside": Code(
        "labels are none of the classes, or targets of a binary cross-entropy outside of 0 to 1; value: the worst",
        _labels_outside,
    ),
    "loss-negated": Code(
        "the loss is minus one that is zero at best",
        "the loss is minus a {loss}: each step makes that larger, without bound; drop the minus",
    ),
    "loss-boundless": Code(
        "the loss falls without bound as outputs grow; value: at how many times the outputs it was looked at",
        "{the_loss} has no least value: it falls faster and faster as outputs grow to {value:,.0f} times theirs, "
        "for each example; a term in it has the wrong sign: a log-likelihood, a distance and a divergence are "
        "subtracted, added and added",
    ),
    "sampled": Code(
        "layers whose gradient ends at a draw by sample(); value: how many",
        "{fed} is given a draw by sample(), which passes no gradient on to {names}: of what is drawn they learn "
        "nothing; take rsample()",
    ),
    "axes-viewed": Code(
        "a view before the loss cuts a read-out's classes up; value: how many there are",
        "a view or reshape of the output {given} on its way to {made} in the loss moves no axis but cuts the same "
        "numbers elsewhere, so that classes and positions are mixed: take transpose() or permute() before it",
    ),
    "axes-swapped": Code(
        "a recurrence or attention takes the examples for steps; value: how many there are; limit: how many it takes "
        "for examples",
        "{name} goes along the {value} examples, as it wants (steps, examples, features) and is given the examples "
        "first: each one's answer depends on others; give it batch_first=True, or transpose",
    ),
    "nll-not-log": Code("nll_loss, or ctc_loss, is not given log-probabilities", _nll),
    "softmax-over-batch": Code(
        "a softmax is taken over the examples, or another axis than the classes'; value: how many there are",
        _over_batch,
    ),
    "labels-alike": Code(
        "all labels of the batch are the same; value: how many",
        "all {value} labels of the batch are the same: a constant answer is right, and nothing else can be learned",
    ),
    "inputs-large": Code(
        "the loss starts far above a constant answer's; value: root mean square of the inputs",
        "the loss starts at {times:.3g} times what a constant answer costs, because the inputs' root mean square is "
        "{value:.3g}: scale them to about 1 (pixels: divide by 255, subtract the mean, divide by the deviation; of "
        "words draw the embedding smaller)",
    ),
    "unregistered": Code(
        "parameters that a model keeps where PyTorch doesn't see them; value: how many", _unregistered
    ),
    "at-start": Code(
        "the verdict before the first step, where the last one says less",
        "at the start the model was {status}{because}",
    ),
    "long-sequence": Code(
        "a recurrence with more steps than are gone through one by one; value: how many; limit: of how many at most",
        "{name} has {value:,} steps: beyond {limit:,.0f} a recurrence is not gone through step by step, and nothing is "
        "said of its memory; give a shorter sequence for that",
    ),
}
