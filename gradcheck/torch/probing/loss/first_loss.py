"""The loss where training starts, as PyTorch's graph shows it."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from gradcheck.probing.evidence import AtLoss
from gradcheck.probing.first_loss import FirstLoss
from gradcheck.torch.graph import TRANSPARENT, Node, is_log_softmax, nodes
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.probing.hooks import Call, Recording
from gradcheck.torch.probing.loss.asking import best_number, compared_targets, outsized
from gradcheck.torch.probing.loss.losses import BETWEEN, WITH_A_NUMBER, Loss, axis_of, made_by
from gradcheck.torch.probing.loss.terms import adds_constant, find_terms

#: Outputs of a usual size have at most this root mean square.
USUAL_SIZE = 10.0

#: Products of all rows of a matrix with all columns of another one.
PRODUCTS = ("MmBackward", "BmmBackward")

#: What lies between such products and a cross-entropy: shapes, factors, a mask, a margin for the right one.
AFTER_PRODUCTS = (
    *BETWEEN, *WITH_A_NUMBER, *TRANSPARENT, "NllLoss", "LogSoftmax", "Where", "Scatter", "MaskedFill", "Index", "Cat",
    "Pow", "Sqrt", "Acos", "Cos", "Neg", "CopySlices",
)  # fmt: skip

#: A vector has the length 1 up to rounding, also in half precision.
ROUNDING = 1e-2

#: Logits of cosines are 1 to 100 times these, as published.
USUAL_LOGITS = 100.0

#: PyTorch's number for a loss that is the mean of its examples'.
MEAN = 1


def look_at(
    chosen: Loss, output: object, targets: object, value: Tensor | None, record: Recording, end: Call
) -> AtLoss:
    """Return what is between the output, whose read-out's last use is given, and the loss; nothing without a loss."""
    if value is None:
        return AtLoss()
    first = first_loss(chosen, output, targets, value)
    first = first._replace(of_readout=first.labels > 0 and _comes_from(value.grad_fn, end.node))
    if first.of_readout and end.layer.matrices:
        first = first._replace(row_length=_rms(end.layer.matrices[0]) * end.layer.matrices[0][0].numel() ** 0.5)
    if first.labels and not first.of_readout:
        vectors = list(_multiplied(value.grad_fn))
        of_cosines = bool(vectors) and all(map(_are_unit, vectors)) and first.output_rms <= USUAL_LOGITS
        first = first._replace(pair_width=0 if of_cosines else _pair_width(first, end, vectors), of_cosines=of_cosines)
        if not first.of_batch:  # the right one of pairs is first
            first = first._replace(of_batch=first.constant_answer, labels=0)
    if value.grad_fn is None:
        return AtLoss(first)
    tensor = main_tensor(output)
    terms = find_terms(value, record, None if tensor is None else tensor.grad_fn)
    return AtLoss(first, terms, adds_constant(value))


def first_loss(chosen: Loss, output: object, targets: object, value: Tensor) -> FirstLoss:
    """Return a loss and what a constant answer costs: ln(classes) or the targets' variance, as its graph shows."""
    node: Node | None = value.grad_fn
    while node is not None and node.name().startswith(TRANSPARENT):
        node = node.next_functions[0][0]
    classes, aim = _classes(node), _aim(node, targets)
    compared = _aim_of_distance(node, targets) if aim is None else aim
    if compared is None and not classes:
        compared = compared_targets(chosen, output, targets, value)
    tensor = main_tensor(output)
    soft = False
    if not classes and chosen.name == "cross-entropy" and tensor is not None:
        classes, soft = int(tensor.shape[-1]), True
    answer = math.log(classes) if classes else math.nan if aim is None else float(aim.double().var(correction=0))
    if node is not None and classes and node.name().startswith("BinaryCrossEntropy"):
        answer, soft = _answer_half(node)
    of_batch, labels = answer, 0
    if classes and node is not None and node.name().startswith("NllLoss"):
        of_batch, labels = _label_entropy(node)
    first = FirstLoss(float(value.detach()), answer, of_batch, classes, labels, _size(tensor), _rms(compared))
    if compared is not None and aim is None and first.has_huge_targets:
        first = first._replace(best_number=best_number(chosen, output, compared, targets))
    if tensor is not None and not classes and not tensor.is_complex():
        first = first._replace(output_mean=float(tensor.detach().double().mean()))
    first = first._replace(soft=soft, reshaped=_reshaped(tensor, targets) if chosen.name == "mean-square" else ())
    return first._replace(outsized=outsized(chosen, output, targets, first))


def _reshaped(output: Tensor | None, targets: object) -> tuple[str, ...]:
    """Return the shapes of outputs and targets, and what a loss without a reshape would make of both, if that is more.

    Mean square gives the targets the outputs' shape; a loss of the user's own broadcasts (64, 1) and (64,).
    """
    if output is None or not isinstance(targets, Tensor) or output.shape == targets.shape:
        return ()
    try:
        wide = torch.broadcast_shapes(output.shape, targets.shape)
    except RuntimeError:
        return ()
    shapes = (output.shape, targets.shape, wide)
    return tuple("x".join(map(str, one)) for one in shapes) if wide.numel() > output.numel() else ()


def answers_of(value: Tensor, targets: object) -> tuple[str, Tensor] | None:
    """Return the loss's name and its targets where the graph of a loss of one's own shows a usual one: else None."""
    node: Node | None = value.grad_fn
    while node is not None and node.name().startswith(TRANSPARENT):
        node = node.next_functions[0][0]
    if _classes(node) and node is not None and node.name().startswith("NllLoss"):
        labels = node._saved_target.flatten()
        return "cross-entropy", labels[labels != node._saved_ignore_index]
    aim = _aim(node, targets)
    return None if aim is None else ("mean-square", aim)


def _multiplied(root: Node | None) -> Iterator[Tensor]:
    """Yield the vectors, one a row, whose products the logits of a cross-entropy are: of all pairs of them."""

    def inputs(node: Node) -> Sequence[tuple[Node | None, int]]:
        return node.next_functions if node.name().startswith(AFTER_PRODUCTS) else ()

    for node in nodes([root], inputs):
        if node.name().startswith(PRODUCTS):
            if node._saved_self is not None:
                yield node._saved_self.detach()
            if node._saved_mat2 is not None:
                yield node._saved_mat2.detach().mT


def _are_unit(vectors: Tensor) -> bool:
    return bool(((vectors.float().norm(dim=-1) - 1).abs() < ROUNDING).all())


def _pair_width(first: FirstLoss, end: Call, vectors: Sequence[Tensor]) -> int:
    """Return how many numbers outputs have of which distances or products are taken, where these explain the loss.

    Of two outputs that have nothing in common the squared distance is twice their squared size. Where no product shows
    the vectors, they are what the read-out gives for each example.
    """
    if vectors:
        width, rms = vectors[0].shape[-1], max(map(_rms, vectors))
    else:
        width, rms = math.prod(end.output.shape[1:]), 10**end.log10_rms if end.log10_rms < 2 else math.inf
    return width if rms <= USUAL_SIZE and first.value <= 2 * width * rms**2 else 0


def _comes_from(node: Node, end: Node | None) -> bool:
    """Whether a cross-entropy's logits are what the read-out gave, but for their shape and size."""
    while node is not None and node is not end:
        following = [one for one, _ in node.next_functions if one is not None]
        passes_on = node.name().startswith((*BETWEEN, *WITH_A_NUMBER, *TRANSPARENT, "NllLoss", "LogSoftmax"))
        node = following[0] if passes_on and len(following) == 1 else None
    return node is end


def _label_entropy(node: Node) -> tuple[float, int]:
    """Return the entropy of a cross-entropy's labels, that of their frequencies as the answer; and how many."""
    labels = node._saved_target.flatten()
    kinds, counts = torch.unique(labels[labels != node._saved_ignore_index], return_counts=True)
    weight = getattr(node, "_saved_weight", None)
    heard = counts.double() if weight is None else counts * weight.detach().double()[kinds]
    shares = heard[heard > 0] / heard.sum()
    return abs(float((shares * shares.log()).sum())), int(counts.sum())


def _answer_half(node: Node) -> tuple[float, bool]:
    """Return what the answer ½ costs by a binary cross-entropy, and whether its targets are probabilities."""
    targets = node._saved_target.detach().double()
    ones, each = (getattr(node, name, None) for name in ("_saved_pos_weight", "_saved_weight"))
    weights = torch.ones_like(targets) if ones is None else 1 + (ones.detach() - 1) * targets
    weights = weights if each is None else weights * each.detach()
    return math.log(2) * float(weights.mean()), not bool(((targets == 0) | (targets == 1)).all())


def _rms(tensor: Tensor | None) -> float:
    return math.nan if tensor is None else float(tensor.detach().abs().double().square().mean().sqrt())


def _size(output: Tensor | None) -> float:
    """Return the root mean square of outputs; of log-probabilities without -log(classes), which all have in common."""
    node = None if output is None else made_by(output.grad_fn)
    if node is None or not is_log_softmax(node):
        return _rms(output)
    logits = node._saved_result.detach()
    return _rms(logits - logits.mean(axis_of(node), keepdim=True))


def _classes(node: Node | None) -> int:
    """Return the number of classes of a mean cross-entropy; 0 for anything else."""
    name = "" if node is None else node.name()
    if node is None or getattr(node, "_saved_reduction", 0) != MEAN:
        return 0
    if name.startswith("BinaryCrossEntropy"):
        return 2
    shape = node._saved_self.shape if name.startswith("NllLoss") else ()
    return int(shape[1 if len(shape) > 1 else 0]) if shape else 0


def _aim(node: Node | None, targets: object) -> Tensor | None:
    """Return the targets of a mean squared error; None for anything else."""
    if node is None:
        return None
    if node.name().startswith("MseLoss") and node._saved_reduction == MEAN:
        return _constant_of(node)
    for wanted in ("MeanBackward", "PowBackward"):
        if node is None or not node.name().startswith(wanted):
            return None
        square = node
        node = node.next_functions[0][0]
    return targets if square._saved_exponent == 2 and _is_error(node, targets) else None


def _aim_of_distance(node: Node | None, targets: object) -> Tensor | None:
    """Return the targets of a mean or a sum of distances (L1, smooth L1, Huber): these have another best constant."""
    if node is not None and node.name().startswith(("SmoothL1Loss", "HuberLoss")):
        return _constant_of(node)
    for wanted in (("Mean", "Sum"), "Abs"):
        if node is None or not node.name().startswith(wanted):
            return None
        node = node.next_functions[0][0]
    return targets if isinstance(targets, Tensor) and _is_error(node, targets) else None


def _constant_of(node: Node) -> Tensor | None:
    """Return the one of the two that a loss compares which no weight has made: a frozen teacher's has a graph, too."""
    made = [following for following, _ in node.next_functions]
    constant = [not _is_made(one) for one in made] if all(made) else [one is None for one in made]
    aim: Tensor | None = node._saved_target if constant[-1] else node._saved_self if constant[0] else None
    return None if aim is None else aim.detach()


def _is_made(node: Node) -> bool:
    """Whether a weight has a part in what a node made."""
    return any(isinstance(getattr(one, "variable", None), nn.Parameter) for one in nodes([node]))


def _is_error(node: Node | None, targets: object) -> bool:
    """Whether a node is the difference of what a graph made and of given numbers, as the targets are."""
    if node is None or not node.name().startswith("SubBackward"):
        return False
    given = isinstance(targets, Tensor) and targets.is_floating_point()
    return given and None in [one for one, _ in node.next_functions]
