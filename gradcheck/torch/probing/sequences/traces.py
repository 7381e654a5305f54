"""What goes into a recurrent module and what comes out, of a few examples: arrays of (steps, examples, features)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from gradcheck.engine.types import Array
from gradcheck.torch.probing.hooks import Call, states_of
from gradcheck.torch.probing.measuring import Gradients

#: Examples that are looked at: what a step costs hardly depends on their number.
EXAMPLES = 8


def several(value: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    """Return an LSTM's two states, another cell's one, or none."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def data_of(value: Tensor | PackedSequence) -> Tensor:
    """Return the tensor itself, or that of a packed sequence."""
    return value.data if isinstance(value, PackedSequence) else value


def steps_of(value: Any, module: nn.RNNBase) -> tuple[Array, Tensor]:  # noqa: ANN401
    """Return (steps, examples, features) of a few examples of full length, and which these are."""
    if isinstance(value, PackedSequence):
        padded, lengths = pad_packed_sequence(value)
        whole = (lengths == lengths.max()).nonzero()[:, 0]
        chosen = whole[spread(len(whole))]
    else:
        padded = value[:, None] if value.dim() == 2 else value.transpose(0, 1) if module.batch_first else value
        chosen = spread(padded.shape[1])
    return pick(padded, chosen), chosen


def spread(examples: int) -> Tensor:
    """Return a few of so many examples, evenly spread."""
    return torch.linspace(0, examples - 1, min(EXAMPLES, examples)).long()


def pick(value: Tensor, chosen: Tensor) -> Array:
    """Return a few examples, of (…, examples, features)."""
    value = value[:, None] if value.dim() == 2 else value
    return as_double(value.detach().cpu()[:, chosen])


def as_double(tensor: Tensor) -> Array:
    """Return a tensor in double precision."""
    array: Array = tensor.detach().cpu().double().numpy()
    return array


def weights_of(parameters: Mapping[str, Tensor]) -> dict[str, Array]:
    """Return parameters by the same names."""
    return {name: as_double(one) for name, one in parameters.items()}


def deltas_of(call: Call, module: nn.RNNBase, chosen: Tensor, gradients: Gradients) -> list[Array | None]:
    """Return the gradients at the output and at the last states, of a few examples."""
    output = call.returned[0]
    delta = gradients.get(data_of(output))
    if delta is not None:
        packed = output._replace(data=delta) if isinstance(output, PackedSequence) else delta
        whole = pad_packed_sequence(packed)[0] if isinstance(packed, PackedSequence) else packed
        across = module.batch_first and whole.dim() == 3 and not isinstance(packed, PackedSequence)
        delta = pick(whole.transpose(0, 1) if across else whole, chosen)
    found = (gradients.get(one) for one in states_of(call.returned))
    return [delta, *(None if one is None else pick(one, chosen) for one in found)]
