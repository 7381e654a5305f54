"""What the user's own code raised, in one line that says where and what would be right."""

import importlib
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradcheck.torch.layers import EMBEDDINGS
from gradcheck.torch.probing.hooks import Recording

#: Where code stands that is not the user's.
OTHERS = (Path(torch.__file__).parent, Path(importlib.__file__).parent, Path(__file__).parents[2])

#: What errors of PyTorch mean here, by a part of their text.
ADVICE = {
    "use_reentrant=True": "set it to False, or switch checkpointing off while you probe",
    "more than 1 value per channel": "give more examples, or take --mode eval",
    "modified by an inplace operation": "behind the operation that it names write y = y + x for y += x",
}

#: The same where the model itself was called.
OF_CALLS = {
    "required positional argument": "targets go to the loss alone; of several inputs each has its --input, or a batch "
    "is {'x': …, 'y': …}",
    "positional argument but": "inputs by name are a batch like {'x': …, 'y': …}",
    "positional arguments but": "inputs by name are a batch like {'x': …, 'y': …}",
}


def complaint(error: BaseException, record: Recording | None = None) -> str:
    """Return one line: which layer, what it was given, what it wanted; and the error itself.

    Parameters
    ----------
    error : BaseException
    record : Recording, optional
        Of the modules that were being run.
    """
    told = f"{type(error).__name__}: {error}".strip().split("\n")[0]
    told = _advised(told, ADVICE | (OF_CALLS if record is not None and len(record.inside) == 1 else {}))
    if record is None or not record.inside:
        return f"{told}{_where(error)}"
    name, module, inputs = record.inside[-1]
    own = next((one.dtype for one in module.parameters(recurse=False)), None)
    own = torch.int64 if isinstance(module, EMBEDDINGS) else own
    shown = [_shown(shape, dtype, own) for shape, dtype in inputs]
    return f"{name} ({type(module).__name__}) was given {', '.join(shown) or 'no tensor'}{_wants(module)}: {told}"


def _advised(told: str, advices: Mapping[str, str]) -> str:
    """Return an error's first sentence and what to do about it, where that is known; else what was told."""
    for sign, advice in advices.items():
        if sign in told:
            return f"{told.partition('. ')[0].rstrip('.')}: {advice}"
    return told


def _shown(shape: tuple[int, ...], dtype: torch.dtype | None, own: torch.dtype | None) -> str:
    """Return the shape of an input, and its type where the weights have another."""
    size = "x".join(map(str, shape)) or ("no tensor" if dtype is None else "a single number")
    return size if own is None or dtype in (own, None) else f"{size} of {str(dtype).removeprefix('torch.')}"


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
    """Return the last file and line on the way to the error that is the user's own, if there is one."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<frozen")]
    frames = [one for one in frames if not any(Path(one.filename).is_relative_to(other) for other in OTHERS)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
