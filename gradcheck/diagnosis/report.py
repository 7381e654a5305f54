"""The report: plain data with one dict form, strict JSON values throughout."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.base.document import Document
from gradcheck.base.loose import Loose
from gradcheck.base.record import number, power_in_range
from gradcheck.diagnosis.summary import Summary
from gradcheck.diagnosis.verdict import Diagnosis
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow, PerLayer
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.flow.quantities import QUANTITIES
from gradcheck.version import SCHEMA_VERSION, __version__


@dataclass(frozen=True)
class Report(Document):
    """What one command found.

    Attributes
    ----------
    command : str
    config : Loose
        Every option with its resolved value.
    layers : tuple of Loose
        The hidden layers, first to last; keys as in ``gradcheck schema simulate``.
    output : Loose
        The read-out and the loss.
    regions : tuple of Loose
        Neighbouring layers with one flag.
    summary : Loose
    verdict : Loose
        ``status``, ``trainable``, ``score``, ``reasons``.
    suggestions : tuple of Loose or None
        Changes that bring the network back, each simulated; None if nobody asked.
    prediction : Loose or None
        What mean-field theory says of the same network; None where a command asks for none.
    model : Loose or None
        Of ``probe``: what only a user's own model has, see ``gradcheck schema probe``.
    unit : str
        What a layer is called: ``layer``, or ``step`` of a recurrence; of a transformer, ``block``.
    points : tuple of str
        The flow points of each block of a transformer: each has a layer of its own here.
    """

    text = "gradcheck.diagnosis.text:as_text"

    command: str
    config: Loose
    layers: tuple[Loose, ...]
    output: Loose
    regions: tuple[Loose, ...]
    summary: Loose
    verdict: Loose
    suggestions: tuple[Loose, ...] | None = None
    prediction: Loose | None = None
    model: Loose | None = None
    unit: str = "layer"
    points: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; a number that isn't finite is None."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "gradcheck_version": __version__,
            "command": self.command,
            "config": dict(self.config),
            "layers": [dict(layer) for layer in self.layers],
            "output": dict(self.output),
            "regions": [dict(region) for region in self.regions],
            "summary": dict(self.summary),
            "verdict": dict(self.verdict),
        }
        if self.prediction is not None:
            document["prediction"] = dict(self.prediction)
        if self.suggestions is not None:
            document["suggestions"] = [dict(suggestion) for suggestion in self.suggestions]
        if self.model is not None:
            document["model"] = dict(self.model)
        return document


def make_report(
    command: str,
    config: Mapping[str, Any],
    flows: Sequence[GradientFlow],
    typical: GradientFlow,
    summaries: Sequence[Summary],
    summary: Summary,
    diagnosis: Diagnosis,
    *,
    parameters: int,
    prediction: Loose | None = None,
) -> Report:
    """Lay out what was measured (each draw's flow and summary, and the typical one), diagnosed and predicted."""
    return Report(
        command=command,
        config=Loose(config),
        layers=_layers(flows, typical, diagnosis.flags),
        prediction=prediction,
        output=_output([flow.output for flow in flows], typical.output),
        regions=tuple(
            Loose(region._asdict() | {"log10_worst_ratio": number(region.log10_worst_ratio)})
            for region in diagnosis.regions
        ),
        summary=Loose(banded_summary(summaries, summary) | {"parameters": parameters}),
        verdict=Loose(diagnosis.verdict._asdict() | {"reasons": list(diagnosis.verdict.reasons)}),
        unit=typical.unit,
        points=typical.points,
    )


def banded_summary(summaries: Sequence[Summary], summary: Summary) -> Loose:
    """Return the typical summary and, of several draws, the extremes."""
    return _banded(Summary._fields, summaries, summary)


def _layers(flows: Sequence[GradientFlow], typical: GradientFlow, flags: Sequence[str]) -> tuple[Loose, ...]:
    columns: dict[str, list[float | None]] = {}
    for name, quantity in QUANTITIES.items():
        draws = np.array([quantity.values(flow) for flow in flows]) if len(flows) > 1 else None
        for suffix, values in _bands(quantity.values(typical), draws):
            if quantity.magnitude:
                columns[name + suffix] = [power_in_range(value) for value in values.tolist()]
            if quantity.show_log or not quantity.magnitude:
                prefix = "log10_" if quantity.magnitude else ""
                columns[prefix + name + suffix] = [number(value) for value in values.tolist()]
    rows = zip(*columns.values(), strict=True)
    logarithms = _magnitudes(typical)
    return tuple(
        Loose(
            {
                "index": index,
                **_named(typical, index),
                "fan_in": fan_in,
                "fan_out": fan_out,
            }
            | dict(zip(columns, row, strict=True))
            | {"status": _status(typical, index, logarithms[index - 1]), "flag": flag}
        )
        for index, (fan_in, fan_out, row, flag) in enumerate(
            zip(typical.fan_in, typical.fan_out, rows, flags, strict=True), start=1
        )
    )


def _named(flow: GradientFlow, index: int) -> dict[str, str]:
    """Return a layer's name; of a user's own model as it is there, with its kind."""
    if isinstance(flow, ModelFlow):
        return {"name": flow.labels[index - 1], "kind": flow.kinds[index - 1]}
    return {"name": flow.name(index).replace("layer", "hidden")}


def _bands(typical: PerLayer, draws: PerLayer | None) -> list[tuple[str, PerLayer]]:
    """Return the typical values and, of several draws, the extremes."""
    if draws is None:
        return [("", typical)]
    return [("", typical), ("_low", np.fmin.reduce(draws)), ("_high", np.fmax.reduce(draws))]


def _magnitudes(flow: GradientFlow) -> PerLayer:
    """Return the logarithms of all magnitudes but the ratios between layers, (layers, magnitudes).

    A point without weights has no norm of them, weights that are not trained have no gradient: neither is out of range.
    """
    names = [name for name, one in QUANTITIES.items() if one.magnitude and name != "local_gain"]
    table = np.array([QUANTITIES[name].values(flow) for name in names]).T
    of_weights = [name.startswith("weight") for name in names]
    bare = np.isnan(flow.column("log10_weight_gradient_norm")) & np.isfinite(flow.column("log10_gradient_rms"))
    table[np.outer(bare, of_weights)] = 0.0
    return table


def _status(flow: GradientFlow, index: int, logarithms: PerLayer) -> str:
    """Say why a layer's numbers are not all there: a magnitude is zero, or beyond the range of floats."""
    if index > flow.reached:
        return flow.obstacle
    if any(power_in_range(value) in (None, 0.0) and value < 0 for value in logarithms.tolist()):
        return "underflow"
    return "overflow" if any(power_in_range(value) is None for value in logarithms.tolist()) else "ok"


def _output(draws: Sequence[OutputFlow], typical: OutputFlow) -> Loose:
    """Return the loss, and the read-out's magnitudes as numbers."""

    def plain(output: OutputFlow) -> list[float]:
        powers = [power_in_range(logarithm) for logarithm in output[1:]]
        return [output.loss, *(math.nan if power is None else power for power in powers)]

    names = ["loss", "logit_rms", "weight_gradient_norm"]
    return _banded(names, [plain(draw) for draw in draws], plain(typical))


def _banded(names: Sequence[str], draws: Sequence[Sequence[float]], typical: Sequence[float]) -> Loose:
    """Return names with their typical values and, of several draws, with the extremes."""
    record = Loose()
    table = np.array(draws, dtype=np.float64).T if len(draws) > 1 else [None] * len(names)
    for name, value, column in zip(names, typical, table, strict=True):
        for suffix, one in _bands(np.float64(value), column):  # type: ignore[arg-type]
            record[name + suffix] = number(float(one))
    return record
