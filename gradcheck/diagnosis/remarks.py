"""Causes that leave the gradient healthy and say that the model, its batch or its loss is wrong. Loads no NumPy."""

from collections.abc import Sequence

#: Those that a build can be made to fail on, each by its name.
ASKED_FOR = (
    "softmax-twice", "sigmoid-twice", "softmax-over-batch", "nll-not-log", "not-probabilities", "labels-outside",
    "out-of-reach", "broadcast", "unregistered", "units-alike", "loss-negated", "loss-boundless", "axes-swapped",
    "axes-viewed", "examples-mixed", "sampled", "loss-floor", "examples-unheard", "gradient-partial",
    "labels-uncounted", "logits-rectified", "output-ignored", "future-seen",
)  # fmt: skip

#: What may be meant, leaves no doubt, and fails a build that asks for it by its name alone.
BY_NAME = ("unused", "frozen-body")

#: Any of them.
REMARKS = "remarks"

#: Any reason that makes a verdict "healthy, but": a remark, or another doubt.
ANY_DOUBT = "doubts"

#: Of a plain chain whose gradient vanishes, and which Adam trains all the same.
NEEDS_ADAM = "needs-adam"

#: Those that leave a doubt. But for the last, the probability that it trains doesn't hold with them: the networks that
#: it was fitted to had none.
DOUBTS = (
    *ASKED_FOR, "loss-of-probabilities", "inputs-large", "readout-large", "targets-large", "targets-wide",
    "targets-huge", "loss-outsized", "dropout-most", "large-inputs", "term-zero", "term-drowned", "not-held",
    "state-not-passed", "state-detached", "inputs-alike", "labels-alike", "branches-grow", "layers-grow",
    "loss-risen", "gradient-outsized", "features-apart", "outpaced", "rounds-to-zero", "logits-shrunk", "solved",
    "gradient-turned", "attention-hard", "learns-late", NEEDS_ADAM,
)  # fmt: skip

#: Of models that look ill and don't learn in a trial, the share that trains all the same (benchmarks/zoo.py); nothing
#: ill is given more.
TRAINS_ALL_THE_SAME = 0.15

#: What other weights, norms and activations don't fix: the sentence of each says what does.
OF_ANOTHER_KIND = frozenset({
    "detached", "all-zero", "gates-shut", "checkpoint-inputs", "rounding", "hidden-layers", "labels-ignored",
    "loss-nonfinite", "operation-nonfinite", "gradient-nonfinite", "weights-nonfinite", "inputs-explode", "output-flat",
    "forgets", "gates-saturated", "explodes-in-time", "tokens-alike", "softmax-of-one", "constant-loss",
    "loss-cut", "output-cut", "nothing-trained", "outside-loss", "no-derivative", "term-detached", "flat-operation",
    "dropout-all",
    "makes-zeros", "inputs-alike", "norm-of-one", "state-detached", "state-not-passed", "starts-far", "inputs-small",
})  # fmt: skip


def is_of_another_kind(codes: Sequence[str]) -> bool:
    """Whether other weights, norms and activations don't fix what a verdict's causes, the weightiest first, name.

    Units with the same weights are drawn anew; any other remark matters where it decided.
    """
    return not OF_ANOTHER_KIND.isdisjoint(codes) or decisive_remark(codes) not in ("", "units-alike")


def decisive_remark(codes: Sequence[str]) -> str:
    """Return the weightiest of a verdict's causes if it is a remark, else nothing."""
    return next((code for code in codes[:1] if code in ASKED_FOR), "")
