"""The hidden layer: linear map, norm, activation, and perhaps a skip connection around them."""

from typing import NamedTuple

from gradcheck.engine.activations import Activation
from gradcheck.engine.layered import Cotangents, LayerPass
from gradcheck.engine.linear import Linear
from gradcheck.engine.types import Array, Block


class HiddenLayer(NamedTuple):
    """y = φ(norm(x W + b)), or x + skip_scale·φ(norm(x W + b))."""

    linear: Linear
    norm: Block
    activation: Activation
    skip_scale: float | None = None  # scale of the branch beside the identity; None without a skip connection

    @property
    def maps(self) -> tuple[Linear, ...]:
        """Its linear map."""
        return (self.linear,)

    def __call__(self, x: Array) -> LayerPass:
        """Pass x forward, (batch, fan_in)."""
        z, through_linear = self.linear(x)
        normalised, through_norm = self.norm(z)
        y, slope = self.activation(normalised)

        scale = self.skip_scale

        def pullback(delta: Array) -> Cotangents[Array]:
            at_z = through_norm((delta if scale is None else scale * delta) * slope)
            at_x = through_linear(at_z)
            return Cotangents(at_z, at_x if scale is None else delta + at_x, ((x, at_z),))

        output = y if scale is None else x + scale * y
        return LayerPass(z, output, output, pullback, self.maps, ((slope, self.activation.steepest),))
