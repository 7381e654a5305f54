"""What mean-field theory predicts for a given network: its gradient, layer by layer, without drawing a weight."""

import math
from collections.abc import Iterator

from gradcheck.errors import finite
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.laws import HUGE, TINY, layer_law, weight_law
from gradcheck.mean_field.layers import (
    Architecture,
    LayerLaw,
    Signal,
    WideLayer,
    follow_signal,
    log_gains,
    log_variances,
    sums_from_the_end,
)
from gradcheck.mean_field.predicted import HALF_DECADES, LayerPrediction, Prediction
from gradcheck.mean_field.unknown import Unknown
from gradcheck.spec import NetworkSpec, RecurrentSpec, Spec, TransformerSpec
from gradcheck.spec.data import FEATURES


def predict(
    spec: Spec,
    *,
    input_square: float,
    input_cosine: float | None = None,
    features: int = FEATURES,
    batch_size: int | None = None,
) -> Prediction | Unknown:
    """Predict a network's gradient at initialisation from its description alone.

    Parameters
    ----------
    spec : NetworkSpec, RecurrentSpec or TransformerSpec
        A transformer is predicted for unlike tokens, a recurrence for random inputs: the other parameters are a
        perceptron's. For a batch of one's own there are ``mean_field.transformer.predict_transformer`` and
        ``mean_field.recurrent.predict_recurrence``.
    input_square : float
        Mean square of the batch's inputs, over examples and features; 1 for standardised data.
    input_cosine : float, optional
        Mean cosine between two examples. Only batch norm uses it, which divides by the deviation between
        examples; without it they count as unrelated (0).
    features : int
        Numbers of an example.
    batch_size : int, optional
        Examples of the batch. Only batch norm uses it; without it the batch counts as large.

    Returns
    -------
    Prediction or Unknown
        ``Unknown`` says why theory has no answer.

    Raises
    ------
    OptionError
        `input_square` is not a finite number above 0.
    """
    finite("input_square", input_square, "it is the mean square of the inputs; 1 for standardised data", above=0)
    unknown = why_unknown(spec, batch_size)
    if unknown:
        return unknown
    if isinstance(spec, TransformerSpec):
        from gradcheck.mean_field.transformer import predict_transformer  # each family pays for its own theory

        return predict_transformer(spec)
    if isinstance(spec, RecurrentSpec):
        from gradcheck.mean_field.recurrent import predict_recurrence

        return predict_recurrence(spec)
    assert isinstance(spec, NetworkSpec)  # there is no other family
    architecture = Architecture(kernel_of(spec.activation), spec.norm, spec.residual_scale if spec.residual else None)
    signal = Signal(0.0, input_square, input_square * (1 - (input_cosine or 0.0)))
    layers = follow_signal(architecture, layer_laws(spec, features), signal)
    if len(layers) < spec.depth or not all(0 < one.branch_gain < math.inf for one in layers):
        return Unknown("float_range")
    return Prediction(_layers(spec, layers, batch_size), tuple(_notes(spec, batch_size)))


def why_unknown(spec: Spec, batch_size: int | None = None) -> Unknown | None:
    """Return why mean-field theory has no answer for a network; None if it has one."""
    if isinstance(spec, TransformerSpec):
        from gradcheck.mean_field.transformer import why_transformer_is_unknown

        return why_transformer_is_unknown(spec)
    if isinstance(spec, RecurrentSpec):
        from gradcheck.mean_field.recurrent import why_recurrence_is_unknown

        return why_recurrence_is_unknown(spec)
    assert isinstance(spec, NetworkSpec)  # there is no other family
    if spec.init is None:
        return Unknown("given_weights")
    if not all(TINY < scale < HUGE for scale in _scales(spec)):
        return Unknown("float_range")
    if spec.activation == "step":
        return Unknown("flat")
    if spec.residual and spec.residual_scale == 0:
        return Unknown("no_branch")
    return _why_batch_norm_is_unknown(spec, batch_size) if spec.norm == "batch" else None


def _why_batch_norm_is_unknown(spec: NetworkSpec, batch_size: int | None) -> Unknown | None:
    if spec.residual:
        return Unknown("batch_norm_residual")
    if spec.activation not in ("linear", "relu"):
        return Unknown("batch_norm_activation", spec.activation)
    if spec.activation == "linear" and batch_size is not None and batch_size <= 3:
        return Unknown("batch_size", batch_size)
    return None


def _scales(spec: NetworkSpec) -> Iterator[float]:
    """Yield σ_w at each width, and σ_b and the branches' scale where they are not zero."""
    law = weight_law(spec)
    yield from (law.std(width, width) * math.sqrt(width) for width in set(spec.widths))
    yield from (abs(scale) for scale in (spec.bias_std, spec.residual_scale) if scale != 0)


def layer_laws(spec: NetworkSpec, features: int) -> list[LayerLaw]:
    """Return how each hidden layer's weights are drawn: ``Var W`` at its fan_in and fan_out, gain included."""
    law = weight_law(spec)
    return [layer_law(law, *fans) for fans in zip((features, *spec.widths), spec.widths, strict=False)]


def _layers(spec: NetworkSpec, layers: list[WideLayer], batch_size: int | None) -> tuple[LayerPrediction, ...]:
    gains = [HALF_DECADES * (gain + _of_batch(spec, batch_size)) for gain in log_gains(layers, _is_homogeneous(spec))]
    deviations: list[list[float | None]] = [[None] * len(layers)] * 2
    if spec.norm != "batch" and not _follows_the_stream(spec):  # else it is not known
        near, far = ([HALF_DECADES * math.sqrt(one) for one in some] for some in log_variances(layers))
        deviations = [[*near, None], [*far]]
    stds = [math.sqrt(one.q) for one in layers]
    columns = zip(stds, [*gains, None], sums_from_the_end(gains), *deviations, strict=True)
    return tuple(LayerPrediction(*row) for row in columns)


def _is_homogeneous(spec: NetworkSpec) -> bool:
    """Whether a residual stream scales with its input, at least where it has grown large."""
    return spec.residual and spec.norm == "none" and kernel_of(spec.activation).far_slope_square > 0


def _follows_the_stream(spec: NetworkSpec) -> bool:
    """Whether the mean of a residual stream grows, so that it outgrows random gradients."""
    return _is_homogeneous(spec) and spec.activation != "linear"


def _of_batch(spec: NetworkSpec, batch_size: int | None) -> float:
    """Return the logarithm of what a small batch adds to a linear layer's gain: (B − 2)/(B − 3) (Yang et al. 2019)."""
    if spec.norm != "batch" or spec.activation != "linear" or batch_size is None:
        return 0.0
    return math.log((batch_size - 2) / (batch_size - 3))


def _notes(spec: NetworkSpec, batch_size: int | None) -> list[str]:
    """Return what the prediction assumes."""
    notes = []
    if spec.init == "orthogonal" and spec.activation != "linear":
        notes.append("orthogonal weights have the mean gain of normal ones at large width")
    if spec.norm == "batch" and spec.activation == "relu":
        notes.append("the rate of batch norm, pi/(pi-1) a layer, is that of large batches (Yang et al. 2019)")
    if _follows_the_stream(spec):
        notes.append("without a norm the gradient aligns with the residual stream: an estimate, up to 0.7 decades low")
    return notes
