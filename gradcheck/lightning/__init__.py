"""Lightning: ``GradientCallback()`` for its Trainer. Needs ``pip install lightning``, or ``pytorch_lightning``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.lightning", "PyTorch", "torch")
if find_spec("lightning") is None and find_spec("pytorch_lightning") is None:
    raise MissingExtraError("gradcheck.lightning", "Lightning", "lightning")

from gradcheck.lightning.callback import GradientCallback

__all__ = ["GradientCallback"]
