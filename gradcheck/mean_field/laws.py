"""The laws that a described network's matrices are drawn from."""

import sys

from gradcheck.engine.initializers import INITIALIZERS, Law
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.spec import FRAMEWORKS, Spec, TransformerSpec
from gradcheck.spec.frameworks import Drawn, attention_of, dense_of

#: Scales of weights, biases and branches at which squares and products of a layer's moments stay finite.
TINY, HUGE = 1e-50, 1e50


def weight_law(spec: Spec) -> Law:
    """Return the law of a network's dense layers and their biases."""
    assert spec.init is not None
    return law_of(spec, dense_of(spec.init, getattr(spec, "activation", "")))


def counted_fans(drawn: Drawn, fan_in: int, parts: int, width: int, features: int) -> tuple[int, int] | None:
    """Return what counts as the fans of a matrix (fan_in, parts·width); None for those of each part.

    A recurrent layer reads `features` beside its hidden state.
    """
    whole = parts * width
    return {"part": None, "whole": (fan_in, whole), "hidden": (width, width), "joined": (features + width, whole)}[
        drawn.fans
    ]


def law_of(spec: Spec, drawn: Drawn, fans: tuple[int, int] | None = None) -> Law:
    """Return the law of one kind of matrix of a network, of these fans or those of the matrix."""
    std = (spec.weight_std or 1.0) * drawn.std
    cut = max(INITIALIZERS[drawn.law].limit / std, sys.float_info.min)
    return Law(drawn.law, spec.gain * std, spec.bias_std, 0.0 if drawn.biases == "none" else drawn.std, fans, cut)


def embedding_law(spec: TransformerSpec, known: int) -> Law:
    """Return the law of an embedding that knows so many tokens or positions: it has no gain."""
    assert spec.init is not None
    drawn = attention_of(spec.init).embedding
    fans = (spec.model_width if drawn.fans == "hidden" else known), spec.model_width
    std = drawn.std if spec.init in FRAMEWORKS else spec.embedding_std
    return law_of(spec, drawn, fans)._replace(scale=std)


def layer_law(law: Law, fan_in: int, fan_out: int) -> LayerLaw:
    """Return the variances of a layer's weights and biases."""
    weight, bias = law.std(fan_in, fan_out) ** 2, law.bias_deviation(fan_in, fan_out) ** 2
    if law.haar:  # a frame's entries have mean square 1/(its longer side), also those of a part of it
        weight /= max(law.fans or (fan_in, fan_out))
    return LayerLaw(fan_in, fan_out, weight, bias, law.haar)
