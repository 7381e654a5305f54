"""Adam for trials of any precision: half precision is too short for its second moments and its eps."""

from collections.abc import Iterable

import torch
from torch import Tensor

#: What has too few digits for Adam's own numbers.
HALF = (torch.float16, torch.bfloat16)


class Adam(torch.optim.Adam):  # type: ignore[misc]
    """Adam whose steps are taken in single precision, on copies of parameters in half precision."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.pairs = [(one, one.detach().float().requires_grad_() if one.dtype in HALF else one) for one in parameters]
        super().__init__([copy for _, copy in self.pairs], lr=lr)

    def step(self, closure: None = None) -> None:
        """Take a step against the gradients of the parameters."""
        halves = [(one, copy) for one, copy in self.pairs if one is not copy]
        for one, copy in halves:
            copy.grad = None if one.grad is None else one.grad.float()
        super().step()
        with torch.no_grad():
            for one, copy in halves:
                one.copy_(copy)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of the parameters."""
        for one, _ in self.pairs:
            one.grad = None
