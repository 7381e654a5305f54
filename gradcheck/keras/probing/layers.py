"""Which of a Keras model's layers are measured, what they are called, and of what kind they are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

CONVOLUTIONS = (
    keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose, keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D, keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D,
)  # fmt: skip

#: Norms over examples or groups of channels: a row of their output is a whole example.
BY_EXAMPLE = (*CONVOLUTIONS, keras.layers.BatchNormalization, keras.layers.GroupNormalization)

#: Layers that run others in a loop of the backend, where nothing can be seen: each is measured as one.
LOOPS = (keras.layers.RNN, keras.layers.TimeDistributed)

#: Names of weights that are added.
BIASES = ("bias", "beta")

#: A token of a name: letters and the number of a block or stage, perhaps with a letter as of ``block2a``.
NUMBERED = re.compile(r"([a-z]+)\d+[a-z]?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of Keras that holds weights itself."""

    name: str
    layer: Any

    @property
    def variables(self) -> list[Any]:
        """Its weights: what training would change, or could if it weren't frozen; not moving averages."""
        if isinstance(self.layer, LOOPS):
            return [one for part in self.layer._flatten_layers() for one in part._trainable_variables]
        return list(self.layer._trainable_variables)

    @property
    def kind(self) -> str:
        """Its kind (``probing.captured.KINDS``)."""
        if isinstance(self.layer, CONVOLUTIONS):
            return "convolution"
        if isinstance(self.layer, keras.layers.RNN):
            return "recurrence"
        return "embedding" if isinstance(self.layer, keras.layers.Embedding) else ""

    @property
    def axis(self) -> int:
        """Of its output's channels."""
        if isinstance(self.layer, keras.layers.BatchNormalization | keras.layers.GroupNormalization):
            return int(self.layer.axis)
        return 1 if getattr(self.layer, "data_format", "channels_last") == "channels_first" else -1

    @property
    def by_example(self) -> bool:
        """Whether a row of its output is a whole example."""
        return isinstance(self.layer, BY_EXAMPLE)

    @property
    def role(self) -> str:
        """Its place in a block: its name without the numbers of blocks and stages."""
        return role_of(self.name)

    def features(self, given: tuple[int, ...] | None) -> float:
        """Return the numbers in a row of an input of this shape; of no floats inf."""
        if given is None or not given:
            return np.inf
        return float(np.prod(given[1:])) if self.by_example else float(given[-1])


def role_of(name: str) -> str:
    """Return a name without the numbers of blocks and stages: ``conv2_block1_1_conv`` is ``conv_block_1_conv``.

    A number on its own counts blocks, or layers of one class, unless what it follows has a number itself; the last
    part keeps its number, as ``conv1`` and ``conv2`` are places in one block.
    """
    tokens = re.split(r"[/_]", name)
    kept, before = [], "1"
    for place, token in enumerate(tokens):
        if not (token.isdecimal() and before.isalpha()):
            numbered = NUMBERED.fullmatch(token) if place < len(tokens) - 1 else None
            kept.append(numbered[1] if numbered else token)
        before = token
    return "_".join(kept)


def tree(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every layer below a model with its name, each once; not what runs in a loop."""
    seen = {id(model)}

    def walk(prefix: str, parent: Any) -> Iterator[tuple[str, Any]]:
        for layer in [] if isinstance(parent, LOOPS) else parent._layers:
            if id(layer) not in seen:
                seen.add(id(layer))
                name = f"{prefix}{layer.name}"
                yield name, layer
                yield from walk(f"{name}/", layer)

    yield from walk("", model)


def layers_of(model: Any) -> list[Layer]:
    """Return the layers that hold weights, of nested ones the innermost; a model that has no parts is one itself."""
    every = [(model.name, model), *tree(model)]
    return [Layer(name, layer) for name, layer in every if _is_innermost(layer)]


def _is_innermost(layer: Any) -> bool:
    if isinstance(layer, LOOPS):
        return any(part._trainable_variables for part in layer._flatten_layers())
    return bool(layer._trainable_variables) and not any(
        part._trainable_variables for part in layer._flatten_layers(include_self=False)
    )


def own_activation(layer: Any) -> Any:
    """Return the function that a layer applies to what it has computed; None without one, and within a loop."""
    function = None if isinstance(layer, LOOPS) else getattr(layer, "activation", None)
    return None if function is keras.activations.linear or not callable(function) else function
