"""What mean-field theory predicts for a simulated network, beside what was measured."""

import math
from typing import Any

import numpy as np

from gradcheck.base.record import number, power_in_range
from gradcheck.diagnosis.report import PredictionRecord
from gradcheck.engine.diversity import mean_cosine
from gradcheck.mean_field.predicted import Prediction
from gradcheck.mean_field.prediction import predict, why_unknown
from gradcheck.mean_field.unknown import Unknown
from gradcheck.simulation.experiment import Experiment, Outcome
from gradcheck.spec import RecurrentSpec, Spec, TransformerSpec

#: Standard deviations among networks of this width that a measurement may lie away from the prediction.
DEVIATIONS = 3.0

#: And beside them: decades that the ends of a network and a batch of few examples account for, and the part of the
#: prediction that finite width adds to each layer's mean.
MARGIN, SHARE = 0.1, 0.05

#: A network whose layers' 1/width add up to more is narrow for its depth: the deviations of its layers add up to more
#: than half a decade (Hanin & Nica 2020: 5/n a layer for relu).
NARROW = 0.2

#: A recurrence that uses its matrix for so many steps², over its width, is narrow: overlaps of few units add up from
#: step to step. 16 steps back through one normal matrix of width 64 have a mean square 3 times that of the limit, one
#: of width 128 1.3 times.
FEW_REPEATS = 1.0


def expectation(experiment: Experiment, outcome: Outcome, found: Prediction | Unknown) -> PredictionRecord:
    """Return what theory predicts of an experiment, whether its outcome agrees, and both in a sentence."""
    points = 3 if isinstance(experiment.network, TransformerSpec) else 1
    if isinstance(found, Unknown):
        unknown: dict[str, Any] = dict.fromkeys(PredictionRecord.__dataclass_fields__) | {"says": found.reason}
        return PredictionRecord(**unknown)
    ratio, deviation = found.log10_gradient_ratio, found.layers[0].log10_gradient_ratio_std
    measured = float(outcome.typical.log10_gradient_ratio[0])
    agrees = _agrees(measured, ratio, deviation or 0.0, len(outcome.flows)) if math.isfinite(measured) else None
    says = _sentence(found, agrees, experiment.network, points)
    if isinstance(experiment.network, RecurrentSpec):  # how far networks differ is not known
        agrees = agrees or None
    gains = (one.log10_local_gain for one in found.layers)
    return PredictionRecord(
        mean_local_gain=_mean_gain(found, points),
        gradient_span=number(found.gradient_span),
        log10_gradient_ratio=number(ratio),
        log10_gradient_ratio_std=deviation,
        agrees=agrees,
        local_gains=tuple(None if gain is None else power_in_range(gain) for gain in gains),
        says=says,
        log10_gradient_ratios=tuple(one.log10_gradient_ratio for one in found.layers),
        log10_gradient_ratio_stds=tuple(one.log10_gradient_ratio_std for one in found.layers),
        **_of_tokens(found),
    )


def _unit(network: Spec) -> str:
    """Return what a factor is that of."""
    return (
        "block" if isinstance(network, TransformerSpec) else "step" if isinstance(network, RecurrentSpec) else "layer"
    )


def _of_tokens(found: Prediction) -> dict[str, Any]:
    """Return what is predicted of a transformer's stream and tokens; nothing of a perceptron."""
    if found.layers[0].score_std is None:
        return {}
    return {
        "preactivation_stds": tuple(number(one.preactivation_std) for one in found.layers),
        "token_cosines": tuple(one.token_cosine for one in found.layers),
    }


def predicted(experiment: Experiment) -> Prediction | Unknown:
    """Return the prediction for the batch of the first draw."""
    if unknown := why_unknown(experiment.network, experiment.data.batch_size):
        return unknown
    inputs, labels = experiment.batch(experiment.run.seed)
    if isinstance(experiment.network, TransformerSpec):
        from gradcheck.mean_field.tokens import TokenBatch  # each family pays for its own theory
        from gradcheck.mean_field.transformer import predict_transformer

        return predict_transformer(experiment.network, TokenBatch(inputs, labels))
    if isinstance(experiment.network, RecurrentSpec):
        from gradcheck.mean_field.recurrent import predict_recurrence

        return predict_recurrence(experiment.network, inputs)
    wide = np.asarray(inputs, np.float64)
    square = float(np.mean(wide * wide))
    if not 0 < square < math.inf:
        return Unknown("inputs")
    cosine = mean_cosine(wide)
    return predict(
        experiment.network,
        input_square=square,
        input_cosine=None if math.isnan(cosine) else cosine,
        features=wide.shape[1],
        batch_size=len(wide),
    )


def _mean_gain(found: Prediction, points: int) -> float | None:
    """Return the geometric mean of the factors from layer to layer, of a block's flow points together."""
    steps = (len(found.layers) - 1) / points
    return power_in_range(found.log10_gradient_ratio / steps) if steps else None


def _agrees(measured: float, predicted: float, deviation: float, draws: int) -> bool:
    """Whether the measurement, a mean of logarithms over the draws, lies where networks of this width lie.

    The typical network of finite width lies ln 10 · deviation² below the prediction (see ``LayerPrediction``). Where
    that alone is more than the deviation allows, what is said of the prediction would not be what was measured.
    """
    below = math.log(10) * deviation**2
    allowed = DEVIATIONS * deviation / math.sqrt(draws) + MARGIN + SHARE * abs(predicted)
    near = abs(measured - predicted) <= DEVIATIONS * deviation + MARGIN + SHARE * abs(predicted)
    return near and abs(measured - (predicted - below)) <= allowed


def _sentence(found: Prediction, agrees: bool | None, network: Spec, points: int) -> str:
    """Say what is predicted, and of a disagreement what it means."""
    gain, deviation = _mean_gain(found, points), found.layers[0].log10_gradient_ratio_std
    if gain is None:
        return "one hidden layer has no factor to predict"
    band = f" ±{deviation:.2g}" if deviation else ""
    ends = " from end to end" if points > 1 else ""  # of several points a block, those between may lie further apart
    decades = f"{round(abs(found.log10_gradient_ratio), 9):.3g}{band} decades{ends}"
    figures = f"{gain:.3g} a {_unit(network)}, {decades}"
    why = _why_not(network) if agrees is False else ""
    return f"as theory predicts: {figures}" if agrees else f"theory predicts {figures}" + (f"; {why}" if why else "")


def _why_not(network: Spec) -> str:
    """Say what the measurement of a network can differ by from its prediction; nothing where it isn't known."""
    if isinstance(network, RecurrentSpec):
        narrowness, of = network.steps**2 / network.width, "steps^2/width"
        if narrowness < FEW_REPEATS:
            return ""
    else:
        narrowness, of = sum(1 / width for width in network.widths), "depth/width"
        if narrowness <= NARROW:
            return "the measurement doesn't agree: theory assumes that gradient and signal are independent"
    how = f"{of} {float(f'{narrowness:.2g}'):g}"
    return f"it is theory of wide layers, and such narrow ones ({how}) differ by more than that"
