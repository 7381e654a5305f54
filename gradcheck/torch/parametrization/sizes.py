"""The size of what a layer returns: mean |x| and root mean square, pooled over its calls in one pass."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Size:
    """Sums over entries; complex numbers count by their magnitude."""

    count: int = 0
    absolute: float = 0.0  # Σ |x|
    square: float = 0.0  # Σ |x|²

    def add(self, tensor: Tensor) -> None:
        """Add a tensor's entries."""
        tensor = tensor.detach()
        wide = torch.complex128 if tensor.is_complex() else torch.float64
        self.count += tensor.numel()
        self.absolute += float(torch.linalg.vector_norm(tensor, 1, dtype=wide))
        self.square += float(torch.linalg.vector_norm(tensor, 2, dtype=wide)) ** 2

    @property
    def mean(self) -> float:
        """Mean |x|; nan where nothing was added."""
        return self.absolute / self.count if self.count else math.nan

    @property
    def rms(self) -> float:
        """Root mean square; nan where nothing was added."""
        return math.sqrt(self.square / self.count) if self.count else math.nan
