"""Taps on the outputs of layers: what passes there, and a place at which the gradient can be taken."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gradcheck.keras.probing.derivatives import as_array, watch
from gradcheck.keras.probing.layers import Layer, own_activation


@dataclass
class Seen:
    """One use of a layer."""

    layer: Layer
    output: Any  # before its own activation
    features: float  # numbers in a row of its input


@dataclass
class _Inside:
    """A layer that is being run."""

    features: float
    tapped: bool = False


@dataclass
class Taps:
    """What is seen in one pass through some layers."""

    layers: Sequence[Layer]
    # What is added at each tap, in the order of the first pass: zeros, whose gradients are those at the outputs, as JAX
    # needs them. None: the tensors themselves are watched.
    offsets: Sequence[Any] | None = None
    # layers, by their place, whose outputs have no values: they run within a loop of the backend
    hidden: set[int] = field(default_factory=set)
    as_arrays: bool = False  # outputs are kept as arrays, for a pass without gradient
    seen: list[Seen] = field(default_factory=list)

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Replace the methods of the layers, on the instances, as long as the context lasts."""
        replaced: list[tuple[Any, str, bool, Any]] = []

        def replace(owner: Any, name: str, value: Any) -> None:
            replaced.append((owner, name, name in vars(owner), vars(owner).get(name)))
            object.__setattr__(owner, name, value)  # Keras's own would look for variables in it

        try:
            for place, layer in enumerate(self.layers):
                inside: list[_Inside] = []
                replace(layer.layer, "call", self._call(place, inside, layer.layer.call))
                if (function := own_activation(layer.layer)) is not None:
                    replace(layer.layer, "activation", self._activation(place, inside, function))
            yield
        finally:
            for owner, name, own, value in reversed(replaced):
                if own:
                    object.__setattr__(owner, name, value)
                else:
                    object.__delattr__(owner, name)

    def _call(self, place: int, inside: list[_Inside], method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a layer's method that taps its output, if its own activation hasn't tapped what goes into it."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            given = _main((arguments, keywords))
            inside.append(_Inside(self.layers[place].features(None if given is None else tuple(given.shape))))
            try:
                output = method(*arguments, **keywords)
                return output if inside[-1].tapped else self._tap_first(place, output, inside[-1].features)
            finally:
                inside.pop()

        return call

    def _activation(self, place: int, inside: list[_Inside], function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a layer's activation that taps what goes into it."""

        def activation(z: Any, *arguments: Any, **keywords: Any) -> Any:
            if inside and not inside[-1].tapped:
                inside[-1].tapped = True
                z = self._tap(place, z, inside[-1].features)
            return function(z, *arguments, **keywords)

        return activation

    def _tap_first(self, place: int, output: Any, features: float) -> Any:
        """Tap the first of floats among what a layer returned."""
        main = _main(output)
        if main is None:
            return output
        tapped = self._tap(place, main, features)
        return keras.tree.map_structure(lambda one: tapped if one is main else one, output)

    def _tap(self, place: int, tensor: Any, features: float) -> Any:
        if place in self.hidden:
            return tensor
        if not self.as_arrays:
            tensor = watch(tensor) if self.offsets is None else _shifted(tensor, self.offsets[len(self.seen)])
            self.seen.append(Seen(self.layers[place], tensor, features))
            return tensor
        try:
            array = as_array(tensor)
        except Exception:  # a value that is traced: each backend has an error of its own
            array = np.empty(0)
        if array.size:
            self.seen.append(Seen(self.layers[place], array, features))
        else:
            self.hidden.add(place)
        return tensor


def _shifted(tensor: Any, offset: Any) -> Any:
    return keras.ops.add(tensor, keras.ops.cast(offset, tensor.dtype))


def _main(values: Any) -> Any:
    """Return the first tensor of floats."""
    tensors = (one for one in keras.tree.flatten(values) if hasattr(one, "dtype") and hasattr(one, "shape"))
    return next((one for one in tensors if "float" in keras.backend.standardize_dtype(one.dtype)), None)


def zeros_for(seen: Sequence[Seen]) -> list[np.ndarray]:
    """Return offsets of zero for each tap."""
    return [np.zeros_like(one.output) for one in seen]
