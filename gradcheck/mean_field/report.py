"""What theory predicts: plain data with one dict form, strict JSON values throughout."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Frozen, Record, item, number, power_of_ten
from gradcheck.mean_field.fixed_point import FixedPoint
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.predicted import LayerPrediction, Prediction
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.spec import NETWORK_OPTIONS
from gradcheck.spec.command_line import command_line

#: The flow points of a transformer's block.
POINTS = ("attention", "mlp", "residual")

PHASES = ("ordered", "critical", "chaotic")


class TheoryFixedPoint(Record):
    """What layers settle at; None where theory has no answer."""

    phase: str | None = item("null where there is no fixed point", enum=[*PHASES, None])
    chi: float | None = item("chi_1, a layer's factor of the squared gradient at the fixed point")
    variance: float | None = item("q*, the fixed point of the pre-activations' mean square")
    correlation: float | None = item("c*, the correlation that two inputs' pre-activations tend to")
    correlation_rate: float | None = item("the factor by which a layer multiplies a deviation from c*")
    variance_depth: float | None = item("xi_q: layers in which a deviation from q* falls by e")
    correlation_depth: float | None = item("xi_c: layers in which a deviation from c* falls by e")
    gradient_depth: float | None = item("xi_grad: layers in which the squared gradient changes by e")
    deepest_trainable: float | None = item(
        "6 xi_c: the layers after which the relation of two inputs is lost; a rule found for 10 layers and more"
    )
    critical_sigma_w: float | None = item("the sigma_w with chi = 1 at this sigma_b")
    critical_gain: float | None = item("the --gain that gives it")


#: What layers settle at, in the order of reports, with its meaning.
QUANTITIES = {one.name: str(one.metadata["meaning"]) for one in fields(TheoryFixedPoint) if one.name != "phase"}


class TheoryNetwork(Record):
    """How the gradient changes from the last layer to the first; None where theory has no answer."""

    log10_gradient_ratio: float | None = item("log10 of the first layer's gradient over the last layer's")
    log10_gradient_ratio_std: float | None = item(
        "its standard deviation among networks of this width; null where it isn't known"
    )
    gradient_span: float | None = item("decades between the strongest and the weakest layer's gradient")
    mean_local_gain: float | None = item(
        "geometric mean of the local gains, of a transformer per block; null of a single layer"
    )
    token_cosine: float | None = item("of a transformer: mean cosine of two tokens after the last block", default=None)
    token_gap_factor: float | None = item(
        "by what a block multiplies 1 - token_cosine: geometric mean over the second half of the blocks", default=None
    )
    score_std: float | None = item(
        "standard deviation of a token's attention scores, the largest of any block; near 0 attention is uniform",
        default=None,
    )
    attended: float | None = item(
        "tokens among which a head shares its attention, the fewest of any block: 1 over the sum of squared weights",
        default=None,
    )


#: What is said of the whole network, in the order of reports, with its meaning.
OF_NETWORKS = {one.name: str(one.metadata["meaning"]) for one in fields(TheoryNetwork)}


class TheoryLayer(Record):
    """What is predicted of a hidden layer, or of a transformer's flow point."""

    index: int = item(minimum=1)
    name: str | None = item("of a transformer: its block and the flow point", default=None)
    preactivation_std: float | None = item(
        "standard deviation of the pre-activations; of what a branch adds to the residual stream, or of the stream"
    )
    log10_local_gain: float | None = item("log10 of the gradient over the next layer's; null of the last layer")
    log10_gradient_ratio: float = item("log10 of the gradient over the last layer's", type=["number", "null"])
    log10_local_gain_std: float | None = item("standard deviation of log10_local_gain among networks of this width")
    log10_gradient_ratio_std: float | None = item(
        "standard deviation of log10_gradient_ratio among networks of this width"
    )
    token_cosine: float | None = item("mean cosine of two tokens", default=None)
    score_std: float | None = item("of attention: standard deviation of a token's scores", default=None)
    attended: float | None = item("of attention: tokens among which a head shares its weight", default=None)


class PhaseDiagram(Record):
    """The plane of both scales."""

    sigma_w: tuple[float, ...]
    sigma_b: tuple[float, ...]
    chi: tuple[tuple[float, ...], ...] = item("chi_1: a line for each sigma_b, a number for each sigma_w")


class MarkedNetwork(Record):
    """Where a network is in the plane."""

    name: str
    score_std: float
    residual_scale: float


class AttentionDiagram(Record):
    """A transformer's plane of both scales."""

    score_std: tuple[float, ...] = item("standard deviation of attention's scores between tokens of unit size")
    residual_scale: tuple[float, ...] = item("what multiplies a branch beside the stream, largest first")
    token_cosine: tuple[tuple[float | None, ...], ...] = item(
        "mean cosine of two tokens after the last block: a line for each residual_scale, a number for each score_std; "
        "null where the stream overflows"
    )
    attended: tuple[tuple[float, ...], ...] = item("tokens among which a head shares its weight, in the same places")
    networks: tuple[MarkedNetwork, ...] = item("where this network and published ones are")


class TheoryReport(CommandReport):
    """What mean-field theory says of a network."""

    text = "gradcheck.mean_field.text:as_text"
    figure = "gradcheck.mean_field.plot:plot"
    page = "gradcheck.mean_field.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value; sigma_w, sigma_b")
    fixed_point: TheoryFixedPoint
    network: TheoryNetwork
    layers: tuple[TheoryLayer, ...] = item("the hidden layers, first to last; empty where theory has no answer")
    reasons: Frozen[Unknown] = item("why a number is null; an infinite one says so")
    notes: tuple[str, ...] = item("what a number assumes")
    phase_diagram: PhaseDiagram | None = item(default=None)
    attention_diagram: AttentionDiagram | None = item(default=None)
    points: tuple[str, ...] = item("flow points of each block, a layer each", default=(), inner=True)

    @property
    def diagram(self) -> PhaseDiagram | None:
        """The phase diagram, by the name that earlier scripts have for it."""
        return self.phase_diagram

    @property
    def next_command(self) -> str:
        """The command that measures the network, at its critical gain if it has one."""
        options = {name: self.config[name] for name in NETWORK_OPTIONS if name in self.config}
        gain = self.fixed_point.critical_gain
        return command_line("simulate", options if gain is None else options | {"gain": float(f"{gain:.6g}")})


def make_theory_report(
    config: Mapping[str, Any],
    layer: LayerMap | None,
    found: FixedPoint | Unknown,
    prediction: Prediction | Unknown,
    critical_gain: float | None,
    diagram: PhaseDiagram | AttentionDiagram | None,
) -> TheoryReport:
    """Lay out what was found, or why there is no fixed point."""
    points = POINTS if config["arch"] == "transformer" else ()
    sigmas = {"sigma_w": layer and math.sqrt(layer.weight), "sigma_b": layer and math.sqrt(layer.bias)}
    known = prediction if isinstance(prediction, Prediction) else None
    fixed_point, reasons = _fixed_point(found, critical_gain)
    if isinstance(prediction, Unknown):
        reasons |= {"network": prediction, "layers": prediction}
    return TheoryReport(
        command="theory",
        config=Frozen({**config, **sigmas}),
        fixed_point=fixed_point,
        network=_network(known, len(points)),
        layers=tuple(_layer(*row, points) for row in enumerate(known.layers if known else (), start=1)),
        reasons=Frozen(reasons),
        notes=(*(found.notes if isinstance(found, FixedPoint) else ()), *(known.notes if known else ())),
        phase_diagram=diagram if isinstance(diagram, PhaseDiagram) else None,
        attention_diagram=diagram if isinstance(diagram, AttentionDiagram) else None,
        points=points,
    )


def _fixed_point(
    found: FixedPoint | Unknown, critical_gain: float | None
) -> tuple[TheoryFixedPoint, dict[str, Unknown]]:
    """Return what the layers settle at, and why something of it is None."""
    if isinstance(found, Unknown):
        return TheoryFixedPoint(**dict.fromkeys(("phase", *QUANTITIES))), {"fixed_point": found}
    raw = {name: getattr(found, name) for name in QUANTITIES if name != "critical_gain"}
    raw["critical_gain"] = critical_gain
    values = {name: None if value is None else number(value) for name, value in raw.items()}
    because = {name: Unknown(ENDLESS) for name, value in raw.items() if value == math.inf} | found.reasons
    if "critical_sigma_w" in because:
        because["critical_gain"] = because["critical_sigma_w"]
    return TheoryFixedPoint(phase=found.phase, **values), because


def _network(prediction: Prediction | None, points: int) -> TheoryNetwork:
    if prediction is None:
        return TheoryNetwork(**dict.fromkeys(one.name for one in fields(TheoryNetwork)))
    first, steps = prediction.layers[0], (len(prediction.layers) - 1) / max(1, points)
    return TheoryNetwork(
        log10_gradient_ratio=first.log10_gradient_ratio,
        log10_gradient_ratio_std=first.log10_gradient_ratio_std,
        gradient_span=prediction.gradient_span,
        mean_local_gain=number(power_of_ten(first.log10_gradient_ratio / steps)) if steps else None,
        **(_tokens(prediction) if points else {}),
    )


def _tokens(prediction: Prediction) -> dict[str, float | None]:
    """Return what is said of a transformer's tokens."""
    cosines = [one.token_cosine for one in prediction.layers[2::3] if one.token_cosine is not None]
    gaps = [1 - one for one in cosines[len(cosines) // 2 :]]
    known = len(gaps) > 1 and min(gaps) > 0
    return {
        "token_cosine": cosines[-1] if cosines else None,
        "token_gap_factor": (gaps[-1] / gaps[0]) ** (1 / (len(gaps) - 1)) if known else None,
        "score_std": max(one.score_std for one in prediction.layers if one.score_std is not None),
        "attended": min(one.attended for one in prediction.layers if one.attended is not None),
    }


def _layer(index: int, layer: LayerPrediction, points: tuple[str, ...]) -> TheoryLayer:
    block, point = divmod(index - 1, len(points)) if points else (0, 0)
    name = f"{block + 1} {points[point]}" if points else None
    return TheoryLayer(index=index, name=name, **layer._asdict())
