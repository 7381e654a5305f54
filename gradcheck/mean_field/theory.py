"""``theory``: what mean-field theory predicts for a network, without drawing a single weight."""

import math
from typing import TYPE_CHECKING, Unpack

import numpy as np

from gradcheck.errors import OptionError, at_least
from gradcheck.mean_field.fixed_point import FixedPoint, batch_norm_fixed_point, find_fixed_point
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.laws import layer_law, weight_law
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.phase import log_gains
from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.prediction import layer_laws, predict, why_unknown
from gradcheck.mean_field.unknown import Unknown
from gradcheck.spec import NETWORK_OPTIONS, NetworkSpec, Spec, TransformerSpec, network_spec, plain
from gradcheck.spec.data import FEATURES
from gradcheck.spec.options.option import takes
from gradcheck.spec.options.simulation import TheoryOptions
from gradcheck.spec.presets import with_preset

if TYPE_CHECKING:
    from gradcheck.mean_field.report import AttentionDiagram, PhaseDiagram, TheoryReport

#: The mean square of standardised inputs.
INPUT_SQUARE = 1.0

#: Corners of the phase diagram's cells: rows of σ_b, columns of σ_w.
DIAGRAM = (17, 69)


@takes(TheoryOptions)
def theory(**options: Unpack[TheoryOptions]) -> "TheoryReport":
    """Predict a perceptron's or a transformer's signal and gradient in the limit of infinite width.

    >>> report = gradcheck.theory(activation="tanh", init="lecun", gain=1.5)
    >>> report.fixed_point.phase, round(report.fixed_point.chi, 2)
    ('chaotic', 1.14)

    Parameters
    ----------
    preset, arch, depth, width, activation, init, gain, weight_std, bias_std, norm, residual, residual_scale, \
    blocks, model_width, heads, kv_heads, mlp_ratio, tokens, norm_placement, causal, positions, tied, biases, \
    vocabulary, context, patch, steps, recurrent_gain, forget_bias
        As in ``gradcheck.simulate``. The width turns the initialisation into σ_w² = fan_in · Var W, and determines how
        far a network of that width may be from the limit. The tokens of a transformer count as unlike each other,
        the steps of a recurrence as random numbers.
    batch_size : int
        Examples of the batch; only batch norm uses it.
    phase_diagram : bool
        Compute χ₁ in the plane of σ_w and σ_b; of a transformer how alike tokens become and how widely attention is
        spread, in the plane of the standard deviation of attention's scores and the branches' scale.

    Returns
    -------
    TheoryReport
        What theory doesn't know is None, and its ``reasons`` say why.

    Raises
    ------
    OptionError
        A value that no network can have, or a phase diagram of a network that has none.
    """
    spec = _spec(options)
    batch = at_least("batch_size", plain(options["batch_size"]), 1, "the batch has at least one example")
    prediction, unknown = predict(spec, input_square=INPUT_SQUARE, batch_size=batch), why_unknown(spec, batch)
    beyond = unknown if unknown and unknown.code == "float_range" else None
    layer = None if beyond or not isinstance(spec, NetworkSpec) else layer_map(spec)
    found = beyond or _find_fixed_point(spec, layer, batch)
    config = spec.to_dict() | {"preset": options["preset"], "batch_size": batch}
    diagram = _plane(spec, layer, found, prediction) if options["phase_diagram"] else None
    from gradcheck.mean_field.report import make_theory_report

    return make_theory_report(config, layer, found, prediction, critical_gain(spec, layer, found), diagram)


def _spec(options: TheoryOptions) -> Spec:
    """Return the network that options describe."""
    said = {name: plain(options[name]) for name in NETWORK_OPTIONS if options[name] is not None}  # type: ignore[literal-required]
    return network_spec(with_preset(said))


def layer_map(spec: NetworkSpec) -> LayerMap | None:
    """Return the map between two hidden layers of one width; None if it is not the same at each of the widths."""
    law = weight_law(spec)
    laws = [layer_law(law, width, width) for width in sorted(set(spec.widths))]
    weights, biases = [one.fan_in * one.weight for one in laws], [one.bias for one in laws]
    if max(weights) - min(weights) > 1e-12 * max(weights) or max(biases) > min(biases):
        return None
    return LayerMap(kernel_of(spec.activation), weights[0], biases[0], spec.norm in ("layer", "rms"))


def _find_fixed_point(spec: Spec, layer: LayerMap | None, batch: int) -> FixedPoint | Unknown:
    """Return what the layers settle at, or why theory doesn't know."""
    if not isinstance(spec, NetworkSpec):
        return why_unknown(spec, batch) or Unknown("blocks" if isinstance(spec, TransformerSpec) else "steps")
    if layer is None:
        return Unknown("unlike_widths", spec.init)
    if spec.residual:
        return Unknown("residual")
    if spec.norm == "batch":
        return why_unknown(spec, batch) or batch_norm_fixed_point(layer, batch)
    first = layer_laws(spec, FEATURES)[0]
    return find_fixed_point(layer, first.fan_in * first.weight * INPUT_SQUARE + first.bias)


def critical_gain(spec: Spec, layer: LayerMap | None, found: FixedPoint | Unknown) -> float | None:
    """Return the ``--gain`` that makes the network critical; None if there is none."""
    if layer is None or isinstance(found, Unknown) or found.critical_sigma_w is None:
        return None
    return spec.gain * found.critical_sigma_w / math.sqrt(layer.weight)


def _plane(
    spec: Spec, layer: LayerMap | None, found: FixedPoint | Unknown, prediction: Prediction | Unknown
) -> "PhaseDiagram | AttentionDiagram":
    """Return a perceptron's plane of σ_w and σ_b, or a transformer's of attention's scores and the branches' scale."""
    if isinstance(spec, TransformerSpec) and isinstance(prediction, Prediction):
        from gradcheck.mean_field.attention_diagram import attention_diagram

        return attention_diagram(spec)
    return _diagram(spec, layer, found)


def _diagram(spec: Spec, layer: LayerMap | None, found: FixedPoint | Unknown) -> "PhaseDiagram":
    """Return χ₁ in the plane of σ_w and σ_b, around the network's point and the critical line."""
    found = Unknown("batch_norm_plane") if isinstance(spec, NetworkSpec) and spec.norm == "batch" else found
    if isinstance(found, Unknown):
        raise OptionError("phase_diagram", f"has no plane to draw: {found.reason}")
    assert layer is not None  # or there were no fixed point
    sigma_w, sigma_b = math.sqrt(layer.weight), math.sqrt(layer.bias)
    right = 1.5 * max(sigma_w, found.critical_sigma_w or 1.0)
    top = max(1.25 * sigma_b, right / 2)
    weights, biases = np.linspace(0, right, DIAGRAM[1])[1:], np.linspace(top, 0, DIAGRAM[0])
    chi = np.exp(log_gains(layer, weights, biases, INPUT_SQUARE))
    from gradcheck.mean_field.report import PhaseDiagram

    return PhaseDiagram(sigma_w=weights.tolist(), sigma_b=biases.tolist(), chi=chi.tolist())
