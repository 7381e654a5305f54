"""What is predicted of a network, layer by layer."""

import math
from typing import NamedTuple

#: From the logarithm of a mean square to log10 of its root.
HALF_DECADES = 0.5 / math.log(10)


class LayerPrediction(NamedTuple):
    """What is predicted of a hidden layer; the quantities are those of ``gradcheck.flow.quantities``."""

    preactivation_std: float
    log10_local_gain: float | None  # log10 of ``gradient_rms`` over the next layer's; None for the last layer
    log10_gradient_ratio: float  # log10 of ``gradient_rms`` over the last layer's
    # log10_local_gain_std, log10_gradient_ratio_std: their standard deviations among networks of this width, of one
    # example (a batch of unlike ones varies less); None where they are not known. As log ‖∂𝓛/∂z‖² is normal of mean
    # −β/2 and variance β around the mean-field value (Hanin & Nica 2020), the typical network lies below the prediction
    # by log 10 · std² decades.
    log10_local_gain_std: float | None
    log10_gradient_ratio_std: float | None
    token_cosine: float | None = None  # of a transformer's flow point: mean cosine of two tokens
    # score_std, attended: of its attention: see ``attention.AttentionFocus``
    score_std: float | None = None
    attended: float | None = None


class Prediction(NamedTuple):
    """What is predicted of a network."""

    layers: tuple[LayerPrediction, ...]  # the hidden layers, first to last
    notes: tuple[str, ...] = ()  # what the prediction assumes in this case

    @property
    def log10_gradient_ratio(self) -> float:
        """log10 of the first layer's ``gradient_rms`` over the last layer's."""
        return self.layers[0].log10_gradient_ratio

    @property
    def gradient_span(self) -> float:
        """Decades between the strongest and the weakest layer's gradient."""
        ratios = [layer.log10_gradient_ratio for layer in self.layers]
        return max(ratios) - min(ratios)
