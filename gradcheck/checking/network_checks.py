"""Whole small networks as functions, from what they are given to the loss, for the checks of the engine."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcheck.checking.differences import Case, Draw, Followed
from gradcheck.engine.layered import backward, forward
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.types import Array
from gradcheck.families import FAMILIES, drawn_network, given_network, stored_weights, trainable
from gradcheck.families.transformer import TRANSFORMER, draw_transformer
from gradcheck.spec import TransformerSpec, network_spec

EXAMPLES, FEATURES, OUTPUTS = 4, 8, 5


def _seed(draw: Draw) -> int:
    """Draw the seed of a network's weights."""
    return int(draw.generator.integers(1 << 30))


def _cross_entropy(logits: Array) -> tuple[float, Array]:
    """Return the loss against one label after the other, and its gradient."""
    return cross_entropy(np.arange(len(logits)) % OUTPUTS)(logits)


def gradient_of_start(arch: str, draw: Draw) -> Iterator[Case]:
    """Yield the loss as a function of what the first layer is given, and the chain rule that a flow is measured by."""
    spec = network_spec({"arch": arch, **FAMILIES[arch].small})
    inputs: Any = draw(EXAMPLES, FEATURES)
    if spec.token_kinds:
        inputs = draw.generator.integers(0, spec.token_kinds, (EXAMPLES, spec.rows))
    network, start = drawn_network(spec, FEATURES, OUTPUTS, _seed(draw), draw.dtype).unrolled(inputs)

    def function(start: Array) -> Followed:
        passes = list(forward(network, start, range(1, network.depth + 1)))
        logits, through_readout = network.readout(passes[-1].output)
        value, at_logits = _cross_entropy(logits)

        def pullback(delta: Array) -> tuple[Array, ...]:
            *_, first = backward(passes, Scaled(through_readout(at_logits * delta)))
            return (np.ldexp(*first.at_x),)

        return np.asarray(value), pullback

    yield Case(function, (start,))


def gradient_of_parameters(arch: str, draw: Draw) -> Iterator[Case]:
    """Yield the loss as a function of all weights and biases, where they are stored, and the gradient of training."""
    spec = network_spec({"arch": arch, **FAMILIES[arch].small})
    weights = stored_weights(arch, "arch", "weights are drawn")
    inputs, drawn = draw(EXAMPLES, FEATURES), weights.draw(spec, FEATURES, OUTPUTS, _seed(draw), draw.dtype)
    ours = trainable(spec, drawn, FEATURES, draw.dtype)

    def function(*parameters: Array) -> Followed:
        maps = [Dense(*pair) for pair in zip(parameters[::2], parameters[1::2], strict=True)]
        network = given_network(spec, maps, FEATURES, draw.dtype)
        loss, _, parts = network.gradient(inputs, _cross_entropy)
        return np.asarray(loss), lambda delta: tuple(part * delta for part in parts)

    yield Case(function, tuple(array for _, dense in ours.maps for array in dense if array is not None))


def sublayers(placement: str, draw: Draw) -> Iterator[Case]:
    """Yield an attention and an MLP sublayer of a transformer whose norms are placed so."""
    own = {"arch": "transformer", "norm": "layer", "norm_placement": placement, "residual_scale": 0.7}
    spec = TransformerSpec(**{**TRANSFORMER.small, **own, "init": "normal", "weight_std": 0.5})
    transformer = draw_transformer(spec, 0, OUTPUTS, _seed(draw), draw.dtype)
    for number in (1, 2):

        def function(x: Array, number: int = number) -> Followed:
            point = transformer.sublayer(number)(x)
            return point.output, lambda delta: (point.pullback(delta).at_x,)

        yield Case(function, (draw(2 * transformer.spec.tokens, transformer.spec.model_width),))
