"""PyTorch: ``probe(model, batch, loss)``, ``Recorder(model, file)``. Needs ``pip install torch``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.torch", "PyTorch", "torch")

from gradcheck.torch.learning_rate.rate import rate
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.recording.recorder import Recorder

__all__ = ["Recorder", "probe", "rate"]
