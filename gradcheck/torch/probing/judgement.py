"""The judgement of a PyTorch model's pass."""

from typing import TypeAlias

from gradcheck.probing import judgement
from gradcheck.torch.probing.passing import ModelPass

Judgement: TypeAlias = judgement.Judgement[ModelPass]
