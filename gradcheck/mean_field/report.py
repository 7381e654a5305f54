"""What theory predicts: plain data with one dict form, strict JSON values throughout."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gradcheck.base.document import CommandReport
from gradcheck.base.record import Frozen, Record, item, number, power_of_ten
from gradcheck.mean_field.fixed_point import FixedPoint
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.prediction import LayerPrediction, Prediction
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.spec import NetworkSpec
from gradcheck.spec.command_line import command_line

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
    mean_local_gain: float | None = item("geometric mean of the local gains; null of a single layer")


class TheoryLayer(Record):
    """What is predicted of a hidden layer."""

    index: int = item(minimum=1)
    preactivation_std: float | None = item("standard deviation of the pre-activations")
    log10_local_gain: float | None = item("log10 of the gradient over the next layer's; null of the last layer")
    log10_gradient_ratio: float = item("log10 of the gradient over the last layer's", type=["number", "null"])
    log10_local_gain_std: float | None = item("standard deviation of log10_local_gain among networks of this width")
    log10_gradient_ratio_std: float | None = item(
        "standard deviation of log10_gradient_ratio among networks of this width"
    )


class PhaseDiagram(Record):
    """The plane of both scales."""

    sigma_w: tuple[float, ...]
    sigma_b: tuple[float, ...]
    chi: tuple[tuple[float, ...], ...] = item("chi_1: a line for each sigma_b, a number for each sigma_w")


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

    @property
    def diagram(self) -> PhaseDiagram | None:
        """The phase diagram, if it was asked for."""
        return self.phase_diagram

    @property
    def next_command(self) -> str:
        """The command that measures the network, at its critical gain if it has one."""
        options = {name: self.config[name] for name in NetworkSpec().to_dict() if name in self.config}
        gain = self.fixed_point.critical_gain
        return command_line("simulate", options if gain is None else options | {"gain": float(f"{gain:.6g}")})


def make_theory_report(
    config: Mapping[str, Any],
    layer: LayerMap | None,
    found: FixedPoint | Unknown,
    prediction: Prediction | Unknown,
    critical_gain: float | None,
    diagram: PhaseDiagram | None,
) -> TheoryReport:
    """Lay out what was found, or why there is no fixed point."""
    sigmas = {"sigma_w": layer and math.sqrt(layer.weight), "sigma_b": layer and math.sqrt(layer.bias)}
    known = prediction if isinstance(prediction, Prediction) else None
    fixed_point, reasons = _fixed_point(found, critical_gain)
    if isinstance(prediction, Unknown):
        reasons |= {"network": prediction, "layers": prediction}
    return TheoryReport(
        command="theory",
        config=Frozen({**config, **sigmas}),
        fixed_point=fixed_point,
        network=_network(known),
        layers=tuple(_layer(*row) for row in enumerate(known.layers if known else (), start=1)),
        reasons=Frozen(reasons),
        notes=(*(found.notes if isinstance(found, FixedPoint) else ()), *(known.notes if known else ())),
        phase_diagram=diagram,
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


def _network(prediction: Prediction | None) -> TheoryNetwork:
    if prediction is None:
        return TheoryNetwork(**dict.fromkeys(one.name for one in fields(TheoryNetwork)))
    first, steps = prediction.layers[0], len(prediction.layers) - 1
    return TheoryNetwork(
        log10_gradient_ratio=first.log10_gradient_ratio,
        log10_gradient_ratio_std=first.log10_gradient_ratio_std,
        gradient_span=prediction.gradient_span,
        mean_local_gain=number(power_of_ten(first.log10_gradient_ratio / steps)) if steps else None,
    )


def _layer(index: int, layer: LayerPrediction) -> TheoryLayer:
    return TheoryLayer(index=index, **layer._asdict())
