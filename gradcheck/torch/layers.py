"""Which modules of a model are its layers, and what belongs to each."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gradcheck.errors import printable
from gradcheck.flow.model_flow import Kind
from gradcheck.torch.modules import in_eval_mode, named_modules, named_parameters

#: Modules whose outputs have their channels right after the batch; in all others they are last.
CHANNELS_FIRST = (
    nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm,
)  # fmt: skip

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)

#: Layers that are compared among themselves, by kind. All others are ``norm`` or ``linear``, of whole examples or over
#: their positions.
LAYER_KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "convolution": (nn.modules.conv._ConvNd,),
    "recurrence": (nn.RNNBase, nn.RNNCellBase),
    "embedding": EMBEDDINGS,
    "attention": (nn.MultiheadAttention,),
}

#: What the parameters that a weight is computed from are called after it: by a weight norm, a spectral norm, pruning.
OF_COMPUTED = ("_g", "_v", "_orig")


@dataclass(frozen=True, eq=False)
class Layer:
    """A module that holds parameters itself, under its first name in the model."""

    name: str  # as in ``named_modules``; the class's name for the model itself
    module: nn.Module

    def kind(self, output: Tensor, examples: int) -> Kind:
        """Return what it is, as far as its gradient's size depends on that; given its output for so many examples."""
        for name, classes in LAYER_KINDS.items():
            if isinstance(self.module, classes):
                return Kind(name)
        name = "norm" if self.is_vector else "linear"
        return Kind(name if self.is_flat(output, examples) else f"{name} over positions", self.is_vector)

    def is_flat(self, output: Tensor, examples: int) -> bool:
        """Whether an output has no positions: one row an example."""
        return not output.dim() or output.numel() <= examples * output.shape[self.channel_axis(output)]

    @property
    def role(self) -> str:
        """Return its place in a block: its name without the numbers of blocks and stages, ``layer.conv1``."""
        *path, own = self.name.split(".")
        parts = [re.sub(r"\d", "", one) for one in path] + ([] if own.isdecimal() else [own])
        return ".".join(filter(None, parts))

    @cached_property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Return its parameters, those of modules in it as well."""
        return dict(named_parameters(self.module))

    @cached_property
    def matrices(self) -> list[nn.Parameter]:
        """Its weights: parameters of two dimensions or more; where it has none, the others but a bias."""
        own = self.parameters
        weights = [weight for weight in own.values() if weight.dim() > 1]
        vectors = [weight for name, weight in own.items() if name.rpartition(".")[2] != "bias"]
        return weights or vectors or list(own.values())

    @cached_property
    def computed(self) -> list[str]:
        """Return the names of its weights that are computed from others before each use."""
        module = self.module
        whole = {name.removesuffix(end) for name in module._parameters for end in OF_COMPUTED}
        by_hooks = (name for name in sorted(whole) if name not in module._parameters)
        there = (name for name in by_hooks if isinstance(getattr(module, name, None), Tensor))
        return [*(getattr(module, "parametrizations", None) or ()), *there]

    @property
    def acting(self) -> list[Tensor]:
        """Its weights as they act: what a weight norm, or another parametrization, makes of those that are trained."""
        computed = self.computed
        if not computed:
            return list(self.matrices)
        with torch.no_grad(), in_eval_mode(self.module.modules()):  # a spectral norm changes its state in training
            made = [getattr(self.module, name).detach() for name in computed]
        parts = {name + end for name in computed for end in OF_COMPUTED}
        plain = [one for name, one in self.module.named_parameters(recurse=False) if name not in parts]
        return [weight for weight in (*made, *plain) if weight.dim() > 1] or list(self.matrices)

    def row_shape(self, output: Tensor) -> tuple[int, int]:
        """Return the shape of an output as (rows, features), as `rows` gives it."""
        if output.dim() < 2:
            return output.numel(), 1
        last = self.channel_axis(output) == output.dim() - 1
        size = output.shape[-1] if last else output.numel() // max(1, output.shape[0])
        return output.numel() // max(1, size), size

    @cached_property
    def is_vector(self) -> bool:
        """It scales and shifts only, as norms do."""
        return all(weight.dim() < 2 for weight in self.parameters.values())

    def channel_axis(self, output: Tensor) -> int:
        """Return the axis of an output that counts the units."""
        if isinstance(self.module, nn.modules.conv._ConvNd):
            return int(output.dim()) - len(self.module.kernel_size) - 1  # an unbatched image has no axis before it
        return 1 if isinstance(self.module, CHANNELS_FIRST) and output.dim() > 1 else int(output.dim()) - 1

    def rows(self, output: Tensor) -> Tensor:
        """Return an output as (rows, features): its examples, or all their tokens.

        A convolution's positions differ at the edges: its rows are whole images.
        """
        if output.dim() < 2:
            return output.reshape(-1, 1)
        if self.channel_axis(output) == output.dim() - 1:
            return output.reshape(-1, output.shape[-1])
        return output.reshape(output.shape[0], -1)


def candidates(model: nn.Module) -> Iterator[Layer]:
    """Yield every module that holds parameters itself, each once; what computes a weight belongs to its layer."""
    for name, module in named_modules(model):
        if "parametrizations" in name.split("."):
            continue
        if is_parametrized(module) or own_parameters(module):
            yield Layer(printable(name) or type(model).__name__, module)


def own_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a module holds itself; `parameters()` walks to its parts first."""
    return [one for one in module._parameters.values() if one is not None]


def by_channel(output: Tensor, axis: int) -> Tensor:
    """Return an array as (rows, channels); a single number as 1x1."""
    if not output.dim():
        return output.reshape(1, 1)
    return output.movedim(axis, -1).reshape(-1, output.shape[axis])


def alive_channels(values: Tensor, axis: int) -> Tensor:
    """Return which channels hold anything but zeros: (channels,); a single number is one."""
    return alive_of_sizes(values.abs(), axis)


def alive_of_sizes(sizes: Tensor, axis: int) -> Tensor:
    """Return the same, given absolute values: their largest is many times faster than whether any isn't zero."""
    others = [one for one in range(sizes.dim()) if one != axis]
    return (sizes.amax(others) if others else sizes.reshape(-1)) != 0


def main_tensor(output: object) -> Tensor | None:
    """Return the tensor that matters in what a module returned: itself, ``logits``, or the first of floats."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() or output.is_complex() else None
    if hasattr(output, "logits"):
        return main_tensor(output.logits)
    values: Iterable[object] = output if isinstance(output, tuple | list) else ()
    if isinstance(output, dict):
        values = [output["logits"]] if "logits" in output else output.values()
    elif is_dataclass(output):
        values = [getattr(output, field.name) for field in fields(output)]
    return next((tensor for tensor in map(main_tensor, values) if tensor is not None), None)


def is_zero(tensor: Tensor) -> bool:
    """Whether every entry is zero; of most tensors the first few tell."""
    tensor = tensor.detach()
    few = tensor[:1] if tensor.dim() and tensor.layout is torch.strided else tensor
    return not bool(few.any()) and (few is tensor or not bool(tensor.any()))


def is_finite(tensor: Tensor) -> bool:
    """Whether every entry is a number: no sum with another is one, and a sum costs a tenth of a look at each."""
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())
