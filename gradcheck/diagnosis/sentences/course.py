"""What steps of training show, in words. Loads no NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck.base.wording import counted
from gradcheck.diagnosis.sentences.code import Code
from gradcheck.render.numbers import told_apart

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


def _ill_since(cause: Cause, flow: GradientFlow) -> str:
    status, layer = cause.details["status"], cause.details["layer"]
    status = "ill" if status == cause.details["verdict"] else status  # the verdict itself stands before this sentence
    when = f"from step {cause.value} on, healthy before" if cause.value else "from the start"
    if cause.details["first_ill"] != cause.value:
        when = f"from step {cause.value} on, at times from step {cause.details['first_ill']} on"
    return f"{status} {when}: first at {layer}"


def _unmoved(cause: Cause, flow: GradientFlow) -> str:
    none = f"none of {counted(int(cause.value or 0), 'step')} changes a parameter"
    if cause.details["rate"] == 0:
        return f"{none}: the learning rate is 0 (no scheduler is stepped here: for a warm-up type --warmup N)"
    return f"{none}: no parameter that the optimizer holds gets a gradient"


def _risen(cause: Cause, flow: GradientFlow) -> str:
    times = (cause.value or math.nan) / (cause.limit or math.nan)
    why = ["the rate is too large", "the steps go the wrong way (a sign in the loss, maximize=True)"]
    if terms := cause.details["terms"]:
        why.append(f"one of its {terms} terms grows by design, as a commitment's may: log each by itself")
    return f"the loss has risen, and ends at {times:.2g} times its start: {', '.join(why[:-1])}, or {why[-1]}"


def _eps_lost(cause: Cause, flow: GradientFlow) -> str:
    if not cause.value:
        return (
            "the optimizer's eps is 0, and a gradient of zero gives 0/0: take eps=1e-8, of weights in half precision "
            "1e-4"
        )
    return (
        f"the optimizer's eps, {cause.value:g}, is zero in the weights' half precision, where a gradient of zero gives "
        "0/0: keep weights in float32, with autocast and a GradScaler, or take eps=1e-4 or fused=True"
    )


def _beside_guess(cause: Cause) -> tuple[str, str, str]:
    """Return a loss that stays about what a guess costs, how much better it is in a word, and that cost."""
    value, limit = cause.value or math.nan, cause.limit or math.nan
    if value < limit:
        loss, guess = told_apart(value, limit)
        return loss, "hardly", guess
    return f"{value:.3g}", "no", f"{limit:.3g}"


def _hardly_learnt(cause: Cause, flow: GradientFlow) -> str:
    loss, better, guess = _beside_guess(cause)
    return (
        f"after {cause.details['steps']} steps the loss is {better} better than a guess: typically {loss}, where the "
        f"best answer that is the same for all examples costs {guess}; take more steps or a larger rate, and see "
        "whether labels and inputs belong together"
    )


def _still_guesses(cause: Cause, flow: GradientFlow) -> str:
    loss, better, guess = _beside_guess(cause)
    return (
        f"the loss of the last step's batch, {loss}, is {better} better than the best answer that is the same for all "
        f"examples, {guess}: the read-out's bias alone has learned"
    )


def _loss_course(cause: Cause, flow: GradientFlow) -> str:
    first, last, one_batch = (
        cause.details["first"],
        math.nan if cause.value is None else cause.value,
        cause.details.get("one_batch"),
    )
    what = "the loss" if one_batch else "the first batch's loss"
    course = f"goes from {' to '.join(told_apart(first, last))} in" if math.isfinite(last) else "is not finite after"
    by_heart = one_batch and last < first  # one that rises has learnt nothing
    where = ", all on one batch: its last layers alone may learn it by heart" if by_heart else ""
    steps = counted(cause.details["steps"], "step")
    return f"{what} {course} {steps} of training{where}; what follows is the gradient after them"


OF_COURSES = {
    "ill-since": Code("value: steps after which the model is ill to the end", _ill_since),
    "healthy-since": Code(
        "value: steps after which the model is healthy to the end",
        "{status} at the start, healthy from step {value} on",
    ),
    "unmoved": Code("no parameter changes; value: in how many steps of training", _unmoved),
    "barely-moved": Code(
        "value: share of their norm by which the parameters move in a step of training",
        "the parameters move by {value:.0e} of their size a step: the learning rate is far too small",
    ),
    "outputs-alike": Code(
        "value: how far the outputs of different examples are apart after the steps, over how far at the start",
        "the loss stays where it is, and the outputs of different examples have become alike: "
        "{hundredfold:.1f} % as far apart as at the start",
    ),
    "loss-still": Code(
        "value: by how much the first batch's loss falls in all steps, which is a smaller share of it than the limit",
        "all steps together move the first batch's loss by less than {hundredfold_limit:g} % of it",
    ),
    "loss-no-lower": Code(
        "value: the batch's loss after the last step; limit: before the first one",
        "the loss is no lower than at the start, although all steps are on one batch",
    ),
    "loss-risen": Code(
        "the loss ends clearly above its start; value: the first batch's after all steps; limit: before the first one",
        _risen,
    ),
    "gradient-turned": Code(
        "the loss rises, and a layer's gradient points against the loss's slope; value: the first batch's loss after "
        "all steps; limit: before the first one",
        "the loss rises from {limit:.3g} to {value:.3g}, and the gradient of {name} points the other way than the "
        "loss's own slope, as a reversal of gradients has it, or one that goes straight through a choice: if that is "
        "meant, judge each term by itself; else a backward() is wrong",
    ),
    "trained-before": Code(
        "a loss that stays where it is starts clearly below what guessing costs; value: the first; limit: the other",
        "the loss stays where it is in {steps} steps, and it starts at {value:.3g}, where the best answer that is the "
        "same for all examples costs {limit:.3g}: the model was trained before, or the rate is too small to show more",
    ),
    "hardly-learnt": Code(
        "value: the typical loss of the last third of the steps; limit: what guessing costs there",
        _hardly_learnt,
    ),
    "outpaced": Code(
        "the steps hardly bring the loss down, and fewer of Adam do; value: the loss after them; limit: after Adam's",
        "{steps} steps bring the loss of this batch from {first:.3g} to {value:.3g}, and {trial} steps of Adam at a "
        "rate of {rate:g}, from the same start, to {limit:.3g}: the rate, or the optimizer, doesn't suit the model",
    ),
    "outputs-apart": Code(
        "value: the smallest effective rank of a layer whose examples look alike, though their outputs don't",
        "training has left few directions in a layer (effective rank {value:.1f}), and that is no collapse: "
        "the outputs of different examples are about as far apart as at the start, or further",
    ),
    "still-trains": Code(
        "value: a loss that has fallen to less than 0.7 of its first value, whatever the gradient looks like since",
        "layers' gradients have come apart since the first step, but the loss still falls: the last step's batch is "
        "down to {value:.3g}",
    ),
    "still-guesses": Code(
        "value: the loss of the last step's batch; limit: what the best constant answer costs there",
        _still_guesses,
    ),
    "nothing-to-learn": Code(
        "value: the loss, next to nothing of its first value: there is nothing left to learn",
        "the loss is down to {value:.2g}: what is learned gives no gradient any more, and none is missed",
    ),
    "eps-lost": Code(
        "the optimizer's eps is zero in the weights' number format, and a step has spoiled them; value: eps",
        _eps_lost,
    ),
    "not-held": Code(
        "parameters that want a gradient are none of the optimizer's; value: how many",
        "{names} {are} not trained: the optimizer doesn't hold {them}",
    ),
    "loss-course": Code("value: the first batch's loss after the last step", _loss_course),
}
