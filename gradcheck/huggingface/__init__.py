"""Hugging Face: ``GradientCallback()`` for transformers.Trainer. Needs ``pip install transformers accelerate``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.huggingface", "PyTorch", "torch")
if find_spec("transformers") is None:
    raise MissingExtraError("gradcheck.huggingface", "Transformers", "transformers")
if find_spec("accelerate") is None:
    raise MissingExtraError("gradcheck.huggingface", "Accelerate", "accelerate")

from gradcheck.huggingface.callback import GradientCallback

__all__ = ["GradientCallback"]
