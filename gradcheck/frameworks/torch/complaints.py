"""What the user's own code raised, in one line that says where and what would be right."""

import traceback
from pathlib import Path
from typing import Any

from torch import nn

from gradcheck.frameworks.torch.recording import Recording


def complaint(error: BaseException, record: Recording | None = None) -> str:
    """Return one line: which layer, what it was given, what it wanted; and the error itself.

    Parameters
    ----------
    error : BaseException
    record : Recording, optional
        Of the modules that were being run.
    """
    told = f"{type(error).__name__}: {error}".strip().split("\n")[0]
    if record is None or not record.inside:
        return f"{told}{_where(error)}"
    name, module, shapes = record.inside[-1]
    given = ", ".join("x".join(map(str, shape)) or "a single number" for shape in shapes) or "no tensor"
    return f"{name} ({type(module).__name__}) was given {given}{_wants(module)}: {told}"


def _wants(module: nn.Module) -> str:
    """Return the shape that a layer takes, where it is known."""
    wanted: Any = None
    if isinstance(module, nn.Linear):
        wanted = f"…x{module.in_features}"
    elif isinstance(module, nn.modules.conv._ConvNd):
        wanted = f"Nx{module.in_channels}" + "".join(f"x{side}" for side in "DHW"[-len(module.kernel_size) :])
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        wanted = f"whole numbers below {module.num_embeddings}"
    elif isinstance(module, nn.RNNBase):
        wanted = f"NxTx{module.input_size}" if module.batch_first else f"TxNx{module.input_size}"
    elif isinstance(module, nn.LayerNorm):
        wanted = "…x" + "x".join(map(str, module.normalized_shape))
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        wanted = f"Nx{module.num_features}…"
    return f" and wants {wanted}" if wanted else ""


def _where(error: BaseException) -> str:
    """Return the file and line that raised, if it is the user's own."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
