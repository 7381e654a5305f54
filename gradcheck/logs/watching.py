"""A log that is diagnosed while it grows, and what is done about a finding."""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from gradcheck.errors import OptionError, at_least, shown
from gradcheck.logs.appending import warn
from gradcheck.logs.findings.clips import thresholds
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.findings.finding import ERROR, NOTE
from gradcheck.logs.lines import Problems
from gradcheck.logs.log import Log
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.report import LogFinding, findings_of, judged
from gradcheck.logs.series import Series
from gradcheck.logs.table import Table

#: ``warn``; ``stop``, which warns and, of an error, ends the training; or a function of the finding.
OnFinding: TypeAlias = Literal["warn", "stop"] | Callable[[LogFinding], Any]

#: What ``on_finding`` may be, and what a function returns to end the training.
WARN, STOP = "warn", "stop"

#: Steps to the first diagnosis.
CHECK_EVERY = 100

#: From one diagnosis to the next there are so many times as many: one costs as much as a few steps of a small network.
LATER = 5

#: In longer runs a diagnosis waits until the run has grown by this share: all together take a fixed share of the time.
GROWN = 0.25

#: A number so many times the largest one before is looked at at once.
ALARMING = 10.0


class Watch:
    """Diagnoses a log while it grows, from the same lines that are written to the file.

    Whether a diagnosis is due depends on the records alone, not on the clock: processes that have the same records come
    to the same findings at the same step.

    Parameters
    ----------
    every : int
        Steps to the first diagnosis; from then on to each next one at least five times as many.
    """

    def __init__(self, every: int = CHECK_EVERY) -> None:
        self._every = at_least("check_every", every, 1, "it counts steps from one diagnosis to the next")
        problems = Problems()
        self._reader = JsonRecords(problems)
        self._log = Log(self._reader, Table(problems), problems)
        self._lines: list[bytes] = []
        self._first: int | None = None
        self._due = 0
        self._largest: dict[str, float] = {}
        self._broken: dict[str, int] = {}
        self._known: set[tuple[str, str]] = set()

    def take(self, line: bytes) -> None:
        """Take in a line of the file."""
        self._lines.append(line)

    def look(self, step: int, **numbers: float | None) -> list[LogFinding]:
        """Return what is found for the first time, if a diagnosis is due at this step, that of the last record.

        Some of its numbers call for one at once where they leap, or are not finite.
        """
        if self._first is None:
            self._first, self._due = step, step + self._every
        leaps = [self._leaps(name, value) for name, value in numbers.items() if value is not None]
        if step < self._due and not any(leaps):
            return []
        self._due = step + max(LATER * self._every, int(GROWN * (step - self._first)))
        return self.diagnose()

    @np.errstate(all="ignore")  # numbers at the ends of the floats' range
    def diagnose(self) -> list[LogFinding]:
        """Return the errors and warnings in the whole log so far that were not found before."""
        for row in self._reader.rows(iter([b"".join(self._lines)])):
            self._log.add(row)
        self._lines = []
        series = Series(self._log)
        found = find_all(series)
        kinds = {(one.kind, one.weight) for one in found if one.weight != NOTE}
        new = kinds - self._known
        self._known |= kinds
        if not new:
            return []
        told = findings_of(found, thresholds(judged(series), found))
        return [one for one in told if (one.kind, one.severity) in new]

    def _leaps(self, name: str, value: float) -> bool:
        """Whether a number is far beyond all of its kind before, the first that isn't finite, or one of many in a row.

        Of those in a row the second counts, the fourth, the eighth …: a loss scale may still be searched for.
        """
        if not math.isfinite(value):
            first, in_a_row = name not in self._broken, self._broken.get(name, 0) + 1
            self._broken[name] = in_a_row
            return first or (in_a_row > 1 and in_a_row.bit_count() == 1)
        if name in self._broken:
            self._broken[name] = 0
        largest = self._largest.get(name, 0.0)
        self._largest[name] = max(abs(value), largest)
        return 0 < ALARMING * largest < abs(value)


def checked_reaction(on_finding: OnFinding) -> OnFinding:
    """Return what is to be done about a finding, if it can be; otherwise raise an error."""
    if on_finding in (WARN, STOP) or callable(on_finding):
        return on_finding
    known = "'warn', 'stop', or a function, which gets the finding and may return 'stop'"
    raise OptionError("on_finding", f"{shown(on_finding)} is none of {known}")


def react(finding: LogFinding, on_finding: OnFinding, file: object, *, silent: bool = False) -> bool:
    """Warn of a finding, or call the function with it; return whether the training is to stop.

    Of several processes one warns, the others are silent.
    """
    if not isinstance(on_finding, str):
        return bool(on_finding(finding) == STOP)
    if not silent:
        advice = f"; try: {finding.advice[0]}" if finding.advice else ""
        warn(f"gradcheck found {finding.kind}: {finding.message}{advice} (gradcheck diagnose {file})")
    return on_finding == STOP and finding.severity == ERROR


def tell(log: Callable[[dict[str, float]], object], metrics: dict[str, float]) -> None:
    """Hand a finding to a logger of the trainer; one that fails, as it has ended before, doesn't end the training."""
    try:
        log(metrics)
    except Exception as error:
        warn(f"{', '.join(metrics)} could not be logged: {type(error).__name__}: {error}")


def as_metrics(finding: LogFinding) -> dict[str, float]:
    """Return a finding as a metric for the trainer's own logger: its kind ↦ where it begins, or 1."""
    return {f"gradcheck/{finding.kind}": 1.0 if finding.first_step is None else float(finding.first_step)}
