"""The hidden layer: linear map, norm, activation, and perhaps a skip connection around them."""

from collections.abc import Callable
from typing import NamedTuple

from gradcheck.engine.activations import Activation
from gradcheck.engine.layered import Cotangents
from gradcheck.engine.linear import Linear
from gradcheck.engine.types import Array, Block


class HiddenPass(NamedTuple):
    """One batch's pass through a hidden layer, forward and back.

    Attributes
    ----------
    layer : HiddenLayer
    input : Array
        x, (batch, fan_in).
    preactivation, slope, output : Array
        z = x W + b, the activation's derivative where it was taken, and the layer's output y: (batch, fan_out).
    pullback : callable
        ∂𝓛/∂y ↦ ∂𝓛/∂z, ∂𝓛/∂x, and x and ∂𝓛/∂z once more, which make the weights' gradient.
    """

    layer: "HiddenLayer"
    input: Array
    preactivation: Array
    slope: Array
    output: Array
    pullback: Callable[[Array], Cotangents]

    @property
    def activity(self) -> Array:
        """What the next layer sees, (batch, fan_out)."""
        return self.output

    @property
    def slopes(self) -> tuple[tuple[Array, float], ...]:
        """The derivative where it was taken, (batch, fan_out), and its largest anywhere."""
        return ((self.slope, self.layer.activation.steepest),)

    @property
    def maps(self) -> tuple[Linear, ...]:
        """The linear map whose output is z."""
        return (self.layer.linear,)


class HiddenLayer(NamedTuple):
    """y = φ(norm(x W + b)), or x + skip_scale·φ(norm(x W + b)).

    Attributes
    ----------
    linear : Linear
    norm : Block
    activation : Activation
    skip_scale : float or None
        Scale of the branch beside the identity; None without a skip connection.
    """

    linear: Linear
    norm: Block
    activation: Activation
    skip_scale: float | None = None

    def __call__(self, x: Array) -> HiddenPass:
        """Pass x forward, (batch, fan_in)."""
        z, through_linear = self.linear(x)
        normalised, through_norm = self.norm(z)
        y, slope = self.activation(normalised)

        def plain(delta: Array) -> Cotangents:
            at_z = through_norm(delta * slope)
            return Cotangents(at_z, through_linear(at_z), ((x, at_z),))

        if self.skip_scale is None:
            return HiddenPass(self, x, z, slope, y, plain)
        scale = self.skip_scale

        def with_skip(delta: Array) -> Cotangents:
            cotangents = plain(scale * delta)
            return cotangents._replace(at_x=delta + cotangents.at_x)

        return HiddenPass(self, x, z, slope, x + scale * y, with_skip)
