"""The hidden layer: linear map, norm, activation, and perhaps a skip connection around them."""

from typing import NamedTuple

from gradcheck.engine.activations import Activation
from gradcheck.engine.layered import Cotangents, LayerPass
from gradcheck.engine.linear import Linear
from gradcheck.engine.types import Array, Block


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

    def __call__(self, x: Array) -> LayerPass:
        """Pass x forward, (batch, fan_in)."""
        z, through_linear = self.linear(x)
        normalised, through_norm = self.norm(z)
        y, slope = self.activation(normalised)

        def plain(delta: Array) -> Cotangents:
            at_z = through_norm(delta * slope)
            return Cotangents(at_z, through_linear(at_z), ((x, at_z),))

        maps, slopes = (self.linear,), ((slope, self.activation.steepest),)
        if self.skip_scale is None:
            return LayerPass(z, y, y, plain, maps, slopes)
        scale = self.skip_scale

        def with_skip(delta: Array) -> Cotangents:
            cotangents = plain(scale * delta)
            return cotangents._replace(at_x=delta + cotangents.at_x)

        output = x + scale * y
        return LayerPass(z, output, output, with_skip, maps, slopes)
