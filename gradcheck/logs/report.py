"""``diagnose``: what does the log of a training run show? The report is plain data with one dict form."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradcheck.base.document import Document
from gradcheck.base.loose import Loose
from gradcheck.base.record import number
from gradcheck.errors import finite
from gradcheck.logs.columns import Column
from gradcheck.logs.findings.clips import replays, thresholds
from gradcheck.logs.findings.criteria import findings
from gradcheck.logs.findings.finding import KINDS, NOTE, Finding
from gradcheck.logs.findings.sentences import step_text
from gradcheck.logs.lines import Problems
from gradcheck.logs.reading import Log, read_log
from gradcheck.logs.series import Series
from gradcheck.version import SCHEMA_VERSION, __version__

#: Points of the curves in the report.
POINTS = 240


@dataclass(frozen=True)
class LogReport(Document):
    """What the log of a training run shows.

    Attributes
    ----------
    config : Loose
        ``file`` and ``max_norm``, as they were given.
    log : Loose
        What was read: ``format``, ``rows``, ``first_step``, ``last_step``, ``layers``, ``rows_per_sample``.
    findings : tuple of Loose
        By weight; keys as in ``gradcheck schema diagnose``.
    thresholds : tuple of Loose
        What percentiles of the gradient norm would do as clipping thresholds.
    replays : tuple of Loose
        What the adaptive clipping rules would have done with the logged norms.
    curves : Loose
        ``grad_norm`` and ``loss``: the highest value of each part of the run.
    verdict : Loose
        ``status``, ``first_step``, ``layer``, ``reasons``.
    warnings : tuple of str
        What was wrong with the log, and was left out.
    """

    config: Loose
    log: Loose
    findings: tuple[Loose, ...]
    thresholds: tuple[Loose, ...]
    replays: tuple[Loose, ...]
    curves: Loose
    verdict: Loose
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; a number that isn't finite is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "gradcheck_version": __version__,
            "command": "diagnose",
            "config": dict(self.config),
            "log": dict(self.log),
            "verdict": dict(self.verdict),
            "findings": [dict(one) for one in self.findings],
            "thresholds": [dict(one) for one in self.thresholds],
            "replays": [dict(one) for one in self.replays],
            "curves": dict(self.curves),
            "warnings": list(self.warnings),
        }


def diagnose(
    file: str | Path, *, max_norm: float | None = None, tick: Callable[[float], None] | None = None
) -> LogReport:
    """Diagnose the log of a training run.

    Parameters
    ----------
    file : str or Path
        A recorder's file; JSON Lines or CSV with columns such as step, loss, lr, grad_norm, grad_norm/LAYER; a Hugging
        Face ``trainer_state.json``; a TensorBoard event file or a folder of them; ``-`` for the standard input.
    max_norm : float, optional
        The clipping threshold of the global norm, where the log doesn't say it.
    tick : callable, optional
        Called with the part of the file that is read, 0 to 1.

    Returns
    -------
    LogReport

    Raises
    ------
    InputError
        Nothing in the file could be read.
    MissingExtraError
        It is an event file, and the package that reads it isn't installed.
    OptionError
        `max_norm` is no threshold.

    Notes
    -----
    Every criterion is relative to the run itself: a loss, and with it all gradients, times a constant has the same
    findings. ``gradcheck.logs.findings`` has them with their constants, reasons and sources.
    """
    checked = checked_max_norm(max_norm)
    return report_on(read_log(file, tick=tick), str(file), checked)


def checked_max_norm(max_norm: float | None) -> float | None:
    """Return a threshold that means something; otherwise raise an error."""
    return None if max_norm is None else finite("max_norm", max_norm, "it is a threshold of norms", above=0.0)


def report_on(log: Log, file: str, max_norm: float | None = None) -> LogReport:
    """Return what a log shows, as far as it is read; numbers at the ends of the floats' range may overflow here."""
    with np.errstate(all="ignore"):
        return _report(log, file, max_norm)


def _report(log: Log, file: str, max_norm: float | None) -> LogReport:
    series = Series.of(log)
    found = findings(series, max_norm)
    return LogReport(
        config=Loose(file=file, max_norm=max_norm),
        log=_log(log, series),
        findings=tuple(_record(one) for one in found),
        thresholds=_records(thresholds(series, found)),
        replays=_records(replays(series)),
        curves=Loose({name: _curve(series, name) for name in ("grad_norm", "loss")}),
        verdict=_verdict(found),
        warnings=tuple(_warnings(log.problems, series)),
    )


def _log(log: Log, series: Series) -> Loose:
    ends = (series.steps[0], max(series.steps[-1], log.table.last_step)) if len(series.steps) else (math.nan, math.nan)
    return Loose(
        format=log.reader.format,
        rows=series.rows,
        first_step=_step(ends[0]),
        last_step=_step(ends[1]),
        layers=len(series.layers),
        rows_per_sample=series.stride,
    )


def _step(step: float) -> float | None:
    """Return a step as JSON has it: whole ones without decimals."""
    return int(step) if math.isfinite(step) and float(step).is_integer() else number(step)


def _record(one: Finding) -> Loose:
    return Loose(
        kind=one.kind,
        severity=one.weight,
        message=one.message,
        first_step=_step(one.first_step),
        last_step=_step(one.last_step),
        layer=one.layers[0] if one.layers else None,
        layers=list(one.layers),
        numbers=Loose({name: number(value) for name, value in one.numbers.items()}),
        advice=list(KINDS[one.kind].advice),
    )


def _records(found: Sequence[NamedTuple]) -> tuple[Loose, ...]:
    return tuple(
        Loose({name: number(value) if isinstance(value, float) else value for name, value in one._asdict().items()})
        for one in found
    )


def _curve(series: Series, quantity: str) -> Loose:
    """Return the highest value of each part of the run, None where one isn't finite."""
    steps, values = series.course(quantity)
    starts = np.unique(np.linspace(0, len(steps), min(POINTS, len(steps)), endpoint=False).astype(int))
    highest = np.maximum.reduceat(values, starts).tolist() if len(starts) else []
    return Loose(step=[_step(step) for step in steps[starts].tolist()], value=[number(value) for value in highest])


def _verdict(found: Sequence[Finding]) -> Loose:
    """Return what the weightiest finding says; notes leave a run healthy."""
    serious = [one for one in found if one.weight != NOTE]
    if not serious:
        return Loose(status="healthy", first_step=None, layer=None, reasons=[])
    worst = serious[0]
    layer = worst.layers[0] if worst.layers else None
    reasons = [one.message for one in serious]
    return Loose(status=worst.kind, first_step=_step(worst.first_step), layer=layer, reasons=reasons)


def _warnings(problems: Problems, series: Series) -> Iterator[str]:
    yield from problems.lines()
    back = series.steps_back
    if back:
        times = "once" if back == 1 else f"{back:,} times"
        how = "put in order" if series.out_of_order else "of steps that stand twice the later ones count"
        yield f"the steps go back {times}: {how}"
    for name in ("step", "loss", "grad_norm"):
        if Column(name) in series.columns and np.isnan(series.samples[:, series.columns[Column(name)]]).all():
            yield f"under {name} stands no number that could be read"
    if series.nonfinite is None and not len(series.norm) and len(series.steps):
        yield f"there is no gradient norm in it: only the loss is judged, from step {step_text(series.steps[0])} on"
