"""A gradient that half precision rounds to zero where it leaves the loss, before any scale could help."""

from collections.abc import Iterator
from contextlib import suppress

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.probing.loss.losses import Loss

#: It is named where such a share of its entries is lost.
LOST = 0.5


def find_rounded_to_zero(chosen: Loss, output: object, targets: object, value: Tensor | None) -> Iterator[Cause]:
    """Yield that most of the loss's gradient by its outputs is zero in float16, and isn't in float32."""
    if not isinstance(output, Tensor) or output.dtype != torch.float16 or value is None or value.grad_fn is None:
        return
    with suppress(Exception), torch.enable_grad():  # the user's own loss may have had its one pass
        wide = output.detach().float().requires_grad_()
        aims = tree_map(lambda one: one.float() if _is_half(one) else one, targets)
        (there,) = torch.autograd.grad(chosen.function(wide, aims), wide)
        (here,) = torch.autograd.grad(value, output, torch.ones_like(value), retain_graph=True)
        lost = float((here[there != 0] == 0).double().mean()) if bool(there.any()) else 0.0
        if lost > LOST:
            yield Cause("rounds-to-zero", None, lost, LOST)


def _is_half(one: object) -> bool:
    return isinstance(one, Tensor) and one.dtype == torch.float16
