"""``diagnose``: what does the log of a training run show? The report is plain data with one dict form."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Record, item, number
from gradcheck.errors import finite
from gradcheck.logs.columns import Column
from gradcheck.logs.findings.clips import Replay, Threshold, replays, thresholds
from gradcheck.logs.findings.criteria import findings
from gradcheck.logs.findings.finding import FINDING_KINDS, NOTE, SEVERITIES, Finding
from gradcheck.logs.findings.sentences import step_text
from gradcheck.logs.lines import Problems
from gradcheck.logs.reading import Log, read_log
from gradcheck.logs.series import Series

#: Points of the curves in the report.
POINTS = 240


class LogConfig(Record):
    """What was asked for."""

    file: str
    max_norm: float | None = item("as it was given; null: what the log says")


class LogRead(Record):
    """What was read."""

    format: str
    rows: int = item(minimum=0)
    first_step: float | None = item("of the rows that count")
    last_step: float | None = item("of the rows that count")
    layers: int = item("layers with a gradient norm of their own", minimum=0)
    rows_per_sample: int = item("above 1: of so many rows the first and the highest are kept", minimum=0)


class LogCause(Cause):
    """A finding that decided."""

    code: str = item("the kind of the finding", enum=list(FINDING_KINDS))


class LogVerdict(Record):
    """What the weightiest finding says; notes leave a run healthy."""

    status: str = item(enum=["healthy", *FINDING_KINDS])
    first_step: float | None = item("where it begins")
    layer: str | None = item("that moved first")
    reasons: tuple[str, ...]
    causes: tuple[LogCause, ...]


class LogFinding(Record):
    """One thing that was found."""

    kind: str = item(enum=list(FINDING_KINDS))
    severity: str = item(enum=list(SEVERITIES))
    message: str
    first_step: float | None = item("where it begins")
    last_step: float | None = item("where it ends")
    layer: str | None = item("that moved first")
    layers: tuple[str, ...] = item("all that are concerned, the first to move first")
    numbers: Mapping[str, float | None]
    advice: tuple[str, ...] = item("what to try")


class Curve(Record):
    """A quantity over the steps, in parts of the run."""

    step: tuple[float | None, ...]
    value: tuple[float | None, ...] = item("highest of its part of the run; null: not finite")


class Curves(Record):
    """What is drawn."""

    grad_norm: Curve
    loss: Curve


class LogReport(CommandReport):
    """What the log of a training run shows."""

    text = "gradcheck.logs.text:as_text"

    config: LogConfig
    log: LogRead
    verdict: LogVerdict
    findings: tuple[LogFinding, ...] = item("by weight; none: a healthy run")
    thresholds: tuple[Threshold, ...] = item("percentiles of the gradient norm")
    replays: tuple[Replay, ...] = item("the adaptive rules on the logged norms")
    curves: Curves
    warnings: tuple[str, ...] = item("what was wrong with the log, and left out")


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
        command="diagnose",
        config=LogConfig(file=file, max_norm=max_norm),
        log=_log(log, series),
        verdict=_verdict(found),
        findings=tuple(map(_finding, found)),
        thresholds=tuple(thresholds(series, found)),
        replays=tuple(replays(series)),
        curves=Curves(grad_norm=_curve(series, "grad_norm"), loss=_curve(series, "loss")),
        warnings=tuple(_warnings(log.problems, series)),
    )


def _log(log: Log, series: Series) -> LogRead:
    ends = (series.steps[0], max(series.steps[-1], log.table.last_step)) if len(series.steps) else (math.nan, math.nan)
    return LogRead(
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


def _finding(one: Finding) -> LogFinding:
    return LogFinding(
        kind=one.kind,
        severity=one.weight,
        message=one.message,
        first_step=_step(one.first_step),
        last_step=_step(one.last_step),
        layer=one.layers[0] if one.layers else None,
        layers=one.layers,
        numbers={name: number(value) for name, value in one.numbers.items()},
        advice=FINDING_KINDS[one.kind].advice,
    )


def _curve(series: Series, quantity: str) -> Curve:
    """Return the highest value of each part of the run, None where one isn't finite."""
    steps, values = series.course(quantity)
    starts = np.unique(np.linspace(0, len(steps), min(POINTS, len(steps)), endpoint=False).astype(int))
    highest = np.maximum.reduceat(values, starts).tolist() if len(starts) else []
    return Curve(
        step=tuple(_step(step) for step in steps[starts].tolist()), value=tuple(number(value) for value in highest)
    )


def _verdict(found: Sequence[Finding]) -> LogVerdict:
    serious = [one for one in found if one.weight != NOTE]
    worst = serious[0] if serious else None
    return LogVerdict(
        status=worst.kind if worst else "healthy",
        first_step=_step(worst.first_step) if worst else None,
        layer=worst.layers[0] if worst and worst.layers else None,
        reasons=tuple(one.message for one in serious),
        causes=tuple(map(_cause, serious)),
    )


def _cause(one: Finding) -> LogCause:
    value, limit = (None if measured is None else number(measured) for measured in (one.value, one.limit))
    return LogCause(code=one.kind, layers=one.layers or None, value=value, limit=limit, text=one.message)


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
