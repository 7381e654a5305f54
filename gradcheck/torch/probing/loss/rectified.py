"""Logits that a ReLU gives: none can be below zero, and those that are zero get no gradient."""

from collections.abc import Iterator, Sequence

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Node, is_log_softmax
from gradcheck.torch.probing.loss.losses import made_by


def find_rectified(between: Sequence[Node]) -> Iterator[Cause]:
    """Yield that a cross-entropy's logits are what a ReLU gives, of the nodes between read-out and loss."""
    for node in between:
        if is_log_softmax(node) or node.name().startswith("BinaryCrossEntropyWithLogits"):
            given = made_by(node.next_functions[0][0])
            if given is not None and given.name() == "ReluBackward0":
                cut = float((given._saved_result == 0).double().mean())
                yield Cause("logits-rectified", None, cut)
                return
