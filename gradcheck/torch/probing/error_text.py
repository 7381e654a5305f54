"""What the user's own code raised, in one line that says where, and what would be right."""

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradcheck.errors import described
from gradcheck.probing import user_errors
from gradcheck.probing.user_errors import where
from gradcheck.torch.layers import EMBEDDINGS
from gradcheck.torch.probing.hooks import Recording

#: Where code is that is not the user's.
OTHERS = (Path(torch.__file__).parent, Path(importlib.__file__).parent, Path(__file__).parents[2])

#: What errors of PyTorch mean here, by a part of their text.
ADVICE = {
    "more than 1 value per channel": "give more examples, or take --mode eval",
    "modified by an inplace operation": "after the operation that it names write y = y + x for y += x",
    "argument #1 'indices'": "give whole numbers, by a SHAPE such as '4x128:int64<1000'",
}

BY_NAME = "inputs by name are a batch like {'x': …, 'y': …}"

#: The same where the model itself was called.
OF_CALLS = {
    "required positional argument": "targets go only to the loss; several inputs need one --input each, or a batch "
    "like {'x': …, 'y': …}",
    "positional argument but": BY_NAME,
    "positional arguments but": BY_NAME,
}


def errors_in_one_line(what: str = "", record: Recording | None = None) -> AbstractContextManager[None]:
    """Raise whatever the user's own code raises as a GradcheckError of one line."""
    return user_errors.errors_in_one_line(what, partial(error_line, record=record))


def error_line(error: BaseException, record: Recording | None = None) -> str:
    """Return one line: which layer that was run for `record`, what it was given, what it wanted; and the error."""
    message = described(error).strip().split("\n")[0]
    message = _with_advice(message, ADVICE | (OF_CALLS if record is not None and len(record.inside) == 1 else {}))
    if record is None or not record.inside:
        return f"{message}{where(error, OTHERS)}"
    name, module, inputs = record.inside[-1]
    own = next((one.dtype for one in module.parameters(recurse=False)), None)
    own = torch.int64 if isinstance(module, EMBEDDINGS) else own
    given = ", ".join(_describe(one, own) for one in inputs) or "no tensor"
    return f"{name} ({type(module).__name__}) was given {given}{_wants(module)}: {message}"


def _with_advice(message: str, advices: Mapping[str, str]) -> str:
    """Return an error's first sentence and what to do about it, where that is known; else the message as it is."""
    for sign, advice in advices.items():
        if sign in message:
            return f"{message.partition('. ')[0].rstrip('.')}: {advice}"
    return message


def _describe(given: object, own: torch.dtype | None) -> str:
    """Return the shape of an input, and its type where that of the weights is another."""
    shape, dtype = getattr(given, "shape", ()), getattr(given, "dtype", None)
    size = "x".join(map(str, shape)) or ("no tensor" if dtype is None else "a single number")
    return size if own is None or dtype in (own, None) else f"{size} of {str(dtype).removeprefix('torch.')}"


def _wants(module: nn.Module) -> str:
    """Return the shape that a layer takes, where it is known."""
    wanted: Any = None
    if isinstance(module, nn.Linear):
        wanted = f"…x{module.in_features}"
    elif isinstance(module, nn.modules.conv._ConvNd):
        wanted = f"Nx{module.in_channels}" + "".join(f"x{side}" for side in "DHW"[-len(module.kernel_size) :])
    elif isinstance(module, EMBEDDINGS):
        wanted = f"whole numbers below {module.num_embeddings}"
    elif isinstance(module, nn.RNNBase):
        wanted = f"NxTx{module.input_size}" if module.batch_first else f"TxNx{module.input_size}"
    elif isinstance(module, nn.LayerNorm):
        wanted = "…x" + "x".join(map(str, module.normalized_shape))
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        wanted = f"Nx{module.num_features}…"
    return f" and wants {wanted}" if wanted else ""
