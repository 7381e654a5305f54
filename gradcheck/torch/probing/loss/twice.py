"""An output that is a distribution by its numbers, whatever has made them, and that a loss takes for logits."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.evidence import SHARP
from gradcheck.torch.graph import nodes
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.probing.loss.losses import ForwardResult, axis_of, sum_to_one

#: Of fewer examples numbers may sum to one by chance.
FEWEST = 3

#: The loss takes the softmax of the output itself where both are the same up to this.
CLOSE = 1e-3


def find_distribution_as_logits(result: ForwardResult) -> Iterator[Cause]:
    """Yield that a loss takes the softmax of an output each row of which is a distribution."""
    tensor, value = main_tensor(result.output), result.value
    if tensor is None or value is None or tensor.dim() < 2 or len(tensor) < FEWEST or tensor.is_complex():
        return
    shares = tensor.detach().double()
    for node in nodes([value.grad_fn]):
        if node.name() == "LogSoftmaxBackward0" and node._saved_result.shape == shares.shape:
            axis = axis_of(node)
            if shares.shape[axis] > 1 and sum_to_one(shares, axis) and _is_softmax_of(node._saved_result, shares, axis):
                room = float((1 - shares.square().sum(axis)).mean() / (1 - 1 / shares.shape[axis]))
                yield Cause("softmax-twice", None, room, SHARP, {"loss": result.loss.name})
                return


def _is_softmax_of(logarithms: Tensor, shares: Tensor, axis: int) -> bool:
    return bool(torch.allclose(logarithms.detach().double(), shares.log_softmax(axis), rtol=0, atol=CLOSE))
