"""``diagnose``: what does the log of a training run show? The report is plain data with one dict form."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike

import numpy as np

from gradcheck.base.calls import public
from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Record, item, number
from gradcheck.base.wording import as_percent
from gradcheck.errors import OptionError, finite, shown
from gradcheck.logs.columns import NOTHING, asked_columns
from gradcheck.logs.curves import Curves, draw_curves
from gradcheck.logs.findings.causes import NO_THRESHOLD, advice_on
from gradcheck.logs.findings.clips import Replay, Threshold, replays, thresholds, usual_text, usual_threshold
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.findings.finding import FINDING_KINDS, NOTE, SEVERITIES, Finding
from gradcheck.logs.findings.meaning import as_meant
from gradcheck.logs.findings.phrases import of_rows, step_text
from gradcheck.logs.findings.sentences import sentence
from gradcheck.logs.log import Log
from gradcheck.logs.parting import Parting, parting
from gradcheck.logs.readers.in_memory import name_of
from gradcheck.logs.reading import read_log
from gradcheck.logs.remarks import check_guess, warnings
from gradcheck.logs.series import Series
from gradcheck.logs.what_was_read import LogRead, LogRun, number_of, read_part
from gradcheck.spec.clip_rules import PERCENT

#: The kind, first step and layers of no finding at all.
HEALTHY: tuple[str, float, tuple[str, ...]] = "healthy", math.nan, ()


class LogConfig(Record):
    """What was asked for."""

    file: str
    max_norm: float | None = item("as it was given; null: what the log says")
    columns: tuple[str, ...] = item("QUANTITY=NAME, as they were given", default=())


class LogCause(Cause):
    """A finding that decided."""

    code: str = item("the kind of the finding", enum=list(FINDING_KINDS))


class LogVerdict(Record):
    """The most severe finding; notes leave a run healthy, but for the one that it is too short to judge."""

    status: str = item(enum=["healthy", *FINDING_KINDS])
    first_step: float | None = item("where it begins")
    layer: str | None = item("the first to move")
    reasons: tuple[str, ...]
    causes: tuple[LogCause, ...]


class LogFinding(Record):
    """One thing that was found."""

    kind: str = item(enum=list(FINDING_KINDS))
    severity: str = item(enum=list(SEVERITIES))
    message: str
    first_step: float | None = item("where it begins")
    last_step: float | None = item("where it ends")
    layer: str | None = item("the first to move")
    layers: tuple[str, ...] = item("all those affected, in the order in which they moved")
    numbers: Mapping[str, float | None]
    advice: tuple[str, ...] = item("what to try")


class LogReport(CommandReport):
    """What the log of a training run shows."""

    table = "findings"
    text = "gradcheck.logs.text:as_text"
    figure = "gradcheck.logs.plot:plot"
    page = "gradcheck.logs.html:as_html"

    config: LogConfig
    log: LogRead
    verdict: LogVerdict
    findings: tuple[LogFinding, ...] = item("the most severe first; none: a healthy run")
    thresholds: tuple[Threshold, ...] = item("percentiles of the gradient norm")
    replays: tuple[Replay, ...] = item("the adaptive rules on the logged norms")
    curves: Curves
    warnings: tuple[str, ...] = item("what was wrong with the log and was left out")
    runs: tuple[LogRun, ...] = item("where there are several: all of them, the one that is judged last", default=())
    against: Parting | None = item("another log that it was held against", default=None)


@public
def diagnose(
    file: object,
    *,
    against: object = None,
    max_norm: float | None = None,
    columns: Mapping[str, str] | None = None,
    tick: Callable[[float], None] | None = None,
) -> LogReport:
    """Diagnose the log of a training run.

    >>> rows = [{"loss": 2 * 0.99**step, "grad_norm": 1.2 ** max(0, step - 150)} for step in range(200)]
    >>> report = gradcheck.diagnose(rows)
    >>> report.verdict.status, report.verdict.first_step
    ('exploding', 152)

    Parameters
    ----------
    file : str, Path, list of dict, dict of lists, or DataFrame
        A recorder's file; JSON Lines or CSV with columns such as step, loss, lr, grad_norm, grad_norm/LAYER; what a
        training prints; a Hugging Face ``trainer_state.json``; a TensorBoard event file; a folder of runs; ``-`` for
        the standard input. Or the rows themselves, with such names.
    against : as `file`, optional
        Another log: the report says from which step on the two part.
    max_norm : float, optional
        The clipping threshold of the global norm, where the log doesn't say it.
    columns : mapping, optional
        A quantity (loss, grad_norm, step, …) ↦ the name of its column, where another one is taken for it.
    tick : callable, optional
        Called with the fraction of the file that has been read, 0 to 1.

    Returns
    -------
    LogReport

    Raises
    ------
    InputError
        Nothing in the file could be read.
    OptionError
        `max_norm` is not a threshold, or `columns` names no quantity.

    Notes
    -----
    Every criterion is relative to the run itself: multiplying the loss, and with it all gradients, by a constant leaves
    the findings as they are. ``gradcheck.logs.findings`` has them with their constants, reasons and sources.
    """
    max_norm = checked_max_norm(max_norm)
    if not isinstance(columns, Mapping | None):
        raise OptionError("columns", f"{shown(columns)} is no mapping, such as {{'loss': 'train/nll'}}")
    columns = asked_columns(f"{quantity}={name}" for quantity, name in (columns or {}).items())
    name = str(file) if isinstance(file, str | PathLike) else name_of(file)
    log = read_log(file, tick=tick, columns=columns)
    other = None if against is None else held_against(log, against, columns)
    return report_on(log, name, max_norm, columns, other)


@np.errstate(all="ignore")  # numbers at the ends of the floats' range
def held_against(log: Log, other: object, columns: Mapping[str, str] = NOTHING) -> Parting:
    """Return where another log, a file or rows, parts from this one."""
    name = str(other) if isinstance(other, str | PathLike) else name_of(other)
    return parting(Series(log), Series(read_log(other, columns=columns)), name)


def checked_max_norm(max_norm: float | None) -> float | None:
    """Return a threshold above zero, or None; otherwise raise an error."""
    return None if max_norm is None else finite("max_norm", max_norm, "it is a threshold of norms", above=0.0)


@np.errstate(all="ignore")  # numbers at the ends of the floats' range
def report_on(
    log: Log,
    file: str,
    max_norm: float | None = None,
    columns: Mapping[str, str] = NOTHING,
    against: Parting | None = None,
) -> LogReport:
    """Return what a log shows, as far as it is read: its last run, and in short the others."""
    series = Series(log)
    found = find_all(series, max_norm)
    check_guess(series, columns, found, file)
    series = judged(series)
    table = thresholds(series, found)
    return LogReport(
        command="diagnose",
        config=LogConfig(
            file=file, max_norm=max_norm, columns=tuple(f"{quantity}={name}" for quantity, name in columns.items())
        ),
        log=read_part(log, series),
        verdict=_verdict(found),
        findings=tuple(findings_of(found, table)),
        thresholds=tuple(table),
        replays=tuple(replays(series)),
        curves=draw_curves(series, max_norm),
        warnings=(*log.problems.lines(), *warnings(series, columns)),
        runs=tuple(_runs(log, found, max_norm)),
        against=against,
    )


def judged(series: Series) -> Series:
    """Return the series that is judged."""
    return as_meant(series)[0] if len(series.steps) else series


def findings_of(found: Sequence[Finding], table: Sequence[Threshold]) -> list[LogFinding]:
    """Return findings as a report has them, with sentences, and advice that names a threshold of the table."""
    return [_finding(one, table) for one in found]


def _runs(log: Log, found: Sequence[Finding], max_norm: float | None) -> Iterator[LogRun]:
    """Yield the runs of a log, if there are several."""
    runs = list(log.runs())
    for name, part, run in runs if len(runs) > 1 else ():
        own = Series(part, run)
        here = found if run is log.table.run else find_all(own, max_norm)
        verdict = _verdict(here)
        first, last = own.ends if len(own.steps) else (math.nan, math.nan)
        message = verdict.reasons[0] if verdict.reasons else None
        yield LogRun(
            name=name, rows=run.rows, first_step=number_of(first), last_step=number_of(max(last, run.last_step)),
            status=verdict.status, message=message, kinds=tuple(dict.fromkeys(one.kind for one in here)),
            judged="gradients" if len(own.course("grad_norm")[0]) else "loss",
        )  # fmt: skip


def _finding(one: Finding, table: Sequence[Threshold]) -> LogFinding:
    advice = advice_on(one.kind, one.signs, _threshold_text(one.kind, table), step_text(one.numbers.get("growth_step")))
    return LogFinding(
        kind=one.kind,
        severity=one.weight,
        message=sentence(one),
        first_step=number_of(one.first_step),
        last_step=number_of(one.last_step),
        layer=next(iter(one.layers), None),
        layers=one.layers,
        numbers={name: number(value) for name, value in one.numbers.items()},
        advice=tuple(map(of_rows, advice)) if one.details.get("counted") else advice,
    )


def _threshold_text(kind: str, table: Sequence[Threshold]) -> str:
    """Return the threshold that is advised, with what it clips."""
    one = usual_threshold(kind, table)
    if one is None or one.norm is None:
        return NO_THRESHOLD
    after = ", most of them after it began" if kind == "exploding" else ""  # too few are before it
    shares = f"{as_percent(one.clipped_fraction)} of the steps{after}"
    if one.until_step is not None:
        before = as_percent(1 - one.percentile / PERCENT)
        shares = f"{before} of the steps before {step_text(one.until_step)}, {as_percent(one.clipped_fraction)} of all"
    return f"{usual_text(one)} (it clips {shares})"


def _verdict(found: Sequence[Finding]) -> LogVerdict:
    serious = [one for one in found if one.weight != NOTE]
    decides = serious or [one for one in found if one.kind == "too-short"]
    kind, step, layers = (decides[0].kind, decides[0].first_step, decides[0].layers) if decides else HEALTHY
    return LogVerdict(
        status=kind,
        first_step=number_of(step),
        layer=next(iter(layers), None),
        reasons=tuple(map(sentence, decides)),
        causes=tuple(map(_cause, decides)),
    )


def _cause(one: Finding) -> LogCause:
    value, limit = (None if measured is None else number(measured) for measured in (one.value, one.limit))
    return LogCause(code=one.kind, layers=one.layers or None, value=value, limit=limit, text=sentence(one))
