"""Why a log looks as it does: the likely causes of each finding, how to tell them apart in the log, what to do.

One table. A cause names the signs that speak for it; those that the log shows come first. A cause that is ``only`` for
its signs is left out of a log without them.
"""

from collections.abc import Iterable
from typing import NamedTuple

#: Most lines of advice of one finding.
MOST = 4

#: Where a cause names the threshold that the table of percentiles has.
THRESHOLD = "{threshold}"

#: Where a cause names the step at which a growth began.
BEFORE = "{before}"

#: The same as a threshold, where a log has too few norms for such a table.
NO_THRESHOLD = "a few times the usual norm"


class Cause(NamedTuple):
    """A likely cause: how it is told from others, and what to do about it."""

    advice: str
    signs: tuple[str, ...] = ()  # keys of ``signs.SIGNS``; any of them speaks for it
    only: bool = False  # not named without a sign
    unless: tuple[str, ...] = ()  # keys of ``SIGNS`` that speak against it


#: Of what too large a learning rate makes.
_JUMP = Cause(
    "the learning rate jumps up there: let it rise over some hundred steps, or to less", ("rate-jumps",), True
)

CAUSES: dict[str, tuple[Cause, ...]] = {
    "exploding": (
        _JUMP,
        Cause("one of two networks has won, and the loss of the other has no end: lower the winner's learning rate, "
              "update it less often, or regularise it (spectral norm, gradient penalty)", ("game",), True),
        Cause("call optimizer.zero_grad() in every step: gradients of the step before are still there", ("not-zeroed",),
              True),
        Cause("it begins soon after the start, before any checkpoint: start anew with a learning rate 3 to 10 times "
              f"lower, or with a warm-up, and clip the global norm at {THRESHOLD}", ("ordinary-first",), True),
        Cause(f"go back to a checkpoint from before, and clip the global norm at {THRESHOLD}",
              unless=("ordinary-first",)),
        Cause("lower the learning rate, or lengthen its warm-up", unless=("ordinary-first",)),
        Cause("the learning rate was still rising there: lengthen the warm-up, or lower its peak",
              ("rate-rising",), True, unless=("rate-jumps",)),
        Cause("clipping bounds a step, not its direction: here it did not help, so lower the learning rate",
              ("clipped",), True),
    ),
    "nonfinite": (
        _JUMP,
        Cause("an update overflowed though gradient and weight are finite: the optimizer's eps vanishes in half "
              "precision (1e-8 is 0 in float16); keep its state in float32, or take eps=1e-4", ("update-alone",), True),
        Cause("the loss is huge from the first row on, and what isn't finite comes of that: start anew with a learning "
              "rate 10 to 100 times lower, or with a warm-up, and inputs and targets scaled to about 1", ("huge",),
              True),
        Cause("the loss scale is at its minimum and gradients overflow still: they are not finite by themselves; "
              "find the first layer that is not finite, or use bfloat16", ("scale-at-minimum",), True),
        Cause(f"it exploded first: go back to a checkpoint from before step {BEFORE}, clip the global norm at "
              f"{THRESHOLD}, lower the learning rate", ("grew-before",), True),
        Cause("a loss of 0.0 beside such a gradient is a NaN that the Trainer hides: log with "
              "logging_nan_inf_filter=False to see the step at which it begins", ("loss-zero",), True),
        Cause("the loss is left out where it is not a number: the rows are those of the fault, no gap in the log",
              ("loss-missing",), True),
        Cause("it began between two rows: train again from a checkpoint before, with every step in the log (of "
              "gradcheck's recorders every=1); what is not finite first there names its cause",
              ("between-rows",), True),
        Cause("nothing: by such steps a dynamic loss scale finds how large it may be", ("scale-settles",), True),
        Cause("bad data in that batch, or one step that overflowed, rather than an explosion: pass the batch by itself "
              "(gradcheck probe, with --batch), look whether inputs and labels are finite, and leave out a step whose "
              "loss or gradient is not", ("batch-alone",), True, unless=("scale-settles",)),
        Cause("look for a division by zero, a logarithm of zero or an overflow in half precision where it begins",
              unless=("scale-settles",)),
        Cause("look at the batch where it begins: labels out of range, an empty sequence, a target of zero length",
              ("steady-before", "one-row"), unless=("scale-settles",)),
        Cause("in half precision: scale the loss dynamically, or use bfloat16", ("half-precision",),
              unless=("scale-moves", "batch-alone")),
        Cause("in half precision: use bfloat16, which needs no loss scale; the dynamic one doesn't help here",
              ("scale-moves",), True, unless=("scale-settles",)),
    ),
    "vanishing": (
        Cause("the first rows are ordinary, so that it isn't the initialisation: most likely steps are too large; "
              "start anew with a learning rate 3 to 10 times lower, or with a warm-up", ("ordinary-first",), True),
        Cause("search for a rate that your model takes: gradcheck probe with --rate", ("ordinary-first",), True),
        Cause("of a transformer whose norms come after its blocks: with the norms before them it takes a higher rate",
              ("ordinary-first",), True),
        Cause("change initialisation or activation, add normalisation or skip connections: gradcheck simulate "
              "shows which of them helps", unless=("ordinary-first",)),
    ),
    "collapsed": (
        _JUMP,
        Cause("the generator learns hardly more from a discriminator that is never wrong: lower the discriminator's "
              "learning rate, update it less often, or make it smaller", ("won",), True),
        Cause("keep it unsure: labels of 0.9 in place of 1, noise on its inputs, a gradient penalty (R1), or spectral "
              "norm", ("won",), True),
        Cause("let the generator minimise −log D(G(z)), not log(1 − D(G(z))), which is flat there; a loss without "
              "that end is the hinge or Wasserstein's", ("won",), True),
        Cause("the discriminator has won, and the generator gets no gradient: lower its learning rate, update it less "
              "often, smooth its labels, or add noise to its inputs", ("game",), True),
        Cause("a loss of exactly 0.0 from one row to the next is mostly a NaN that the Trainer hides: log with "
              "logging_nan_inf_filter=False, and look at the gradient norm", ("loss-zero",), True),
        Cause("look for dead or saturated units from this step on: lower the learning rate, or use leaky_relu or "
              "gelu", unless=("won",)),
        Cause("start again from a checkpoint from before, with clipping", unless=("won",)),
        Cause("of a policy: look whether rewards still differ within a batch, and whether its entropy has gone "
              "to zero", unless=("won",)),
    ),
    "no-gradient": (
        Cause("the learning rate is 0 in every row: look at the schedule, and at the optimizer's groups",
              ("rate-zero",), True),
        Cause("adapters (LoRA) beside re-entrant checkpointing: call model.enable_input_require_grads(), or pass "
              "use_reentrant=False", ("no-gradient",), True),
        Cause("everything is frozen: print the names of parameters with requires_grad, and those the optimizer "
              "has", ("no-gradient",), True),
        Cause("all labels are masked (-100), or the loss is detached: look at the labels of one batch, and at "
              "loss.requires_grad", ("no-gradient",), True),
        Cause("it is exactly zero, not missing: dead or saturated units stop it, or a function without a slope; steps "
              "that are too large leave such units: look at the first ones (every=1), lower the learning rate",
              ("exactly-zero",), True),
        Cause("check that it is used in the forward pass, and not detached from the loss; freeze it if that is "
              "intended"),
    ),
    "loss-rises": (
        _JUMP,
        Cause("the learning rate was rising there: lower its peak, or lengthen the warm-up", ("rate-rising",), True,
              unless=("rate-jumps",)),
        Cause("if its task gets harder at first, as where a queue of negatives fills (MoCo) or a teacher changes, it "
              "rises by design, and falls since: let it run", ("falls-since",), True),
        Cause("if this loss is there to fall, steps are too large from the first one on: start anew with a learning "
              "rate 3 to 10 times lower, or with a warm-up", ("from-the-start",), True),
        Cause("lower the learning rate by 3 to 10 times, from a checkpoint before the rise",
              unless=("from-the-start",)),
        Cause(f"the gradient grows with the loss: clip its norm at {THRESHOLD}", ("norm-grows",), True),
        Cause("look whether gradients are set to zero in every step (optimizer.zero_grad()), and the sign of "
              "each part of the loss", ("not-zeroed",)),
        Cause("look whether the logged norm is that of the clipped gradient: then it hides how large the gradient is"),
    ),
    "dead": (
        Cause("lower the learning rate, or use an activation without a flat side (leaky_relu, elu, gelu)"),
    ),
    "spikes": (
        _JUMP,
        Cause("the gradients of these steps are as usual, so look at how the loss is logged: as a mean, some of whose "
              "steps are left out or counted twice (transformers: logging_nan_inf_filter=False), or with a part that "
              "isn't trained on", ("norm-quiet",), True),
        Cause(f"clip the global norm at {THRESHOLD}", unless=("norm-quiet",)),
        Cause("look at the batches of these steps"),
        Cause("clipping is at work already: what is logged is the norm before it; look at the loss for whether "
              "these steps did harm", ("clipped",), True),
    ),
    "huge": (
        Cause("the run exploded before its first row was logged, and what came later is what that left: start anew "
              "with a learning rate 10 to 100 times lower, or with a warm-up", ("at-first",), True),
        Cause("an explosion from before the log begins: look at earlier logs, and start from a checkpoint before "
              "it", unless=("at-first",)),
        Cause("inputs or targets in raw units (pixels of 0 to 255, prices): scale both to about 1"),
        Cause("a sum over the batch or the tokens in place of a mean: divide by their number"),
    ),
    "not-zeroed": (
        Cause("where gradients are accumulated on purpose, record and log once for each step of the optimizer, after "
              "its last micro batch: the rows before are parts of a sum", ("accumulates",), True),
        Cause("where they are not, zero_grad() is called every few batches alone: call it in every step",
              ("accumulates",), True),
        Cause("call optimizer.zero_grad() in every step, before backward()", unless=("accumulates",)),
        Cause("where it is called: layers that no optimizer holds keep their gradients, and their updates are 0; give "
              "it all parameters, or set requires_grad to False where a layer is to stay as it is",
              unless=("accumulates",)),
        Cause("if gradients are accumulated on purpose, divide each loss by the number of batches, and step "
              "after the last"),
    ),
    "not-learning": (
        Cause("outputs are saturated: the right answer has probability 0, and past the clamp there is no gradient; "
              "start anew, or from a checkpoint before, with a learning rate 10 times lower", ("at-clamp",), True),
        Cause("give the loss logits in place of probabilities (CrossEntropyLoss, BCEWithLogitsLoss, from_logits=True): "
              "it needs no clamp", ("at-clamp",), True),
        Cause("a loss of exactly 0 is the mean of nothing, or a NaN that is not shown: are all labels masked (-100), "
              "do the weights hold a NaN?", ("all-zero",), True),
        Cause("scale inputs and the last layer's initial weights so that the first outputs are about 1", ("at-clamp",),
              True),
        Cause("look at a batch with its labels: those out of range or of another encoding than the loss takes cost "
              "just as much", ("at-clamp",), True),
        Cause("the outputs no longer depend on the batch: a step too large left units dead or saturated; start anew, "
              "or from a checkpoint before, with a learning rate 10 times lower", ("frozen", "forgotten"), True),
        Cause("pass a batch through the network as it is now (gradcheck probe): it names the layers that pass nothing "
              "on", ("frozen", "forgotten"), True),
        Cause("clip the gradient, or lengthen the warm-up: one step too large is enough", ("frozen", "forgotten"),
              True),
        Cause("look at the batches right before it: one that costs far more than others may have done it",
              ("frozen", "forgotten"), True),
        Cause("a step goes too far, and the next one comes back: start anew with a learning rate 3 to 10 times lower, "
              "or with less momentum", ("swings",), True),
        Cause("if the swing is as long as an epoch in rows, it may be that of the batches: shuffle them", ("swings",),
              True),
        Cause("if it is as low as the task allows, more steps change nothing; if not, steps may be too large from the "
              "first one on: start anew with a learning rate 3 to 10 times lower, or with a warm-up", ("still",), True),
        Cause("pass a batch through the network as it is now (gradcheck probe): it names layers that pass nothing on",
              ("still",), True),
        Cause("the learning rate is 0 in every row: look at the schedule", ("rate-zero",), True),
        Cause("a contrastive loss over so many negatives, or a self-distilled one over so many outputs, may stay there "
              "for the first epochs: let it run", ("queue",), True),
        Cause("raise the learning rate tenfold and see whether the loss moves at all: it may be far too small",
              unless=("swings", "still", "forgotten", "rate-zero")),
        Cause("the outputs say no more than guessing: shuffle inputs and labels together, and look at a batch "
              "with its labels", ("at-chance",), True),
        Cause("the loss does not change in any digit: the parameters are frozen, or not those that the optimizer "
              "has", ("constant",), True),
        Cause("train on one batch alone: a model that can learn brings its loss near 0 within some hundred steps"),
        Cause("the outputs pass softmax or sigmoid before a loss that takes logits: leave it out"),
    ),
    "loss-jump": (
        Cause("if the run was resumed there: no checkpoint was loaded, or into nothing; look at what load_state_dict "
              "returns, and at the step that the optimizer's state is at", ("began-anew",), True),
        Cause("if it is another fold, task or trial, give each a log of its own", ("began-anew",), True),
        Cause("what was learnt is lost and doesn't come back: end this run, and go on from a checkpoint before this "
              "step", ("settled",), True),
        _JUMP,
        Cause("the loss scale falls there: gradients overflowed in half precision; use bfloat16, or lower the learning "
              "rate", ("scale-falls",), True),
        Cause("the learning rate rises there: lower its peak", ("rate-rising",), True, unless=("rate-jumps",)),
        Cause("go back to a checkpoint from before, skip the batches of these steps, and see whether it comes "
              "again", unless=("began-anew",)),
        Cause("look at what changed at this step: data, sequence length, weights of the loss's parts, the loss "
              "scale"),
        Cause("log the gradient norm: it tells a step too large from other data", unless=("norm-quiet", "norm-grows")),
    ),
    "zeros": (
        Cause("of a policy: all rewards of a group are alike, so that no advantage is left: take harder or "
              "easier tasks, or more samples a group"),
        Cause("all labels of these batches are masked, or every margin is satisfied: look at one such batch"),
        Cause("the log has rows of steps at which the optimizer did not act (accumulation): log the others only"),
    ),
    "clipped-scaled": (
        Cause("unscale first: call scaler.unscale_(optimizer) right before clipping"),
    ),
    "always-clipped": (
        Cause(f"raise the threshold to what only unusual gradients reach, such as {THRESHOLD}, and lower the "
              "learning rate"),
    ),
    "update-ratio": (
        Cause("raise the learning rate of these layers", ("updates-small",), True),
        Cause("lower the learning rate of these layers, or warm it up", ("updates-large",), True),
        Cause("updates of about 1/1000 of the weights a step are usual"),
    ),
    "drifting": (
        Cause("watch it, before it explodes: gradcheck diagnose --follow --fail-on exploding; a fixed threshold clips "
              "ever more of the steps"),
        Cause("log the norm by layer to see which of them grows; weights that grow do this: weight decay, or a norm "
              "before that layer"),
        Cause("if loss and outputs grow by design, as returns of a policy do, it is no fault"),
    ),
    "never-clipped": (
        Cause(f"leave it as a safety net, or lower it to what only unusual gradients reach, such as {THRESHOLD}"),
    ),
    "not-computed": (
        Cause("print the norm with digits that a small one has, too: %.3e instead of %.2f", ("few-digits",), True),
        Cause("what is logged is no norm: ask your trainer for it (DeepSpeed: engine.get_global_grad_norm()), or "
              "log what torch.nn.utils.clip_grad_norm_ returns"),
    ),
    "scaled-norms": (
        Cause("record and log once for each step of the optimizer, after scaler.unscale_(optimizer): the rows between "
              "are micro batches, scaled, and parts of a sum", ("accumulates",), True),
        Cause("log the norm after scaler.unscale_(optimizer); and clip after it, too", unless=("accumulates",)),
    ),
    "tiny": (
        Cause("look whether the loss is divided twice, by the batch, the steps of accumulation or the loss scale, or "
              "the norm is unscaled twice"),
        Cause("multiply the loss, or take a smaller eps: beside gradients far below 1e-8 Adam's eps decides the step"),
    ),
    "too-short": (
        Cause("come back with more rows: log every step of a short run, or run gradcheck diagnose --follow"),
    ),
}  # fmt: skip


def advice_on(
    kind: str, signs: Iterable[str] = (), threshold: str = NO_THRESHOLD, before: str = "it"
) -> tuple[str, ...]:
    """Return what to try for a finding of a kind: the likeliest cause by the log's signs first.

    A threshold of clipping, and the step at which a growth began, are given in words.
    """
    shown = set(signs)
    fitting = (one for one in CAUSES[kind] if not shown.intersection(one.unless))
    causes = [one for one in fitting if shown.intersection(one.signs) or not one.only]
    causes.sort(key=lambda one: not shown.intersection(one.signs))
    return tuple(one.advice.replace(THRESHOLD, threshold).replace(BEFORE, before) for one in causes[:MOST])
