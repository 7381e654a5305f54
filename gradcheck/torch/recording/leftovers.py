"""Gradients that are still there when a backward pass begins: then nobody has set them to zero."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gradcheck.torch.recording.scalars import Single


class Leftovers:
    """Watches a few parameters for the first gradient of a step, and keeps what was there before it.

    Of all that are trained these are the first, the middle one and the last: not all get a gradient. A hook on a leaf
    is called with a new gradient before that is added. Of several backward passes in a step, as in accumulation, only
    the first counts.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self._norm: Tensor | None = None
        self._seen = False
        watched = {id(parameters[at]): parameters[at] for at in (-1, len(parameters) // 2, 0)} if parameters else {}
        self._handles = [self._watch(parameter) for parameter in watched.values()]

    def _watch(self, parameter: nn.Parameter) -> RemovableHandle:
        def before_adding(gradient: Tensor) -> None:
            if not self._seen:
                self._seen = True
                if parameter.grad is not None and not parameter.grad.is_sparse:
                    with torch.no_grad():
                        self._norm = torch.linalg.vector_norm(parameter.grad.detach().float())

        return parameter.register_hook(before_adding)

    def renew(self) -> None:
        """Begin another step with the same hooks."""
        self._norm, self._seen = None, False

    @property
    def norm(self) -> Single:
        """Norm of the gradient that was still there, on its device; None if there was none, or no backward pass."""
        return self._norm

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
