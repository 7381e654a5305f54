"""The judgement of a PyTorch model's pass."""

from typing import TypeAlias

from gradcheck.probing import verdict
from gradcheck.torch.probing.passing import ModelPass

Judgement: TypeAlias = verdict.Judgement[ModelPass]
