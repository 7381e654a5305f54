"""PyTorch: ``probe`` and ``rate`` of a model, ``transfer`` of what builds it, ``Recorder``. ``pip install torch``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.torch", "PyTorch", "torch")

from gradcheck.torch.learning_rate.rate import rate
from gradcheck.torch.parametrization.transfer import transfer
from gradcheck.torch.probing.probe import probe
from gradcheck.torch.recording.recorder import Recorder

__all__ = ["Recorder", "probe", "rate", "transfer"]
