"""A cross-entropy whose logits are bounded: what it costs at best, however well the model learns."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.loss_faults import FLOOR, floor_of_softmax
from gradcheck.torch.graph import Node
from gradcheck.torch.probing.loss.bounds import depends_on_inputs, range_of
from gradcheck.torch.probing.loss.losses import BETWEEN, made_by

#: The share of what guessing costs that a loss of pairs may cost at best. A softmax of cosines of 8,192 examples is at
#: 0.56 with the temperature 0.5, and trains (Chen et al. 2020, SimCLR): it isn't meant to tell all of them apart.
FLOOR_OF_PAIRS = 0.9


#: What leaves some numbers out, as each example's likeness to itself: the others stay what they are.
MASKS = ("MaskedFill", "Where", "FillDiagonal", "IndexPut", "torch::autograd::CopySlices", "AddBackward", "SubBackward")

#: What takes some of the numbers.
CHOICES = ("IndexBackward", "MaskedSelect")

#: What rounding may add.
ROUNDED = 1e-3

#: A logit so far below the largest one is left out.
LEFT_OUT = 30.0


class Logits(NamedTuple):
    """What a cross-entropy's logits lie between."""

    function: str  # that bounds them
    low: float
    high: float
    pairs: bool  # they compare examples with each other
    masked: bool = False  # something may leave some of them out


def find_floor(between: list[Node]) -> Iterator[Cause]:
    """Yield that a cross-entropy can hardly fall below what guessing costs, of the nodes between read-out and loss."""
    for node in between:
        floor, guessing, logits = math.nan, math.nan, None
        if node.name().startswith("NllLoss"):
            logits = _bounded(_before(node.next_functions[0][0], "LogSoftmax"))
            classes = 0.0 if logits is None else _open(node._saved_self.detach(), logits)
            if logits is not None and classes > 1:
                floor, guessing = floor_of_softmax(logits.low, logits.high, classes), math.log(classes)
        elif node.name().startswith("BinaryCrossEntropyWithLogits"):
            logits, targets = _bounded(node.next_functions[0][0]), node._saved_target.detach().double()
            if logits is not None and not logits.masked:
                floor, guessing = _of_binary(logits, targets), _entropy(float(targets.mean()))
        if (
            logits is not None
            and not _is_named(node, logits)
            and floor > (FLOOR_OF_PAIRS if logits.pairs else FLOOR) * guessing > 0
        ):
            details = {"function": logits.function, "low": logits.low, "high": logits.high}
            yield Cause("loss-floor", None, floor, guessing, details)
            return


def _is_named(node: Node, logits: Logits) -> bool:
    """Whether it is a function at the end that has a cause of its own."""
    return logits.function == ("softmax" if node.name().startswith("NllLoss") else "sigmoid")


def _before(node: Node, name: str) -> Node:
    """Return what goes into a function, if a node is that, but for its shape; else None."""
    node = made_by(node)
    return node.next_functions[0][0] if node is not None and node.name().startswith(name) else None


def _open(logs: Tensor, logits: Logits) -> float:
    """Return how many classes are left to choose from, on average, given log-probabilities; 0 where that is unclear.

    What was added may be something else than a mask: then some logits are further apart than their bounds allow, or
    none is left out.
    """
    rows = logs.movedim(1, -1) if logs.dim() > 1 else logs
    if not logits.masked:
        return float(rows.shape[-1])
    below = rows.amax(-1, keepdim=True) - rows
    within = below <= (logits.high - logits.low) * (1 + ROUNDED) + ROUNDED
    out = below > LEFT_OUT + logits.high - logits.low
    return float(within.double().sum(-1).mean()) if bool(out.any()) and bool((within | out).all()) else 0.0


def _bounded(node: Node) -> Logits | None:
    """Return what bounds some logits, up to their shape, a factor and a mask; None where nothing does."""
    factor, masked = 1.0, False
    while node is not None:
        bounds = range_of(node)
        if bounds is not None:
            low, high = sorted(factor * one for one in bounds)
            name = str(node.name().partition("Backward")[0].lower())
            is_cosine = name in ("mm", "bmm", "sum")
            pairs = is_cosine and _compares_examples(node)
            return Logits("cosine" if is_cosine else name, low, high, pairs, masked)
        graded = [one for one, _ in node.next_functions if one is not None]
        if len(graded) == 1 and node.name().startswith((*MASKS, *CHOICES)):
            if node.next_functions[0][0] is None and node.name().startswith("Sub"):
                factor = -factor
            node, masked = graded[0], masked or node.name().startswith(MASKS)
            continue
        if not node.name().startswith((*BETWEEN, "MulBackward", "DivBackward")):
            return None
        node, by = _unscaled(node)
        factor *= by
    return None


def _unscaled(node: Node) -> tuple[Node, float]:
    """Return what a node was given, and by what single number it multiplied that; None where it did anything else."""
    if node.name().startswith(BETWEEN):
        return node.next_functions[0][0], 1.0
    (first, _), *others = node.next_functions
    given, other = node._saved_self, node._saved_other
    if isinstance(other, Tensor) and other.numel() == 1 and first is not None:
        by = float(other.detach())
        return first, by if node.name().startswith("Mul") else 1 / by if by else math.nan
    if node.name().startswith("Mul") and isinstance(given, Tensor) and given.numel() == 1 and others:
        return others[0][0], float(given.detach())
    return None, 1.0


def _compares_examples(node: Node) -> bool:
    """Whether both sides of a product are made of inputs."""
    product = node if len(node.next_functions) > 1 else node.next_functions[0][0]
    return all(one is not None and depends_on_inputs(one) for one, _ in product.next_functions)


def _of_binary(logits: Logits, targets: Tensor) -> float:
    """Return what a binary cross-entropy costs at best."""
    low, high = (functional.softplus(targets.new_tensor(one)) for one in (logits.low, -logits.high))
    return float((targets * high + (1 - targets) * low).mean())


def _entropy(share: float) -> float:
    """Return what the share of the ones as the answer costs."""
    return -sum(one * math.log(one) for one in (share, 1 - share) if one > 0)
