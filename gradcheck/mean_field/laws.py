"""How the layers of a network are drawn, as mean-field theory needs it: variances."""

from gradcheck.engine.initializers import INITIALIZERS, Law
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.spec import Spec

#: Scales of weights, biases and branches at which squares and products of a layer's moments stay finite.
TINY, HUGE = 1e-50, 1e50


def weight_law(spec: Spec) -> Law:
    """Return the law that a network's weights and biases are drawn from."""
    assert spec.init is not None
    return Law(spec.init, spec.gain * (spec.weight_std or 1.0), spec.bias_std)


def layer_law(law: Law, fan_in: int, fan_out: int) -> LayerLaw:
    """Return the variances of a layer's weights and biases."""
    weight, bias = law.std(fan_in, fan_out) ** 2, law.bias_std**2
    if law.haar:  # a frame's entries have mean square 1/(its longer side)
        weight /= max(fan_in, fan_out)
    if law.init == "torch_default" and bias == 0:
        bias = INITIALIZERS[law.init].variance(fan_in, fan_out)
    return LayerLaw(fan_in, fan_out, weight, bias, law.haar)
