"""Causes that leave the gradient healthy and say that the model, its batch or its loss is wrong. Loads no NumPy."""

#: Those that a build can be made to fail on, each by its name.
ASKED_FOR = (
    "softmax-twice", "sigmoid-twice", "softmax-over-batch", "nll-not-log", "not-probabilities", "labels-outside",
    "out-of-reach", "broadcast", "unregistered", "units-alike",
)  # fmt: skip

#: Any of them.
REMARKS = "remarks"

#: Those with which the probability that it trains doesn't hold: the networks that it was fitted to had none.
DOUBTS = (
    *ASKED_FOR, "loss-of-probabilities", "inputs-large", "readout-large", "targets-large", "large-inputs", "term-zero",
    "term-drowned", "not-held", "inputs-alike", "labels-alike",
)  # fmt: skip
