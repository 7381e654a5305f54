"""Accelerate: ``Recorder(accelerator, model)`` for a loop of one's own. Needs ``pip install accelerate``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.accelerate", "PyTorch", "torch")
if find_spec("accelerate") is None:
    raise MissingExtraError("gradcheck.accelerate", "Accelerate", "accelerate")

from gradcheck.accelerate.recorder import Recorder

__all__ = ["Recorder"]
