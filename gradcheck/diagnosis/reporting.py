"""From what was measured and diagnosed to the report."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.base.record import LARGEST, Frozen, number, power_in_range
from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.number_formats import number_causes
from gradcheck.diagnosis.number_record import NumberFormatsRecord
from gradcheck.diagnosis.rate_record import LearningRateRecord
from gradcheck.diagnosis.report import (
    BandedLayerRecord,
    BandedOutputRecord,
    BandedSummaryRecord,
    CauseRecord,
    LayerRecord,
    OutputRecord,
    PredictionRecord,
    RegionRecord,
    Report,
    SummaryRecord,
    VerdictRecord,
)
from gradcheck.diagnosis.sentences.codes import sentence
from gradcheck.diagnosis.sentences.rate import rate_sentence
from gradcheck.diagnosis.status import Flag
from gradcheck.diagnosis.summary import Summary
from gradcheck.diagnosis.verdict import Diagnosis, Verdict
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow, PerLayer
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.flow.quantities import QUANTITIES


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
    prediction: PredictionRecord | None = None,
) -> Report:
    """Lay out what was measured (each draw's flow and summary, and the typical one), diagnosed and predicted."""
    regions = [
        region._asdict() | {"log10_worst_ratio": number(region.log10_worst_ratio)} for region in diagnosis.regions
    ]
    record = BandedSummaryRecord if len(summaries) > 1 else SummaryRecord
    return Report(
        command=command,
        config=Frozen(config),
        layers=_layers(flows, typical, diagnosis.flags),
        prediction=prediction,
        output=_output([flow.output for flow in flows], typical.output),
        regions=tuple(RegionRecord(**region) for region in regions),
        summary=record(**banded_summary(summaries, summary), parameters=parameters),
        verdict=_verdict(diagnosis.verdict, typical),
        unit=typical.unit,
        points=typical.points,
    )


def with_numbers(report: Report, record: NumberFormatsRecord, flow: GradientFlow) -> Report:
    """Return a report with what number formats lose, and remarks on it after the verdict's other reasons."""
    remarks = tuple(_cause(one, flow) for one in number_causes(record))
    reasons, causes = (*report.verdict.reasons, *(one.text for one in remarks)), (*report.verdict.causes, *remarks)
    return replace(report, number_formats=record, verdict=replace(report.verdict, reasons=reasons, causes=causes))


def with_rate(report: Report, record: LearningRateRecord) -> Report:
    """Return a report with the learning rate, and a remark on it after the verdict's other reasons."""
    text, code = rate_sentence(record), "no-rate" if record.best_rate is None else "learning-rate"
    remark = CauseRecord(code=code, layers=None, value=record.best_rate, limit=record.ceiling, text=text)
    verdict = report.verdict
    said = replace(verdict, reasons=(*verdict.reasons, text), causes=(*verdict.causes, remark))
    return replace(report, learning_rate=record, verdict=said)


def banded_summary(summaries: Sequence[Summary], summary: Summary) -> dict[str, float | None]:
    """Return the typical summary and, of several draws, the extremes."""
    return _banded(Summary._fields, summaries, summary)


def _verdict(verdict: Verdict, flow: GradientFlow) -> VerdictRecord:
    causes = tuple(_cause(one, flow) for one in verdict.causes)
    return VerdictRecord(
        status=verdict.status,
        trainable=verdict.trainable,
        score=verdict.score,
        reasons=tuple(one.text for one in causes),
        causes=causes,
    )


def _cause(cause: Cause, flow: GradientFlow) -> CauseRecord:
    value, limit = (one if one is None or isinstance(one, int) else number(one) for one in (cause.value, cause.limit))
    text, passed = sentence(cause, flow), cause.passed
    return CauseRecord(code=cause.code, layers=cause.layers, value=value, limit=limit, text=text, passed=passed)


def _layers(flows: Sequence[GradientFlow], typical: GradientFlow, flags: Sequence[Flag]) -> tuple[LayerRecord, ...]:
    record = BandedLayerRecord if len(flows) > 1 else LayerRecord
    columns: dict[str, Sequence[Any]] = {
        "index": range(1, len(flags) + 1),
        **_names(typical),
        "fan_in": typical.fan_in,
        "fan_out": typical.fan_out,
        **dict(_measured(flows, typical)),
        "status": _statuses(typical),
        "flag": flags,
    }
    rows = zip(*(columns[name] for name in record._names), strict=True)  # in the order of the record: that is faster
    return tuple(record(**dict(zip(record._names, row, strict=True))) for row in rows)


def _names(flow: GradientFlow) -> dict[str, Sequence[str | None]]:
    """Return the layers' names; of a user's own model as they are there, with their kinds."""
    if isinstance(flow, ModelFlow):
        return {"name": flow.labels, "kind": [one.name for one in flow.kinds], "role": [one.role for one in flow.kinds]}
    layers = range(1, len(flow.layers) + 1)
    names = [f"hidden {layer}" if flow.unit == "layer" else flow.name(layer) for layer in layers]
    return {"name": names, "kind": [None] * len(names), "role": [None] * len(names)}


def _measured(flows: Sequence[GradientFlow], typical: GradientFlow) -> Iterator[tuple[str, list[float | None]]]:
    """Yield the names of what is measured, with a number for each layer; of a magnitude also its logarithm."""
    for name, quantity in QUANTITIES.items():
        draws = np.array([quantity.values(flow) for flow in flows]) if len(flows) > 1 else None
        for suffix, values in _bands(quantity.values(typical), draws):
            if quantity.magnitude:
                yield name + suffix, [power_in_range(value) for value in values.tolist()]
            if quantity.show_log or not quantity.magnitude:
                prefix = "log10_" if quantity.magnitude else ""
                yield prefix + name + suffix, [number(value) for value in values.tolist()]


def _bands(typical: PerLayer, draws: PerLayer | None) -> list[tuple[str, PerLayer]]:
    """Return the typical values and, of several draws, the extremes."""
    if draws is None:
        return [("", typical)]
    return [("", typical), ("_low", np.fmin.reduce(draws)), ("_high", np.fmax.reduce(draws))]


def _magnitudes(flow: GradientFlow) -> PerLayer:
    """Return the logarithms of all magnitudes but the ratios between layers, (layers, magnitudes).

    A point without weights has no norm of them, weights that are not trained have no gradient: neither is out of range.
    """
    counted = [one for name, one in QUANTITIES.items() if one.magnitude and name != "local_gain"]
    table = np.array([one.values(flow) for one in counted]).T
    bare = np.isnan(flow.column("log10_weight_gradient_norm")) & np.isfinite(flow.column("log10_gradient_rms"))
    table[np.outer(bare, [one.of_weights for one in counted])] = 0.0
    return table


def _statuses(flow: GradientFlow) -> list[Any]:
    """Say why a layer's numbers are not all there: a magnitude is zero, or beyond the range of floats."""
    magnitudes, beyond = _magnitudes(flow), np.arange(1, len(flow.layers) + 1) > flow.reached
    with np.errstate(over="ignore", under="ignore"):
        conditions = {
            flow.obstacle: beyond,
            "underflow": (10.0**magnitudes == 0).any(axis=1),
            "overflow": ~(magnitudes < LARGEST).all(axis=1),
        }
    statuses: list[Any] = np.select(list(conditions.values()), list(conditions), "ok").tolist()
    return statuses


def _output(draws: Sequence[OutputFlow], typical: OutputFlow) -> OutputRecord:
    """Return the loss, and the read-out's magnitudes as numbers."""

    def plain(output: OutputFlow) -> list[float]:
        powers = [
            power_in_range(logarithm) for logarithm in (output.log10_logit_rms, output.log10_weight_gradient_norm)
        ]
        return [output.loss, *(math.nan if power is None else power for power in powers)]

    record = BandedOutputRecord if len(draws) > 1 else OutputRecord
    names = ["loss", "logit_rms", "weight_gradient_norm"]
    return record(**_banded(names, [plain(draw) for draw in draws], plain(typical)))


def _banded(
    names: Sequence[str], draws: Sequence[Sequence[float]], typical: Sequence[float]
) -> dict[str, float | None]:
    """Return names with their typical values and, of several draws, with the extremes."""
    banded = {}
    table = np.array(draws, dtype=np.float64).T if len(draws) > 1 else [None] * len(names)
    for name, value, column in zip(names, typical, table, strict=True):
        for suffix, one in _bands(np.float64(value), column):  # type: ignore[arg-type]
            banded[name + suffix] = number(float(one))
    return banded
