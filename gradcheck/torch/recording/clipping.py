"""Clipping of gradients that may be sparse, which PyTorch's own function refuses."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float, **options: Any) -> Tensor:  # noqa: ANN401
    """Clip the norm of all gradients as ``torch.nn.utils.clip_grad_norm_`` does, sparse ones like the dense ones.

    Parameters
    ----------
    parameters : iterable of Tensor
        Their gradients are changed in place; a sparse one is coalesced first: each row counts once.
    max_norm : float
    **options
        Those of ``torch.nn.utils.clip_grad_norm_``.

    Returns
    -------
    Tensor
        The norm before.
    """
    return nn.utils.clip_grad_norm_(list(_with_dense_gradients(parameters)), max_norm, **options)


def _with_dense_gradients(parameters: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield each parameter; in place of one with a sparse gradient a tensor whose gradient has the same entries."""
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None or gradient.layout is torch.strided:
            yield parameter
            continue
        if gradient.layout is torch.sparse_coo:
            parameter.grad = gradient = gradient.coalesce()
        entries = gradient.detach().values()  # they share their memory with the gradient
        stand_in = torch.empty_like(entries)
        stand_in.grad = entries
        yield stand_in
