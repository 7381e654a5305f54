"""Which causes say better than others what happened."""

from collections.abc import Iterator, Sequence

from gradcheck.diagnosis.causes import Cause

#: What a loss without a graph leaves to say of layers.
NO_GRAPH = ("unused", "vanishing", "dead", "gradient-zero", "span", "parameters-zero")

#: Causes that say what happened ↦ those that say it less well; of a forward signal only where it is the read-out's.
REPLACED = {
    "labels-ignored": ("forward-overflow", "forward-nan", "becomes-nan"),
    "loss-nonfinite": ("forward-overflow", "forward-nan", "becomes-nan"),
    "operation-nonfinite": ("becomes-nan",),
    "gradient-nonfinite": ("gradient-overflow",),
    "checkpoint-inputs": ("unused",),
    "loss-cut": NO_GRAPH,
    "output-cut": NO_GRAPH,
    "nothing-trained": ("unused", "frozen"),
    "outside-loss": ("unused",),
    "no-derivative": ("detached", "unused"),
    "flat-operation": ("layers-zero", "gradient-zero", "vanishing"),
    "dropout-all": ("layers-zero", "gradient-zero", "forward-zero", "vanishing", "dead", "rank"),
    "makes-zeros": ("layers-zero", "gradient-zero", "vanishing"),
    "norm-of-one": ("layers-zero", "gradient-zero", "forward-zero", "vanishing", "exploding", "dead", "rank"),
    "softmax-of-one": ("layers-zero", "gradient-zero", "vanishing"),
    "weights-nonfinite": ("operation-nonfinite", "becomes-nan"),
    "inputs-alike": ("rank",),
    "all-zero": ("parameters-zero", "layers-zero", "gradient-zero", "vanishing", "dead"),
}


def without_replaced(causes: Sequence[Cause], *, all_cut: bool = False) -> Iterator[Cause]:
    """Yield the causes but those for which another says better what happened; of layers that are all cut off none."""
    replaced = {code for cause in causes for code in REPLACED.get(cause.code, ())}
    replaced |= {*NO_GRAPH[1:]} if all_cut else set()
    for cause in causes:
        if cause.code not in replaced or (cause.code.startswith("forward-") and cause.layers):
            yield cause
