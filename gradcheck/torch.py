"""PyTorch: ``gradcheck.torch.probe(model, batch, loss)``. Needs ``pip install "gradcheck[torch]"``."""

from importlib.util import find_spec

from gradcheck.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError("gradcheck.torch", "PyTorch", "torch")

from gradcheck.frameworks.torch.probing import probe

__all__ = ["probe"]
