"""What theory says: plain data with one dict form, strict JSON values throughout."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gradcheck.base.document import Document
from gradcheck.base.loose import Loose
from gradcheck.base.record import number
from gradcheck.base.wording import shortest
from gradcheck.mean_field.fixed_point import FixedPoint
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.prediction import LayerPrediction, Prediction
from gradcheck.mean_field.unknown import ENDLESS, Unknown
from gradcheck.spec import NetworkSpec
from gradcheck.version import SCHEMA_VERSION, __version__

#: What layers come to, in the order of reports, with its meaning.
QUANTITIES = {
    "chi": "chi_1, a layer's factor of the squared gradient at the fixed point",
    "variance": "q*, the fixed point of the pre-activations' mean square",
    "correlation": "c*, the correlation that two inputs' pre-activations tend to",
    "correlation_rate": "by what a layer multiplies a deviation from c*",
    "variance_depth": "xi_q: layers in which a deviation from q* falls by e",
    "correlation_depth": "xi_c: layers in which a deviation from c* falls by e",
    "gradient_depth": "xi_grad: layers in which the squared gradient changes by e",
    "deepest_trainable": "6 xi_c: networks of more layers don't train",
    "critical_sigma_w": "the sigma_w with chi = 1 at this sigma_b",
    "critical_gain": "the --gain that gives it",
}

PHASES = ("ordered", "critical", "chaotic")


@dataclass(frozen=True)
class TheoryReport(Document):
    """What mean-field theory says of a network.

    Attributes
    ----------
    config : Loose
        Every option with its resolved value, and ``sigma_w``, ``sigma_b``, None where widths differ in them.
    fixed_point : Loose
        ``phase`` and the quantities of ``QUANTITIES``, None where theory has no answer.
    network : Loose
        ``log10_gradient_ratio`` of the first layer over the last, ``log10_gradient_ratio_std`` among networks of
        this width, ``gradient_span``, ``mean_local_gain``; None where theory has no answer.
    layers : tuple of Loose
        The hidden layers, first to last; empty where theory has no answer.
    unknown : dict
        What is None ↦ why, as a code.
    notes : tuple of str
        What a number takes for granted.
    diagram : Loose or None
        ``sigma_w`` (columns), ``sigma_b`` (rows) and ``chi`` in their plane, if asked for.
    """

    config: Loose
    fixed_point: Loose
    network: Loose
    layers: tuple[Loose, ...]
    unknown: Mapping[str, Unknown]
    notes: tuple[str, ...] = ()
    diagram: Loose | None = None

    @property
    def reasons(self) -> Loose:
        """What is None ↦ why, in words."""
        return Loose({name: unknown.reason for name, unknown in self.unknown.items()})

    @property
    def command(self) -> str:
        """The command line that measures the network, at its critical gain if it has one."""
        options = {name: self.config[name] for name in NetworkSpec().to_dict() if name in self.config}
        gain = self.fixed_point.critical_gain
        changed = options if gain is None else options | {"gain": float(f"{gain:.6g}")}
        return " ".join(["gradcheck simulate", *_typed(changed)])

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; what theory doesn't know is None."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "gradcheck_version": __version__,
            "command": "theory",
            "config": dict(self.config),
            "fixed_point": dict(self.fixed_point),
            "network": dict(self.network),
            "layers": [dict(layer) for layer in self.layers],
            "reasons": dict(self.reasons),
            "notes": list(self.notes),
        }
        return document if self.diagram is None else document | {"phase_diagram": dict(self.diagram)}


def make_theory_report(
    config: Mapping[str, Any],
    layer: LayerMap | None,
    found: FixedPoint | Unknown,
    prediction: Prediction | Unknown,
    critical_gain: float | None,
    diagram: Loose | None,
) -> TheoryReport:
    """Lay out what was found, or why there is no fixed point."""
    sigmas = {"sigma_w": layer and math.sqrt(layer.weight), "sigma_b": layer and math.sqrt(layer.bias)}
    known = prediction if isinstance(prediction, Prediction) else None
    fixed_point, unknown = _fixed_point(found, critical_gain)
    if isinstance(prediction, Unknown):
        unknown |= {"network": prediction, "layers": prediction}
    return TheoryReport(
        config=Loose({**config, **sigmas}),
        fixed_point=fixed_point,
        network=_network(known),
        layers=tuple(_layer(*row) for row in enumerate(known.layers if known else (), start=1)),
        unknown=unknown,
        notes=(*(found.notes if isinstance(found, FixedPoint) else ()), *(known.notes if known else ())),
        diagram=diagram,
    )


def _typed(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that set a perceptron's options, those at their default left out."""
    usual = NetworkSpec().to_dict()
    for name, value in options.items():
        if value is None or value == usual[name]:
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, list):
            yield f"{flag} {','.join(map(str, value))}"
        elif isinstance(value, bool):
            yield flag
        else:
            yield f"{flag} {shortest(value) if isinstance(value, float) else value}"


def _fixed_point(found: FixedPoint | Unknown, critical_gain: float | None) -> tuple[Loose, dict[str, Unknown]]:
    """Return what the layers come to, and why something of it is None."""
    if isinstance(found, Unknown):
        return Loose(dict.fromkeys(("phase", *QUANTITIES))), {"fixed_point": found}
    raw = {name: getattr(found, name) for name in QUANTITIES if name != "critical_gain"}
    raw["critical_gain"] = critical_gain
    values = {name: None if value is None else number(value) for name, value in raw.items()}
    endless = {name: ENDLESS for name, value in raw.items() if value == math.inf}
    because = endless | found.reasons
    if "critical_sigma_w" in because:
        because["critical_gain"] = because["critical_sigma_w"]
    return Loose({"phase": found.phase, **values}), because


def _network(prediction: Prediction | None) -> Loose:
    """Return what becomes of the gradient between the last layer and the first."""
    if prediction is None:
        names = ("log10_gradient_ratio", "log10_gradient_ratio_std", "gradient_span", "mean_local_gain")
        return Loose(dict.fromkeys(names))
    first, steps = prediction.layers[0], len(prediction.layers) - 1
    return Loose(
        log10_gradient_ratio=first.log10_gradient_ratio,
        log10_gradient_ratio_std=first.log10_gradient_ratio_std,
        gradient_span=prediction.gradient_span,
        mean_local_gain=number(10 ** (first.log10_gradient_ratio / steps)) if steps else None,
    )


def _layer(index: int, layer: LayerPrediction) -> Loose:
    return Loose({"index": index, **layer._asdict()})
