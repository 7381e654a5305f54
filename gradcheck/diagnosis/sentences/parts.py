"""Causes of parts of a user's model: checkpoints, compiled parts, recurrences, a term of the loss. Loads no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.diagnosis.sentences.code import TRAINED, Code
from gradcheck.render.numbers import percent

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


def _saturated(cause: Cause, flow: GradientFlow) -> str:
    share, name, size = percent(cause.value or 0.0), cause.details["name"], cause.details["size"]
    if cause.details.get("trained"):
        return f"{share} of the gates of {name} are saturated, since {TRAINED}"
    by_inputs = f"saturated by its inputs, whose root mean square is {size:.3g}"
    return f"{share} of the gates of {name} are {by_inputs}: scale them to about 1"


def _detached(cause: Cause, flow: GradientFlow) -> str:
    name, steps = cause.details["name"], cause.value
    found = f"{name} gets its state without a graph (a detach(), .data or no_grad()) in each of {steps} steps"
    if cause.details.get("heard"):
        return (
            f"{found}, each of which the loss hears of: it learns from one step at a time, and what to keep for later "
            "ones by chance only; where that isn't meant, cut the state off every so many steps, or between batches"
        )
    return f"{found}: it can't learn what to keep; cut it off between batches only"


def _forgets(cause: Cause, flow: GradientFlow) -> str:
    gate, largest = cause.details["gate"], cause.details["largest"]
    why = f"its {gate} gate is at most {largest:.2g}: start the bias of that gate at 1"
    why = why if gate else "its recurrent weights are small: start them orthogonal"
    why = f"since {TRAINED}" if cause.details.get("trained") else f"as {why}"
    left = f"a step back in time leaves {cause.value or 0.0:.2g} of a gradient (limit {cause.limit:g})"
    return f"{cause.details['name']} forgets within a step: {left}, {why}"


def _not_looked_at(cause: Cause, flow: GradientFlow) -> str:
    *most, last = cause.details["what"]
    return f"not looked at in a model of {cause.details['framework']}: {', '.join(most)} and {last}"


def _mixed(cause: Cause, flow: GradientFlow) -> str:
    given, made, whole = cause.details["given"], cause.details["made"], cause.details["whole"]
    if normed := cause.details.get("normed"):
        return (
            f"what has the shape {normed} is divided by its norm over the {cause.value} examples, in eval mode, too, "
            "so that an example's output depends on which others are there: take F.normalize(…, dim=-1) for its own"
        )
    if not given:
        return (
            f"all {cause.value} examples have the same output, and each of them changes it: something is taken over "
            "the examples (mean(0), max(0), a norm or a sum of dim 0) where another axis is meant"
        )
    own = "an example's output has nothing of its own input" if whole else "an example's output depends on others"
    return (
        f"a view or reshape of {given} to {made} doesn't move an axis but cuts the same numbers elsewhere, so that "
        f"{own}: take transpose() or permute() before it"
    )


OF_PARTS = {
    "examples-mixed": Code("outputs come of other examples; value: how many examples there are", _mixed),
    "not-looked-at": Code(
        "what probe looks at in a PyTorch model, and could not here; value: how many things", _not_looked_at
    ),
    "output-ignored": Code(
        "the loss ignores an output of the model and one of as many targets; value: how many layers lead to it",
        "{names} lead{s} to an output that the loss doesn't depend on, and on one of the batch's targets it doesn't "
        "depend either: no step trains {them}; add the term of the loss, if one is missing",
    ),
    "future-seen": Code(
        "outputs depend on later tokens, where targets are the next ones; value: how many outputs before it a changed "
        "token moves",
        "the targets are the next tokens, and changing token {token} changes the {value:,} outputs before it: they see "
        "what they are to predict; mask what comes later from attention, take its softmax over the keys, and transpose "
        "heads back before they are joined",
    ),
    "checkpoint-inputs": Code(
        "layers are in re-entrant checkpoints none of whose inputs requires a gradient; value: how many layers",
        "{names} get{s} no gradient: no input of the re-entrant checkpoints around {them} requires one; take "
        "use_reentrant=False, or enable_input_require_grads(), which is requires_grad_() on the embedding's output",
    ),
    "hidden-layers": Code(
        "layers run in the backward pass of a function of the model's own; value: how many",
        "{names} run{s} inside of {function}, which hides {them}: only the gradient of the weights is measured",
    ),
    "run-eagerly": Code(
        "the model is compiled: it is measured as it runs without that",
        "compiled parts are measured as eager PyTorch runs them: the same numbers, up to rounding",
    ),
    "gates-saturated": Code(
        "a recurrence whose inputs alone saturate its gates; value: the share that they do",
        _saturated,
    ),
    "forgets": Code("a recurrence that keeps nothing; value: what a step back in time leaves of a gradient", _forgets),
    "state-detached": Code(
        "a recurrence whose state is cut off the graph at each step; value: how many steps there are",
        _detached,
    ),
    "state-not-passed": Code(
        "a recurrence that is called for each step without a state; value: how many steps there are",
        "{name} is called {value} times for a single step and without a state: its recurrent weights have nothing to "
        "act on, and it remembers nothing; pass the state that it returned on to the next call",
    ),
    "attention-saturated": Code(
        "heads of attention look at a single token in all rows; value: the largest score above the mean of its row",
        "{heads} of {of} heads of attention ({names}) look at a single token each time, by scores up to {value:.0f}: "
        "their queries and keys hardly get a gradient; divide scores by √width, or start with smaller weights",
    ),
    "attention-hard": Code(
        "most heads of attention look at a single token before any training; value: how many; limit: of how many",
        "{value} of {limit:.0f} heads of attention ({names}) look at a single token each time, before any training, by "
        "scores up to {largest:.0f}: their queries and keys hardly get a gradient; divide scores by √width, or start "
        "with smaller weights",
    ),
    "single-token": Code(
        "an attention has a single token to look at; value: how many layers matter to nothing else",
        "{names}: attention over a single token, whose weight is 1 whatever queries and keys are: these don't learn",
    ),
    "tokens-alike": Code(
        "the layer from which on the tokens of an example look alike; value: their share of the variance at the end",
        "the tokens of an example look alike from {name} on: {value:.2g} of the variance is left to them at the end "
        "(limit {limit:g}), as in deep transformers with a norm after each sum: put it at the start of each branch",
    ),
    "explodes-in-time": Code(
        "a recurrence whose gradient grows back in time; value: by how many decades over all steps",
        "the gradient of {name} grows by {gain:.3g} with each step back in time: {value:.1f} decades in {steps} steps "
        "(limit {limit:g})",
    ),
    "memory": Code(
        "a recurrence whose gradient fades back in time; value: steps after which none of it is left",
        "each step back in time leaves {gain:.2g} of {name}'s gradient: at first it can't learn from what lies more "
        "than {value} of its {steps} steps back",
    ),
    "term-least": Code(
        "one of the loss's terms is clamped at zero, and is exactly zero: it is least already",
        "{term} of the {count} that the loss is a sum of is exactly zero, where it is least: it trains nothing as long "
        "as it stays there",
    ),
}
