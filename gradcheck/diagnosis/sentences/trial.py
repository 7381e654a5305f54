"""What training shows, in words: causes of a user's own model, and the trial of a described network. Loads no NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck.diagnosis.sentences.code import Code
from gradcheck.render.numbers import percent

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


def _starts_far(cause: Cause, flow: GradientFlow) -> str:
    classes = cause.details["classes"]
    what = f"guessing among {classes:,} classes" if classes else "the targets' mean as the answer"
    guessing = f", {what} costs {cause.limit:.3g}" if cause.limit else ""
    return (
        f"the loss starts at {cause.value or 0.0:.2g}{guessing}: the first steps break what is there; look at what "
        "multiplies or divides the outputs (a temperature, a deviation), and draw the read-out smaller"
    )


def _outputs_near(cause: Cause, flow: GradientFlow) -> str:
    if not cause.value:
        return (
            "all examples have exactly the same output, and different inputs: what it is made of sees none of them, as "
            "a token that a mask (inverted?) keeps from all others, a time step of padding, or weights of zero"
        )
    apart = (
        f"the outputs of different examples lie {cause.details['apart']:.2g} apart, {100 * cause.value:.2g} % of their "
    )
    if cause.code == "inputs-small":
        return (
            f"the inputs' root mean square is {cause.details['inputs']:.2g}: scale them to about 1 (pixels: divide by "
            f"255 once); {apart}size, and the biases drown what tells them apart"
        )
    return (
        f"{apart}size: something that is the same for all examples drowns what tells them apart; subtract the inputs' "
        "mean and divide by their deviation once, start positions and biases small, and see by what the outputs are "
        "divided"
    )


def _learns(cause: Cause, flow: GradientFlow) -> str:
    first, last, goal = cause.details["first"], cause.value or 0.0, cause.details["goal"]
    if first <= goal:  # it was trained before
        return f"beyond a limit, but the batch is learnt already: its loss is {first:.3g}"
    steps, rate = cause.details["steps"], cause.details["rate"]
    bring = f"{steps} steps of Adam (rate {rate:g}) bring the loss on this batch from {first:.3g} to {last:.3g}"
    return f"beyond a limit, but it learns: {bring}"


def _partial(cause: Cause, flow: GradientFlow) -> str:
    name, share = cause.details["name"], cause.value or 0.0
    why = (
        f"all uses of {name} but the last get none, as what they give is detached"
        if name
        else "torch.autograd.grad without create_graph=True makes a constant of a derivative"
    )
    return (
        f"the gradient is that of a part of the loss only: weights moved along it change the loss by {share:.3g} times "
        f"what it says; {why}"
    )


def _fails(cause: Cause, flow: GradientFlow) -> str:
    """Return what a trial came to; a softmax taken twice leaves a floor, which is why."""
    trial, floor = cause.details, cause.details.get("floor", 0.0)
    bring = f"{trial['steps']} steps of Adam bring the loss on this batch from {trial['first']:.3g} to "
    course = f"{bring}{cause.value or math.nan:.3g} at best (rate {trial['rate']:g}), not to {trial['goal']:.3g}"
    return f"and it doesn't learn: {course}" + (
        f"; with a softmax twice it can't be below {floor:.3g}" if floor else ""
    )


def _uncounted(cause: Cause, flow: GradientFlow) -> str:
    silent, counts = ", ".join(f"{one:g}" for one in cause.details["silent"]), f"{cause.details['counts']:g}"
    return (
        f"targets of {silent} count for nothing: whatever the outputs are, the loss has a gradient only where the "
        f"target is {counts}, and one answer suits all; look for a weight of zero, or for labels of 0 and 1 where the "
        "loss takes -1 and 1"
    )


OF_TRIALS = {
    "gradient-partial": Code(
        "the gradient is that of a part of the loss; value: the loss's slope along it, over what it says", _partial
    ),
    "gradient-outsized": Code(
        "a few layers get a gradient far above that of all others; value: by how many decades",
        "{names} get{s} 10^{value:.1f} times the gradient of any other layer (limit 10^{limit:g}): no rate of plain "
        "SGD suits both, and clipping by norm leaves the others nothing; look after {them} for a division by something "
        "close to zero, such as the norm of outputs that start at zero, or for a factor in the loss",
    ),
    "examples-unheard": Code(
        "the gradient of most examples is lost; value: of which share",
        "of {hundredfold:.0f} % of the examples next to nothing of the gradient comes back to the first layer, though "
        "the read-out gets some of each: a softmax or gate between is nearly a choice (a temperature far too small, "
        "scores too large)",
    ),
    "logits-shrunk": Code(
        "the logits are a small share of what the read-out gives; value: one over it",
        "the logits are 1/{value:,.0f} of what the read-out gives (limit 1/{limit:g}), and so is the gradient: a "
        "temperature, or another factor after it, is far off",
    ),
    "rounds-to-zero": Code(
        "the loss's gradient by its outputs is zero in half precision, and isn't in single; value: of which share",
        "of the loss's gradient by its outputs {hundredfold:.0f} % is zero in float16, and isn't in float32: take the "
        "loss of output.float(), or keep the weights in float32 and train under autocast with a GradScaler",
    ),
    "logits-rectified": Code(
        "a cross-entropy's logits come out of a ReLU; value: which share of them it cuts to zero",
        "the logits come out of a ReLU: none can be below 0, and the {hundredfold:.0f} % that are 0 get no gradient; "
        "leave out the last one",
    ),
    "labels-uncounted": Code("all targets but those of one value count for nothing; value: their share", _uncounted),
    "opened": Code(
        "weights that start at zero are measured after the first steps of training; value: how many",
        "{names} start{s} at zero: measured with the values that the first steps of training give {them}",
    ),
    "gates-shut": Code(
        "weights that start at zero and stay there; value: how many",
        "{names} start{s} at zero and never open{s}: each gets its gradient through another one that is zero",
    ),
    "elasticity": Code(
        "value: log10 of what the loss changes by, of itself, as a typical layer's weights change by their own size",
        "the loss hardly depends on the layers: weights that change by their own size change it by 10^{value:.1f} of "
        "itself (limit 1e-{limit:g})",
    ),
    "starts-far": Code(
        "the loss starts hundreds of times above what guessing costs; limit: that, null where it isn't known",
        _starts_far,
    ),
    "outputs-near": Code(
        "outputs of different examples lie close together; value: as a share of their size",
        _outputs_near,
    ),
    "inputs-small": Code(
        "outputs of different examples lie close together, as the inputs are small; value: as a share of their size",
        _outputs_near,
    ),
    "trial-learns": Code(
        "a model that looks ill learns its own batch; value: the loss in the end",
        _learns,
    ),
    "learns-late": Code(
        "a model that looks ill learns its own batch after many steps; value: how many; limit: those that are usual",
        "it learns its own batch late: architectures that train, and look ill, take 5 to 35 steps of Adam, and hardly "
        "ever more than {limit:.0f}",
    ),
    "needs-adam": Code(
        "a plain chain that Adam trains and SGD hardly does; value: the probability that plain SGD trains it",
        lambda cause, _: (
            f"plain SGD trains it with probability {percent(cause.value or 0.0)}, as its layers' gradients lie far "
            "apart: stay with Adam, or take another initialisation, norms or skip connections"
        ),
    ),
    "trial-fails": Code(
        "a model that looks ill doesn't learn its own batch either; value: the loss in the end", _fails
    ),
    "inputs-explode": Code(
        "large inputs make plain SGD explode; value: their root mean square",
        "the inputs' root mean square is {value:.3g}: ten steps of plain SGD at its usual rate make the loss explode; "
        "scale the inputs to about 1, or put a norm after {at}",
    ),
}
